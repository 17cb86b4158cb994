//! Who may call what (design, section 6): one table, one guard in front of every route.

mod guard;
mod login;
mod secrets;
mod table;

pub(crate) use guard::{cookie, guard};
pub(crate) use login::Login;
pub(crate) use secrets::{Keys, Sessions, same_secret};
pub(crate) use table::{Caller, may_spend};

/// How long a sign-in lasts.
pub(crate) const SESSION_DAYS: u32 = 30;
