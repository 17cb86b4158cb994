//! The guard in front of every route: Host, Origin, credential, zone.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header, request::Parts, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};

use crate::{
    app::App,
    auth::{Caller, Credential, Zone, same_secret},
    error::ApiError,
};

/// Lets a call through with a [`Caller`] among its extensions, or refuses it.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let zone = Zone::of(request.uri().path());
    let (mut parts, body) = request.into_parts();
    match check(&app, &parts, zone).await {
        Ok(caller) => {
            parts.extensions.insert(caller);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) if zone == Zone::OpenAi => error.into_openai_response(),
        Err(error) => error.into_response(),
    }
}

async fn check(app: &App, request: &Parts, zone: Zone) -> Result<Caller, ApiError> {
    let headers = &request.headers;
    let host = host(headers, &request.uri)?;
    if !host_is_ours(&host, app.config.listen.ip(), &app.config.allowed_hosts) {
        let message = format!("\"{host}\" is not a name of this node");
        return Err(
            ApiError::new(StatusCode::MISDIRECTED_REQUEST, "foreign_host", message)
                .remedy("Use 127.0.0.1 or localhost, or add the name to api.allowed_hosts."),
        );
    }
    check_origin(headers, &request.method, &host, zone)?;
    let peer = request
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0);
    let loopback =
        peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback()) && !came_through_a_proxy(headers);
    let caller = Caller {
        loopback,
        credential: credential(app, headers).await?,
    };
    zone.admits(caller)?;
    Ok(caller)
}

fn host(headers: &HeaderMap, uri: &Uri) -> Result<Authority, ApiError> {
    let from_header = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    from_header
        .or_else(|| uri.authority().cloned())
        .ok_or_else(|| ApiError::bad_request("the Host header is missing or is no host"))
}

/// A page of another site can point its own name at our address, but it cannot change the name that its browser sends.
fn host_is_ours(host: &Authority, listen: IpAddr, allowed: &[String]) -> bool {
    let name = host.host().trim_start_matches('[').trim_end_matches(']');
    if name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    {
        return true;
    }
    // An address in place of a name cannot be pointed elsewhere, so on a LAN every one of ours is fine.
    name.parse::<IpAddr>()
        .is_ok_and(|address| address.to_canonical().is_loopback() || !listen.is_loopback())
}

fn check_origin(headers: &HeaderMap, method: &Method, host: &Authority, zone: Zone) -> Result<(), ApiError> {
    let refused = |what: &str| {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "foreign_origin",
            format!("calls from another site ({what}) are refused"),
        )
        .remedy("Use the page that Hearth serves, or call from a program.")
    };
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().map_err(|_| refused("unreadable"))?;
        let same = origin
            .strip_prefix("http://")
            .or_else(|| origin.strip_prefix("https://"))
            == Some(host.as_str());
        return if same { Ok(()) } else { Err(refused(origin)) };
    }
    // Calls without Origin that a browser still marks: images, scripts, navigation.
    let mark = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match mark("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        // A link to our page is fine: it shows files that hold no state.
        Some(_)
            if zone == Zone::Page && method == Method::GET && mark("sec-fetch-mode") == Some("navigate") =>
        {
            Ok(())
        }
        Some(site) => Err(refused(site)),
    }
}

/// A proxy on this computer calls from loopback for the whole world.
fn came_through_a_proxy(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

async fn credential(app: &App, headers: &HeaderMap) -> Result<Credential, ApiError> {
    if let Some(secret) = bearer(headers) {
        if same_secret(secret, &app.token) {
            return Ok(Credential::Owner);
        }
        if app.keys.is_valid(secret).await? {
            return Ok(Credential::Key);
        }
    }
    match cookie(headers, &app.cookie_name()) {
        Some(cookie) if app.sessions.is_valid(cookie).await? => Ok(Credential::Owner),
        Some(_) | None => Ok(Credential::Nothing),
    }
}

/// The cookie that an owner calls by; `None` where the token was shown.
pub(crate) fn sign_in_of<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    if bearer(headers).is_some_and(|secret| same_secret(secret, &app.token)) {
        return None;
    }
    cookie(headers, &app.cookie_name())
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.trim())
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_others_can_point_at_us_are_refused() {
        let ours = |host: &str, listen: &str, allowed: &[&str]| {
            let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
            host_is_ours(&host.parse().unwrap(), listen.parse().unwrap(), &allowed)
        };
        for host in [
            "localhost",
            "LOCALHOST:4327",
            "127.0.0.1:4327",
            "[::1]:4327",
            "127.9.9.9",
        ] {
            assert!(ours(host, "127.0.0.1", &[]), "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "192.168.1.5:4327",
            "0.0.0.0",
        ] {
            assert!(!ours(host, "127.0.0.1", &[]), "{host}");
        }
        assert!(ours("192.168.1.5:4327", "0.0.0.0", &[]));
        assert!(!ours("evil.example", "0.0.0.0", &[]));
        assert!(ours("hearth.lan", "0.0.0.0", &["hearth.lan"]));
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; hearth_session_4327=x; b=2".parse().unwrap());
        assert_eq!(cookie(&headers, "hearth_session_4327"), Some("x"));
        assert_eq!(cookie(&headers, "hearth_session_4328"), None);
    }
}
