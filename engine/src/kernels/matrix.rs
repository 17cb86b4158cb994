//! Weight matrices in the form they have in the file, and their product with activations.

use std::sync::Arc;

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Tensor};
use rayon::prelude::*;

use super::activations::{Codes, quantise};
use super::blocks::{BlockKind, HalfKind};
use super::kernel;
use crate::checkpoint::{HeldFile, TensorBytes, TensorInfo, TensorType};
use crate::config::Precision;

/// Rows widened together: with the demo model's widest row they take 147 KB of the second-level cache.
const PANEL: usize = 24;
/// From this many columns on, widening weights to f32 once costs less than multiplying their codes for each.
const MANY: usize = 4;

/// A weight matrix (rows, columns): it maps a vector of `columns` to one of `rows`.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    store: Store,
}

#[derive(Debug)]
enum Store {
    Wide(Vec<f32>),
    Halves(HalfKind, TensorBytes),
    Blocks(BlockKind, TensorBytes),
    /// The K-quants, whose kernels are candle's.
    Super {
        product: QMatMul,
        table: Arc<QTensor>,
    },
}

/// A defect inside the tensor library, which the checks before it should have made impossible.
#[derive(Debug, thiserror::Error)]
#[error("tensor {tensor}: {source}")]
pub(crate) struct MatrixError {
    tensor: String,
    source: candle_core::Error,
}

impl Matrix {
    /// Takes a matrix out of a file without copying it, where its format has kernels of ours.
    pub(crate) fn load(
        name: &str,
        file: &Arc<HeldFile>,
        info: &TensorInfo,
        precision: Precision,
    ) -> Result<Self, MatrixError> {
        let columns = info.shape.last().copied().unwrap_or(0);
        let rows = info.shape.iter().rev().skip(1).product();
        let bytes = TensorBytes::new(file, info);
        let store = match (info.dtype, BlockKind::of(info.dtype)) {
            (_, Some(kind)) => Store::Blocks(kind, bytes),
            (TensorType::F16, None) => Store::Halves(HalfKind::F16, bytes),
            (TensorType::Bf16, None) => Store::Halves(HalfKind::Bf16, bytes),
            (TensorType::F32, None) => Store::Wide(wide(bytes.as_slice())),
            (super_type, None) => {
                let failed = |source| MatrixError {
                    tensor: name.to_owned(),
                    source,
                };
                let table = super_tensor(super_type, bytes.as_slice(), rows, columns).map_err(failed)?;
                match precision {
                    Precision::Exact => Store::Wide(widened(&table).map_err(failed)?),
                    Precision::Fast => {
                        let product = QMatMul::from_arc(Arc::clone(&table)).map_err(failed)?;
                        Store::Super { product, table }
                    }
                }
            }
        };
        Ok(Self { rows, columns, store })
    }

    /// Writes row `index` to `out`, as the embedding of a token.
    pub(crate) fn row(&self, index: usize, out: &mut [f32]) {
        match &self.store {
            Store::Wide(weights) => {
                out.copy_from_slice(&weights[index * self.columns..(index + 1) * self.columns])
            }
            Store::Halves(kind, bytes) => kernel::widen_halves(*kind, self.row_bytes(bytes, index), out),
            Store::Blocks(kind, bytes) => kernel::widen_blocks(*kind, self.row_bytes(bytes, index), out),
            Store::Super { table, .. } => super_row(table, index, out),
        }
    }

