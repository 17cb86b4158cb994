//! Every format, every kernel and every number of columns against the definition in f64.

use std::sync::Arc;

use super::*;
use crate::checkpoint::{Gguf, WeightFile};
use crate::testing::{GgufWriter, WriteType, noise};

const TYPES: [WriteType; 8] = [
    WriteType::F32,
    WriteType::F16,
    WriteType::Bf16,
    WriteType::Q4_0,
    WriteType::Q4_1,
    WriteType::Q5_0,
    WriteType::Q5_1,
    WriteType::Q8_0,
];

fn matrix(dtype: WriteType, rows: usize, columns: usize, weights: &[f32]) -> Arc<Matrix> {
    let writer = GgufWriter::default().tensor("w", &[rows, columns], dtype, weights);
    loaded(&writer, rows, columns, Precision::Fast)
}

fn loaded(writer: &GgufWriter, rows: usize, columns: usize, precision: Precision) -> Arc<Matrix> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.gguf");
    std::fs::write(&path, writer.bytes()).unwrap();
    let file = Arc::new(HeldFile::open(&WeightFile::new(&path)).unwrap());
    let gguf = Gguf::parse(file.bytes()).unwrap();
    let info = gguf.tensor("w", &[rows, columns]).unwrap();
    Arc::new(Matrix::load("w", &file, info, precision).unwrap())
}

fn product(stack: &Stack, x: &[f32], precision: Precision) -> Vec<f32> {
    let mut out = Vec::new();
    stack.forward(x, precision, &mut out);
    out
}

#[test]
fn widened_rows_are_near_what_was_written() {
    let weights = noise(5, 3 * 64);
    for (dtype, step) in TYPES
        .into_iter()
        .zip([0.0, 0.001, 0.004, 0.15, 0.07, 0.07, 0.04, 0.005])
    {
        let matrix = matrix(dtype, 3, 64, &weights);
        for row in 0..3 {
            let mut wide = [0.0; 64];
            matrix.row(row, &mut wide);
            for (ours, written) in wide.iter().zip(&weights[row * 64..]) {
                assert!((ours - written).abs() <= step, "{dtype:?}: {ours} for {written}");
            }
        }
    }
}

#[test]
fn products_are_those_of_the_widened_weights() {
    let (rows, columns) = (77, 160);
    for dtype in TYPES {
        let parts = [
            matrix(dtype, rows, columns, &noise(1, rows * columns)),
            matrix(dtype, 5, columns, &noise(2, 5 * columns)),
        ];
        let stack = Stack::new(parts.to_vec());
        for n in [1, 2, 3, 4, 5, 11] {
            let x = noise(3 + n as u64, n * columns);
            for precision in [Precision::Fast, Precision::Exact] {
                let out = product(&stack, &x, precision);
                assert_eq!(out.len(), n * (rows + 5));
                check(&parts, &x, &out, dtype);
            }
        }
    }
}

fn check(parts: &[Arc<Matrix>], x: &[f32], out: &[f32], dtype: WriteType) {
    let columns = parts[0].columns;
    let mut wide = vec![0.0; columns];
    for (x, out) in x.chunks_exact(columns).zip(out.chunks_exact(82)) {
        let all = parts
            .iter()
            .flat_map(|part| (0..part.rows).map(move |row| (part, row)));
        for ((part, row), ours) in all.zip(out) {
            part.row(row, &mut wide);
            let exact: f64 = wide
                .iter()
                .zip(x)
                .map(|(w, x)| f64::from(*w) * f64::from(*x))
                .sum();
            assert!(
                (f64::from(*ours) - exact).abs() < 2e-3,
                "{dtype:?} row {row}: {ours}, not {exact}"
            );
        }
    }
}

#[test]
fn forms_of_a_kernel_agree() {
    let columns = 96;
    for (dtype, kind) in TYPES[3..].iter().zip([
        BlockKind::Q4_0,
        BlockKind::Q4_1,
        BlockKind::Q5_0,
        BlockKind::Q5_1,
        BlockKind::Q8_0,
    ]) {
        let row = dtype.encode(&noise(9, columns));
        let (mut plain, mut chosen) = (vec![0.0; columns], vec![0.0; columns]);
        super::super::portable::widen_blocks(kind, &row, &mut plain);
        kernel::widen_blocks(kind, &row, &mut chosen);
        assert!(
            plain.iter().zip(&chosen).all(|(a, b)| (a - b).abs() < 1e-6),
            "{kind:?}"
        );
        for n in 1..=3 {
            let codes = quantise(&noise(n as u64, n * columns), columns);
            let (mut plain, mut chosen) = (vec![0.0; n], vec![0.0; n]);
            super::super::portable::dot_blocks(kind, &row, &codes, &mut plain);
            kernel::dot_blocks(kind, &row, &codes, &mut chosen);
            assert!(
                plain.iter().zip(&chosen).all(|(a, b)| (a - b).abs() < 1e-4),
                "{kind:?} {n}"
            );
        }
    }
}

