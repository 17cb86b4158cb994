//! The served UI: files that the build of `ui/` left in `ui/dist`, embedded in the program.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::error::ApiError;

#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
struct Files;

/// The page of every path that is no file.
const INDEX: &str = "index.html";
/// Stands in for it where the UI was not built.
const PLACEHOLDER: &str = "placeholder.html";
/// Routes that the page knows itself, by their first part; `ui/src/lib/controllers/router.svelte.ts` has them, too.
const PAGES: [&str; 8] = [
    "chat", "earn", "models", "wallet", "network", "settings", "setup", "usage",
];
/// Files below it have a hash of their content in their names.
const HASHED: &str = "assets/";

/// Nothing from elsewhere, no frame around us. Inline style attributes are what math and charts are drawn with.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
     font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; \
     form-action 'self'; frame-ancestors 'none'";

/// Whether the page has a route of this path.
pub(crate) fn is_page(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    first.is_empty() || PAGES.contains(&first)
}

/// Whether there is a file of this path, or one that is gone: both are answered here.
pub(crate) fn has_file(path: &str) -> bool {
    let path = path.trim_start_matches('/');
    path.starts_with(HASHED) || Files::get(path).is_some()
}

/// Serves a file, or the page for any other path, whose routes the page knows itself.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let response = if method == Method::GET || method == Method::HEAD {
        file(uri.path().trim_start_matches('/'), &headers)
    } else {
        ApiError::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "files are only read",
        )
        .into_response()
    };
    std::future::ready(response).await
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let path = if path.is_empty() { INDEX } else { path };
    if let Some(found) = Files::get(path) {
        return answer(path, found, headers);
    }
    // A file of an older build must not be answered with a page.
    if path.starts_with(HASHED) {
        return ApiError::not_found("file").into_response();
    }
    for page in [INDEX, PLACEHOLDER] {
        if let Some(found) = Files::get(page) {
            return answer(page, found, headers);
        }
    }
    ApiError::not_found("page: the UI is not part of this build").into_response()
}

fn answer(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", hex::encode(file.metadata.sha256_hash()));
    let cache = if path.starts_with(HASHED) {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let common = [(header::ETAG, tag), (header::CACHE_CONTROL, cache.to_owned())];
    if known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let kind = if kind.type_() == mime_guess::mime::TEXT {
        format!("{kind}; charset=utf-8")
    } else {
        kind.to_string()
    };
    (common, [(header::CONTENT_TYPE, kind)], Body::from(file.data)).into_response()
}

/// Headers that every answer has, of the UI and of the rest.
pub(crate) async fn add_security_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in [
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // What the control API says is nobody's to keep.
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    std::future::ready(response).await
}
