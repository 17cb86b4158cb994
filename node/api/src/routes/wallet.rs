//! Keys, balances, history.

use axum::{Json, extract::State};

use super::extract::{Input, ListQuery};
use crate::{
    app::App,
    control::types::{
        Balances, CheckWords, CreateWallet, CreatedWallet, History, ImportWallet, RecoveryWords,
        TransactionList, UnlockWallet, WalletPage, WordsChecked,
    },
    error::ApiError,
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
    app.parts.keyring.import(input.words, input.password).await?;
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

pub(crate) async fn history(State(app): State<App>, query: ListQuery) -> Result<Json<History>, ApiError> {
    Ok(Json(app.parts.money.history(query.window).await?))
}

pub(crate) async fn transactions(
    State(app): State<App>,
    query: ListQuery,
) -> Result<Json<TransactionList>, ApiError> {
    Ok(Json(app.parts.money.transactions(query.window).await?))
}
