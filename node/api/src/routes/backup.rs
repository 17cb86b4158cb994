//! Backups and their rehearsal.

use std::sync::Arc;

use axum::{Json, extract::State};
use tokio::sync::oneshot;

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
    let host = Arc::clone(&app.host);
    to_its_end(&app, async move { host.back_up(order).await })
        .await
        .map(Json)
}

pub(crate) async fn test(
    State(app): State<App>,
    Input(order): Input<TestBackup>,
) -> Result<Json<BackupTested>, ApiError> {
    let host = Arc::clone(&app.host);
    let mut tested = to_its_end(&app, async move { host.test_backup(order).await }).await?;
    let own = app.parts.keyring.status().main_address;
    tested.is_this_wallet = tested
        .wallet
        .as_ref()
        .zip(own)
        .map(|(wallet, own)| *wallet == own);
    Ok(Json(tested))
}

/// Does something in a task of its own: a caller that hangs up must not leave an open copy behind, nor a guess that is not
/// counted.
async fn to_its_end<T: Send + 'static>(
    app: &App,
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    let (tell, told) = oneshot::channel();
    let cut = app.cut.clone();
    app.tasks.spawn("backup", async move {
        let outcome = tokio::select! {
            biased;
            () = cut.cancelled() => Err(ApiError::unavailable("stopping", "Hearth stopped before the backup was done")),
            outcome = work => outcome,
        };
        // An error says that the caller has gone.
        let _ = tell.send(outcome);
    });
    told.await.map_err(|error| ApiError::internal(&error))?
}
