//! Activations in the forms that the products take: figures, or codes of 8 or 16 bits in blocks of 32.
//!
//! Columns are put into groups, so that a weight that was loaded is used for several. What comes out of a column does
//! not depend on its group: the arithmetic of each column is the same whatever stands beside it.

use super::compute::Compute;
use super::format::BLOCK;
use super::lanes::{Lanes, Work, dispatch};
use super::ops::round;
use super::pool::Cut;

/// Sizes of groups, the largest first. A group that is not full is filled up with zeros.
pub(super) const GROUP_SIZES: [usize; 3] = [8, 4, 1];

/// How many bits the codes of activations have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeBits {
    /// As other fast engines do.
    Eight,
    /// Twice the work where the processor is the limit, none more where memory is; the error vanishes. Measured on
    /// SmolLM2-135M Q4_1 against exact arithmetic over 269 positions of a prompt: 8 bits differ by 0.086 on average in
    /// log-probability, 16 bits by less than 0.001.
    Sixteen,
}

impl CodeBits {
    /// The largest code. Both bytes of one of 16 bits have a sign.
    fn top(self) -> f32 {
        match self {
            Self::Eight => 127.0,
            Self::Sixteen => 32_639.0,
        }
    }

    /// Bytes of a code.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Eight => 1,
            Self::Sixteen => 2,
        }
    }
}

/// Some columns of activations. The memory is used again by the next [`Columns::set`].
#[derive(Debug)]
pub(crate) struct Columns {
    bits: CodeBits,
    width: usize,
    n: usize,
    has_codes: bool,
    has_figures: bool,
    /// (group, block, column, upper then lower bytes if there are two): four codes in each number
    codes: Vec<[i32; 8]>,
    /// (group, block, column)
    blocks: Vec<BlockFigures>,
    /// (group, width, column)
    figures: Vec<f32>,
}

/// What belongs to the codes of a block.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct BlockFigures {
    pub(super) step: f32,
    /// Sums of the codes of both halves.
    pub(super) sums: [i32; 2],
    /// The same times the step: what an offset of the weights is multiplied with.
    pub(super) weighted: [f32; 2],
}

/// A group of columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Group<'a> {
    /// The first of its columns.
    pub(super) first: usize,
    /// How many there are, with those that fill it up.
    pub(super) size: usize,
    /// How many are real.
    pub(super) used: usize,
    pub(super) codes: &'a [[i32; 8]],
    pub(super) blocks: &'a [BlockFigures],
    pub(super) figures: &'a [f32],
}

impl Columns {
    pub(crate) fn new(bits: CodeBits) -> Self {
        Self {
            bits,
            width: 0,
            n: 0,
            has_codes: false,
            has_figures: false,
            codes: Vec::new(),
            blocks: Vec::new(),
            figures: Vec::new(),
        }
    }

    /// Takes columns in, `x` being (n, width), in the forms that are asked for.
    pub(crate) fn set(&mut self, compute: &Compute, x: &[f32], width: usize, codes: bool, figures: bool) {
        (self.width, self.n) = (width, x.len() / width);
        (self.has_codes, self.has_figures) = (codes, figures);
        let room: usize = sizes(self.n).map(|(_, size)| size).sum();
        let (n_blocks, bytes) = (width / BLOCK, self.bits.bytes());
        if codes {
            self.codes.resize(room * n_blocks * bytes, [0; 8]);
            self.blocks.resize(room * n_blocks, BlockFigures::default());
        }
        if figures {
            self.figures.resize(room * width, 0.0);
        }
        // All groups but the last have the largest size, and so their places are multiples of it.
        let largest = GROUP_SIZES[0];
        let (n, bits) = (self.n, self.bits);
        let all_codes = Cut::new(&mut self.codes, largest * n_blocks * bytes);
        let all_blocks = Cut::new(&mut self.blocks, largest * n_blocks);
        let all_figures = Cut::new(&mut self.figures, largest * width);
        compute.pool.each(sizes(n).count(), |index| {
            let Some((first, size)) = sizes(n).nth(index) else {
                return;
            };
            #[allow(unsafe_code, reason = "threads write disjoint groups")]
            // SAFETY: the vectors are borrowed by this call, and each group comes once.
            let (blocks, group_codes, group_figures) = unsafe {
                (
                    all_blocks.piece(index),
                    all_codes.piece(index),
                    all_figures.piece(index),
                )
            };
            for place in 0..size {
                let column = x.get((first + place) * width..).and_then(|x| x.get(..width));
                if codes {
                    let (blocks, codes) = (&mut *blocks, &mut *group_codes);
                    dispatch(
                        compute.level,
                        Encode {
                            column,
                            bits,
                            size,
                            place,
                            blocks,
                            codes,
                        },
                    );
                }
                if figures {
                    for (at, out) in group_figures.chunks_exact_mut(size).enumerate() {
                        out[place] = column.map_or(0.0, |column| column[at]);
                    }
                }
            }
        });
    }

    pub(super) fn bits(&self) -> CodeBits {
        self.bits
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let (n_blocks, bytes) = (self.width / BLOCK, self.bits.bytes());
        let mut start = 0;
        sizes(self.n).map(move |(first, size)| {
            let blocks = start * n_blocks..(start + size) * n_blocks;
            let figures = start * self.width..(start + size) * self.width;
            start += size;
            Group {
                first,
                size,
                used: size.min(self.n - first),
                codes: match self.has_codes {
                    true => &self.codes[blocks.start * bytes..blocks.end * bytes],
                    false => &[],
                },
                blocks: if self.has_codes { &self.blocks[blocks] } else { &[] },
                figures: if self.has_figures {
                    &self.figures[figures]
                } else {
                    &[]
                },
            }
        })
    }
}

