//! Words that several pages share: amounts, times, standings, errors.

use std::{borrow::Cow, collections::BTreeMap};

use hearth_base::Amount;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, Type},
};

/// An amount of upokt as a decimal string, since JSON numbers lose integers above 2^53.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Upokt(pub Amount);

impl From<Amount> for Upokt {
    fn from(amount: Amount) -> Upokt {
        Upokt(amount)
    }
}

impl PartialSchema for Upokt {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^[0-9]+$"))
            .description(Some("An amount of upokt; 1 POKT is 1,000,000 of them."))
            .into()
    }
}

impl ToSchema for Upokt {
    fn name() -> Cow<'static, str> {
        "Upokt".into()
    }
}

/// By how many upokt something changed, as a decimal string; less is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UpoktChange(pub i128);

impl UpoktChange {
    /// More by an amount.
    #[must_use]
    pub fn more(amount: Amount) -> UpoktChange {
        UpoktChange(i128::try_from(amount.upokt()).unwrap_or(i128::MAX))
    }

    /// Less by an amount.
    #[must_use]
    pub fn less(amount: Amount) -> UpoktChange {
        UpoktChange(UpoktChange::more(amount).0.saturating_neg())
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: UpoktChange) -> UpoktChange {
        UpoktChange(self.0.saturating_add(other.0))
    }

    /// How much it is, whichever way.
    #[must_use]
    pub fn size(self) -> Amount {
        Amount::from_upokt(self.0.unsigned_abs())
    }
}

impl Serialize for UpoktChange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UpoktChange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<UpoktChange, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(UpoktChange).map_err(serde::de::Error::custom)
    }
}

impl PartialSchema for UpoktChange {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some("^-?[0-9]+$"))
            .description(Some("A change in upokt; 1 POKT is 1,000,000 of them."))
            .into()
    }
}

impl ToSchema for UpoktChange {
    fn name() -> Cow<'static, str> {
        "UpoktChange".into()
    }
}

/// A moment, as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(#[serde(with = "time::serde::rfc3339")] pub OffsetDateTime);

impl Timestamp {
    /// The moment that lies `ms` milliseconds after the epoch. One out of range becomes the epoch.
    #[must_use]
    pub fn from_ms(ms: i64) -> Timestamp {
        Timestamp(
            OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
        )
    }
}

impl From<OffsetDateTime> for Timestamp {
    fn from(time: OffsetDateTime) -> Timestamp {
        Timestamp(time)
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("A moment in UTC."))
            .into()
    }
}

impl ToSchema for Timestamp {
    fn name() -> Cow<'static, str> {
        "Timestamp".into()
    }
}

/// How far a figure from the chain can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// The light client proved it against validator signatures.
    Proven,
    /// An endpoint said so; the proof is not there yet.
    Unverified,
    /// It was proven, but too long ago.
    Stale,
}

/// The standing of a figure: how it was verified, and at which height.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Standing {
    pub trust: Trust,
    pub height: u64,
    /// How long ago the chain was as the figure says, by this computer's clock; `None` where that is not known.
    #[serde(default)]
    pub age_s: Option<u64>,
}

/// One reason why something is not possible, or a note beside it. `code` is one of the codes of the interface design.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    pub code: String,
    /// The figures behind it, in a short text: `12.1 GB needed, 9.4 GB free`.
    pub fact: Option<String>,
    /// What it means, in one or two sentences.
    pub meaning: String,
    /// What to do about it.
    pub remedy: Option<String>,
}

impl Reason {
    /// Of what is wrong with the chain: whether nothing can be done with it. A start that has heard nothing yet is no such
    /// thing; a chain of which nothing is proven is.
    #[must_use]
    pub fn is_chain_away(&self) -> bool {
        self.code != "chain_syncing"
    }
}

/// Every error of the control API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    pub error: ErrorDetail,
}

/// What went wrong, in the one shape of all surfaces: what happened, what it means, what to do, and the technical
/// text. The page says the first three in the person's language by `code` and `values`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorDetail {
    /// A stable word for one fact, that programs may branch on.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
    /// What the system or another program said, for whoever looks for the cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
    /// The figures in `message`, by name: `{"seconds": "60"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

/// Counted tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenUsage {
    pub prompt_tokens: u32,
    pub completion_tokens: u32,
}
