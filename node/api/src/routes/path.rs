//! The path of a request as everything behind it sees it: guard, zones and routes.
//!
//! Clients join a base URL and a route in every way: with two slashes, with one at the end, without `/v1` or with two of
//! them. All of these mean one route. The path is made plain once, before anybody looks at it, so that what a guard
//! allows is what a route answers.

use axum::http::{HeaderMap, Method, Uri, header, uri::PathAndQuery};

/// Where OpenAI's API lies.
const V1: &str = "/v1";
/// What follows `/v1` in OpenAI's API and those like it, as far as nothing else of this program has that name.
const V1_ROUTES: [&str; 21] = [
    "/assistants",
    "/audio",
    "/batches",
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/engines",
    "/files",
    "/fine_tuning",
    "/images",
    "/messages",
    "/models",
    "/moderations",
    "/realtime",
    "/rerank",
    "/reranking",
    "/responses",
    "/score",
    "/threads",
    "/uploads",
    "/vector_stores",
];

/// Gives a request the plain form of its path. Its query stays.
pub(crate) fn make_plain(method: &Method, uri: &mut Uri, headers: &HeaderMap) {
    let Some(path) = plain(method, uri.path(), wants_page(headers)) else {
        return;
    };
    let path_and_query = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    let mut parts = uri.clone().into_parts();
    // Only slashes and letters of routes changed, so it is a path as before; were it none, the request stays as it was.
    if let Ok(path_and_query) = PathAndQuery::try_from(path_and_query) {
        parts.path_and_query = Some(path_and_query);
        if let Ok(plain) = Uri::from_parts(parts) {
            *uri = plain;
        }
    }
}

/// Whether a browser asks for something to show.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .any(|value| value.contains("text/html"))
}

/// The plain form of a path, if it is another one.
fn plain(method: &Method, path: &str, wants_page: bool) -> Option<String> {
    // Of content, every byte of the path may mean something.
    if !path.starts_with('/') || below(path, "/ipfs") {
        return None;
    }
    let mut plain = String::with_capacity(path.len() + V1.len());
    for part in path.split('/').filter(|part| !part.is_empty()) {
        plain.push('/');
        plain.push_str(part);
    }
    if plain.is_empty() {
        plain.push('/');
    }
    while let Some(rest) = plain.strip_prefix(V1).filter(|rest| below(rest, V1)) {
        plain = rest.to_owned();
    }
    // The page has a route of this name, too.
    let is_page = wants_page && below(&plain, "/models") && (method == Method::GET || method == Method::HEAD);
    if !is_page && V1_ROUTES.iter().any(|route| below(&plain, route)) {
        plain.insert_str(0, V1);
    }
    (plain != path).then_some(plain)
}

/// Whether a path is this one or lies below it.
pub(crate) fn below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Zone;

    fn after(path: &str) -> String {
        plain(&Method::POST, path, false).unwrap_or_else(|| path.to_owned())
    }

    #[test]
    fn every_way_to_write_a_route_is_that_route_t01_t02_t03_t05_t06() {
        for path in [
            "/v1/chat/completions",
            "/v1/chat/completions/",
            "/v1//chat/completions",
            "//v1/chat/completions",
            "//v1//chat///completions//",
            "/chat/completions",
            "/chat/completions/",
            "//chat/completions",
            "/v1/v1/chat/completions",
            "/v1/v1/v1//chat/completions",
        ] {
            assert_eq!(after(path), "/v1/chat/completions", "{path}");
        }
        for (path, expected) in [
            ("/models", "/v1/models"),
            ("/models/", "/v1/models"),
            ("/models/pocket/svc", "/v1/models/pocket/svc"),
            ("/v1/models/v1", "/v1/models/v1"),
            ("/embeddings", "/v1/embeddings"),
            ("/v1/v1", "/v1"),
            ("/", "/"),
            ("//", "/"),
            ("", ""),
            ("*", "*"),
            ("/chat", "/chat"),
            ("/chat/some-id", "/chat/some-id"),
            ("/wallet/", "/wallet"),
            ("/modelsx", "/modelsx"),
            ("/v10/v1", "/v10/v1"),
            ("/ipfs/bafy/a//b/", "/ipfs/bafy/a//b/"),
        ] {
            assert_eq!(after(path), expected, "{path}");
        }
    }

    #[test]
    fn a_browser_that_goes_to_models_sees_the_page() {
        assert_eq!(plain(&Method::GET, "/models", true), None);
        assert_eq!(plain(&Method::GET, "/models/", true).as_deref(), Some("/models"));
        assert_eq!(
            plain(&Method::GET, "/models", false).as_deref(),
            Some("/v1/models")
        );
        assert_eq!(
            plain(&Method::POST, "/models", true).as_deref(),
            Some("/v1/models")
        );
    }

    #[test]
    fn a_plain_path_stays_and_no_path_leaves_the_zone_of_the_control_api() {
        let pieces = [
            "",
            "/",
            "v1",
            "api",
            "models",
            "chat",
            "completions",
            "..",
            ".",
            "%2f",
            "ipfs",
            "status",
            "health",
        ];
        let mut paths = vec![String::new()];
        for _ in 0..4 {
            let longer = paths
                .iter()
                .flat_map(|path| pieces.iter().map(move |piece| format!("{path}/{piece}")));
            paths = longer.collect();
            for path in &paths {
                let once = after(path);
                assert_eq!(after(&once), once, "{path}");
                let squeezed: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
                // Ollama's clients call that one.
                let is_control = squeezed.first() == Some(&"api") && squeezed != ["api", "chat"];
                assert_eq!(
                    Zone::of(&once) == Zone::Control,
                    is_control,
                    "{path} became {once}"
                );
            }
        }
    }

    #[test]
    fn the_query_stays() {
        let mut uri: Uri = "http://localhost:4327//v1/models/?a=b//c".parse().unwrap();
        make_plain(&Method::GET, &mut uri, &HeaderMap::new());
        assert_eq!(uri.to_string(), "http://localhost:4327/v1/models?a=b//c");
        assert_eq!(uri.authority().unwrap().as_str(), "localhost:4327");
    }
}
