//! How packed weights lie in memory, one form for each way of files to write them.
//!
//! A weight is `step * (code - zero) + offset`. Sixteen rows lie together, a *tile*, cut into blocks of 32 columns:
//!
//! - first the codes of all blocks: for four columns after four columns, 64 bytes with those of sixteen rows. Two such
//!   groups of four bits, or four of two bits, share their bytes; further bits are masks of 64, one for each group;
//! - then the steps: 16 bits per row and block; or 8 bits per row and block or half block, times 16 bits per row and
//!   span of eight blocks, which stand before those of the span. Offsets follow steps, in the same form.

use super::lanes::{Lanes, ROWS};

/// Columns of a block.
pub(super) const BLOCK: usize = 32;
/// Groups of four columns in a block.
pub(super) const GROUPS: usize = 8;

/// What the steps of a block are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// 16 bits (IEEE) per block.
    Half,
    /// The upper 16 bits of 32, per block.
    UpperHalf,
    /// 8 bits without a sign, times 16 bits per span of 256 columns.
    Unsigned,
    /// 8 bits with a sign, times 16 bits per span of 256 columns.
    Signed,
}

/// A packed form.
pub(super) trait Format: Copy {
    /// Bits of a code.
    const BITS: usize;
    /// The code of zero, if there is no offset.
    const ZERO: i32;
    const STEPS: Steps;
    /// Whether each step has an offset, in the form that the step has.
    const OFFSETS: bool;
    /// Columns that share a step: 32 or 16.
    const SHARED_BY: usize;
    /// What codes of four bits stand for, if it is not themselves.
    const TABLE: Option<[u8; 16]>;

    /// Steps of a block.
    const PARTS: usize = BLOCK / Self::SHARED_BY;
    /// Blocks of a span.
    const BLOCKS: usize = match Self::STEPS {
        Steps::Half | Steps::UpperHalf => 1,
        Steps::Unsigned | Steps::Signed => 8,
    };
    /// Bytes of what a span of sixteen rows begins with.
    const HEAD_BYTES: usize = match Self::STEPS {
        Steps::Half | Steps::UpperHalf => 0,
        Steps::Unsigned | Steps::Signed => 2 * ROWS * (1 + Self::OFFSETS as usize),
    };
    /// Bytes of the steps, or the offsets, of sixteen rows that share by [`Self::SHARED_BY`].
    const STEP_BYTES: usize = match Self::STEPS {
        Steps::Half | Steps::UpperHalf => 2 * ROWS,
        Steps::Unsigned | Steps::Signed => ROWS,
    };
    /// Bytes of steps and offsets of a block of sixteen rows: all steps, then all offsets.
    const ALL_STEP_BYTES: usize = Self::STEP_BYTES * Self::PARTS * (1 + Self::OFFSETS as usize);
    /// Bytes of the codes of a block of sixteen rows: whole bytes first, then masks.
    const CODE_BYTES: usize = BLOCK * ROWS * Self::BITS / 8;
    /// Bytes of the steps of a span of sixteen rows.
    const SPAN_BYTES: usize = Self::HEAD_BYTES + Self::BLOCKS * Self::ALL_STEP_BYTES;
    /// Bits of a code that share bytes with other groups; the rest is masks.
    const BYTE_BITS: usize = match Self::BITS {
        2 | 3 => 2,
        4..=6 => 4,
        _ => 8,
    };
    /// Whether all codes are below 64.
    const SMALL: bool = Self::BITS <= 6 && Self::TABLE.is_none();

    /// Bytes of a tile of so many columns.
    fn tile_bytes(columns: usize) -> usize {
        let blocks = columns / BLOCK;
        (blocks * Self::CODE_BYTES + blocks / Self::BLOCKS * Self::SPAN_BYTES).next_multiple_of(64)
    }

    /// Opens the codes of a block, group by group.
    #[inline(always)]
    fn open<L: Lanes>(bytes: &[u8], part: usize) -> [L::Codes; GROUPS] {
        let (whole, masks) = bytes.split_at(BLOCK * ROWS * Self::BYTE_BITS / 8);
        let whole = whole.as_chunks::<64>().0;
        let masks = masks.as_chunks::<8>().0;
        // A loop and no closure: what is not inlined is not compiled for this processor.
        let mut all = [L::codes(&whole[0], part); GROUPS];
        for (group, out) in all.iter_mut().enumerate() {
            let mut codes = match Self::BYTE_BITS {
                2 => L::two_bits(L::codes(&whole[group / 4], part), group % 4),
                4 if group % 2 == 0 => L::low(L::codes(&whole[group / 2], part)),
                4 => L::high(L::codes(&whole[group / 2], part)),
                _ => L::codes(&whole[group], part),
            };
            if let Some(table) = Self::TABLE {
                codes = L::look_up(codes, &table);
            }
            for plane in 0..Self::BITS - Self::BYTE_BITS {
                let value = 1 << (Self::BYTE_BITS + plane);
                codes = L::with_bit(codes, &masks[plane * GROUPS + group], value, part);
            }
            *out = codes;
        }
        all
    }

