//! The little of protobuf's wire format that UnixFS needs.

use std::ops::Range;

use crate::varint::{self, Varint};

/// The value of one field; bytes are given by their place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Varint(u64),
    Bytes(Range<usize>),
    /// A fixed-width number, which no field that matters here has.
    Fixed,
}

/// Why bytes are no protobuf message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtoError {
    #[error("the message ends inside a field")]
    Short,
    #[error("an integer is longer than 64 bits")]
    TooLong,
    #[error("wire type {0} is unknown")]
    WireType(u8),
    #[error("field number 0 is not allowed")]
    Zero,
}

/// The fields of a message in their order, each as (number, value).
pub(crate) fn fields(bytes: &[u8]) -> Fields<'_> {
    Fields { bytes, at: 0 }
}

/// An iterator that ends after the first error.
pub(crate) struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Iterator for Fields<'_> {
    type Item = Result<(u64, Field), ProtoError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.bytes.len();
        }
        Some(field)
    }
}

impl Fields<'_> {
    fn field(&mut self) -> Result<(u64, Field), ProtoError> {
        let key = self.varint()?;
        let (number, wire_type) = (key >> 3, (key & 7) as u8);
        if number == 0 {
            return Err(ProtoError::Zero);
        }
        let value = match wire_type {
            0 => Field::Varint(self.varint()?),
            1 => self.skip(8).map(|_| Field::Fixed)?,
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| ProtoError::Short)?;
                Field::Bytes(self.skip(length)?)
            }
            5 => self.skip(4).map(|_| Field::Fixed)?,
            other => return Err(ProtoError::WireType(other)),
        };
        Ok((number, value))
    }

    fn varint(&mut self) -> Result<u64, ProtoError> {
        match varint::read(&self.bytes[self.at..]) {
            Varint::Value(value, length) => {
                self.at += length;
                Ok(value)
            }
            Varint::Short => Err(ProtoError::Short),
            Varint::TooLong => Err(ProtoError::TooLong),
        }
    }

    fn skip(&mut self, length: usize) -> Result<Range<usize>, ProtoError> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len())
            .ok_or(ProtoError::Short)?;
        let range = self.at..end;
        self.at = end;
        Ok(range)
    }
}

/// Appends a field of bytes.
pub(crate) fn write_bytes(number: u64, value: &[u8], to: &mut Vec<u8>) {
    varint::write(number << 3 | 2, to);
    varint::write(value.len() as u64, to);
    to.extend_from_slice(value);
}

/// Appends a field with an integer.
pub(crate) fn write_varint(number: u64, value: u64, to: &mut Vec<u8>) {
    varint::write(number << 3, to);
    varint::write(value, to);
}
