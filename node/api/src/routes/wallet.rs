//! Keys, balances, history.

use axum::{Json, extract::State};

use super::extract::{Input, ListQuery};
use crate::{
    app::App,
    control::types::{
        Balances, CheckWords, CreateWallet, CreatedWallet, History, ImportWallet, RecoveryWords, UnlockWallet, WalletPage,
        WordsChecked,
    },
    error::ApiError,
};

pub(crate) async fn page(State(app): State<App>) -> Json<WalletPage> {
    std::future::ready(Json(app.keyring.page())).await
}

pub(crate) async fn create(State(app): State<App>, Input(input): Input<CreateWallet>) -> Result<Json<CreatedWallet>, ApiError> {
    let RecoveryWords { words } = app.keyring.create(input.password).await?;
    Ok(Json(CreatedWallet { words, wallet: app.keyring.page() }))
}

pub(crate) async fn import(State(app): State<App>, Input(input): Input<ImportWallet>) -> Result<Json<WalletPage>, ApiError> {
    app.keyring.import(input.words, input.password).await?;
    Ok(Json(app.keyring.page()))
}

pub(crate) async fn unlock(State(app): State<App>, Input(input): Input<UnlockWallet>) -> Result<Json<WalletPage>, ApiError> {
    app.keyring.unlock(input.password).await?;
    Ok(Json(app.keyring.page()))
}

pub(crate) async fn lock(State(app): State<App>) -> Json<WalletPage> {
    app.keyring.lock();
    std::future::ready(Json(app.keyring.page())).await
}

pub(crate) async fn words(State(app): State<App>, Input(input): Input<UnlockWallet>) -> Result<Json<RecoveryWords>, ApiError> {
    Ok(Json(app.keyring.words(input.password).await?))
}

pub(crate) async fn check(State(app): State<App>, Input(input): Input<CheckWords>) -> Result<Json<WordsChecked>, ApiError> {
    Ok(Json(WordsChecked { matches: app.keyring.check(input).await? }))
}

pub(crate) async fn balances(State(app): State<App>) -> Result<Json<Balances>, ApiError> {
    Ok(Json(app.money.balances().await?))
}

pub(crate) async fn history(State(app): State<App>, query: ListQuery) -> Result<Json<History>, ApiError> {
    Ok(Json(app.money.history(query.window).await?))
}
