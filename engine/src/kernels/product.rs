//! A tile of sixteen rows times a group of columns, for every packed form and every processor.
//!
//! What is written down once here is compiled for each processor. Each row of each column is added up in one order,
//! whatever the group: the same activations give the same figures alone and among others.

use std::marker::PhantomData;

use half::{bf16, f16};

use super::columns::{BlockFigures, CodeBits, Columns, GROUP_SIZES, Group};
use super::format::{Format, GROUPS, Packing, Steps, first, with_format};
use super::lanes::{Lanes, ROWS, Work, dispatch};
use crate::simd::SimdLevel;

/// How the weights of a tile are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As codes.
    Packed(Packing),
    /// As figures, (columns, sixteen rows).
    Plain(Width),
}

/// The figures of a tile that is not packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    F32,
    F16,
    Bf16,
}

impl Width {
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Reads one figure.
    pub(super) fn read(self, bytes: &[u8]) -> f32 {
        match self {
            Self::F32 => f32::from_le_bytes(*first(bytes)),
            Self::F16 => f16::from_le_bytes(*first(bytes)).to_f32(),
            Self::Bf16 => bf16::from_le_bytes(*first(bytes)).to_f32(),
        }
    }
}

/// [`Width`] as a type, so that loops know it.
pub(super) trait Figure {
    const BYTES: usize;

    /// Loads the figures of a column.
    fn load<L: Lanes>(at: &[u8], part: usize) -> L::Floats;
}

pub(super) struct Single;
pub(super) struct Half;
pub(super) struct UpperHalf;

impl Figure for Single {
    const BYTES: usize = 4;

    #[inline(always)]
    fn load<L: Lanes>(at: &[u8], part: usize) -> L::Floats {
        L::singles(first(at), part)
    }
}

impl Figure for Half {
    const BYTES: usize = 2;

    #[inline(always)]
    fn load<L: Lanes>(at: &[u8], part: usize) -> L::Floats {
        L::halves(first(at), part)
    }
}

impl Figure for UpperHalf {
    const BYTES: usize = 2;

    #[inline(always)]
    fn load<L: Lanes>(at: &[u8], part: usize) -> L::Floats {
        L::upper_halves(first(at), part)
    }
}

/// Multiplies a tile with all columns; `take` is given each column's number with the products of the rows.
pub(super) fn multiply(
    level: SimdLevel,
    form: Form,
    tile: &[u8],
    x: &Columns,
    take: &mut dyn FnMut(usize, &[f32; ROWS]),
) {
    for group in x.groups() {
        let mut out = [[0.0; ROWS]; GROUP_SIZES[0]];
        match form {
            Form::Packed(packing) => {
                with_format!(packing, F => packed::<F>(level, tile, x.bits(), group, &mut out));
            }
            Form::Plain(Width::F32) => unpacked::<Single>(level, tile, group.figures, group.size, &mut out),
            Form::Plain(Width::F16) => unpacked::<Half>(level, tile, group.figures, group.size, &mut out),
            Form::Plain(Width::Bf16) => {
                unpacked::<UpperHalf>(level, tile, group.figures, group.size, &mut out)
            }
        }
        for (column, rows) in out.iter().enumerate().take(group.used) {
            take(group.first + column, rows);
        }
    }
}

/// The products of a group.
type Products = [[f32; ROWS]; GROUP_SIZES[0]];

fn packed<F: Format>(level: SimdLevel, tile: &[u8], bits: CodeBits, x: Group<'_>, out: &mut Products) {
    let (size, form) = (x.size, PhantomData::<F>);
    match (size, bits) {
        (1, CodeBits::Eight) => dispatch(level, Coded::<F, 1, 1> { tile, x, out, form }),
        (1, CodeBits::Sixteen) => dispatch(level, Coded::<F, 1, 2> { tile, x, out, form }),
        (4, CodeBits::Eight) => dispatch(level, Coded::<F, 4, 1> { tile, x, out, form }),
        (4, CodeBits::Sixteen) => dispatch(level, Coded::<F, 4, 2> { tile, x, out, form }),
        (_, CodeBits::Eight) => dispatch(level, Coded::<F, 8, 1> { tile, x, out, form }),
        (_, CodeBits::Sixteen) => dispatch(level, Coded::<F, 8, 2> { tile, x, out, form }),
    }
}

/// A tile of codes times `C` columns, whose codes have `B` bytes.
struct Coded<'a, F, const C: usize, const B: usize> {
    tile: &'a [u8],
    x: Group<'a>,
    out: &'a mut Products,
    form: PhantomData<F>,
}

impl<F: Format, const C: usize, const B: usize> Work for Coded<'_, F, C, B> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (out, products) in self.out.iter_mut().zip(coded::<L, F, C, B>(self.tile, &self.x)) {
            *out = products;
        }
    }
}

fn unpacked<W: Figure>(level: SimdLevel, tile: &[u8], x: &[f32], size: usize, out: &mut Products) {
    let width = PhantomData::<W>;
    match size {
        1 => dispatch(level, Unpacked::<W, 1> { tile, x, out, width }),
        4 => dispatch(level, Unpacked::<W, 4> { tile, x, out, width }),
        _ => dispatch(level, Unpacked::<W, 8> { tile, x, out, width }),
    }
}

/// A tile of figures times `C` columns.
struct Unpacked<'a, W, const C: usize> {
    tile: &'a [u8],
    x: &'a [f32],
    out: &'a mut Products,
    width: PhantomData<W>,
}

impl<W: Figure, const C: usize> Work for Unpacked<'_, W, C> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        for (out, products) in self.out.iter_mut().zip(plain::<L, W, C>(self.tile, self.x)) {
            *out = products;
        }
    }
}

