//! The guard in front of every route: Host, Origin, credential, zone.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request::Parts, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};

use super::{
    anthropic,
    cors::{self, Origin},
    ollama,
};
use crate::{
    app::App,
    auth::{
        Caller, Client, Credential, Found, Grant, OriginPattern, Zone, bare, means_this_computer,
        names_a_key, page_key, same_secret, unknown_key,
    },
    error::ApiError,
    metering::Asker,
};

/// Where the page of a sign-in shows its key.
pub(crate) const PAGE_KEY: &str = "x-hearth-page";

/// Lets a call through with a [`Caller`], a [`Client`] and an [`Asker`] among its extensions, or refuses it. Its body is
/// not read.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let zone = Zone::of(request.uri().path());
    let (mut parts, body) = request.into_parts();
    let (host, client) = match named(&app, &parts).await {
        Ok(named) => named,
        Err(error) => return refusal(error, zone, parts.uri.path()),
    };
    let origin = Origin::of(&parts.headers, &host);
    if zone.is_for_programs()
        && let Some(foreign) = origin.foreign()
        && cors::is_preflight(&parts.method, &parts.headers)
    {
        return preflight(&app, foreign, &parts.headers).await;
    }
    let (mut response, key) = match check(&app, &parts, zone, client, &origin).await {
        Ok(passed) => {
            let key = passed.asker.key().cloned();
            parts.extensions.insert(passed.caller);
            parts.extensions.insert(client);
            parts.extensions.insert(passed.asker);
            (next.run(Request::from_parts(parts, body)).await, key)
        }
        Err(error) => (refusal(error, zone, parts.uri.path()), None),
    };
    if zone.is_for_programs()
        && let Some(foreign) = origin.foreign()
    {
        cors::vary(response.headers_mut());
        // A refusal is read by whoever some key lets in: it says no more than that.
        let allowed = match &key {
            Some(key) if key.lists_origin(cors::text(foreign)) => true,
            Some(_) => is_allowed(&app, foreign).await.unwrap_or(false),
            None => is_allowed_or_listed(&app, foreign).await.unwrap_or(false),
        };
        if allowed {
            cors::allow(response.headers_mut(), foreign);
        }
    }
    response
}

fn refusal(error: ApiError, zone: Zone, path: &str) -> Response {
    match zone {
        Zone::Ollama => ollama::refused(&error),
        Zone::OpenAi if anthropic::is_path(path) => anthropic::refused(&error),
        Zone::OpenAi => error.into_openai_response(),
        Zone::Health
        | Zone::Page
        | Zone::SignIn
        | Zone::Ready
        | Zone::Metrics
        | Zone::Ipfs
        | Zone::Control => error.into_response(),
    }
}

/// A browser asks whether a page of this origin may call. It shows no key yet, so the origin of any key will do.
async fn preflight(app: &App, origin: &HeaderValue, headers: &HeaderMap) -> Response {
    let mut response = match is_allowed_or_listed(app, origin).await {
        Ok(true) => cors::preflight(origin, headers),
        Ok(false) => cors::refused(cors::text(origin), true).into_openai_response(),
        Err(error) => error.into_openai_response(),
    };
    cors::vary(response.headers_mut());
    response
}

/// Whether the settings let pages of this origin in.
async fn is_allowed(app: &App, origin: &HeaderValue) -> Result<bool, ApiError> {
    let origin = cors::text(origin);
    if app
        .config
        .allowed_origins
        .iter()
        .any(|allowed| allowed.fits(origin))
    {
        return Ok(true);
    }
    let kept = app.settings.get().await?.allowed_origins;
    let kept = kept.iter().filter_map(|entry| OriginPattern::parse(entry).ok());
    Ok(kept.into_iter().any(|allowed| allowed.fits(origin)))
}

async fn is_allowed_or_listed(app: &App, origin: &HeaderValue) -> Result<bool, ApiError> {
    Ok(is_allowed(app, origin).await? || app.keys.any_lists_origin(cors::text(origin)).await?)
}

