//! Roles: what is staked; changes of it, reviewed first, then sent once.

use axum::{
    Json,
    extract::{Path, State},
};
use tokio::sync::oneshot;

use super::{
    extract::{Input, ListQuery},
    payments::{locked, opened, stopped},
};
use crate::{
    app::App,
    control::types::{
        BroadcastDone, BroadcastTrial, BroadcastTx, Changed, ClaimMorse, Event, MorseAccount, MorseKeyFile,
        RoleOrder, RoleReview, RolesPage, SendRole, ServiceDetail, ServiceList, SignedMorseClaim,
        TransactionList,
    },
    error::ApiError,
    storage::{OpenReview, ReviewedRole},
};

pub(crate) async fn page(State(app): State<App>) -> Result<Json<RolesPage>, ApiError> {
    Ok(Json(app.parts.roles.page().await?))
}

pub(crate) async fn services(
    State(app): State<App>,
    query: ListQuery,
) -> Result<Json<ServiceList>, ApiError> {
    Ok(Json(app.parts.roles.services(&query.search, query.window).await?))
}

pub(crate) async fn service(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<Json<ServiceDetail>, ApiError> {
    Ok(Json(app.parts.roles.service(&id).await?))
}

pub(crate) async fn review(
    State(app): State<App>,
    Input(order): Input<RoleOrder>,
) -> Result<Json<RoleReview>, ApiError> {
    let review = app.parts.roles.review(&order).await?;
    let review_id = app.role_reviews.keep(ReviewedRole {
        order,
        review: review.clone(),
    });
    Ok(Json(RoleReview { review_id, ..review }))
}

pub(crate) async fn send(
    State(app): State<App>,
    Input(order): Input<SendRole>,
) -> Result<Json<TransactionList>, ApiError> {
    let open = app.role_reviews.take(&order.review_id)?;
    if order.password.is_none() && open.what.review.needs_password {
        let steps = open.what.review.steps.iter();
        let account = steps.map(|step| step.account.clone()).next().unwrap_or_default();
        app.role_reviews.put_back(order.review_id, open);
        return Err(locked(&account));
    }
    let (tell, told) = oneshot::channel();
    let owner = app.clone();
    // A task of its own: a caller that hangs up must not leave the key open or the change half done.
    app.tasks.spawn("change of a role", async move {
        let outcome = carry_out(&owner, order, open).await;
        if outcome.is_ok() {
            owner.tell(Event::Balances(Changed { height: None }));
        }
        let _ = tell.send(outcome);
    });
    let outcome = told.await.map_err(|error| ApiError::internal(&error))?;
    outcome.map(Json)
}

pub(crate) async fn morse_account(
    State(app): State<App>,
    Path(address): Path<String>,
) -> Result<Json<MorseAccount>, ApiError> {
    Ok(Json(app.parts.roles.morse(&address).await?))
}

pub(crate) async fn open_morse_key(
    State(app): State<App>,
    Input(key): Input<MorseKeyFile>,
) -> Result<Json<MorseAccount>, ApiError> {
    Ok(Json(app.parts.roles.open_morse(key).await?))
}

pub(crate) async fn sign_morse_claim(
    State(app): State<App>,
    Input(order): Input<ClaimMorse>,
) -> Result<Json<SignedMorseClaim>, ApiError> {
    Ok(Json(app.parts.roles.claim_morse(order).await?))
}

pub(crate) async fn broadcast(
    State(app): State<App>,
    Input(order): Input<BroadcastTx>,
) -> Result<Json<BroadcastDone>, ApiError> {
    let done = app.parts.roles.broadcast(&order).await?;
    app.tell(Event::Balances(Changed {
        height: Some(done.height),
    }));
    Ok(Json(done))
}

pub(crate) async fn try_broadcast(
    State(app): State<App>,
    Input(order): Input<BroadcastTx>,
) -> Result<Json<BroadcastTrial>, ApiError> {
    Ok(Json(app.parts.roles.try_broadcast(&order).await?))
}

async fn carry_out(
    app: &App,
    order: SendRole,
    open: OpenReview<ReviewedRole>,
) -> Result<TransactionList, ApiError> {
    let _turn = app.paying.lock().await;
    let _opened = match opened(app, order.password).await {
        Ok(opened) => opened,
        Err(error) => {
            app.role_reviews.put_back(order.review_id, open);
            return Err(error);
        }
    };
    tokio::select! {
        biased;
        () = app.cut.cancelled() => Err(stopped()),
        sent = app.parts.roles.send(&open.what.order, &open.what.review) => sent,
    }
}
