//! Who may ask the devnet: programs of this computer, not pages of other sites. Its calls make money and break the chain
//! at will, and a page can send a simple request to every port of its reader's computer.

use std::net::IpAddr;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::Server;

/// Lets a call through, or refuses it.
pub(super) async fn guard(State(server): State<Server>, request: Request, next: Next) -> Response {
    let host = host(&request);
    match refusal(host.as_ref(), request.headers(), server.address.ip()) {
        None => next.run(request).await,
        Some(why) => (StatusCode::FORBIDDEN, format!("{why}\n")).into_response(),
    }
}

fn host(request: &Request) -> Option<Authority> {
    let header = request.headers().get(header::HOST);
    let header = header.and_then(|host| host.to_str().ok()?.parse().ok());
    header.or_else(|| request.uri().authority().cloned())
}

/// Why a call is refused: a name that others can point at this computer, or a page of another site.
fn refusal(host: Option<&Authority>, headers: &HeaderMap, listen: IpAddr) -> Option<String> {
    let Some(host) = host else {
        return Some("the Host header is missing or is no host".to_owned());
    };
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    let address = name.parse::<IpAddr>().ok();
    let is_ours = name.eq_ignore_ascii_case("localhost")
        || address.is_some_and(|address| address.to_canonical().is_loopback() || !listen.is_loopback());
    if !is_ours {
        return Some(format!(
            "\"{host}\" is not a name of this devnet: use its address"
        ));
    }
    let is_own_page = |origin: &header::HeaderValue| {
        origin
            .to_str()
            .ok()
            .and_then(|origin| origin.strip_prefix("http://"))
            == Some(host.as_str())
    };
    if headers
        .get(header::ORIGIN)
        .is_some_and(|origin| !is_own_page(origin))
    {
        return Some("pages of other sites may not ask the devnet: call it from a program".to_owned());
    }
    // A call without Origin that a browser still marks: images, scripts, forms of old.
    let site = headers.get("sec-fetch-site").map(header::HeaderValue::as_bytes);
    match site {
        None | Some(b"same-origin" | b"none") => None,
        Some(_) => Some("pages of other sites may not ask the devnet: call it from a program".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(host: &str, headers: &[(&'static str, &str)], listen: &str) -> bool {
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
        let headers: HeaderMap = pairs.collect();
        refusal(Some(&host.parse().unwrap()), &headers, listen.parse().unwrap()).is_some()
    }

    #[test]
    fn only_programs_of_this_computer_ask() {
        for host in ["127.0.0.1:4329", "localhost", "[::1]:4329"] {
            assert!(!is_refused(host, &[], "127.0.0.1"), "{host}");
        }
        for host in ["evil.example", "192.168.1.5", "localhost.evil.example"] {
            assert!(is_refused(host, &[], "127.0.0.1"), "{host}");
        }
        assert!(!is_refused("192.168.1.5", &[], "0.0.0.0"));
        assert!(is_refused("evil.example", &[], "0.0.0.0"));
        let own = "127.0.0.1:4329";
        assert!(!is_refused(
            own,
            &[("origin", "http://127.0.0.1:4329")],
            "127.0.0.1"
        ));
        for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
            assert!(is_refused(own, &[("origin", origin)], "127.0.0.1"), "{origin}");
        }
        assert!(is_refused(own, &[("sec-fetch-site", "cross-site")], "127.0.0.1"));
        assert!(
            !is_refused(own, &[("sec-fetch-site", "none")], "127.0.0.1"),
            "typed by hand"
        );
        assert!(refusal(None, &HeaderMap::new(), "127.0.0.1".parse().unwrap()).is_some());
    }
}
