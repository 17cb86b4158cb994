//! Backups that a passphrase opens, and their rehearsal; codes to scan.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// Copies what cannot be fetched again into one file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BackUp {
    /// A file of the node's computer that is not there yet.
    pub to: String,
    /// Opens it; at least 10 characters. Nobody can open it without.
    pub passphrase: String,
}

/// Brings a backup back into a folder that is thrown away.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestBackup {
    /// A file, or a folder, of the node's computer.
    pub from: String,
    /// Where it is a file.
    #[serde(default)]
    pub passphrase: Option<String>,
    /// Where it is to be seen whether the wallet's password opens its keys.
    #[serde(default)]
    pub wallet_password: Option<String>,
}

/// What is in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupMade {
    pub path: String,
    pub chain_id: String,
    pub made_at: Timestamp,
    pub files: u32,
    /// The version of Hearth that made it.
    pub hearth: String,
}

/// What a rehearsal opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupTested {
    pub backup: BackupMade,
    /// The address of the main key in it.
    pub wallet: Option<String>,
    /// Whether it is the wallet of this node.
    pub is_this_wallet: Option<bool>,
    pub password_opens: Option<bool>,
    pub conversations: u64,
    pub transactions: u64,
}

/// A code to scan, row by row: `1` is dark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QrCode {
    pub size: u32,
    pub rows: Vec<String>,
}
