//! Reads the header of a GGUF file, versions 2 and 3, without trusting a single count in it.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>. Every count is compared with the
//! bytes that are left before anything is allocated for it, so memory stays within a small multiple of the
//! header's own size whatever a file claims.

use std::collections::BTreeMap;
use std::ops::Range;

use super::dtype::{SUPPORTED_TYPES, TensorType, foreign_name};
use super::value::{GgufError, Value};

/// Real files have some dozens; the limit only stops nonsense.
const MAX_VALUES: u64 = 16_384;
/// The largest public models have some thousands.
const MAX_TENSORS: u64 = 262_144;
/// The largest vocabularies have 262,144 tokens and 1,200,000 merges.
const MAX_ELEMENTS: u64 = 8_388_608;
/// The most files that one model is split into.
const MAX_PARTS: usize = 1024;
/// More dimensions do not occur.
const MAX_DIMENSIONS: u64 = 4;

/// A checked header: every tensor lies inside the file and has a type we compute with.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Gguf {
    pub(crate) values: BTreeMap<String, Value>,
    pub(crate) tensors: BTreeMap<String, TensorInfo>,
}

/// Where a tensor lies and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TensorInfo {
    /// Rows first, the contiguous dimension last: the reverse of the file's order.
    pub(crate) shape: Vec<usize>,
    pub(crate) dtype: TensorType,
    pub(crate) range: Range<usize>,
    /// The file of a split model that holds it.
    pub(crate) part: usize,
}

impl TensorInfo {
    pub(crate) fn elements(&self) -> u64 {
        self.shape.iter().map(|&n| n as u64).product()
    }
}

