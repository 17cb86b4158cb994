//! Weight matrices, packed once when they are loaded, and their products with activations.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use super::columns::Columns;
use super::compute::Compute;
use super::format::{BLOCK, Format, Packing, Steps, with_format};
use super::lanes::ROWS;
use super::memory::Aligned;
use super::ops::{Activation, add_in_place};
use super::pack::{open_row, pack};
use super::pool::Cut;
use super::product::{Form, Width, multiply};
use super::source::form_of;
use crate::checkpoint::TensorType;
use crate::config::Precision;
use crate::simd::SimdLevel;

/// A weight matrix (rows, columns): it maps a vector of `columns` to one of `rows`.
#[derive(Debug)]
pub(crate) struct Matrix {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    form: Form,
    tile_bytes: usize,
    /// (tile of sixteen rows, what [`super::format`] says)
    tiles: Aligned,
}

/// As many bytes of a file are read at once by each thread.
const WINDOW: usize = 1 << 20;

/// How weights of a type of file are kept, and the bytes of a tile.
fn kept_as(dtype: TensorType, precision: Precision, columns: usize) -> (Form, usize) {
    match (form_of(dtype), precision) {
        (Form::Packed(packing), Precision::Fast) => {
            let bytes = with_format!(packing, F => F::tile_bytes(columns));
            (Form::Packed(packing), bytes)
        }
        (Form::Packed(_), Precision::Exact) => (Form::Plain(Width::F32), plain_bytes(Width::F32, columns)),
        (Form::Plain(width), _) => (Form::Plain(width), plain_bytes(width, columns)),
    }
}

fn plain_bytes(width: Width, columns: usize) -> usize {
    (columns * ROWS * width.bytes()).next_multiple_of(64)
}

impl Matrix {
    /// Gives the bytes that a matrix takes when it is loaded.
    pub(crate) fn packed_bytes(dtype: TensorType, precision: Precision, rows: usize, columns: usize) -> u64 {
        let (_, tile_bytes) = kept_as(dtype, precision, columns);
        (rows.div_ceil(ROWS) as u64).saturating_mul(tile_bytes as u64)
    }

    /// Packs the rows of a file, `size` bytes in all, which `read` reads in parts: only what is being packed is in
    /// memory beside what is packed.
    ///
    /// # Errors
    /// Those of `read`, and weights that are no finite figures.
    pub(crate) fn pack<E: Send>(
        dtype: TensorType,
        precision: Precision,
        (rows, columns): (usize, usize),
        size: usize,
        read: impl Fn(Range<usize>, &mut Vec<u8>) -> Result<(), E> + Sync,
    ) -> Result<Self, PackError<E>> {
        let (form, tile_bytes) = kept_as(dtype, precision, columns);
        let mut tiles = Aligned::zeroed(rows.div_ceil(ROWS) * tile_bytes);
        let row_bytes = size / rows;
        let tiles_at_once = (WINDOW / (ROWS * row_bytes)).max(1);
        let step = ROWS * row_bytes * tiles_at_once;
        let windows = tiles.par_chunks_mut(tile_bytes * tiles_at_once).enumerate();
        windows.try_for_each_init(Vec::new, |bytes, (index, tiles)| {
            read(index * step..size.min((index + 1) * step), bytes).map_err(PackError::Read)?;
            let tiles = tiles.chunks_exact_mut(tile_bytes);
            for (tile, bytes) in tiles.zip(bytes.chunks(ROWS * row_bytes)) {
                pack_tile(dtype, form, bytes, row_bytes, tile, columns);
                if !is_finite(form, tile, columns) {
                    return Err(PackError::NotFinite);
                }
            }
            Ok(())
        })?;
        Ok(Self {
            rows,
            columns,
            form,
            tile_bytes,
            tiles,
        })
    }

    /// Writes row `index` to `out`, as the embedding of a token.
    pub(crate) fn row(&self, index: usize, out: &mut [f32]) {
        let (tile, row) = (self.tile(index / ROWS), index % ROWS);
        match self.form {
            Form::Packed(packing) => with_format!(packing, F => open_row::<F>(tile, row, out)),
            Form::Plain(width) => {
                let step = width.bytes();
                for (column, out) in out.iter_mut().enumerate() {
                    *out = width.read(&tile[(column * ROWS + row) * step..]);
                }
            }
        }
    }

