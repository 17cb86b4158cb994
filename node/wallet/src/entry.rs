//! The accounts of a wallet: what may be known of each without a password.

use std::{collections::BTreeSet, fmt};

use hearth_pocket::address::Address;
use serde::{Deserialize, Serialize};

use crate::{Error, derive::Path};

/// The longest label, in characters.
const MAX_LABEL_CHARS: usize = 64;

/// Names an entry for as long as its wallet is there; never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub u32);

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What this node uses a key for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Holds stake and money; asks for the password.
    Owner,
    /// The supplier's: signs answers, claims and proofs unattended.
    Operator,
    /// Signs what this node asks of the network, unattended.
    Gateway,
    /// Pays for what this node asks of the network; asks for the password.
    Application,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 4] = [
        Purpose::Owner,
        Purpose::Operator,
        Purpose::Gateway,
        Purpose::Application,
    ];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Purpose::Owner => "owner",
            Purpose::Operator => "operator",
            Purpose::Gateway => "gateway",
            Purpose::Application => "application",
        }
    }

    /// Whether several accounts may serve it at once: a node serves a supplier for each of its operators.
    #[must_use]
    pub const fn is_shared(self) -> bool {
        match self {
            Purpose::Operator => true,
            Purpose::Owner | Purpose::Gateway | Purpose::Application => false,
        }
    }

    /// Whether the key signs while nobody is there.
    #[must_use]
    pub const fn is_unattended(self) -> bool {
        match self {
            Purpose::Operator | Purpose::Gateway => true,
            Purpose::Owner | Purpose::Application => false,
        }
    }
}

/// Where a key comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// Recovery words of this wallet, along a path.
    Words { phrase: u32, path: Path },
    /// 32 bytes that the owner brought.
    Raw,
    /// An export of `pocketd keys export`.
    Armored,
    /// Only the address is here; whoever has the key signs elsewhere.
    Watch,
}

/// An account of the wallet. No secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub id: EntryId,
    pub label: String,
    pub origin: Origin,
    pub address: Address,
    /// Compressed public key, hex; unknown of an account that is only watched.
    pub public_key: Option<String>,
    /// What it is used for; each purpose has one entry at most, but for those that several may share.
    pub purposes: BTreeSet<Purpose>,
}

impl Entry {
    /// Whether its key signs while nobody is there.
    #[must_use]
    pub fn is_unattended(&self) -> bool {
        self.purposes.iter().any(|purpose| purpose.is_unattended())
    }

    /// Whether only its address is here.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        matches!(self.origin, Origin::Watch)
    }

    /// The path below its words, where it has words.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.origin {
            Origin::Words { path, .. } => Some(path),
            Origin::Raw | Origin::Armored | Origin::Watch => None,
        }
    }
}

/// How a new entry is called and used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Naming {
    /// Without one it is called after its purpose or its number.
    pub label: Option<String>,
    /// These are taken from the entries that had them.
    pub purposes: BTreeSet<Purpose>,
    /// What several may share is not taken from the others.
    pub beside: bool,
}

impl Naming {
    /// Used for these purposes, named after the first.
    #[must_use]
    pub fn of(purposes: &[Purpose]) -> Naming {
        Naming {
            label: None,
            purposes: purposes.iter().copied().collect(),
            beside: false,
        }
    }

    /// Beside those that serve the same.
    #[must_use]
    pub fn beside_others(mut self) -> Naming {
        self.beside = true;
        self
    }

    /// Called so.
    #[must_use]
    pub fn called(mut self, label: &str) -> Naming {
        self.label = Some(label.to_owned());
        self
    }
}

fn is_odd(letter: char) -> bool {
    letter.is_control() || hearth_base::is_unseen(letter)
}

/// A label as it is kept.
pub(crate) fn label(text: &str) -> Result<String, Error> {
    let text = text.trim();
    let n_chars = text.chars().count();
    // Nor may it pass for an address.
    let is_address = text.to_lowercase().starts_with("pokt1");
    if (1..=MAX_LABEL_CHARS).contains(&n_chars) && !text.chars().any(is_odd) && !is_address {
        return Ok(text.to_owned());
    }
    Err(Error::Label {
        most: MAX_LABEL_CHARS,
    })
}
