//! Payments: reviewed first, then sent once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::{Json, extract::State, http::StatusCode};
use hearth_base::Clock;

use super::extract::Input;
use crate::{
    app::App,
    control::types::{Changed, Event, FaucetOrder, KeyRole, SendDraft, SendOrder, SendReview, Sent, Upokt},
    error::ApiError,
};

/// How long a review may be sent.
const GOOD_FOR_MS: i64 = 5 * 60_000;
/// Reviews that are kept at once; the oldest goes first. One has some 200 bytes.
const MAX_REVIEWS: usize = 100;

/// Payments that were reviewed and not yet sent.
pub(crate) struct Reviews {
    clock: Clock,
    /// By id. Ids are made in order of time.
    open: Mutex<BTreeMap<String, Open>>,
}

struct Open {
    draft: SendDraft,
    fee: Upokt,
    needs_password: bool,
    until_ms: i64,
}

impl Reviews {
    pub(crate) fn new(clock: Clock) -> Reviews {
        Reviews { clock, open: Mutex::default() }
    }

    fn keep(&self, draft: SendDraft, review: &SendReview) -> String {
        let id = uuid::Uuid::now_v7().to_string();
        let until_ms = self.clock.now_ms() + GOOD_FOR_MS;
        let mut open = self.lock();
        while open.len() >= MAX_REVIEWS {
            open.pop_first();
        }
        open.insert(id.clone(), Open { draft, fee: review.fee, needs_password: review.needs_password, until_ms });
        id
    }

    /// Takes a review away, so that no second call can send it.
    fn take(&self, id: &str) -> Result<Open, ApiError> {
        let open = self.lock().remove(id).filter(|open| open.until_ms >= self.clock.now_ms());
        open.ok_or_else(|| {
            ApiError::conflict("no_review", "this payment was sent already, or its review is older than 5 minutes; nothing was sent")
                .remedy("Review it again.")
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) async fn review(State(app): State<App>, Input(draft): Input<SendDraft>) -> Result<Json<SendReview>, ApiError> {
    let review = app.money.review(&draft).await?;
    let review_id = app.reviews.keep(draft, &review);
    Ok(Json(SendReview { review_id, ..review }))
}

pub(crate) async fn send(State(app): State<App>, Input(order): Input<SendOrder>) -> Result<Json<Sent>, ApiError> {
    let open = app.reviews.take(&order.review_id)?;
    let sent = match order.password {
        Some(password) => {
            let main_was_locked = app.keyring.status().main_locked;
            if let Err(error) = app.keyring.unlock(password).await {
                // Nothing was signed, so the review stays good for another try.
                app.reviews.lock().insert(order.review_id, open);
                return Err(error);
            }
            let sent = app.money.pay(&open.draft, open.fee).await;
            // The key opens for this payment only.
            if main_was_locked {
                app.keyring.lock();
            }
            sent?
        }
        None if open.needs_password => {
            let role = open.draft.from;
            app.reviews.lock().insert(order.review_id, open);
            return Err(locked(role));
        }
        None => app.money.pay(&open.draft, open.fee).await?,
    };
    app.tell(Event::Balances(Changed { height: Some(sent.height) }));
    Ok(Json(sent))
}

pub(crate) async fn faucet(State(app): State<App>, Input(order): Input<FaucetOrder>) -> Result<Json<Sent>, ApiError> {
    if !app.config.network.is_devnet {
        return Err(ApiError::new(StatusCode::FORBIDDEN, "not_devnet", "there is no faucet on this network"));
    }
    let sent = app.money.faucet(&order).await?;
    app.tell(Event::Balances(Changed { height: Some(sent.height) }));
    Ok(Json(sent))
}

fn locked(role: KeyRole) -> ApiError {
    let key = match role {
        KeyRole::Main => "main",
        KeyRole::Working => "working",
    };
    ApiError::new(StatusCode::FORBIDDEN, "key_locked", format!("the {key} key is locked; nothing was sent"))
        .remedy("Send the wallet's password with the payment.")
}
