//! What a browser is told about pages of other sites.

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, uri::Authority},
    response::{IntoResponse, Response},
};

use crate::error::ApiError;

/// Seconds for which a browser need not ask again; Chromium takes no more than two hours.
const MAX_AGE: &str = "7200";
const METHODS: &str = "GET, HEAD, POST, DELETE, OPTIONS";
/// Where a browser does not say what it will send.
const HEADERS: &str = "authorization, content-type, x-api-key, api-key";
/// What scripts may read beside what browsers always let them.
const EXPOSED: &str = "retry-after, x-request-id, request-id, x-hearth-receipt, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, \
     x-ratelimit-reset-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens";
const ASKED_NETWORK: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOWED_NETWORK: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// The `Origin` of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A program, or a browser that asks for no one's page.
    None,
    /// The page that Hearth serves.
    Own,
    Foreign(HeaderValue),
}

impl Origin {
    pub(super) fn of(headers: &HeaderMap, host: &Authority) -> Origin {
        let Some(value) = headers.get(header::ORIGIN) else {
            return Origin::None;
        };
        let own = value.to_str().is_ok_and(|origin| {
            let name = origin
                .strip_prefix("http://")
                .or_else(|| origin.strip_prefix("https://"));
            name == Some(host.as_str())
        });
        if own {
            Origin::Own
        } else {
            Origin::Foreign(value.clone())
        }
    }

    pub(super) fn foreign(&self) -> Option<&HeaderValue> {
        match self {
            Origin::Foreign(value) => Some(value),
            Origin::None | Origin::Own => None,
        }
    }
}

/// An origin as text; what is none is like no entry of any list.
pub(super) fn text(origin: &HeaderValue) -> &str {
    origin.to_str().unwrap_or("unreadable")
}

/// Whether a browser asks if it may ask.
pub(super) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to such a question, for an origin that may.
pub(super) fn preflight(origin: &HeaderValue, asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    allow(headers, origin);
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_METHODS,
        HeaderValue::from_static(METHODS),
    );
    // Clients send headers of their own (`x-stainless-…`) that no list would have all of.
    let wanted = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        wanted.unwrap_or(HeaderValue::from_static(HEADERS)),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
    if asked.contains_key(&ASKED_NETWORK) {
        headers.insert(ALLOWED_NETWORK, HeaderValue::from_static("true"));
    }
    response
}

/// Lets a page of this origin read an answer. Never with cookies: what they are worth is for the own page alone.
pub(super) fn allow(headers: &mut HeaderMap, origin: &HeaderValue) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static(EXPOSED),
    );
}

/// Answers differ by origin.
pub(super) fn vary(headers: &mut HeaderMap) {
    headers.append(header::VARY, HeaderValue::from_static("origin"));
}

/// A page of another site calls, and may not.
pub(super) fn refused(origin: &str, is_openai: bool) -> ApiError {
    let error = ApiError::new(
        StatusCode::FORBIDDEN,
        "foreign_origin",
        format!("calls from another site ({origin}) are refused"),
    );
    if !is_openai {
        return error.remedy("Use the page that Hearth serves, or call from a program.");
    }
    if origin == "null" {
        return error.remedy(
            "A page without an origin of its own (from a file, or in a frame) cannot be told from others: serve it from an \
             address and list that, or call from a program with an API key.",
        );
    }
    error.remedy(format!(
        "Add {origin} to the setting api.allowed_origins (Settings, API and keys), or to the origins of an API key and \
         send that key."
    ))
}
