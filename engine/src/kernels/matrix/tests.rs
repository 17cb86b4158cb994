//! Every format, every level of instructions and every number of columns against the definition in f64.

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use half::f16;

use super::*;
use crate::kernels::CodeBits;
use crate::kernels::compute::Compute;
use crate::simd::levels;
use crate::testing::{WriteType, noise};

/// Rows of a file with what they mean.
struct Case {
    name: String,
    dtype: TensorType,
    rows: usize,
    columns: usize,
    bytes: Vec<u8>,
    /// By another program than ours.
    weights: Vec<f32>,
}

impl Case {
    fn pack(&self, precision: Precision) -> Arc<Matrix> {
        let read = |range: Range<usize>, out: &mut Vec<u8>| {
            out.clear();
            out.extend_from_slice(&self.bytes[range]);
            Ok::<(), ()>(())
        };
        let shape = (self.rows, self.columns);
        Arc::new(Matrix::pack(self.dtype, precision, shape, self.bytes.len(), read).unwrap())
    }
}

const PLAIN: [(WriteType, TensorType); 8] = [
    (WriteType::F32, TensorType::F32),
    (WriteType::F16, TensorType::F16),
    (WriteType::Bf16, TensorType::Bf16),
    (WriteType::Q4_0, TensorType::Q4_0),
    (WriteType::Q4_1, TensorType::Q4_1),
    (WriteType::Q5_0, TensorType::Q5_0),
    (WriteType::Q5_1, TensorType::Q5_1),
    (WriteType::Q8_0, TensorType::Q8_0),
];

const BY_CANDLE: [(GgmlDType, TensorType); 11] = [
    (GgmlDType::F16, TensorType::F16),
    (GgmlDType::Q4_0, TensorType::Q4_0),
    (GgmlDType::Q4_1, TensorType::Q4_1),
    (GgmlDType::Q5_0, TensorType::Q5_0),
    (GgmlDType::Q5_1, TensorType::Q5_1),
    (GgmlDType::Q8_0, TensorType::Q8_0),
    (GgmlDType::Q2K, TensorType::Q2K),
    (GgmlDType::Q3K, TensorType::Q3K),
    (GgmlDType::Q4K, TensorType::Q4K),
    (GgmlDType::Q5K, TensorType::Q5K),
    (GgmlDType::Q6K, TensorType::Q6K),
];

/// Written and read by the library.
fn by_candle(dtype: GgmlDType, ours: TensorType, rows: usize, columns: usize) -> Case {
    let weights = noise(rows as u64 + 7, rows * columns);
    let tensor = Tensor::from_slice(&weights, (rows, columns), &Device::Cpu).unwrap();
    let quantised = QTensor::quantize(&tensor, dtype).unwrap();
    let widened = quantised.dequantize(&Device::Cpu).unwrap();
    Case {
        name: format!("{dtype:?}"),
        dtype: ours,
        rows,
        columns,
        bytes: quantised.data().unwrap().into_owned(),
        weights: widened.flatten_all().unwrap().to_vec1().unwrap(),
    }
}

/// Formats that the library does not know, from random bytes; what they mean is said once more here.
fn by_definition(dtype: TensorType, rows: usize, columns: usize) -> Case {
    const UNEVEN: [f32; 16] = [
        -127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0,
        113.0,
    ];
    const MICRO: [f32; 8] = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0];
    let (block, size) = dtype.block();
    let mut random = noise(99, rows * columns / block * size).into_iter();
    let mut byte = || ((random.next().unwrap() + 1.0) * 127.9) as u8;
    let (mut bytes, mut weights) = (Vec::new(), Vec::new());
    let nibbles = |part: &[u8]| -> Vec<usize> {
        let low = part.iter().map(|byte| usize::from(byte & 15));
        low.chain(part.iter().map(|byte| usize::from(byte >> 4)))
            .collect()
    };
    for _ in 0..rows * columns / block {
        let mut one: Vec<u8> = (0..size).map(|_| byte()).collect();
        match dtype.name() {
            "IQ4_NL" => {
                let step = f16::from_f32(0.001 + f32::from(one[0]) / 100_000.0);
                one[..2].copy_from_slice(&step.to_le_bytes());
                weights.extend(nibbles(&one[2..]).iter().map(|n| step.to_f32() * UNEVEN[*n]));
            }
            "IQ4_XS" => {
                let step = f16::from_f32(0.0001 + f32::from(one[0]) / 1_000_000.0);
                one[..2].copy_from_slice(&step.to_le_bytes());
                let high = u16::from_le_bytes([one[2], one[3]]);
                for block in 0..8 {
                    let low = one[4 + block / 2] >> (4 * (block % 2)) & 15;
                    let scale = i32::from(low) + 16 * i32::from(high >> (2 * block) & 3) - 32;
                    let codes = nibbles(&one[8 + 16 * block..][..16]);
                    weights.extend(codes.iter().map(|n| step.to_f32() * scale as f32 * UNEVEN[*n]));
                }
            }
            _ => {
                one[0] = 118 + one[0] % 12;
                let step = 2_f32.powi(i32::from(one[0]) - 127);
                weights.extend(nibbles(&one[1..]).iter().map(|n| {
                    let sign = if *n > 7 { -1.0 } else { 1.0 };
                    sign * MICRO[n % 8] * step
                }));
            }
        }
        bytes.extend(one);
    }
    let name = dtype.name().to_owned();
    Case {
        name,
        dtype,
        rows,
        columns,
        bytes,
        weights,
    }
}

