//! What is known of a session that we serve in: read once from the chain, then kept.

use hearth_base::{Amount, Height};
use hearth_pocket::{
    difficulty::Target, message::session::SessionHeader, session::Windows, settlement::Price,
};
use hearth_store::stored::Stored;
use serde::{Deserialize, Serialize};

/// A session and this supplier in it: what names an evidence file and a claim.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The session's id.
    pub session_id: String,
    /// Our operator address.
    pub supplier: String,
}

impl Key {
    /// Whether both parts are made of letters and digits alone, as in every real key; so a key is safe as a file's
    /// name.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let plain = |text: &str| {
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        plain(&self.session_id) && plain(&self.supplier)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.session_id, self.supplier)
    }
}

/// What never changes of a session. Kept in the database and at the head of the evidence, so that either can be
/// rebuilt from the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// The session, as the chain has it.
    pub header: SessionHeader,
    /// Our operator address.
    pub supplier: String,
    /// The supplier's owner, who may be among those who are paid.
    pub owner: String,
    /// Compute units of one relay, at the session's start.
    pub compute_units: u64,
    /// What compute units cost, and which relays count, at the session's start.
    pub price: Price,
    /// The heights that follow the session's end.
    pub windows: Windows,
    /// What the application is sure to pay us for this session, by the suppliers there are.
    pub budget: Amount,
    /// The part of a claim that comes to our own addresses, in millionths, as it was at the session's start. For
    /// estimates only.
    pub share_millionths: u32,
}

impl Stored for Facts {
    const WHAT: &'static str = "the description of a session";
    const VERSION: u64 = 1;
}

impl Facts {
    /// The session and this supplier in it.
    #[must_use]
    pub fn key(&self) -> Key {
        Key {
            session_id: self.header.session_id.clone(),
            supplier: self.supplier.clone(),
        }
    }

    /// Whether a header names our application and service.
    pub(crate) fn is_of(&self, header: &SessionHeader) -> bool {
        self.header.application_address == header.application_address
            && self.header.service_id == header.service_id
    }

    /// The first block of the session.
    #[must_use]
    pub fn start(&self) -> Height {
        Height(self.header.session_start_block_height.unsigned_abs())
    }

    /// The last block of the session.
    #[must_use]
    pub fn end(&self) -> Height {
        Height(self.header.session_end_block_height.unsigned_abs())
    }

    /// Which relays count.
    #[must_use]
    pub fn target(&self) -> Target {
        self.price.target
    }

    /// What one answer takes from the application's budget. At a difficulty only one relay in many becomes a leaf,
    /// which is then worth as much more, so on average this is what each one costs.
    #[must_use]
    pub fn cost_of_a_relay(&self) -> Amount {
        let at_base = Price {
            target: hearth_pocket::difficulty::BASE_TARGET,
            ..self.price
        };
        at_base.of_compute_units(self.compute_units).unwrap_or_default()
    }

    /// What `leaves` leaves would be claimed at.
    #[must_use]
    pub fn value_of(&self, leaves: u64) -> Amount {
        self.price
            .of_compute_units(self.compute_units.wrapping_mul(leaves))
            .unwrap_or_default()
    }

    /// Our estimated part of an amount that is claimed.
    #[must_use]
    pub fn share_of(&self, claimed: Amount) -> Amount {
        Amount::from_upokt(claimed.upokt().saturating_mul(u128::from(self.share_millionths)) / 1_000_000)
    }
}
