//! A transaction that was kept, as it is read from the database.

use hearth_base::Height;
use hearth_pocket::tx::SignedTx;
use sqlx::FromRow;

use crate::network::Draft;

/// A transaction whose end is not certain.
#[derive(Clone, Debug, FromRow)]
pub(crate) struct OpenTx {
    pub(crate) id: i64,
    account_number: Option<i64>,
    unsigned: Option<Vec<u8>>,
    raw: Option<Vec<u8>>,
    hash: Option<String>,
    fee_upokt: String,
    pub(crate) until_ns: Option<i64>,
    last_height: Option<i64>,
    first_height: Option<i64>,
    /// Those that may stand in for each other have the same items.
    pub(crate) first_item: Option<i64>,
}

impl OpenTx {
    /// The bytes that are to be signed; `None` where they are signed.
    pub(crate) fn draft(&self) -> Option<Draft> {
        if self.hash.is_some() {
            return None;
        }
        Some(Draft {
            unsigned: self.unsigned.clone()?,
            account_number: self.account_number?.cast_unsigned(),
            fee: self.fee_upokt.parse().ok()?,
        })
    }

    /// The signed bytes; `None` where they are not signed, or were noted before they were kept.
    pub(crate) fn signed(&self) -> Option<SignedTx> {
        self.raw.clone().map(SignedTx::new)
    }

    pub(crate) fn hash(&self) -> Option<[u8; 32]> {
        hex::decode(self.hash.as_deref()?).ok()?.try_into().ok()
    }

    /// The hash for people and for the history.
    pub(crate) fn hash_text(&self) -> String {
        self.hash.clone().unwrap_or_default()
    }

    pub(crate) fn first_height(&self) -> Option<Height> {
        self.first_height.map(height_of)
    }

    pub(crate) fn last_height(&self) -> Option<Height> {
        self.last_height.map(height_of)
    }
}

pub(crate) fn height_of(height: i64) -> Height {
    Height(u64::try_from(height).unwrap_or_default())
}
