//! Wrong passwords, which are counted over all boxes.

/// Wrong passwords of late.
#[derive(Default)]
pub(crate) struct PasswordAttempts {
    pub(crate) wrong: u32,
    pub(crate) wait_until_ms: i64,
}