    fn row_bytes<'a>(&self, bytes: &'a TensorBytes, index: usize) -> &'a [u8] {
        let bytes = bytes.as_slice();
        let width = bytes.len() / self.rows;
        &bytes[index * width..(index + 1) * width]
    }

    /// Says whether the product can take activations as codes.
    fn wants_codes(&self, precision: Precision) -> bool {
        match (&self.store, precision) {
            (Store::Blocks(..), Precision::Fast) => true,
            (Store::Blocks(..), Precision::Exact) => false,
            (Store::Wide(_) | Store::Halves(..) | Store::Super { .. }, _) => false,
        }
    }

    /// Multiplies rows `first..` with all activations; `out` is (rows, n).
    fn multiply_rows(&self, first: usize, input: &Input<'_>, scratch: &mut Vec<f32>, out: &mut [f32]) {
        let (n, width) = (input.n, self.columns);
        match (&self.store, &input.codes) {
            (Store::Blocks(kind, bytes), Some(codes)) => {
                for (row, out) in out.chunks_exact_mut(n).enumerate() {
                    kernel::dot_blocks(*kind, self.row_bytes(bytes, first + row), codes, out);
                }
            }
            (Store::Wide(weights), _) => {
                let at = first * width;
                kernel::multiply_wide(&weights[at..at + out.len() / n * width], input.x, width, out, n);
            }
            (Store::Halves(..) | Store::Blocks(..) | Store::Super { .. }, _) => {
                for (panel, out) in out.chunks_mut(PANEL * n).enumerate() {
                    let first = first + panel * PANEL;
                    scratch.resize(out.len() / n * width, 0.0);
                    for (row, wide) in scratch.chunks_exact_mut(width).enumerate() {
                        self.row(first + row, wide);
                    }
                    kernel::multiply_wide(scratch, input.x, width, out, n);
                }
            }
        }
    }
}

fn wide(bytes: &[u8]) -> Vec<f32> {
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|bytes| f32::from_le_bytes(*bytes))
        .collect()
}

fn super_tensor(
    dtype: TensorType,
    bytes: &[u8],
    rows: usize,
    columns: usize,
) -> candle_core::Result<Arc<QTensor>> {
    let dtype = match dtype {
        TensorType::Q2K => GgmlDType::Q2K,
        TensorType::Q3K => GgmlDType::Q3K,
        TensorType::Q4K => GgmlDType::Q4K,
        TensorType::Q5K => GgmlDType::Q5K,
        TensorType::Q6K => GgmlDType::Q6K,
        TensorType::F32 | TensorType::F16 | TensorType::Bf16 => GgmlDType::F32,
        TensorType::Q4_0 | TensorType::Q4_1 | TensorType::Q5_0 => GgmlDType::F32,
        TensorType::Q5_1 | TensorType::Q8_0 => GgmlDType::F32,
    };
    let storage = QStorage::from_data(bytes.into(), &Device::Cpu, dtype)?;
    Ok(Arc::new(QTensor::new(storage, (rows, columns))?))
}

fn widened(table: &QTensor) -> candle_core::Result<Vec<f32>> {
    table.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()
}

fn super_row(table: &QTensor, index: usize, out: &mut [f32]) {
    let row = Tensor::new(&[index as u32], &Device::Cpu)
        .and_then(|ids| table.embedding(&ids))
        .and_then(|row| row.flatten_all()?.to_vec1::<f32>());
    match row {
        Ok(row) => out.copy_from_slice(&row),
        // Shapes were checked at load; a failure here is a defect, and not-a-number stops the sequence.
        Err(_) => out.fill(f32::NAN),
    }
}

/// Activations (n, columns) in the forms the products want.
struct Input<'a> {
    n: usize,
    columns: usize,
    x: &'a [f32],
    /// There are few columns and the arithmetic need not be exact: multiply codes.
    codes: Option<Codes>,
}

/// Several matrices over the same activations, computed as one with their rows one after the other.
#[derive(Debug)]
pub(crate) struct Stack {
    parts: Vec<Arc<Matrix>>,
    pub(crate) rows: usize,
    columns: usize,
}

impl Stack {
    /// Stacks matrices of the same width.
    pub(crate) fn new(parts: Vec<Arc<Matrix>>) -> Self {
        let rows = parts.iter().map(|part| part.rows).sum();
        let columns = parts.first().map_or(0, |part| part.columns);
        Self { parts, rows, columns }
    }

