//! Keys, balances, history.

use axum::{
    Json,
    extract::{OriginalUri, State},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use super::{
    extract::{Input, ListQuery},
    payments::own_names,
};
use crate::{
    app::App,
    control::types::{
        Balances, CheckWords, CreateWallet, CreatedWallet, History, ImportWallet, RecoveryWords, Timestamp,
        TransactionList, UnlockWallet, WalletPage, WordsChecked,
    },
    error::ApiError,
    parts::HistoryFilter,
};

pub(crate) async fn page(State(app): State<App>) -> Json<WalletPage> {
    std::future::ready(Json(app.parts.keyring.page())).await
}

pub(crate) async fn create(
    State(app): State<App>,
    Input(input): Input<CreateWallet>,
) -> Result<Json<CreatedWallet>, ApiError> {
    let RecoveryWords { words } = app.parts.keyring.create(input.password).await?;
    Ok(Json(CreatedWallet {
        words,
        wallet: app.parts.keyring.page(),
    }))
}

pub(crate) async fn import(
    State(app): State<App>,
    Input(input): Input<ImportWallet>,
) -> Result<Json<WalletPage>, ApiError> {
    let passphrase = input.passphrase.unwrap_or_default();
    app.parts
        .keyring
        .import(input.words, passphrase, input.password)
        .await?;
    Ok(Json(app.parts.keyring.page()))
}

pub(crate) async fn unlock(
    State(app): State<App>,
    Input(input): Input<UnlockWallet>,
) -> Result<Json<WalletPage>, ApiError> {
    app.parts.keyring.unlock(input.password).await?;
    Ok(Json(app.parts.keyring.page()))
}

pub(crate) async fn lock(State(app): State<App>) -> Json<WalletPage> {
    app.parts.keyring.lock();
    std::future::ready(Json(app.parts.keyring.page())).await
}

pub(crate) async fn words(
    State(app): State<App>,
    Input(input): Input<UnlockWallet>,
) -> Result<Json<RecoveryWords>, ApiError> {
    Ok(Json(app.parts.keyring.words(input.password).await?))
}

pub(crate) async fn check(
    State(app): State<App>,
    Input(input): Input<CheckWords>,
) -> Result<Json<WordsChecked>, ApiError> {
    Ok(Json(WordsChecked {
        matches: app.parts.keyring.check(input).await?,
    }))
}

pub(crate) async fn balances(State(app): State<App>) -> Result<Json<Balances>, ApiError> {
    Ok(Json(app.parts.money.balances().await?))
}

pub(crate) async fn history(
    State(app): State<App>,
    OriginalUri(uri): OriginalUri,
) -> Result<Json<History>, ApiError> {
    let mut filter = named(&app).await?;
    let query = ListQuery::read(&uri, |name, value| {
        let time = |value: &str| {
            OffsetDateTime::parse(value, &Rfc3339)
                .map(Timestamp)
                .map_err(|_| {
                    ApiError::bad_request(format!("{name} is \"{value}\": write it as 2026-01-31T00:00:00Z"))
                })
        };
        match name {
            "kinds" => {
                let kind = |word: &str| {
                    serde_json::from_value(word.into())
                        .map_err(|_| ApiError::bad_request(format!("\"{word}\" is no kind of movement")))
                };
                let words = value.split(',').filter(|word| !word.is_empty());
                filter.kinds = words.map(kind).collect::<Result<_, _>>()?;
            }
            "since" => filter.since = Some(time(value)?),
            "until" => filter.until = Some(time(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    filter.text = query.search;
    let mut history = app.parts.money.history(query.window, &filter).await?;
    filter.name(&mut history.movements);
    Ok(Json(history))
}

/// All movements, with what the owner calls them.
pub(super) async fn named(app: &App) -> Result<HistoryFilter, ApiError> {
    // What an address is called in the address book goes before what its account is called here.
    let mut names = own_names(app);
    names.extend(app.contacts.names().await?);
    Ok(HistoryFilter {
        names,
        labels: app.contacts.labels().await?,
        ..HistoryFilter::default()
    })
}

pub(crate) async fn transactions(
    State(app): State<App>,
    query: ListQuery,
) -> Result<Json<TransactionList>, ApiError> {
    Ok(Json(app.parts.money.transactions(query.window).await?))
}