    /// Loads steps or offsets.
    #[inline(always)]
    fn steps<L: Lanes>(bytes: &[u8], part: usize) -> L::Floats {
        match Self::STEPS {
            Steps::Half => L::halves(first(bytes), part),
            Steps::UpperHalf => L::upper_halves(first(bytes), part),
            Steps::Unsigned => L::unsigned(first(bytes), part),
            Steps::Signed => L::signed(first(bytes), part),
        }
    }
}

/// The beginning of a slice that is long enough.
#[inline(always)]
pub(super) fn first<const N: usize>(bytes: &[u8]) -> &[u8; N] {
    match bytes.first_chunk() {
        Some(chunk) => chunk,
        None => unreachable!("a packed matrix has whole blocks"),
    }
}

/// Writes the packed forms down.
macro_rules! formats {
    ($($(#[$doc:meta])* $name:ident: $bits:literal bits, zero $zero:literal, $steps:ident, offsets $offsets:literal,
        shared by $shared:literal, $table:expr;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub(super) struct $name;

            impl Format for $name {
                const BITS: usize = $bits;
                const ZERO: i32 = $zero;
                const STEPS: Steps = Steps::$steps;
                const OFFSETS: bool = $offsets;
                const SHARED_BY: usize = $shared;
                const TABLE: Option<[u8; 16]> = $table;
            }
        )*

        /// Which packed form a matrix has.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Packing {
            $($(#[$doc])* $name,)*
        }

        /// Calls a generic function with the form that a value names.
        macro_rules! with_format {
            ($packing:expr, $form:ident => $call:expr) => {
                match $packing {
                    $($crate::kernels::format::Packing::$name => {
                        type $form = $crate::kernels::format::$name;
                        $call
                    })*
                }
            };
        }
        pub(super) use with_format;
    };
}

formats! {
    /// Q4_0
    Four: 4 bits, zero 8, Half, offsets false, shared by 32, None;
    /// Q4_1
    FourOffset: 4 bits, zero 0, Half, offsets true, shared by 32, None;
    /// Q5_0
    Five: 5 bits, zero 16, Half, offsets false, shared by 32, None;
    /// Q5_1
    FiveOffset: 5 bits, zero 0, Half, offsets true, shared by 32, None;
    /// Q8_0
    Eight: 8 bits, zero 128, Half, offsets false, shared by 32, None;
    /// Q2_K
    Two: 2 bits, zero 0, Unsigned, offsets true, shared by 16, None;
    /// Q3_K
    Three: 3 bits, zero 4, Signed, offsets false, shared by 16, None;
    /// Q4_K
    FourSpan: 4 bits, zero 0, Unsigned, offsets true, shared by 32, None;
    /// Q5_K
    FiveSpan: 5 bits, zero 0, Unsigned, offsets true, shared by 32, None;
    /// Q6_K
    Six: 6 bits, zero 32, Signed, offsets false, shared by 16, None;
    /// IQ4_NL
    Uneven: 4 bits, zero 128, Half, offsets false, shared by 32, Some(UNEVEN);
    /// IQ4_XS
    UnevenSpan: 4 bits, zero 128, Signed, offsets false, shared by 32, Some(UNEVEN);
    /// MXFP4
    Micro: 4 bits, zero 128, UpperHalf, offsets false, shared by 32, Some(MICRO);
}

/// The uneven levels of the 4-bit IQ types (ggml: `kvalues_iq4nl`), plus 128.
const UNEVEN: [u8; 16] = [
    1, 24, 45, 63, 79, 93, 106, 118, 129, 141, 153, 166, 181, 197, 217, 241,
];
/// Twice the values of a 4-bit float (OCP MX, E2M1), plus 128.
const MICRO: [u8; 16] = [
    128, 129, 130, 131, 132, 134, 136, 140, 128, 127, 126, 125, 124, 122, 120, 116,
];