    fn tile(&self, index: usize) -> &[u8] {
        &self.tiles[index * self.tile_bytes..][..self.tile_bytes]
    }

    fn multiply(
        &self,
        level: SimdLevel,
        tile: usize,
        x: &Columns,
        take: &mut dyn FnMut(usize, &[f32; ROWS]),
    ) {
        multiply(level, self.form, self.tile(tile), x, take);
    }

    fn n_tiles(&self) -> usize {
        self.rows.div_ceil(ROWS)
    }

    /// Rows of a tile that are not only there to fill it up.
    fn rows_of(&self, tile: usize) -> usize {
        ROWS.min(self.rows - tile * ROWS)
    }

    fn is_packed(&self) -> bool {
        matches!(self.form, Form::Packed(_))
    }
}

/// Why a matrix cannot be packed.
#[derive(Debug)]
pub(crate) enum PackError<E> {
    Read(E),
    /// A weight is infinite or no figure at all.
    NotFinite,
}

/// Whether all weights of a tile are finite figures: those that codes are multiplied with, or all.
fn is_finite(form: Form, tile: &[u8], columns: usize) -> bool {
    let halves = |bytes: &[u8], ones: u16| {
        let is_one = |two: &[u8; 2]| u16::from_le_bytes(*two) & ones != ones;
        bytes
            .as_chunks::<2>()
            .0
            .iter()
            .fold(true, |all, two| all & is_one(two))
    };
    match form {
        Form::Packed(packing) => {
            with_format!(packing, F => figures::<F>(tile, columns).all(|part| halves(part, 0x7c00)))
        }
        Form::Plain(Width::F16) => halves(tile, 0x7c00),
        Form::Plain(Width::Bf16) => halves(tile, 0x7f80),
        Form::Plain(Width::F32) => {
            let is_finite = |four: &[u8; 4]| f32::from_le_bytes(*four).is_finite();
            tile.as_chunks::<4>()
                .0
                .iter()
                .fold(true, |all, four| all & is_finite(four))
        }
    }
}

/// The figures of 16 bits of a packed tile.
fn figures<F: Format>(tile: &[u8], columns: usize) -> impl Iterator<Item = &[u8]> {
    let steps = &tile[columns / BLOCK * F::CODE_BYTES..];
    let spans = steps.chunks_exact(F::SPAN_BYTES);
    spans
        .take(columns / BLOCK / F::BLOCKS)
        .map(|span| match F::STEPS {
            Steps::Half => span,
            Steps::Unsigned | Steps::Signed => &span[..F::HEAD_BYTES],
            // Powers of two, all of which are finite.
            Steps::UpperHalf => &[],
        })
}

fn pack_tile(dtype: TensorType, form: Form, bytes: &[u8], row_bytes: usize, tile: &mut [u8], columns: usize) {
    let mut rows: [&[u8]; ROWS] = [&[]; ROWS];
    let mut n = 0;
    for (row, bytes) in rows.iter_mut().zip(bytes.chunks_exact(row_bytes)) {
        *row = bytes;
        n += 1;
    }
    let rows = &rows[..n];
    match (form, form_of(dtype)) {
        (Form::Packed(packing), _) => with_format!(packing, F => pack::<F>(packing, rows, tile, columns)),
        (Form::Plain(_), Form::Packed(packing)) => widen(packing, rows, tile, columns),
        (Form::Plain(_), Form::Plain(width)) => interleave(rows, tile, width.bytes()),
    }
}

/// Writes the figures of quantised rows.
fn widen(packing: Packing, rows: &[&[u8]], tile: &mut [u8], columns: usize) {
    with_format!(packing, F => {
        let mut packed = vec![0; F::tile_bytes(columns)];
        pack::<F>(packing, rows, &mut packed, columns);
        let mut wide = vec![0.0; columns];
        for row in 0..rows.len() {
            open_row::<F>(&packed, row, &mut wide);
            for (column, x) in wide.iter().enumerate() {
                tile[(column * ROWS + row) * 4..][..4].copy_from_slice(&x.to_le_bytes());
            }
        }
    });
}

fn interleave(rows: &[&[u8]], tile: &mut [u8], step: usize) {
    for (row, bytes) in rows.iter().enumerate() {
        for (column, x) in bytes.chunks_exact(step).enumerate() {
            tile[(column * ROWS + row) * step..][..step].copy_from_slice(x);
        }
    }
}

