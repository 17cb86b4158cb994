//! What the API keeps of its own: answers that are being written, settings of the page, payments under review, usage,
//! answers that later requests go on from.

mod contacts;
mod first_run;
#[cfg(test)]
mod formats;
mod responses;
mod reviews;
mod running;
mod settings;
mod usage;

pub(crate) use contacts::Contacts;
pub(crate) use first_run::FirstRunStore;
pub(crate) use responses::Responses;
pub(crate) use reviews::{OpenReview, ReviewedPayment, ReviewedRole, Reviews};
pub(crate) use running::{Reader, Running, RunningGuard};
pub(crate) use settings::SettingsStore;
pub(crate) use usage::{KEEP_DAYS, LOCAL, OWNER, Usage, UsageRow};
