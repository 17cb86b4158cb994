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
    auth::{Caller, Client, Credential, Zone, bare, means_this_computer, same_secret},
    error::ApiError,
};

/// Lets a call through with a [`Caller`] and a [`Client`] among its extensions, or refuses it. Its body is not read.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let zone = Zone::of(request.uri().path());
    let (mut parts, body) = request.into_parts();
    match check(&app, &parts, zone).await {
        Ok((caller, client)) => {
            parts.extensions.insert(caller);
            parts.extensions.insert(client);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) if zone == Zone::OpenAi => error.into_openai_response(),
        Err(error) => error.into_response(),
    }
}

async fn check(app: &App, request: &Parts, zone: Zone) -> Result<(Caller, Client), ApiError> {
    let headers = &request.headers;
    let host = host(headers, &request.uri)?;
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    // Whoever has no address is nobody of this computer.
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
    let client = Client::of(peer, request, &host, &app.config.trusted_proxies);
    check_host(app, &host, client).await?;
    check_origin(headers, &request.method, &host, zone)?;
    let caller = Caller {
        loopback: client.is_local,
        credential: credential(app, headers).await?,
    };
    zone.admits(caller)?;
    if caller.credential != Credential::Nothing
        && let Some(peer) = request.extensions.get::<hearth_listen::Peer>()
    {
        peer.vouch();
    }
    Ok((caller, client))
}

/// A page of another site can point its own name at our address, but it cannot change the name that its browser sends.
async fn check_host(app: &App, host: &Authority, client: Client) -> Result<(), ApiError> {
    let refused = |code, message: String| ApiError::new(StatusCode::MISDIRECTED_REQUEST, code, message);
    match host_kind(host, app.config.listen.ip(), &app.config.allowed_hosts) {
        HostKind::Ours => Ok(()),
        // Until then nobody but this computer has a way in.
        HostKind::WithLogin if app.login.is_set().await? => Ok(()),
        HostKind::WithLogin => Err(refused(
            "no_login",
            format!("no login is set, so this node does not answer to \"{host}\""),
        )),
        HostKind::Foreign => {
            let remedy = if client.from_here {
                "Use 127.0.0.1 or localhost, or add the name to api.allowed_hosts and set a login."
            } else {
                "Call it by its address or the name of its computer; other names stand in its api.allowed_hosts."
            };
            let message = format!("\"{host}\" is not a name of this node");
            Err(refused("foreign_host", message).remedy(remedy))
        }
    }
}

/// What a host is to this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HostKind {
    Ours,
    /// Ours as soon as a login is set.
    WithLogin,
    Foreign,
}

fn host_kind(host: &Authority, listen: IpAddr, allowed: &[String]) -> HostKind {
    let name = bare(host);
    // An address in place of a name cannot be pointed elsewhere, so on a LAN every one of ours is fine.
    let is_address = name.parse::<IpAddr>().is_ok() && !listen.is_loopback();
    if is_address || means_this_computer(host) {
        HostKind::Ours
    } else if allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)) {
        HostKind::WithLogin
    } else {
        HostKind::Foreign
    }
}

fn host(headers: &HeaderMap, uri: &Uri) -> Result<Authority, ApiError> {
    let from_header = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    from_header
        .or_else(|| uri.authority().cloned())
        .ok_or_else(|| ApiError::bad_request("the Host header is missing or is no host"))
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

async fn credential(app: &App, headers: &HeaderMap) -> Result<Credential, ApiError> {
    if let Some(secret) = bearer(headers) {
        if same_secret(secret, app.token.reveal()) {
            return Ok(Credential::Owner);
        }
        if app.keys.is_valid(secret).await? {
            return Ok(Credential::Key);
        }
    }
    match cookie(headers, &app.cookie_name()) {
        Some(cookie) if app.sign_ins.is_valid(cookie).await? => Ok(Credential::Owner),
        Some(_) | None => Ok(Credential::Nothing),
    }
}

/// The cookie that an owner calls by; `None` where the token was shown.
pub(crate) fn sign_in_of<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    if bearer(headers).is_some_and(|secret| same_secret(secret, app.token.reveal())) {
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
        let host_kind = |host: &str, listen: &str, allowed: &[&str]| {
            let allowed: Vec<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
            host_kind(&host.parse().unwrap(), listen.parse().unwrap(), &allowed)
        };
        for host in [
            "localhost",
            "LOCALHOST:4327",
            "127.0.0.1:4327",
            "[::1]:4327",
            "127.9.9.9",
        ] {
            assert_eq!(host_kind(host, "127.0.0.1", &[]), HostKind::Ours, "{host}");
        }
        for host in [
            "evil.example",
            "localhost.evil.example",
            "192.168.1.5:4327",
            "0.0.0.0",
        ] {
            assert_eq!(host_kind(host, "127.0.0.1", &[]), HostKind::Foreign, "{host}");
        }
        assert_eq!(host_kind("192.168.1.5:4327", "0.0.0.0", &[]), HostKind::Ours);
        assert_eq!(host_kind("evil.example", "0.0.0.0", &[]), HostKind::Foreign);
        assert_eq!(
            host_kind("hearth.lan", "0.0.0.0", &["hearth.lan"]),
            HostKind::WithLogin
        );
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, "a=1; hearth_session_4327=x; b=2".parse().unwrap());
        assert_eq!(cookie(&headers, "hearth_session_4327"), Some("x"));
        assert_eq!(cookie(&headers, "hearth_session_4328"), None);
    }
}