/// Several matrices over the same activations, computed as one with their rows one after the other.
#[derive(Debug)]
pub(crate) struct Stack {
    parts: Vec<Arc<Matrix>>,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    n_tiles: usize,
}

impl Stack {
    /// Stacks matrices of the same width.
    pub(crate) fn new(parts: Vec<Arc<Matrix>>) -> Self {
        Self {
            rows: parts.iter().map(|part| part.rows).sum(),
            columns: parts.first().map_or(0, |part| part.columns),
            n_tiles: parts.iter().map(|part| part.n_tiles()).sum(),
            parts,
        }
    }

    /// Brings activations (n, columns) into the forms that the matrices take.
    pub(crate) fn take_in(&self, compute: &Compute, x: &[f32], columns: &mut Columns) {
        let packed = self.parts.iter().any(|part| part.is_packed());
        let plain = self.parts.iter().any(|part| !part.is_packed());
        columns.set(compute, x, self.columns, packed, plain);
    }

    /// Multiplies; the answer is (n, rows).
    pub(crate) fn multiply(&self, compute: &Compute, x: &Columns, out: &mut [f32]) {
        self.products(compute, x, out, |row, product| row.copy_from_slice(product));
    }

    /// Adds the product to `out`, (n, rows).
    pub(crate) fn multiply_add(&self, compute: &Compute, x: &Columns, out: &mut [f32]) {
        self.products(compute, x, out, |row, product| {
            for (out, x) in row.iter_mut().zip(product) {
                *out += x;
            }
        });
    }

    /// Computes every tile, and hands the rows of each column on with the place for them.
    fn products(
        &self,
        compute: &Compute,
        x: &Columns,
        out: &mut [f32],
        put: impl Fn(&mut [f32], &[f32]) + Sync,
    ) {
        let out = Cut::new(out, self.rows);
        compute.pool.ranges(self.n_tiles, |tiles| {
            for tile in tiles {
                let (part, tile, first) = self.find(tile);
                let rows = part.rows_of(tile);
                part.multiply(compute.level, tile, x, &mut |column, products| {
                    // SAFETY: `out` is borrowed by this call, and these rows of a column belong to this tile alone.
                    #[allow(unsafe_code, reason = "threads write disjoint rows of the same columns")]
                    let place = unsafe { out.part_of(column, first, rows) };
                    put(place, &products[..rows]);
                });
            }
        });
    }

    /// Gives the matrix of a tile, the tile in it, and the first of its rows in the stack.
    fn find(&self, mut tile: usize) -> (&Matrix, usize, usize) {
        let mut first = 0;
        for part in &self.parts {
            if tile < part.n_tiles() {
                return (part, tile, first + tile * ROWS);
            }
            tile -= part.n_tiles();
            first += part.rows;
        }
        unreachable!("tiles are counted from the parts")
    }

    /// For a stack of two matrices of one shape, gate and up: writes `activation(gate) * up`, (n, rows of one). Biases,
    /// if there are any, are added to both before.
    pub(crate) fn gated(
        &self,
        compute: &Compute,
        activation: Activation,
        biases: Option<&[Vec<f32>; 2]>,
        x: &Columns,
        out: &mut [f32],
    ) {
        let [gate, up] = self.parts.as_slice() else {
            unreachable!("gated products are of two matrices");
        };
        let out = Cut::new(out, gate.rows);
        compute.pool.ranges(gate.n_tiles(), |tiles| {
            for tile in tiles {
                let (first, rows) = (tile * ROWS, gate.rows_of(tile));
                // SAFETY: `out` is borrowed by this call, and these rows of a column belong to this tile alone.
                #[allow(unsafe_code, reason = "threads write disjoint rows of the same columns")]
                let place = |column| unsafe { out.part_of(column, first, rows) };
                gate.multiply(compute.level, tile, x, &mut |column, gates| {
                    let place = place(column);
                    place.copy_from_slice(&gates[..rows]);
                    if let Some([bias, _]) = biases {
                        add_in_place(place, &bias[first..]);
                    }
                });
                up.multiply(compute.level, tile, x, &mut |column, ups| {
                    let mut ups = *ups;
                    if let Some([_, bias]) = biases {
                        add_in_place(&mut ups, &bias[first..]);
                    }
                    activation.gate(place(column), &ups[..rows]);
                });
            }
        });
    }
}

#[cfg(test)]
mod tests;
