//! The types that a stream defines for itself.

use std::collections::BTreeMap;

use super::{reader::DecodeError, value::Input};

/// The id of a type: below 64 they are built in.
pub(super) type TypeId = i64;

pub(super) const BOOL: TypeId = 1;
pub(super) const INT: TypeId = 2;
pub(super) const UINT: TypeId = 3;
pub(super) const FLOAT: TypeId = 4;
pub(super) const BYTES: TypeId = 5;
pub(super) const STRING: TypeId = 6;
pub(super) const COMPLEX: TypeId = 7;
pub(super) const INTERFACE: TypeId = 8;

/// How deep values may nest that are skipped. Go's own limit is greater than any stream that fits a transaction.
const MAX_NESTING: u32 = 512;
/// The most types that one stream may define.
const MAX_TYPES: usize = 4096;

/// A type that the stream defined.
#[derive(Clone, Debug)]
pub(super) enum Type {
    Array {
        elem: TypeId,
        len: u64,
    },
    Slice {
        elem: TypeId,
    },
    Struct {
        fields: Vec<Field>,
    },
    Map {
        key: TypeId,
        elem: TypeId,
    },
    /// A type that encodes itself to bytes.
    Opaque,
}

/// A field of a struct.
#[derive(Clone, Debug, Default)]
pub(super) struct Field {
    pub(super) name: Vec<u8>,
    pub(super) id: TypeId,
}

/// The types defined so far.
#[derive(Debug, Default)]
pub(super) struct Schema {
    types: BTreeMap<TypeId, Type>,
}

impl Schema {
    pub(super) fn get(&self, id: TypeId) -> Result<&Type, DecodeError> {
        self.types.get(&id).ok_or(DecodeError::UnknownType { id })
    }

    /// Reads the definition of type `id`.
    pub(super) fn define(&mut self, id: TypeId, input: &mut Input<'_>) -> Result<(), DecodeError> {
        if self.types.contains_key(&id) || self.types.len() >= MAX_TYPES {
            return Err(DecodeError::TypeDefinedTwice { id });
        }
        let defined = wire_type(input)?;
        self.types.insert(id, defined);
        Ok(())
    }

    /// Skips a value of type `id`.
    pub(super) fn skip(&mut self, id: TypeId, input: &mut Input<'_>) -> Result<(), DecodeError> {
        self.skip_nested(id, input, 0)
    }

    fn skip_nested(&mut self, id: TypeId, input: &mut Input<'_>, nesting: u32) -> Result<(), DecodeError> {
        if nesting > MAX_NESTING {
            return Err(DecodeError::TooDeep);
        }
        match id {
            BOOL | INT | UINT | FLOAT => return input.uint().map(drop),
            COMPLEX => return input.uint().and_then(|_| input.uint()).map(drop),
            BYTES | STRING => return input.bytes().map(drop),
            INTERFACE => return self.skip_interface(input),
            _ => {}
        }
        match self.get(id)?.clone() {
            Type::Opaque => input.bytes().map(drop),
            Type::Array { elem, len } => {
                let count = input.count()?;
                if count != len {
                    return Err(DecodeError::Field);
                }
                self.skip_many(elem, count, input, nesting)
            }
            Type::Slice { elem } => {
                let count = input.count()?;
                self.skip_many(elem, count, input, nesting)
            }
            Type::Map { key, elem } => {
                for _ in 0..input.count()? {
                    self.skip_nested(key, input, nesting + 1)?;
                    self.skip_nested(elem, input, nesting + 1)?;
                }
                Ok(())
            }
            Type::Struct { fields } => {
                let mut last = None;
                while let Some(index) = input.next_field(&mut last, fields.len())? {
                    let field = usize::try_from(index).ok().and_then(|index| fields.get(index));
                    self.skip_nested(field.ok_or(DecodeError::Field)?.id, input, nesting + 1)?;
                }
                Ok(())
            }
        }
    }

