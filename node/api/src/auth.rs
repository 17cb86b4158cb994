//! Who may call what (design, section 6): the table, and the secrets it asks for.

mod client;
mod grant;
mod keys;
mod login;
mod origins;
mod proof;
mod secrets;
mod table;

pub(crate) use client::{Client, bare, means_this_computer};
pub(crate) use grant::Grant;
pub use keys::free_name;
pub(crate) use keys::{Found, Keys, Reservation, names_a_key, unknown_key};
pub(crate) use login::Login;
pub use origins::{OriginError, OriginPattern};
pub use proof::proof;
pub(crate) use proof::{MAX_CHALLENGE_CHARS, page_key};
pub(crate) use secrets::{SignIns, same_secret};
pub(crate) use table::{Caller, Credential, Zone, may_spend};

/// How long a sign-in lasts.
pub(crate) const SESSION_DAYS: u32 = 30;
