//! A rehearsal: a backup is brought back into a folder that is thrown away, and everything in it is opened.

use std::path::Path;

use hearth_base::{Clock, Secret};
use hearth_store::Store;
use hearth_wallet::{Cost, Wallet};
use serde::Serialize;

use super::{
    Backup, BackupError, in_file,
    restore::{open, restore},
};
use crate::data_dir::Layout;
use crate::scratch::Scratch;

/// What a rehearsal found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rehearsal {
    pub backup: Backup,
    /// The address of the main key; `None` where the backup has no wallet.
    pub wallet: Option<String>,
    /// Whether the wallet's password opened the keys; `None` where none was given.
    pub password_opens: Option<bool>,
    pub conversations: u64,
    pub transactions: u64,
}

/// Brings a backup back into a folder of its own, opens all that is in it, and throws the folder away. It lies in the data
/// directory `near`, whose files are as open, or where the system has such ones; no data are touched.
///
/// # Errors
/// What [`restore`] refuses; a database that this version cannot bring up to date.
pub async fn rehearse(
    near: Option<&Layout>,
    from: &Path,
    passphrase: Option<&Secret>,
    wallet_password: Option<&Secret>,
) -> Result<Rehearsal, BackupError> {
    let near = near.filter(|near| near.database().exists());
    let scratch = match near.and_then(|near| Scratch::new_in(near.root()).ok()) {
        Some(scratch) => scratch,
        None => Scratch::new_in(&std::env::temp_dir()).map_err(in_file(&std::env::temp_dir()))?,
    };
    let opened = open(from, passphrase, &scratch).await?;
    let layout = Layout::of(&scratch.path().join("data"));
    let damaged = |why: String| BackupError::Damaged {
        path: from.to_owned(),
        why,
    };
    let restored = restore(&layout, &opened).await.map_err(|error| error.of(from))?;
    let backup = restored.backup;
    let store = Store::open(hearth_store::Config {
        path: layout.database(),
        chain_id: backup.chain_id.as_str().into(),
        max_pages: None,
    })
    .await
    .map_err(|error| damaged(unread(&error)))?;
    let counted = counts(&store).await;
    let (conversations, transactions) = counted.map_err(|error| damaged(unread(&error)))?;
    store.close().await;
    let wallet = Wallet::open(
        hearth_wallet::Config {
            folder: layout.keystore(),
            cost: Cost::STRONG,
        },
        Clock::system(),
    )
    .map_err(|error| damaged(hearth_base::failure::chain(&error)))?;
    let accounts = wallet.accounts();
    let password_opens = match (wallet_password, &accounts) {
        (Some(password), Some(_)) => Some(opens(wallet, password.clone()).await),
        (Some(_), None) | (None, _) => None,
    };
    Ok(Rehearsal {
        backup,
        wallet: accounts.and_then(|accounts| accounts.usual().map(ToString::to_string)),
        password_opens,
        conversations,
        transactions,
    })
}

fn unread(error: &dyn std::error::Error) -> String {
    format!(
        "its database cannot be read: {}",
        hearth_base::failure::chain(error)
    )
}

/// Whether the password opens the keys. Stretching it takes a while.
async fn opens(wallet: Wallet, password: Secret) -> bool {
    let opened = tokio::task::spawn_blocking(move || {
        let opened = wallet.unlock(password.reveal()).is_ok();
        wallet.lock_all();
        opened
    });
    opened.await.unwrap_or(false)
}

async fn counts(store: &Store) -> Result<(u64, u64), hearth_store::Error> {
    let conversations = store.count("conversation").await?;
    let transactions = store.count("outbox_item").await?;
    Ok((conversations, transactions))
}