    fn skip_many(
        &mut self,
        id: TypeId,
        count: u64,
        input: &mut Input<'_>,
        nesting: u32,
    ) -> Result<(), DecodeError> {
        (0..count).try_for_each(|_| self.skip_nested(id, input, nesting + 1))
    }

    /// An interface value: the name of its type, definitions that are still missing, the type's id, the length.
    fn skip_interface(&mut self, input: &mut Input<'_>) -> Result<(), DecodeError> {
        if input.bytes()?.is_empty() {
            return Ok(());
        }
        loop {
            let id = input.int()?;
            if id >= 0 {
                return input.bytes().map(drop);
            }
            self.define(id.checked_neg().ok_or(DecodeError::Number)?, input)?;
            // The length of what follows, which is read anyway.
            input.uint()?;
        }
    }
}

/// Reads a `wireType`: a struct of pointers of which one is set.
fn wire_type(input: &mut Input<'_>) -> Result<Type, DecodeError> {
    let mut defined = None;
    let mut last = None;
    while let Some(index) = input.next_field(&mut last, 7)? {
        defined = Some(match index {
            0 => array_type(input)?,
            1 => slice_type(input)?,
            2 => struct_type(input)?,
            3 => map_type(input)?,
            _ => opaque_type(input)?,
        });
    }
    defined.ok_or(DecodeError::EmptyType)
}

/// Skips a `CommonType`: the name and the id, which is known already.
fn common(input: &mut Input<'_>) -> Result<(), DecodeError> {
    let mut last = None;
    while let Some(index) = input.next_field(&mut last, 2)? {
        match index {
            0 => input.bytes().map(drop)?,
            _ => input.int().map(drop)?,
        }
    }
    Ok(())
}

fn array_type(input: &mut Input<'_>) -> Result<Type, DecodeError> {
    let (mut elem, mut len, mut last) = (0, 0, None);
    while let Some(index) = input.next_field(&mut last, 3)? {
        match index {
            0 => common(input)?,
            1 => elem = input.int()?,
            _ => len = u64::try_from(input.int()?).map_err(|_| DecodeError::Number)?,
        }
    }
    Ok(Type::Array { elem, len })
}

fn slice_type(input: &mut Input<'_>) -> Result<Type, DecodeError> {
    let (mut elem, mut last) = (0, None);
    while let Some(index) = input.next_field(&mut last, 2)? {
        match index {
            0 => common(input)?,
            _ => elem = input.int()?,
        }
    }
    Ok(Type::Slice { elem })
}

fn map_type(input: &mut Input<'_>) -> Result<Type, DecodeError> {
    let (mut key, mut elem, mut last) = (0, 0, None);
    while let Some(index) = input.next_field(&mut last, 3)? {
        match index {
            0 => common(input)?,
            1 => key = input.int()?,
            _ => elem = input.int()?,
        }
    }
    Ok(Type::Map { key, elem })
}

fn opaque_type(input: &mut Input<'_>) -> Result<Type, DecodeError> {
    let mut last = None;
    while input.next_field(&mut last, 1)?.is_some() {
        common(input)?;
    }
    Ok(Type::Opaque)
}

fn struct_type(input: &mut Input<'_>) -> Result<Type, DecodeError> {
    let (mut fields, mut last) = (Vec::new(), None);
    while let Some(index) = input.next_field(&mut last, 2)? {
        if index == 0 {
            common(input)?;
            continue;
        }
        fields.clear();
        for _ in 0..input.count()? {
            fields.push(field(input)?);
        }
    }
    Ok(Type::Struct { fields })
}

fn field(input: &mut Input<'_>) -> Result<Field, DecodeError> {
    let (mut field, mut last) = (Field::default(), None);
    while let Some(index) = input.next_field(&mut last, 2)? {
        match index {
            0 => field.name = input.bytes()?.to_vec(),
            _ => field.id = input.int()?,
        }
    }
    Ok(field)
}
