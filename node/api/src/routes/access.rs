//! Signing in, the login, API keys.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{extract::Input, guard};
use crate::{
    app::App,
    auth::{Client, SESSION_DAYS, page_key, same_secret},
    control::types::{
        ApiKey, ApiKeyList, ApiKeyPatch, Changed, CreatedApiKey, Event, LoginSet, LoginState, NewApiKey,
        SetLogin, SignIn, SignedIn,
    },
    error::ApiError,
};

pub(crate) async fn sign_in(
    State(app): State<App>,
    Extension(client): Extension<Client>,
    Input(input): Input<SignIn>,
) -> Result<Response, ApiError> {
    match (input.token, input.password) {
        (Some(token), _) if same_secret(&token, app.token.reveal()) => {}
        (Some(_), _) => {
            return Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "wrong_token",
                "this token is not the one of this node",
            )
            .remedy(if client.is_local {
                "Open the URL that Hearth printed at its start."
            } else {
                "Sign in with the password of this node."
            }));
        }
        (None, Some(password)) => app.login.check(client, password).await?,
        (None, None) => return Err(ApiError::bad_request("neither token nor password is given")),
    }
    let value = app.sign_ins.create().await?;
    let answer = Json(SignedIn {
        page_key: page_key(app.token.reveal(), &value),
    });
    Ok(([(header::SET_COOKIE, set_cookie(&app, &value))], answer).into_response())
}

fn set_cookie(app: &App, value: &str) -> String {
    let seconds = SESSION_DAYS * 86_400;
    format!(
        "{}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={seconds}",
        app.cookie_name()
    )
}

pub(crate) async fn sign_out(State(app): State<App>, headers: HeaderMap) -> Result<Response, ApiError> {
    if let Some(value) = guard::sign_in(&app, &headers)? {
        app.sign_ins.delete(value).await?;
    }
    let name = app.cookie_name();
    let cookie = format!("{name}=; HttpOnly; SameSite=Strict; Path=/; Max-Age=0");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

pub(crate) async fn login_state(State(app): State<App>) -> Result<Json<LoginState>, ApiError> {
    Ok(Json(LoginState {
        set: app.login.is_set().await?,
    }))
}

pub(crate) async fn set_login(
    State(app): State<App>,
    headers: HeaderMap,
    Input(input): Input<SetLogin>,
) -> Result<Response, ApiError> {
    app.login.set(input.password).await?;
    // Others have to sign in again; who set the password does not.
    let fresh = app.sign_ins.renew(guard::sign_in_of(&app, &headers)).await?;
    let fresh = fresh.as_deref();
    let cookie = fresh.map(|value| [(header::SET_COOKIE, set_cookie(&app, value))]);
    let page_key = fresh.map(|value| page_key(app.token.reveal(), value));
    Ok((cookie, Json(LoginSet { page_key })).into_response())
}

pub(crate) async fn reset_login(State(app): State<App>) -> Result<StatusCode, ApiError> {
    app.login.reset().await?;
    app.sign_ins.renew(None).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn list_keys(State(app): State<App>) -> Result<Json<ApiKeyList>, ApiError> {
    Ok(Json(ApiKeyList {
        keys: app.keys.list().await?,
    }))
}

pub(crate) async fn create_key(
    State(app): State<App>,
    Input(input): Input<NewApiKey>,
) -> Result<Json<CreatedApiKey>, ApiError> {
    let (key, secret) = app.keys.create(&input.name, input.limits).await?;
    Ok(Json(CreatedApiKey { key, secret }))
}

pub(crate) async fn change_key(
    State(app): State<App>,
    Path(id): Path<String>,
    Input(patch): Input<ApiKeyPatch>,
) -> Result<Json<ApiKey>, ApiError> {
    Ok(Json(app.keys.change(&id, patch).await?))
}

pub(crate) async fn delete_key(
    State(app): State<App>,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    app.keys.revoke(&id).await?;
    // What it asked for is nobody's any more.
    app.signatures.forget(&id);
    app.tell(Event::Signatures(Changed { height: None }));
    Ok(StatusCode::NO_CONTENT)
}
