//! Every format, every kernel and every number of columns against the definition in f64.

use std::sync::Arc;

use super::*;
use crate::checkpoint::{Gguf, WeightFile};
use crate::testing::{GgufWriter, WriteType, noise};

const TYPES: [WriteType; 7] = [
    WriteType::F32,
    WriteType::F16,
    WriteType::Q4_0,
    WriteType::Q4_1,
    WriteType::Q5_0,
    WriteType::Q5_1,
    WriteType::Q8_0,
];

fn matrix(dtype: WriteType, rows: usize, columns: usize, weights: &[f32]) -> Arc<Matrix> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.gguf");
    std::fs::write(
        &path,
        GgufWriter::default()
            .tensor("w", &[rows, columns], dtype, weights)
            .bytes(),
    )
    .unwrap();
    let file = Arc::new(HeldFile::open(&WeightFile::new(&path), u64::MAX).unwrap());
    let gguf = Gguf::parse(file.bytes()).unwrap();
    let info = gguf.tensor("w", &[rows, columns]).unwrap();
    Arc::new(Matrix::load("w", &file, info, Precision::Fast).unwrap())
}

fn product(stack: &Stack, x: &[f32], precision: Precision) -> Vec<f32> {
    let mut out = Vec::new();
    stack.forward(x, precision, &mut out);
    out
}

#[test]
fn widened_rows_are_near_what_was_written() {
    let weights = noise(5, 3 * 64);
    for (dtype, step) in TYPES.into_iter().zip([0.0, 0.001, 0.15, 0.07, 0.07, 0.04, 0.005]) {
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
    for (dtype, kind) in TYPES[2..].iter().zip([
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
