//! Reading the primitives of gob.

use super::reader::DecodeError;

/// What is left of a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input<'bytes>(pub(super) &'bytes [u8]);

impl<'bytes> Input<'bytes> {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> Result<u8, DecodeError> {
        let (first, rest) = self.0.split_first().ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(super) fn take(&mut self, len: u64) -> Result<&'bytes [u8], DecodeError> {
        let len = usize::try_from(len).map_err(|_| DecodeError::Truncated)?;
        let (taken, rest) = self.0.split_at_checked(len).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn uint(&mut self) -> Result<u64, DecodeError> {
        let first = self.byte()?;
        if first < 0x80 {
            return Ok(u64::from(first));
        }
        let len = u64::from(first.wrapping_neg());
        if len > 8 {
            return Err(DecodeError::Number);
        }
        Ok(self
            .take(len)?
            .iter()
            .fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub(super) fn int(&mut self) -> Result<i64, DecodeError> {
        let folded = self.uint()?;
        let magnitude = (folded >> 1).cast_signed();
        Ok(if folded & 1 == 1 { !magnitude } else { magnitude })
    }

    pub(super) fn bytes(&mut self) -> Result<&'bytes [u8], DecodeError> {
        let len = self.uint()?;
        self.take(len)
    }

    /// The number of elements that follow. Each takes at least one byte, so more than there are bytes is a lie.
    pub(super) fn count(&mut self) -> Result<u64, DecodeError> {
        let count = self.uint()?;
        if count > self.0.len() as u64 {
            Err(DecodeError::Truncated)
        } else {
            Ok(count)
        }
    }

    /// The index of the next field of a struct that has `n_fields`, or `None` at its end.
    pub(super) fn next_field(
        &mut self,
        last: &mut Option<u64>,
        n_fields: usize,
    ) -> Result<Option<u64>, DecodeError> {
        let delta = self.uint()?;
        if delta == 0 {
            return Ok(None);
        }
        let index = match *last {
            None => delta - 1,
            Some(last) => last.checked_add(delta).ok_or(DecodeError::Field)?,
        };
        if index >= n_fields as u64 {
            return Err(DecodeError::Field);
        }
        *last = Some(index);
        Ok(Some(index))
    }
}