/// Cuts `n` columns into groups: where each begins, and its size.
fn sizes(n: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let left = n - first;
        let size = GROUP_SIZES
            .into_iter()
            .rev()
            .find(|size| *size >= left.min(GROUP_SIZES[0]));
        let group = (first, size.filter(|_| left > 0)?);
        first += group.1.min(left);
        Some(group)
    })
}

/// The codes of one column, to be written to its place in its group.
struct Encode<'a> {
    /// `None` for one that only fills the group up.
    column: Option<&'a [f32]>,
    bits: CodeBits,
    size: usize,
    place: usize,
    blocks: &'a mut [BlockFigures],
    codes: &'a mut [[i32; 8]],
}

impl Work for Encode<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self) {
        let bytes = self.bits.bytes();
        let blocks = self.blocks.chunks_exact_mut(self.size);
        let codes = self.codes.chunks_exact_mut(self.size * bytes);
        for (at, (blocks, codes)) in blocks.zip(codes).enumerate() {
            let x = self.column.and_then(|column| column[at * BLOCK..].first_chunk());
            let codes = &mut codes[self.place * bytes..][..bytes];
            blocks[self.place] = encode(x.unwrap_or(&[0.0; BLOCK]), self.bits, codes);
        }
    }
}

/// Writes the codes of a block.
#[inline(always)]
fn encode(x: &[f32; BLOCK], bits: CodeBits, out: &mut [[i32; 8]]) -> BlockFigures {
    let mut top = [0.0_f32; 8];
    for part in x.as_chunks::<8>().0 {
        for (top, x) in top.iter_mut().zip(part) {
            *top = top.max(x.abs());
        }
    }
    let step = top.iter().copied().fold(0.0, f32::max) / bits.top();
    let inverse = if step > 0.0 { 1.0 / step } else { 0.0 };
    let mut codes = [0_i32; BLOCK];
    for (code, x) in codes.iter_mut().zip(x) {
        *code = round((x * inverse).clamp(-bits.top(), bits.top()));
    }
    let mut sums = [0; 2];
    for (sum, codes) in sums.iter_mut().zip(codes.as_chunks::<16>().0) {
        *sum = codes.iter().fold(0_i32, |sum, code| sum.wrapping_add(*code));
    }
    match out {
        [only] => put(&codes, only, |code| code as u8),
        [upper, lower] => {
            // The lower byte has a sign too, so the upper one is rounded.
            put(&codes, upper, |code| (code.wrapping_add(128) >> 8) as u8);
            put(&codes, lower, |code| code as u8);
        }
        _ => {}
    }
    BlockFigures {
        step,
        sums,
        weighted: sums.map(|sum| step * sum as f32),
    }
}

#[inline(always)]
fn put(codes: &[i32; BLOCK], out: &mut [i32; 8], byte: impl Fn(i32) -> u8) {
    for (out, four) in out.iter_mut().zip(codes.as_chunks::<4>().0) {
        *out = i32::from_le_bytes(four.map(&byte));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::noise;

    fn decoded(group: &Group<'_>, bytes: usize, place: usize, at: usize) -> f32 {
        let block = at / BLOCK * group.size + place;
        let byte = |part: usize| {
            let four = group.codes[block * bytes + part][at % BLOCK / 4].to_le_bytes();
            i32::from(four[at % 4] as i8)
        };
        let code = if bytes == 1 {
            byte(0)
        } else {
            byte(0) * 256 + byte(1)
        };
        code as f32 * group.blocks[block].step
    }

    #[test]
    fn codes_times_step_are_near_the_figures_in_every_group() {
        let (compute, width) = (Compute::new(2).unwrap(), 96);
        for n in [1, 2, 4, 5, 8, 9, 13, 17] {
            let x = noise(n as u64, n * width);
            for (bits, near) in [
                (CodeBits::Eight, 0.51 / 127.0),
                (CodeBits::Sixteen, 0.51 / 32_639.0),
            ] {
                let mut columns = Columns::new(bits);
                columns.set(&compute, &x, width, true, true);
                let mut seen = 0;
                for group in columns.groups() {
                    assert_eq!(group.first, seen);
                    for place in 0..group.used {
                        let column = &x[(seen + place) * width..][..width];
                        for (at, x) in column.iter().enumerate() {
                            let ours = decoded(&group, bits.bytes(), place, at);
                            assert!((ours - x).abs() <= near, "{ours} for {x}");
                            assert_eq!(group.figures[at * group.size + place], *x);
                        }
                    }
                    seen += group.used;
                }
                assert_eq!(seen, n);
            }
        }
    }

    #[test]
    fn zeros_and_figures_beyond_all_measure_do_no_harm() {
        let (compute, mut columns) = (Compute::new(1).unwrap(), Columns::new(CodeBits::Eight));
        columns.set(&compute, &[0.0; 32], 32, true, false);
        assert_eq!(columns.blocks[0].step, 0.0);
        for x in [f32::INFINITY, f32::NAN] {
            let mut row = [1.0; 32];
            row[3] = x;
            columns.set(&compute, &row, 32, true, false);
            let block = columns.blocks[0];
            let spoilt = !block.step.is_finite() || columns.codes[0][0] != columns.codes[0][1];
            assert!(spoilt, "{block:?}");
        }
    }
}
