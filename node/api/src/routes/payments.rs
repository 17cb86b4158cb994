//! Payments: reviewed first, then sent once.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State, http::StatusCode};
use tokio::sync::oneshot;

use super::{extract::Input, payees::KnownPayees};
use crate::{
    app::App,
    control::types::{
        Account, AccountState, Changed, Event, FaucetOrder, SendDraft, SendOrder, SendReview, Sent,
    },
    error::ApiError,
    parts::Keyring,
    storage::{OpenReview, ReviewedPayment},
};

pub(crate) async fn review(
    State(app): State<App>,
    Input(draft): Input<SendDraft>,
) -> Result<Json<SendReview>, ApiError> {
    let mut review = app.parts.money.review(&draft).await?;
    let payee = KnownPayees::read(&app).await?.payee(&review.to);
    review.to_name = payee.name;
    review.looks_like = payee.looks_like.filter(|_| !review.to_own);
    review.first_payment_to_address = payee.is_first;
    let review_id = app.reviews.keep(ReviewedPayment {
        // What was looked at is what is paid, also where all of it was asked for.
        draft: SendDraft {
            amount: review.amount,
            max: false,
            ..draft
        },
        fee: review.fee,
        needs_password: review.needs_password,
    });
    Ok(Json(SendReview { review_id, ..review }))
}

/// The labels of the wallet's own accounts, by address.
pub(super) fn own_names(app: &App) -> BTreeMap<String, String> {
    let accounts = app.parts.keyring.page().accounts.into_iter();
    accounts.map(|account| (account.address, account.label)).collect()
}

pub(crate) async fn send(
    State(app): State<App>,
    Input(order): Input<SendOrder>,
) -> Result<Json<Sent>, ApiError> {
    let open = app.reviews.take(&order.review_id)?;
    if order.password.is_none() && open.what.needs_password {
        let from = open.what.draft.from.clone();
        app.reviews.put_back(order.review_id, open);
        return Err(locked(&from));
    }
    let (tell, told) = oneshot::channel();
    let owner = app.clone();
    // A task of its own: a caller that hangs up must not leave the key open or the payment half done.
    app.tasks.spawn("payment", async move {
        let outcome = pay(&owner, order, open).await;
        if let Ok(sent) = &outcome {
            owner.tell(Event::Balances(Changed {
                height: Some(sent.height),
            }));
        }
        // An error says that the caller has gone; the history tells what became of it.
        let _ = tell.send(outcome);
    });
    let outcome = told.await.map_err(|error| ApiError::internal(&error))?;
    outcome.map(Json)
}

async fn pay(app: &App, order: SendOrder, open: OpenReview<ReviewedPayment>) -> Result<Sent, ApiError> {
    let _turn = app.paying.lock().await;
    let _opened = match opened(app, order.password).await {
        Ok(opened) => opened,
        Err(error) => {
            // Nothing was signed, so the review stays good for another try.
            app.reviews.put_back(order.review_id, open);
            return Err(error);
        }
    };
    tokio::select! {
        biased;
        () = app.cut.cancelled() => Err(stopped()),
        sent = app.parts.money.pay(&open.what.draft, open.what.fee) => sent,
    }
}

/// Opens the keys with a password, where one is locked, until what is given back is dropped: then those are open that were
/// before. Whoever asks holds [`App::paying`]: the end of one signature would close the key under the next.
pub(super) async fn opened(app: &App, password: Option<String>) -> Result<Option<LockOnDrop>, ApiError> {
    let keyring = &app.parts.keyring;
    let Some(password) = password else { return Ok(None) };
    let page = keyring.page();
    let is_locked = |account: &Account| account.state == AccountState::Locked;
    let opens = page.status.main_locked || page.accounts.iter().any(is_locked);
    let open = page
        .accounts
        .iter()
        .filter(|account| account.state == AccountState::Open);
    let lock = opens.then(|| LockOnDrop {
        keyring: Arc::clone(keyring),
        kept: open.map(|account| account.id).collect(),
    });
    keyring.unlock(password).await?;
    Ok(lock)
}

/// The program stops while something of the owner's is on its way.
pub(super) fn stopped() -> ApiError {
    ApiError::unavailable(
        "stopping",
        "Hearth stopped before a block had it; it may still be included",
    )
    .remedy("Start Hearth again and look at the transactions before you send it again.")
}

/// Closes the keys when it is dropped, but for those that were open before.
pub(super) struct LockOnDrop {
    keyring: Arc<dyn Keyring>,
    kept: Vec<u32>,
}

impl Drop for LockOnDrop {
    fn drop(&mut self) {
        self.keyring.lock_but(&self.kept);
    }
}

pub(crate) async fn faucet(
    State(app): State<App>,
    Input(order): Input<FaucetOrder>,
) -> Result<Json<Sent>, ApiError> {
    if !app.config.network.is_devnet {
        return Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "not_devnet",
            "there is no faucet on this network",
        ));
    }
    let sent = app.parts.money.faucet(&order).await?;
    app.tell(Event::Balances(Changed {
        height: Some(sent.height),
    }));
    Ok(Json(sent))
}

pub(super) fn locked(account: &str) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "key_locked",
        format!("the key of {account} is locked; nothing was sent"),
    )
    .remedy("Send the wallet's password with it.")
}
