//! The accounts of the wallet: taken in, named, exported, looked for on the chain.

use axum::{
    Json,
    extract::{Path, State},
};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{
        Account, AccountList, AddAccount, ChangeAccount, ChangePassword, Discover, ExportAccount,
        ExportedAccount, FoundAccounts, Purpose, RemoveAccount, SealOperator, WalletPage, WatchAddress,
    },
    error::ApiError,
};

pub(crate) async fn list(State(app): State<App>) -> Result<Json<AccountList>, ApiError> {
    Ok(Json(app.parts.money.accounts().await?))
}

pub(crate) async fn add(
    State(app): State<App>,
    Input(order): Input<AddAccount>,
) -> Result<Json<Account>, ApiError> {
    if order.purposes.contains(&Purpose::Operator) && !order.beside {
        keeps_claims(&app, |_| true).await?;
    }
    Ok(Json(app.parts.keyring.add(order).await?))
}

pub(crate) async fn watch(
    State(app): State<App>,
    Input(order): Input<WatchAddress>,
) -> Result<Json<Account>, ApiError> {
    Ok(Json(app.parts.keyring.watch(order).await?))
}

pub(crate) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(order): Input<ChangeAccount>,
) -> Result<Json<Account>, ApiError> {
    let id = number(&id)?;
    if let Some(purposes) = &order.purposes {
        let is_operator = purposes.contains(&Purpose::Operator);
        // Who is named keeps it or not by its own list, the others by whether the new one comes beside them.
        let loses = |account: &Account| match account.id == id {
            true => !is_operator,
            false => is_operator && !order.beside,
        };
        keeps_claims(&app, loses).await?;
    }
    Ok(Json(app.parts.keyring.change(id, order).await?))
}

/// An operator whose claims are open goes on signing: a proof that nobody signs costs stake.
async fn keeps_claims(app: &App, loses: impl Fn(&Account) -> bool) -> Result<(), ApiError> {
    let accounts = app.parts.keyring.page().accounts;
    let operators = accounts
        .iter()
        .filter(|account| account.purposes.contains(&Purpose::Operator));
    for account in operators.filter(|account| loses(account)) {
        let Ok(address) = account.address.parse() else {
            continue;
        };
        // The chain is not asked: it may be away while claims are open.
        if app.parts.earn.open_claims(&address).await? > 0 {
            let text = format!(
                "the operator {} has open claims, and their proofs are signed by its key",
                account.label
            );
            return Err(ApiError::conflict("open_claims", text).remedy(
                "Keep it beside the new one (`--beside`), or stop earning and wait until its sessions are settled: `hearth earn \
                 status`. Nothing was changed.",
            ));
        }
    }
    Ok(())
}

pub(crate) async fn remove(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(order): Input<RemoveAccount>,
) -> Result<Json<WalletPage>, ApiError> {
    app.parts.keyring.remove(number(&id)?, order.password).await?;
    Ok(Json(app.parts.keyring.page()))
}

pub(crate) async fn export(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(order): Input<ExportAccount>,
) -> Result<Json<ExportedAccount>, ApiError> {
    Ok(Json(app.parts.keyring.export(number(&id)?, order).await?))
}

pub(crate) async fn change_password(
    State(app): State<App>,
    Input(order): Input<ChangePassword>,
) -> Result<Json<WalletPage>, ApiError> {
    let ChangePassword {
        password,
        new_password,
    } = order;
    app.parts.keyring.change_password(password, new_password).await?;
    Ok(Json(app.parts.keyring.page()))
}

pub(crate) async fn seal_operator(
    State(app): State<App>,
    Input(order): Input<SealOperator>,
) -> Result<Json<WalletPage>, ApiError> {
    let SealOperator { password, passphrase } = order;
    app.parts.keyring.seal_operator(password, passphrase).await?;
    Ok(Json(app.parts.keyring.page()))
}

pub(crate) async fn discover(
    State(app): State<App>,
    Input(order): Input<Discover>,
) -> Result<Json<FoundAccounts>, ApiError> {
    Ok(Json(app.parts.money.discover(order).await?))
}

/// The number of an account.
fn number(id: &str) -> Result<u32, ApiError> {
    id.parse()
        .map_err(|_| ApiError::from(hearth_wallet::Error::NoEntry(id.chars().take(20).collect())))
}