fn cases(rows: usize, columns: usize) -> Vec<Case> {
    let ours = [TensorType::Iq4Nl, TensorType::Iq4Xs, TensorType::Mxfp4];
    let candle = BY_CANDLE
        .into_iter()
        .map(|(dtype, ours)| by_candle(dtype, ours, rows, columns));
    candle
        .chain(ours.map(|dtype| by_definition(dtype, rows, columns)))
        .collect()
}

#[test]
fn rows_are_what_other_programs_read() {
    for case in cases(19, 512) {
        for precision in [Precision::Fast, Precision::Exact] {
            let matrix = case.pack(precision);
            let mut row = vec![f32::NAN; 512];
            for (index, theirs) in case.weights.chunks_exact(512).enumerate() {
                matrix.row(index, &mut row);
                for (ours, theirs) in row.iter().zip(theirs) {
                    let near = 2e-6 * theirs.abs().max(0.1);
                    assert!(
                        (ours - theirs).abs() <= near,
                        "{}: {ours}, not {theirs}",
                        case.name
                    );
                }
            }
        }
    }
}

#[test]
fn what_was_written_is_near_what_is_read() {
    // 1,504 columns are whole blocks, and no whole spans.
    let columns = 1504;
    let weights = noise(5, 3 * columns);
    for ((write, dtype), step) in PLAIN
        .into_iter()
        .zip([0.0, 0.001, 0.004, 0.15, 0.07, 0.07, 0.04, 0.005])
    {
        let bytes = write.encode(&weights);
        let case = Case {
            name: format!("{write:?}"),
            dtype,
            rows: 3,
            columns,
            bytes,
            weights: weights.clone(),
        };
        let matrix = case.pack(Precision::Fast);
        let mut row = vec![f32::NAN; columns];
        for (index, written) in weights.chunks_exact(columns).enumerate() {
            matrix.row(index, &mut row);
            let worst = row
                .iter()
                .zip(written)
                .map(|(a, b)| (a - b).abs())
                .fold(0.0, f32::max);
            assert!(worst <= step, "{write:?} is off by {worst}");
        }
    }
}

fn product(compute: &Compute, stack: &Stack, bits: CodeBits, x: &[f32]) -> Vec<f32> {
    let mut columns = Columns::new(bits);
    stack.take_in(compute, x, &mut columns);
    let mut out = vec![f32::NAN; x.len() / stack.columns * stack.rows];
    stack.multiply(compute, &columns, &mut out);
    out
}

fn near(case: &Case, bits: CodeBits, precision: Precision) -> f64 {
    let of_codes = match (bits, precision) {
        (_, Precision::Exact) => 0.0,
        (CodeBits::Eight, Precision::Fast) => 0.004,
        (CodeBits::Sixteen, Precision::Fast) => 0.000_02,
    };
    let plain = matches!(case.dtype, TensorType::F16 | TensorType::F32 | TensorType::Bf16);
    if plain { 1e-5 } else { of_codes + 1e-5 }
}

/// The product of a row, and the size of what was added up for it.
fn in_f64(weights: &[f32], x: &[f32]) -> (f64, f64) {
    let products = weights.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x));
    products.fold((0.0, 0.0), |(sum, size), product| {
        (sum + product, size + product * product)
    })
}