/// The K-quants with their number in files, and how near a weight between -1 and 1 stays to what was written.
const SUPERS: [(GgmlDType, u32, f32); 5] = [
    (GgmlDType::Q2K, 10, 0.45),
    (GgmlDType::Q3K, 11, 0.27),
    (GgmlDType::Q4K, 12, 0.1),
    (GgmlDType::Q5K, 13, 0.06),
    (GgmlDType::Q6K, 14, 0.04),
];

/// A matrix quantised by the library, as loaded from a file, with its weights widened by the library.
fn super_matrix(
    (dtype, type_id): (GgmlDType, u32),
    (rows, columns): (usize, usize),
    weights: &[f32],
    precision: Precision,
) -> (Arc<Matrix>, Vec<f32>) {
    let tensor = Tensor::from_slice(weights, (rows, columns), &Device::Cpu).unwrap();
    let quantised = QTensor::quantize(&tensor, dtype).unwrap();
    let bytes = quantised.data().unwrap().into_owned();
    let writer = GgufWriter::default().raw_tensor("w", &[rows, columns], type_id, bytes);
    (
        loaded(&writer, rows, columns, precision),
        widened(&quantised).unwrap(),
    )
}

fn product_in_f64(weights: &[f32], x: &[f32]) -> Vec<f64> {
    let rows = weights.chunks_exact(x.len());
    rows.map(|row| {
        row.iter()
            .zip(x)
            .map(|(w, x)| f64::from(*w) * f64::from(*x))
            .sum()
    })
    .collect()
}

#[test]
fn k_quants_are_read_as_they_were_written() {
    let (rows, columns) = (3, 512);
    let weights = noise(21, rows * columns);
    for (dtype, type_id, step) in SUPERS {
        for precision in [Precision::Fast, Precision::Exact] {
            let (matrix, wide) = super_matrix((dtype, type_id), (rows, columns), &weights, precision);
            for row in 0..rows {
                let mut ours = vec![0.0; columns];
                matrix.row(row, &mut ours);
                assert_eq!(ours, wide[row * columns..][..columns], "{dtype:?}");
                let written = &weights[row * columns..][..columns];
                let worst = ours
                    .iter()
                    .zip(written)
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f32::max);
                assert!(worst <= step, "{dtype:?} is off by {worst}");
            }
        }
    }
}

#[test]
fn products_of_k_quants_are_those_of_the_widened_weights() {
    let (rows, columns) = (37, 512);
    for (index, (dtype, type_id, _)) in SUPERS.into_iter().enumerate() {
        // As in files of type Q4_K_M, where the matrices of one stack differ in type.
        let (other, other_id, _) = SUPERS[SUPERS.len() - 1 - index];
        for (precision, near) in [(Precision::Fast, 0.15), (Precision::Exact, 2e-3)] {
            let first = super_matrix(
                (dtype, type_id),
                (rows, columns),
                &noise(1, rows * columns),
                precision,
            );
            let second = super_matrix((other, other_id), (5, columns), &noise(2, 5 * columns), precision);
            let plain = matrix(WriteType::Q8_0, 4, columns, &noise(4, 4 * columns));
            let mut plain_wide = vec![0.0; 4 * columns];
            for (row, out) in plain_wide.chunks_exact_mut(columns).enumerate() {
                plain.row(row, out);
            }
            let stack = Stack::new(vec![first.0, second.0, plain]);
            let wide = [first.1, second.1, plain_wide].concat();
            for n in [1, 2, 7] {
                let x = noise(30 + n as u64, n * columns);
                let out = product(&stack, &x, precision);
                for (x, out) in x.chunks_exact(columns).zip(out.chunks_exact(rows + 9)) {
                    for (ours, exact) in out.iter().zip(product_in_f64(&wide, x)) {
                        let distance = (f64::from(*ours) - exact).abs();
                        assert!(distance < near, "{dtype:?} {precision:?}: {ours}, not {exact}");
                    }
                }
            }
        }
    }
}
