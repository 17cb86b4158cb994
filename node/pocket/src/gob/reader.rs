//! Reading a proof from any valid stream.

use super::{
    schema::{BYTES, INT, Schema, Type, TypeId},
    value::Input,
};
use crate::trie::{CompactClosestProof, CompactProof};

/// Why bytes hold no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the stream ends too early")]
    Truncated,
    #[error("a number is longer than eight bytes or out of its range")]
    Number,
    #[error("a struct has a field that its type lacks, or an array another length")]
    Field,
    #[error("type {id} is used but was not defined")]
    UnknownType { id: i64 },
    #[error("type {id} is defined twice, or there are too many types")]
    TypeDefinedTwice { id: i64 },
    #[error("a type definition defines nothing")]
    EmptyType,
    #[error("a type definition is followed by something else in its message")]
    TrailingDefinition,
    #[error("the value is no struct, or has no field of a proof")]
    NotAProof,
    #[error("the field {name} has another type than in a proof")]
    FieldType { name: &'static str },
    #[error("values nest too deeply")]
    TooDeep,
}

/// Reads the first value of a stream as a proof. Fields are matched by name, unknown ones are skipped, missing ones
/// stay empty, and what follows the value is ignored, all as Go does.
///
/// # Errors
/// Bytes that are no valid stream, or one of another type.
pub fn decode(stream: &[u8]) -> Result<CompactClosestProof, DecodeError> {
    let mut stream = Input(stream);
    let mut schema = Schema::default();
    loop {
        let mut message = Input(stream.bytes()?);
        let id = message.int()?;
        if id < 0 {
            schema.define(id.checked_neg().ok_or(DecodeError::Number)?, &mut message)?;
            if !message.is_empty() {
                return Err(DecodeError::TrailingDefinition);
            }
            continue;
        }
        return outer(&mut schema, id, &mut message);
    }
}

/// How the fields of a struct that the stream defines map to ours: by index, `None` where it is to be skipped.
type Plan = Vec<(TypeId, Option<usize>)>;

/// Matches the fields of struct type `id` with ours. Every match must have the right type, even if its value is
/// left out.
fn plan(schema: &Schema, id: TypeId, ours: &[(&'static str, Wanted)]) -> Result<Plan, DecodeError> {
    let Type::Struct { fields } = schema.get(id)? else {
        return Err(DecodeError::NotAProof);
    };
    let mut plan = Plan::with_capacity(fields.len());
    for field in fields {
        let found = ours
            .iter()
            .position(|(name, _)| name.as_bytes() == field.name.as_slice());
        if let Some((name, wanted)) = found.and_then(|index| ours.get(index))
            && !wanted.fits(schema, field.id)
        {
            return Err(DecodeError::FieldType { name });
        }
        plan.push((field.id, found));
    }
    if !fields.is_empty() && plan.iter().all(|(_, found)| found.is_none()) {
        return Err(DecodeError::NotAProof);
    }
    Ok(plan)
}

#[derive(Clone, Copy)]
enum Wanted {
    Bytes,
    List,
    Int,
    Struct,
}

impl Wanted {
    fn fits(self, schema: &Schema, id: TypeId) -> bool {
        match self {
            Wanted::Bytes => id == BYTES,
            Wanted::Int => id == INT,
            Wanted::List => matches!(schema.get(id), Ok(Type::Slice { elem: BYTES })),
            Wanted::Struct => matches!(schema.get(id), Ok(Type::Struct { .. })),
        }
    }
}

const OUTER: [(&str, Wanted); 6] = [
    ("Path", Wanted::Bytes),
    ("FlippedBits", Wanted::List),
    ("Depth", Wanted::Bytes),
    ("ClosestPath", Wanted::Bytes),
    ("ClosestValueHash", Wanted::Bytes),
    ("ClosestProof", Wanted::Struct),
];

const INNER: [(&str, Wanted); 5] = [
    ("SideNodes", Wanted::List),
    ("NonMembershipLeafData", Wanted::Bytes),
    ("BitMask", Wanted::Bytes),
    ("NumSideNodes", Wanted::Int),
    ("SiblingData", Wanted::Bytes),
];

fn outer(schema: &mut Schema, id: TypeId, input: &mut Input<'_>) -> Result<CompactClosestProof, DecodeError> {
    let plan = plan(schema, id, &OUTER)?;
    let mut proof = CompactClosestProof::default();
    let mut last = None;
    while let Some(index) = input.next_field(&mut last, plan.len())? {
        let (id, ours) = planned(&plan, index)?;
        match ours {
            Some(0) => proof.path = input.bytes()?.to_vec(),
            Some(1) => proof.flipped_bits = list(input)?,
            Some(2) => proof.depth = input.bytes()?.to_vec(),
            Some(3) => proof.closest_path = input.bytes()?.to_vec(),
            Some(4) => proof.closest_value_hash = input.bytes()?.to_vec(),
            Some(_) => proof.closest_proof = Some(inner(schema, id, input)?),
            None => schema.skip(id, input)?,
        }
    }
    Ok(proof)
}

fn inner(schema: &mut Schema, id: TypeId, input: &mut Input<'_>) -> Result<CompactProof, DecodeError> {
    let plan = plan(schema, id, &INNER)?;
    let mut proof = CompactProof::default();
    let mut last = None;
    while let Some(index) = input.next_field(&mut last, plan.len())? {
        let (id, ours) = planned(&plan, index)?;
        match ours {
            Some(0) => proof.side_nodes = list(input)?,
            Some(1) => proof.non_membership_leaf_data = input.bytes()?.to_vec(),
            Some(2) => proof.bit_mask = input.bytes()?.to_vec(),
            Some(3) => proof.num_side_nodes = input.int()?,
            Some(_) => proof.sibling_data = input.bytes()?.to_vec(),
            None => schema.skip(id, input)?,
        }
    }
    Ok(proof)
}

fn planned(plan: &Plan, index: u64) -> Result<(TypeId, Option<usize>), DecodeError> {
    usize::try_from(index)
        .ok()
        .and_then(|index| plan.get(index))
        .copied()
        .ok_or(DecodeError::Field)
}

fn list(input: &mut Input<'_>) -> Result<Vec<Vec<u8>>, DecodeError> {
    (0..input.count()?)
        .map(|_| input.bytes().map(<[u8]>::to_vec))
        .collect()
}