/// By which name this node is called, and who calls.
async fn named(app: &App, request: &Parts) -> Result<(Authority, Client), ApiError> {
    let host = host(&request.headers, &request.uri)?;
    let peer = request.extensions.get::<ConnectInfo<SocketAddr>>();
    // Whoever has no address is nobody of this computer.
    let peer = peer.map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip());
    let client = Client::of(peer, request, &host, &app.config.trusted_proxies);
    check_host(app, &host, client).await?;
    Ok((host, client))
}

/// Who passed.
struct Passed {
    caller: Caller,
    asker: Asker,
}

async fn check(
    app: &App,
    request: &Parts,
    zone: Zone,
    client: Client,
    origin: &Origin,
) -> Result<Passed, ApiError> {
    let shown = shown(app, request, origin).await?;
    // What looks like a key and is none is refused where keys count, even where nothing would have done.
    if zone.takes_keys()
        && let Shown::Refused(error) = &shown
    {
        return Err(error.clone());
    }
    check_origin(app, request, zone, origin, &shown).await?;
    let caller = Caller {
        loopback: client.is_local,
        credential: match &shown {
            Shown::Owner => Credential::Owner,
            Shown::Key(_) => Credential::Key,
            Shown::Nothing | Shown::Refused(_) => Credential::Nothing,
        },
    };
    zone.admits(caller).map_err(|error| {
        // Who showed something is told about that.
        let is_wrong_key = zone.takes_keys()
            && caller.credential == Credential::Nothing
            && secrets(&request.headers).next().is_some();
        if is_wrong_key {
            unknown_key()
        } else if caller.credential == Credential::Nothing {
            sign_in(app, &request.headers).err().unwrap_or(error)
        } else {
            error
        }
    })?;
    if caller.credential != Credential::Nothing
        && let Some(peer) = request.extensions.get::<hearth_listen::Peer>()
    {
        peer.vouch();
    }
    let asker = match shown {
        Shown::Owner => Asker::Owner,
        Shown::Key(grant) => Asker::Key(grant),
        Shown::Nothing | Shown::Refused(_) => Asker::Local,
    };
    Ok(Passed { caller, asker })
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

/// Pages of other sites call the OpenAI API alone: those whose origin is allowed, and whoever shows a key that is not
/// for other origins. A page cannot come by a key unless somebody gave it to it.
async fn check_origin(
    app: &App,
    request: &Parts,
    zone: Zone,
    origin: &Origin,
    shown: &Shown,
) -> Result<(), ApiError> {
    let (headers, is_openai) = (&request.headers, zone.is_for_programs());
    match origin {
        Origin::Own => return Ok(()),
        Origin::Foreign(value) => {
            let text = cors::text(value);
            let passes = is_openai
                && match shown {
                    Shown::Key(grant) if grant.admits_origin(text) => true,
                    Shown::Key(_) | Shown::Owner | Shown::Nothing | Shown::Refused(_) => {
                        is_allowed(app, value).await?
                    }
                };
            return if passes {
                Ok(())
            } else {
                Err(cors::refused(text, is_openai))
            };
        }
        Origin::None => {}
    }
    // Calls without Origin that a browser still marks: images, scripts, navigation.
    let mark = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match mark("sec-fetch-site") {
        None | Some("same-origin" | "none") => Ok(()),
        // A link to our page is fine: it shows files that hold no state.
        Some(_)
            if zone == Zone::Page
                && request.method == Method::GET
                && mark("sec-fetch-mode") == Some("navigate") =>
        {
            Ok(())
        }
        Some(_) if is_openai && matches!(shown, Shown::Key(_)) => Ok(()),
        Some(site) => Err(cors::refused(site, false)),
    }
}

/// What a caller showed.
enum Shown {
    Nothing,
    /// A key of this node that does not count, or what looks like one.
    Refused(ApiError),
    Key(Arc<Grant>),
    Owner,
}

async fn shown(app: &App, request: &Parts, origin: &Origin) -> Result<Shown, ApiError> {
    let headers = &request.headers;
    let mut refused = Shown::Nothing;
    for secret in secrets(headers) {
        if same_secret(secret, app.token.reveal()) {
            return Ok(Shown::Owner);
        }
        match app.keys.find(secret).await? {
            Found::Valid(grant) => return Ok(Shown::Key(grant)),
            Found::Refused(error) => refused = Shown::Refused(error),
            // Programs send something where they must.
            Found::Foreign => {}
        }
    }
    if hides_a_key(request) {
        refused = Shown::Refused(unknown_key());
    }
    // A browser sends the cookie for pages of other sites, too, if they lie on this computer.
    if origin.foreign().is_some() {
        return Ok(refused);
    }
    match sign_in(app, headers) {
        Ok(Some(cookie)) if app.sign_ins.is_valid(cookie).await? => Ok(Shown::Owner),
        // A cookie without its page's key comes with every address that is opened, and opens nothing.
        Ok(_) | Err(_) => Ok(refused),
    }
}

/// Where clients of Anthropic, Azure and Google send a key.
const KEY_HEADERS: [&str; 3] = ["x-api-key", "api-key", "x-goog-api-key"];

/// The secrets that were shown, wherever clients send them.
fn secrets(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let keys = KEY_HEADERS
        .into_iter()
        .flat_map(|name| texts(headers, name).map(str::trim));
    authorizations(headers)
        .filter_map(|(scheme, secret)| match scheme.to_ascii_lowercase().as_str() {
            "" | "bearer" | "token" => Some(secret),
            _ => None,
        })
        .chain(keys)
}

/// The scheme and the secret of each `Authorization`; a secret may come without a scheme.
fn authorizations(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    texts(headers, header::AUTHORIZATION.as_str())
        .map(|value| {
            value
                .trim()
                .split_once(char::is_whitespace)
                .unwrap_or(("", value))
        })
        .map(|(scheme, secret)| (scheme, secret.trim()))
}

fn texts<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let values = headers.get_all(name).iter();
    values.filter_map(|value| value.to_str().ok())
}

