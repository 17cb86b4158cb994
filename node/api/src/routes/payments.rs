//! Payments: reviewed first, then sent once.

use axum::{Json, extract::State, http::StatusCode};

use super::extract::Input;
use crate::{
    app::App,
    control::types::{Changed, Event, FaucetOrder, KeyRole, SendDraft, SendOrder, SendReview, Sent},
    error::ApiError,
};

pub(crate) async fn review(
    State(app): State<App>,
    Input(draft): Input<SendDraft>,
) -> Result<Json<SendReview>, ApiError> {
    let review = app.parts.money.review(&draft).await?;
    let review_id = app.reviews.keep(draft, &review);
    Ok(Json(SendReview { review_id, ..review }))
}

pub(crate) async fn send(
    State(app): State<App>,
    Input(order): Input<SendOrder>,
) -> Result<Json<Sent>, ApiError> {
    let open = app.reviews.take(&order.review_id)?;
    let sent = match order.password {
        Some(password) => {
            let main_was_locked = app.parts.keyring.status().main_locked;
            if let Err(error) = app.parts.keyring.unlock(password).await {
                // Nothing was signed, so the review stays good for another try.
                app.reviews.put_back(order.review_id, open);
                return Err(error);
            }
            let sent = app.parts.money.pay(&open.draft, open.fee).await;
            // The key opens for this payment only.
            if main_was_locked {
                app.parts.keyring.lock();
            }
            sent?
        }
        None if open.needs_password => {
            let role = open.draft.from;
            app.reviews.put_back(order.review_id, open);
            return Err(locked(role));
        }
        None => app.parts.money.pay(&open.draft, open.fee).await?,
    };
    app.tell(Event::Balances(Changed {
        height: Some(sent.height),
    }));
    Ok(Json(sent))
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

fn locked(role: KeyRole) -> ApiError {
    let key = match role {
        KeyRole::Main => "main",
        KeyRole::Working => "working",
    };
    ApiError::new(
        StatusCode::FORBIDDEN,
        "key_locked",
        format!("the {key} key is locked; nothing was sent"),
    )
    .remedy("Send the wallet's password with the payment.")
}
