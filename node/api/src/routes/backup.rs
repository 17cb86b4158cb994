//! Backups and their rehearsal.

use axum::{Json, extract::State};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{BackUp, BackupMade, BackupTested, TestBackup},
    error::ApiError,
};

/// A passphrase alone keeps a file that may lie anywhere.
const LEAST_PASSPHRASE: usize = 10;

pub(crate) async fn make(
    State(app): State<App>,
    Input(order): Input<BackUp>,
) -> Result<Json<BackupMade>, ApiError> {
    if order.passphrase.chars().count() < LEAST_PASSPHRASE {
        let message = format!("the passphrase needs at least {LEAST_PASSPHRASE} characters");
        return Err(ApiError::refused("weak_password", message));
    }
    app.host.back_up(order).await.map(Json)
}

pub(crate) async fn test(
    State(app): State<App>,
    Input(order): Input<TestBackup>,
) -> Result<Json<BackupTested>, ApiError> {
    let mut tested = app.host.test_backup(order).await?;
    let own = app.parts.keyring.status().main_address;
    tested.is_this_wallet = tested
        .wallet
        .as_ref()
        .zip(own)
        .map(|(wallet, own)| *wallet == own);
    Ok(Json(tested))
}