/// Whether a key of this node comes where none is read: as a user or password, or in the address.
fn hides_a_key(request: &Parts) -> bool {
    let mut schemes = authorizations(&request.headers);
    let in_scheme = schemes.any(|(scheme, secret)| {
        let decoded = BASE64
            .decode(secret)
            .ok()
            .filter(|_| scheme.eq_ignore_ascii_case("basic"));
        let decoded = decoded.unwrap_or_default();
        names_a_key(scheme) || names_a_key(secret) || names_a_key(&String::from_utf8_lossy(&decoded))
    });
    let query = request.uri.query().unwrap_or_default();
    in_scheme
        || url::form_urlencoded::parse(query.as_bytes())
            .any(|(name, value)| names_a_key(&name) || names_a_key(&value))
}

/// The cookie that an owner calls by; `None` where the token was shown.
pub(crate) fn sign_in_of<'a>(app: &App, headers: &'a HeaderMap) -> Option<&'a str> {
    if secrets(headers).any(|secret| same_secret(secret, app.token.reveal())) {
        return None;
    }
    sign_in(app, headers).ok().flatten()
}

/// The cookie that is shown together with the key of its page.
///
/// # Errors
/// A cookie without that key: programs on other ports of this computer get the cookie, too.
pub(crate) fn sign_in<'a>(app: &App, headers: &'a HeaderMap) -> Result<Option<&'a str>, ApiError> {
    let name = app.cookie_name();
    let mut cookies = cookies(headers, &name).peekable();
    if cookies.peek().is_none() {
        return Ok(None);
    }
    let shown = headers.get(PAGE_KEY).and_then(|value| value.to_str().ok());
    // Other ports can set cookies of this name, too; theirs have no key and are in nobody's way.
    let fits =
        |cookie: &&str| shown.is_some_and(|shown| same_secret(shown, &page_key(app.token.reveal(), cookie)));
    if let Some(cookie) = cookies.find(fits) {
        return Ok(Some(cookie));
    }
    Err(ApiError::new(
        StatusCode::UNAUTHORIZED,
        "page_key_needed",
        format!("the cookie came without the key of the page that signed in (header {PAGE_KEY})"),
    )
    .remedy("Sign in again on the page that Hearth serves; programs send the token as a bearer."))
}

/// The values of the cookies of this name.
fn cookies<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(move |pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
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
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            "a=1; hearth_session_4327=x; b=2; hearth_session_4327=y"
                .parse()
                .unwrap(),
        );
        let found = |name: &str| cookies(&headers, name).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(found("hearth_session_4327"), ["x", "y"]);
        assert!(found("hearth_session_4328").is_empty());
    }
}
