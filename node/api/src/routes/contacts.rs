//! The address book, labels of movements, and addresses as codes to scan.

use axum::{
    Json,
    extract::{OriginalUri, Path, State},
    http::StatusCode,
};

use super::extract::{Input, only_parameter};
use crate::{
    app::App,
    control::types::{Account, ContactList, ImportContacts, LabelMovement, QrCode, SaveContact},
    error::ApiError,
    lookalike::as_seen,
};

/// Names by which accounts are called after their use.
const USES: [&str; 6] = ["main", "working", "owner", "operator", "gateway", "application"];

pub(crate) async fn list(State(app): State<App>) -> Result<Json<ContactList>, ApiError> {
    let contacts = app.contacts.all().await?;
    Ok(Json(ContactList { contacts }))
}

pub(crate) async fn save(
    State(app): State<App>,
    Input(contact): Input<SaveContact>,
) -> Result<Json<ContactList>, ApiError> {
    save_all(&app, vec![contact]).await?;
    list(State(app)).await
}

pub(crate) async fn import(
    State(app): State<App>,
    Input(given): Input<ImportContacts>,
) -> Result<Json<ContactList>, ApiError> {
    save_all(&app, given.contacts).await?;
    list(State(app)).await
}

/// Keeps contacts, none of which has the name of an account of this wallet: whoever pays by that name means the account.
async fn save_all(app: &App, contacts: Vec<SaveContact>) -> Result<(), ApiError> {
    let own = app.parts.keyring.page().accounts;
    for SaveContact { address, name, .. } in &contacts {
        let name = as_seen(name);
        let is_own =
            |account: &&Account| as_seen(&account.label) == name && account.address != *address.trim();
        let is_kept = own.iter().find(is_own);
        if is_kept.is_some() || USES.contains(&name.as_str()) {
            let message = format!("\"{name}\" is what an account of this wallet is called");
            return Err(ApiError::conflict("contact_taken", message).value("name", name));
        }
    }
    app.contacts.save(contacts).await
}

pub(crate) async fn delete(
    State(app): State<App>,
    Path(address): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.contacts.delete(&address).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn label(
    State(app): State<App>,
    Input(given): Input<LabelMovement>,
) -> Result<StatusCode, ApiError> {
    // A label that nobody would ever see is a slip; one that is there is taken off whatever became of its movement.
    let is_named = !given.label.trim().is_empty() && !given.movement.is_empty();
    if is_named && !app.parts.money.knows_movement(&given.movement).await? {
        let id: String = given.movement.chars().take(200).collect();
        return Err(ApiError::new(
            StatusCode::NOT_FOUND,
            "no_movement",
            format!("the history has no movement \"{id}\""),
        )
        .remedy("`hearth wallet history --json` shows the ids. Nothing was noted."));
    }
    app.contacts.set_label(given).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Bytes of a text that is shown as a code: an address has 43.
const MAX_CODED: usize = 300;

pub(crate) async fn qr(OriginalUri(uri): OriginalUri) -> Result<Json<QrCode>, ApiError> {
    let text = only_parameter(&uri, "text")?.unwrap_or_default();
    let long = || {
        let message = format!("a code says 1 to {MAX_CODED} bytes");
        ApiError::refused("qr_long", message).value("most", MAX_CODED)
    };
    if text.is_empty() || text.len() > MAX_CODED {
        return Err(long());
    }
    let code = qrcode::QrCode::new(text.as_bytes()).map_err(|_| long())?;
    let width = code.width();
    let colours = code.to_colors();
    let rows = colours.chunks(width).map(|row| {
        let dark = |colour: &qrcode::Color| if *colour == qrcode::Color::Dark { '1' } else { '0' };
        row.iter().map(dark).collect()
    });
    std::future::ready(Ok(Json(QrCode {
        size: u32::try_from(width).unwrap_or_default(),
        rows: rows.collect(),
    })))
    .await
}