    /// Multiplies `x` (n, columns) with the matrices; the answer is (n, rows).
    pub(crate) fn forward(&self, x: &[f32], precision: Precision, out: &mut Vec<f32>) {
        let n = x.len() / self.columns;
        out.clear();
        out.resize(n * self.rows, 0.0);
        let wants_codes = self.parts.iter().any(|part| part.wants_codes(precision));
        let codes = (wants_codes && n < MANY).then(|| quantise(x, self.columns));
        let input = Input {
            n,
            columns: self.columns,
            x,
            codes,
        };
        let has_super = self
            .parts
            .iter()
            .any(|part| matches!(part.store, Store::Super { .. }));
        if has_super {
            self.forward_apart(&input, out);
        } else if n == 1 {
            self.fill(&input, out);
        } else {
            // Threads own rows of the matrix, so the product comes out as (rows, n) and is turned round.
            let mut turned = vec![0.0; n * self.rows];
            self.fill(&input, &mut turned);
            turn(&turned, self.rows, out);
        }
    }

    /// Computes the product as (rows, n), rows shared out among the threads.
    fn fill(&self, input: &Input<'_>, out: &mut [f32]) {
        // Three pieces per thread even out threads that the system holds up.
        let pieces = rayon::current_num_threads() * 3;
        let rows_per_piece = self.rows.div_ceil(pieces).next_multiple_of(PANEL);
        out.par_chunks_mut(rows_per_piece * input.n)
            .enumerate()
            .for_each_init(Vec::new, |scratch, (piece, out)| {
                self.multiply_range(piece * rows_per_piece, input, scratch, out);
            });
    }

    /// Multiplies rows `first..` of the stack, which may lie in several matrices.
    fn multiply_range(&self, first: usize, input: &Input<'_>, scratch: &mut Vec<f32>, out: &mut [f32]) {
        let (mut skip, mut rest) = (first, out);
        for part in &self.parts {
            if skip >= part.rows {
                skip -= part.rows;
                continue;
            }
            let len = ((part.rows - skip) * input.n).min(rest.len());
            let (own, after) = rest.split_at_mut(len);
            part.multiply_rows(skip, input, scratch, own);
            (skip, rest) = (0, after);
            if rest.is_empty() {
                break;
            }
        }
    }

    /// Computes part by part, for stacks in which candle multiplies.
    fn forward_apart(&self, input: &Input<'_>, out: &mut [f32]) {
        let mut start = 0;
        for part in &self.parts {
            let product = match &part.store {
                Store::Super { product, .. } => super_product(product, input).unwrap_or_else(|_| {
                    // As for rows: a defect, made visible as not-a-number.
                    vec![f32::NAN; input.n * part.rows]
                }),
                Store::Wide(_) | Store::Halves(..) | Store::Blocks(..) => {
                    let single = Self::new(vec![Arc::clone(part)]);
                    let (mut turned, mut rows) =
                        (vec![0.0; input.n * part.rows], vec![0.0; input.n * part.rows]);
                    single.fill(input, &mut turned);
                    turn(&turned, part.rows, &mut rows);
                    rows
                }
            };
            for (out, product) in out
                .chunks_exact_mut(self.rows)
                .zip(product.chunks_exact(part.rows))
            {
                out[start..start + part.rows].copy_from_slice(product);
            }
            start += part.rows;
        }
    }
}

fn super_product(product: &QMatMul, input: &Input<'_>) -> candle_core::Result<Vec<f32>> {
    let x = Tensor::from_slice(input.x, (input.n, input.columns), &Device::Cpu)?;
    product.forward(&x)?.flatten_all()?.to_vec1()
}

/// Turns (rows, n) into (n, rows).
fn turn(turned: &[f32], rows: usize, out: &mut [f32]) {
    let n = out.len() / rows;
    out.par_chunks_mut(rows).enumerate().for_each(|(column, out)| {
        for (row, out) in out.iter_mut().enumerate() {
            *out = turned[row * n + column];
        }
    });
}

#[cfg(test)]
mod tests;