#[test]
fn products_are_those_of_the_widened_weights_at_every_level() {
    let (rows, columns) = (37, 512);
    let pool = |level| Compute {
        level,
        ..Compute::new(2).unwrap()
    };
    let computes: Vec<Compute> = levels().map(pool).collect();
    for case in cases(rows, columns) {
        for precision in [Precision::Fast, Precision::Exact] {
            let stack = Stack::new(vec![case.pack(precision)]);
            for bits in [CodeBits::Eight, CodeBits::Sixteen] {
                for n in [1, 2, 5, 8, 13] {
                    let x = noise(3 + n as u64, n * columns);
                    let outs: Vec<Vec<f32>> = computes
                        .iter()
                        .map(|compute| product(compute, &stack, bits, &x))
                        .collect();
                    assert!(
                        outs.iter().all(|out| *out == outs[0]),
                        "{}: levels differ",
                        case.name
                    );
                    for (x, out) in x.chunks_exact(columns).zip(outs[0].chunks_exact(rows)) {
                        // The same alone.
                        assert_eq!(product(&computes[0], &stack, bits, x), out, "{}", case.name);
                        for (weights, ours) in case.weights.chunks_exact(columns).zip(out) {
                            let (exact, size) = in_f64(weights, x);
                            let off = (f64::from(*ours) - exact).abs();
                            let near =
                                near(&case, bits, precision) * (columns as f64).sqrt() * size.sqrt().max(0.1);
                            assert!(off <= near, "{} {bits:?}: {ours}, not {exact}", case.name);
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn extreme_codes_do_not_overflow() {
    // All codes and all activations at their ends, in the widest rows.
    let columns = 8192;
    for (write, dtype) in [
        (WriteType::Q8_0, TensorType::Q8_0),
        (WriteType::Q5_1, TensorType::Q5_1),
    ] {
        for sign in [1.0, -1.0] {
            let weights: Vec<f32> = (0..columns)
                .map(|i| if i % 32 == 31 { -sign } else { sign })
                .collect();
            let bytes = write.encode(&weights);
            let case = Case {
                name: String::new(),
                dtype,
                rows: 1,
                columns,
                bytes,
                weights,
            };
            let stack = Stack::new(vec![case.pack(Precision::Fast)]);
            let mut wide = vec![0.0; columns];
            stack.parts[0].row(0, &mut wide);
            let x = vec![1.0; columns];
            let (exact, _) = in_f64(&wide, &x);
            for level in levels() {
                let compute = Compute {
                    level,
                    ..Compute::new(1).unwrap()
                };
                for bits in [CodeBits::Eight, CodeBits::Sixteen] {
                    let out = product(&compute, &stack, bits, &x);
                    assert!(
                        (f64::from(out[0]) / exact - 1.0).abs() < 1e-5,
                        "{} of {exact}",
                        out[0]
                    );
                }
            }
        }
    }
}

#[test]
fn stacks_add_gate_and_join() {
    let (rows, columns) = (35, 256);
    let gate = by_candle(GgmlDType::Q4K, TensorType::Q4K, rows, columns);
    let up = by_candle(GgmlDType::Q6K, TensorType::Q6K, rows, columns);
    let [first, second] = [&gate, &up].map(|case| case.pack(Precision::Fast));
    let stack = Stack::new(vec![Arc::clone(&first), Arc::clone(&second)]);
    let compute = Compute::new(3).unwrap();
    let x = noise(8, 3 * columns);
    let both = product(&compute, &stack, CodeBits::Sixteen, &x);
    let [gates, ups] =
        [first, second].map(|one| product(&compute, &Stack::new(vec![one]), CodeBits::Sixteen, &x));
    for (index, both) in both.chunks_exact(2 * rows).enumerate() {
        assert_eq!(both[..rows], gates[index * rows..][..rows]);
        assert_eq!(both[rows..], ups[index * rows..][..rows]);
    }
    let mut columns = Columns::new(CodeBits::Sixteen);
    stack.take_in(&compute, &x, &mut columns);
    let mut gated = vec![f32::NAN; 3 * rows];
    stack.gated(&compute, Activation::Silu, None, &columns, &mut gated);
    for ((gated, gate), up) in gated.iter().zip(&gates).zip(&ups) {
        let exact = gate / (1.0 + (-gate).exp()) * up;
        assert!(
            (gated - exact).abs() <= 1e-5 * exact.abs().max(1.0),
            "{gated}, not {exact}"
        );
    }
    let mut sums = vec![1.0; 3 * 2 * rows];
    stack.multiply_add(&compute, &columns, &mut sums);
    assert!(sums.iter().zip(&both).all(|(sum, x)| *sum == 1.0 + x));
}
