//! What is wanted of the chain.

use hearth_base::{Amount, Height};
use hearth_pocket::{address::Address, message::Any};

/// Why a transaction is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The owner pays somebody.
    Payment,
    /// The owner takes a role, changes it or gives it up.
    Role,
    /// A devnet sets itself up.
    Setup,
    /// A session's work is claimed.
    Claim,
    /// A claim is proven.
    Proof,
    /// It was signed somewhere else, and is sent from here.
    Elsewhere,
}

impl Reason {
    const ALL: [Reason; 6] = [
        Reason::Payment,
        Reason::Role,
        Reason::Setup,
        Reason::Claim,
        Reason::Proof,
        Reason::Elsewhere,
    ];

    /// The word in the database and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Reason::Payment => "payment",
            Reason::Role => "role",
            Reason::Setup => "setup",
            Reason::Claim => "claim",
            Reason::Proof => "proof",
            Reason::Elsewhere => "elsewhere",
        }
    }

    pub(crate) fn of(word: &str) -> Option<Reason> {
        Reason::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// How many of this reason share one transaction at most. A proof is about 200,000 gas, a claim 50,000 to 100,000.
    pub(crate) const fn batch(self) -> usize {
        match self {
            Reason::Payment | Reason::Role | Reason::Setup | Reason::Elsewhere => 1,
            Reason::Claim => 40,
            Reason::Proof => 12,
        }
    }
}

/// Something that a transaction is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// Who signs.
    pub account: Address,
    pub reason: Reason,
    /// What tells it from others of its reason. While one is on its way, the same one again is that one.
    pub about: String,
    pub messages: Vec<Any>,
    /// A text that everybody can read.
    pub memo: String,
    /// Who is paid, for people.
    pub counterparty: Option<String>,
    /// What is paid or staked, for people.
    pub amount: Amount,
    /// The most that the network may ask for it.
    pub max_fee: Amount,
    /// The last block that may hold it.
    pub last_height: Option<Height>,
    /// It is signed only once a block holds this item, and not at all where none ever will.
    pub after: Option<i64>,
    /// Whether it is tried again, whatever stands in its way, until `last_height`. What a person asks for is tried
    /// once: it must not happen long after they have forgotten it.
    pub is_patient: bool,
}