/// Codes times codes. `C` columns, whose codes have `B` bytes.
#[inline(always)]
fn coded<L: Lanes, F: Format, const C: usize, const B: usize>(
    tile: &[u8],
    x: &Group<'_>,
) -> [[f32; ROWS]; C] {
    let n_blocks = x.blocks.len() / C;
    let (codes, steps) = tile.split_at(n_blocks * F::CODE_BYTES);
    let mut out = [[0.0; ROWS]; C];
    for part in 0..L::PARTS {
        let mut sums = [L::floats(0.0); C];
        let spans = steps
            .chunks_exact(F::SPAN_BYTES)
            .zip(codes.chunks_exact(F::BLOCKS * F::CODE_BYTES))
            .zip(x.blocks.chunks_exact(F::BLOCKS * C))
            .zip(x.codes.chunks_exact(F::BLOCKS * C * B));
        for (((steps, codes), x_blocks), x_codes) in spans {
            let (head, steps) = steps.split_at(F::HEAD_BYTES);
            let blocks = steps
                .chunks_exact(F::ALL_STEP_BYTES)
                .zip(codes.chunks_exact(F::CODE_BYTES))
                .zip(x_blocks.chunks_exact(C))
                .zip(x_codes.chunks_exact(C * B));
            for (((steps, codes), x_blocks), x_codes) in blocks {
                block::<L, F, C, B>((head, steps), codes, x_blocks, x_codes, part, &mut sums);
            }
        }
        for (sum, out) in sums.into_iter().zip(&mut out) {
            L::store(sum, out, part);
        }
    }
    out
}

#[inline(always)]
fn block<L: Lanes, F: Format, const C: usize, const B: usize>(
    (head, steps): (&[u8], &[u8]),
    codes: &[u8],
    x_blocks: &[BlockFigures],
    x_codes: &[[i32; 8]],
    part: usize,
    sums: &mut [L::Floats; C],
) {
    let codes = F::open::<L>(codes, part);
    let n_groups = GROUPS / F::PARTS;
    for shared in 0..F::PARTS {
        let step = figure::<L, F>(head, steps, shared, part);
        let offset = if F::OFFSETS {
            let heads = &head[F::HEAD_BYTES / 2..];
            figure::<L, F>(heads, &steps[F::PARTS * F::STEP_BYTES..], shared, part)
        } else {
            step
        };
        for column in 0..C {
            let x = &x_blocks[column];
            // What is taken off every code is taken off before the first product.
            let x_sum = match F::PARTS {
                1 => x.sums[0].wrapping_add(x.sums[1]),
                _ => x.sums[shared],
            };
            let mut low = L::ints(x_sum.wrapping_mul(-F::ZERO));
            let mut high = L::ints(0);
            for group in shared * n_groups..(shared + 1) * n_groups {
                if B == 2 {
                    high = dot::<L, F>(high, codes[group], x_codes[column * B][group]);
                }
                low = dot::<L, F>(low, codes[group], x_codes[column * B + B - 1][group]);
            }
            let product = L::converted(if B == 2 { L::joined(high, low) } else { low });
            sums[column] = L::times_plus(product, L::times(step, L::floats(x.step)), sums[column]);
            if F::OFFSETS {
                let weighted = match F::PARTS {
                    1 => x.weighted[0] + x.weighted[1],
                    _ => x.weighted[shared],
                };
                sums[column] = L::times_plus(offset, L::floats(weighted), sums[column]);
            }
        }
    }
}

/// The steps, or the offsets, of what shares them.
#[inline(always)]
fn figure<L: Lanes, F: Format>(head: &[u8], figures: &[u8], shared: usize, part: usize) -> L::Floats {
    let figure = F::steps::<L>(&figures[shared * F::STEP_BYTES..], part);
    match F::STEPS {
        Steps::Half | Steps::UpperHalf => figure,
        Steps::Unsigned | Steps::Signed => L::times(figure, L::halves(first(head), part)),
    }
}

#[inline(always)]
fn dot<L: Lanes, F: Format>(sum: L::Ints, codes: L::Codes, x: i32) -> L::Ints {
    if F::SMALL {
        L::dot::<true>(sum, codes, x)
    } else {
        L::dot::<false>(sum, codes, x)
    }
}

/// Figures times figures, in two sums: of the even columns and of the odd ones. `x` is (columns, `C`).
#[inline(always)]
pub(super) fn plain<L: Lanes, W: Figure, const C: usize>(tile: &[u8], x: &[f32]) -> [[f32; ROWS]; C] {
    let len = ROWS * W::BYTES;
    let mut out = [[0.0; ROWS]; C];
    for part in 0..L::PARTS {
        let (mut even, mut odd) = ([L::floats(0.0); C], [L::floats(0.0); C]);
        let pairs = tile.chunks_exact(2 * len).zip(x.chunks_exact(2 * C));
        for (weights, x) in pairs {
            add::<L, W, C>(weights, part, &x[..C], &mut even);
            add::<L, W, C>(&weights[len..], part, &x[C..], &mut odd);
        }
        if !x.len().is_multiple_of(2 * C) {
            let last = x.len() / C - 1;
            add::<L, W, C>(&tile[last * len..], part, &x[last * C..], &mut even);
        }
        for (column, out) in out.iter_mut().enumerate() {
            L::store(L::plus(even[column], odd[column]), out, part);
        }
    }
    out
}

#[inline(always)]
fn add<L: Lanes, W: Figure, const C: usize>(
    weights: &[u8],
    part: usize,
    x: &[f32],
    sums: &mut [L::Floats; C],
) {
    let weights = W::load::<L>(weights, part);
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum = L::times_plus(weights, L::floats(*x), *sum);
    }
}