impl Gguf {
    /// Reads and checks the header of `bytes`, the whole file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, GgufError> {
        Self::parse_beginning(bytes, bytes.len() as u64)
    }

    /// Reads and checks the header of a file of `size` bytes that begins with `bytes`. Where the header goes on
    /// beyond them it is [`GgufError::Truncated`].
    pub(crate) fn parse_beginning(bytes: &[u8], size: u64) -> Result<Self, GgufError> {
        let mut cursor = Cursor { bytes, at: 0 };
        let magic = bytes.get(..4).unwrap_or(bytes);
        if magic != b"GGUF" {
            return Err(GgufError::NotGguf {
                found: magic.to_vec(),
            });
        }
        cursor.at = 4;
        let version = cursor.u32("the version")?;
        if (1..=3).contains(&version.swap_bytes()) {
            return Err(GgufError::ByteOrder);
        }
        if !(2..=3).contains(&version) {
            return Err(GgufError::Version { version });
        }
        let n_tensors = limited("tensors", cursor.u64("the tensor count")?, MAX_TENSORS)?;
        let n_values = limited("values", cursor.u64("the value count")?, MAX_VALUES)?;
        let values = read_values(&mut cursor, n_values)?;
        let tensors = read_tensors(&mut cursor, n_tensors, &values, size)?;
        Ok(Self { values, tensors })
    }

    /// Says into how many files the model is split, and which of them this is, counted from 0.
    pub(crate) fn split(&self) -> Result<(usize, usize), GgufError> {
        let count = self
            .optional_count("split.count", 0..MAX_PARTS + 1)?
            .unwrap_or(0)
            .max(1);
        Ok((count, self.optional_count("split.no", 0..count)?.unwrap_or(0)))
    }

    /// Puts the parts of a split model together, in their order: the values of the first, the tensors of all.
    pub(crate) fn joined(parts: Vec<Self>) -> Result<Self, GgufError> {
        let count = parts.len();
        let mut whole: Option<Self> = None;
        for (index, part) in parts.into_iter().enumerate() {
            let (found_count, found) = part.split()?;
            if (found_count, found) != (count, index) {
                return Err(GgufError::Split {
                    found: found + 1,
                    found_count,
                    wanted: index + 1,
                    count,
                });
            }
            let Some(whole) = &mut whole else {
                whole = Some(part);
                continue;
            };
            for (name, mut tensor) in part.tensors {
                tensor.part = index;
                if whole.tensors.insert(name.clone(), tensor).is_some() {
                    return Err(GgufError::Duplicate { name });
                }
            }
        }
        whole.ok_or_else(|| GgufError::NotGguf { found: Vec::new() })
    }

    pub(crate) fn text(&self, key: &str) -> Result<&str, GgufError> {
        let value = self.required(key)?;
        if let Value::Text(text) = value {
            Ok(text)
        } else {
            Err(bad(key, value, "a text"))
        }
    }

    pub(crate) fn optional_text(&self, key: &str) -> Option<&str> {
        self.text(key).ok()
    }

    /// Gives a count that must lie in `range`.
    pub(crate) fn count(&self, key: &str, range: Range<usize>) -> Result<usize, GgufError> {
        let value = self.required(key)?;
        value
            .as_u64()
            .and_then(|count| usize::try_from(count).ok())
            .filter(|count| range.contains(count))
            .ok_or_else(|| {
                bad(
                    key,
                    value,
                    &format!("a number from {} to {}", range.start, range.end - 1),
                )
            })
    }

    /// Gives a count that may be missing; if it is there it must be right.
    pub(crate) fn optional_count(&self, key: &str, range: Range<usize>) -> Result<Option<usize>, GgufError> {
        if self.values.contains_key(key) {
            self.count(key, range).map(Some)
        } else {
            Ok(None)
        }
    }

    /// Gives a positive, finite figure that may be missing.
    pub(crate) fn optional_figure(&self, key: &str) -> Result<Option<f64>, GgufError> {
        let Some(value) = self.values.get(key) else {
            return Ok(None);
        };
        value
            .as_f64()
            .filter(|figure| figure.is_finite() && *figure > 0.0)
            .map(Some)
            .ok_or_else(|| bad(key, value, "a positive figure"))
    }

    pub(crate) fn optional_bool(&self, key: &str) -> Option<bool> {
        match self.values.get(key) {
            Some(Value::Bool(yes)) => Some(*yes),
            Some(_) | None => None,
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Result<&[String], GgufError> {
        let value = self.required(key)?;
        if let Value::Texts(texts) = value {
            Ok(texts)
        } else {
            Err(bad(key, value, "a list of texts"))
        }
    }

    pub(crate) fn integers(&self, key: &str) -> Option<&[i64]> {
        match self.values.get(key) {
            Some(Value::Integers(integers)) => Some(integers),
            Some(_) | None => None,
        }
    }

    pub(crate) fn floats(&self, key: &str) -> Option<&[f32]> {
        match self.values.get(key) {
            Some(Value::Floats(floats)) => Some(floats),
            Some(_) | None => None,
        }
    }

    /// Gives a tensor that must have `shape`, rows first.
    pub(crate) fn tensor(&self, name: &str, shape: &[usize]) -> Result<&TensorInfo, GgufError> {
        let info = self.tensors.get(name).ok_or_else(|| GgufError::MissingTensor {
            tensor: name.to_owned(),
        })?;
        if info.shape == shape {
            return Ok(info);
        }
        Err(GgufError::TensorShape {
            tensor: name.to_owned(),
            found: info.shape.clone(),
            expected: shape.to_vec(),
        })
    }

    fn required(&self, key: &str) -> Result<&Value, GgufError> {
        self.values
            .get(key)
            .ok_or_else(|| GgufError::MissingKey { key: key.to_owned() })
    }
}

fn bad(key: &str, found: &Value, expected: &str) -> GgufError {
    let found = match found {
        Value::Texts(list) => format!("a list of {} texts", list.len()),
        Value::Integers(list) => format!("a list of {} numbers", list.len()),
        Value::Floats(list) => format!("a list of {} figures", list.len()),
        Value::Bools(list) => format!("a list of {} flags", list.len()),
        Value::Text(text) => format!("{:?}", text.chars().take(60).collect::<String>()),
        Value::Unsigned(number) => number.to_string(),
        Value::Signed(number) => number.to_string(),
        Value::Float(figure) => figure.to_string(),
        Value::Bool(yes) => yes.to_string(),
    };
    GgufError::BadValue {
        key: key.to_owned(),
        found,
        expected: expected.to_owned(),
    }
}

fn limited(what: &'static str, count: u64, limit: u64) -> Result<u64, GgufError> {
    if count > limit {
        Err(GgufError::TooMany { what, count, limit })
    } else {
        Ok(count)
    }
}

fn read_values(cursor: &mut Cursor<'_>, count: u64) -> Result<BTreeMap<String, Value>, GgufError> {
    let mut values = BTreeMap::new();
    for _ in 0..count {
        let key = cursor.text("a key")?;
        let type_id = cursor.u32("a value type")?;
        let value = read_value(cursor, &key, type_id)?;
        if values.insert(key.clone(), value).is_some() {
            return Err(GgufError::Duplicate { name: key });
        }
    }
    Ok(values)
}

fn read_value(cursor: &mut Cursor<'_>, key: &str, type_id: u32) -> Result<Value, GgufError> {
    const WHAT: &str = "a value";
    Ok(match type_id {
        0 => Value::Unsigned(cursor.array::<1>(WHAT)?[0].into()),
        1 => Value::Signed(i8::from_le_bytes(cursor.array(WHAT)?).into()),
        2 => Value::Unsigned(u16::from_le_bytes(cursor.array(WHAT)?).into()),
        3 => Value::Signed(i16::from_le_bytes(cursor.array(WHAT)?).into()),
        4 => Value::Unsigned(cursor.u32(WHAT)?.into()),
        5 => Value::Signed(i32::from_le_bytes(cursor.array(WHAT)?).into()),
        6 => Value::Float(f32::from_le_bytes(cursor.array(WHAT)?).into()),
        7 => Value::Bool(cursor.array::<1>(WHAT)?[0] != 0),
        8 => Value::Text(cursor.text(WHAT)?),
        9 => read_list(cursor, key)?,
        10 => Value::Unsigned(cursor.u64(WHAT)?),
        11 => Value::Signed(i64::from_le_bytes(cursor.array(WHAT)?)),
        12 => Value::Float(f64::from_le_bytes(cursor.array(WHAT)?)),
        _ => {
            return Err(GgufError::UnknownValueType {
                key: key.to_owned(),
                type_id,
            });
        }
    })
}

fn read_list(cursor: &mut Cursor<'_>, key: &str) -> Result<Value, GgufError> {
    let type_id = cursor.u32("a list's type")?;
    let count = limited("list elements", cursor.u64("a list's length")?, MAX_ELEMENTS)?;
    let width: u64 = match type_id {
        0 | 1 | 7 => 1,
        2 | 3 => 2,
        4..=6 => 4,
        8 | 10..=12 => 8,
        _ => {
            return Err(GgufError::UnknownValueType {
                key: key.to_owned(),
                type_id,
            });
        }
    };
    // A text takes at least its length field, so this bounds texts as well.
    cursor.ensure("a list", count * width)?;
    if type_id == 8 {
        return (0..count)
            .map(|_| cursor.text("a text in a list"))
            .collect::<Result<_, _>>()
            .map(Value::Texts);
    }
    let mut integers = Vec::new();
    let mut floats = Vec::new();
    let mut bools = Vec::new();
    for _ in 0..count {
        match read_value(cursor, key, type_id)? {
            // Counts above i64::MAX mean nothing in a list; they become -1, which no reader accepts.
            Value::Unsigned(value) => integers.push(i64::try_from(value).unwrap_or(-1)),
            Value::Signed(value) => integers.push(value),
            Value::Float(value) => floats.push(value as f32),
            Value::Bool(value) => bools.push(value),
            Value::Text(_) | Value::Texts(_) | Value::Integers(_) | Value::Floats(_) | Value::Bools(_) => {}
        }
    }
    Ok(match type_id {
        6 | 12 => Value::Floats(floats),
        7 => Value::Bools(bools),
        _ => Value::Integers(integers),
    })
}

fn read_tensors(
    cursor: &mut Cursor<'_>,
    count: u64,
    values: &BTreeMap<String, Value>,
    size: u64,
) -> Result<BTreeMap<String, TensorInfo>, GgufError> {
    let mut raw = Vec::new();
    for _ in 0..count {
        raw.push(read_raw_tensor(cursor)?);
    }
    let alignment = match values.get("general.alignment") {
        None => 32,
        Some(value) => value
            .as_u64()
            .filter(|n| n.is_power_of_two() && *n <= 1 << 20)
            .ok_or_else(|| bad("general.alignment", value, "a power of two up to 1048576"))?,
    };
    let data_start = (cursor.at as u64).div_ceil(alignment) * alignment;
    let mut tensors = BTreeMap::new();
    for tensor in raw {
        let name = tensor.name.clone();
        let info = tensor.checked(data_start, size)?;
        if tensors.insert(name.clone(), info).is_some() {
            return Err(GgufError::Duplicate { name });
        }
    }
    apart(&tensors)?;
    Ok(tensors)
}

/// Refuses tensors that share bytes: weights that are taken for others answer rubbish.
fn apart(tensors: &BTreeMap<String, TensorInfo>) -> Result<(), GgufError> {
    let mut all: Vec<_> = tensors
        .iter()
        .filter(|(_, info)| !info.range.is_empty())
        .collect();
    all.sort_by_key(|(_, info)| info.range.start);
    for pair in all.windows(2) {
        if let [(name, info), (other, next)] = pair
            && next.range.start < info.range.end
        {
            return Err(GgufError::Overlap {
                tensor: (*name).clone(),
                other: (*other).clone(),
            });
        }
    }
    Ok(())
}

struct RawTensor {
    name: String,
    dimensions: Vec<u64>,
    type_id: u32,
    offset: u64,
}

fn read_raw_tensor(cursor: &mut Cursor<'_>) -> Result<RawTensor, GgufError> {
    let name = cursor.text("a tensor's name")?;
    let n_dimensions = limited(
        "dimensions",
        cursor.u32("a tensor's dimensions")?.into(),
        MAX_DIMENSIONS,
    )?;
    let dimensions = (0..n_dimensions)
        .map(|_| cursor.u64("a dimension"))
        .collect::<Result<_, _>>()?;
    Ok(RawTensor {
        name,
        dimensions,
        type_id: cursor.u32("a tensor's type")?,
        offset: cursor.u64("an offset")?,
    })
}

impl RawTensor {
    /// Checks type, shape and place of a tensor in a file of `size` bytes.
    fn checked(self, data_start: u64, size: u64) -> Result<TensorInfo, GgufError> {
        let Some(dtype) = TensorType::from_id(self.type_id) else {
            return Err(GgufError::UnsupportedType {
                tensor: self.name,
                dtype: foreign_name(self.type_id),
                supported: SUPPORTED_TYPES,
            });
        };
        let (block, block_bytes) = dtype.block();
        if let Some(&columns) = self.dimensions.first()
            && !columns.is_multiple_of(block as u64)
        {
            return Err(GgufError::BadShape {
                tensor: self.name,
                dtype: dtype.name(),
                columns,
                block,
            });
        }
        let elements = self
            .dimensions
            .iter()
            .try_fold(1_u64, |product, &n| product.checked_mul(n));
        let bytes = elements.and_then(|elements| (elements / block as u64).checked_mul(block_bytes as u64));
        let start = data_start.checked_add(self.offset);
        let end = start
            .zip(bytes)
            .and_then(|(start, bytes)| start.checked_add(bytes));
        let place = start.zip(end).filter(|(_, end)| *end <= size);
        let shape: Option<Vec<usize>> = self
            .dimensions
            .iter()
            .rev()
            .map(|&n| usize::try_from(n).ok())
            .collect();
        let outside = || GgufError::TensorOutside {
            tensor: self.name.clone(),
            end: end.unwrap_or(u64::MAX),
            size,
        };
        let (start, end) = place.ok_or_else(outside)?;
        let range = usize::try_from(start)
            .ok()
            .zip(usize::try_from(end).ok())
            .ok_or_else(outside)?;
        Ok(TensorInfo {
            shape: shape.ok_or_else(outside)?,
            dtype,
            range: range.0..range.1,
            part: 0,
        })
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn ensure(&self, what: &'static str, need: u64) -> Result<(), GgufError> {
        let have = (self.bytes.len() - self.at) as u64;
        if need > have {
            Err(GgufError::Truncated {
                what,
                at: self.at,
                need,
                have,
            })
        } else {
            Ok(())
        }
    }

    fn take(&mut self, what: &'static str, need: u64) -> Result<&'a [u8], GgufError> {
        self.ensure(what, need)?;
        // `need` is at most the slice's length here, so it fits.
        let (start, end) = (self.at, self.at + need as usize);
        self.at = end;
        Ok(&self.bytes[start..end])
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], GgufError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(what, N as u64)?);
        Ok(array)
    }

    fn u32(&mut self, what: &'static str) -> Result<u32, GgufError> {
        Ok(u32::from_le_bytes(self.array(what)?))
    }

    fn u64(&mut self, what: &'static str) -> Result<u64, GgufError> {
        Ok(u64::from_le_bytes(self.array(what)?))
    }

    fn text(&mut self, what: &'static str) -> Result<String, GgufError> {
        let len = self.u64(what)?;
        let at = self.at;
        let bytes = self.take(what, len)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(GgufError::NotUtf8 { at }),
        }
    }
}

#[cfg(test)]
mod tests;
