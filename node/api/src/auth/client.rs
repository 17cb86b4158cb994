//! Who calls, as far as the connection and the head of the request say.
//!
//! A proxy on this computer calls from loopback for the whole world, so loopback alone says nothing. A call is local
//! only where nothing hints at a proxy: no header that proxies add, no HTTP/1.0 (which nginx speaks to what is behind
//! it unless told otherwise), a host that means this computer. Proxies that are trusted (`api.trusted_proxies`) are
//! believed which address they speak for, never that it is this computer.

use std::net::IpAddr;

use axum::http::{HeaderMap, Version, header, request::Parts, uri::Authority};
use ipnet::IpNet;

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Client {
    /// The address, as the connection has it or a trusted proxy says it. An IPv6 network of 64 bits is one.
    pub(crate) address: IpAddr,
    /// By a connection of this computer, without a sign of a proxy.
    pub(crate) from_here: bool,
    /// A program of this computer, by itself: from here, and by a host that means this computer.
    pub(crate) is_local: bool,
}

/// Headers that proxies and tunnels add, beside those that begin as [`SIGN_PREFIXES`].
const SIGNS: [&str; 9] = [
    "forwarded",
    "via",
    "client-ip",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-envoy-external-address",
    "true-client-ip",
];
const SIGN_PREFIXES: [&str; 5] = ["x-forwarded", "cf-", "fly-", "tailscale-", "ngrok-"];

impl Client {
    /// Who calls from `peer` with this head, to `host`.
    pub(crate) fn of(peer: IpAddr, head: &Parts, host: &Authority, trusted: &[IpNet]) -> Client {
        let peer = peer.to_canonical();
        let is_trusted = |address: IpAddr| trusted.iter().any(|proxies| proxies.contains(&address));
        if is_trusted(peer) {
            let forwarded_for = forwarded_for(&head.headers, is_trusted);
            return Client {
                address: network_of(forwarded_for.unwrap_or(peer)),
                from_here: false,
                is_local: false,
            };
        }
        let is_direct = !has_sign(&head.headers) && head.version != Version::HTTP_10;
        let from_here = peer.is_loopback() && is_direct;
        Client {
            address: network_of(peer),
            from_here,
            is_local: from_here && means_this_computer(host),
        }
    }
}

/// Whether a host is this computer for whoever calls it: a page of another site cannot make its browser send it.
pub(crate) fn means_this_computer(host: &Authority) -> bool {
    let name = bare(host);
    name.eq_ignore_ascii_case("localhost")
        || name
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The host without brackets and port.
pub(crate) fn bare(host: &Authority) -> &str {
    host.host().trim_start_matches('[').trim_end_matches(']')
}

fn has_sign(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str();
        SIGNS.contains(&name) || SIGN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// The last address that no trusted proxy has: what stands before it the client may have written itself.
fn forwarded_for(headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
    let texts = |name: header::HeaderName| {
        let values: Vec<&str> = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        values
    };
    let listed = texts(header::HeaderName::from_static("x-forwarded-for"));
    let listed: Vec<&str> = if listed.is_empty() {
        texts(header::FORWARDED).into_iter().filter_map(node_of).collect()
    } else {
        listed
    };
    listed
        .into_iter()
        .rev()
        .map_while(address_of)
        .find(|address| !is_trusted(*address))
}

/// `for=` of an element of `Forwarded` (RFC 7239).
fn node_of(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then(|| value.trim_matches('"'))
    })
}

/// An address with or without a port.
fn address_of(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let address = text.parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse().map(|socket: std::net::SocketAddr| socket.ip()).ok());
    let address = address.or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok());
    address.map(|address: IpAddr| address.to_canonical())
}

/// Whoever has an address of an IPv6 network has all of them.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn client(peer: &str, host: &str, headers: &[(&str, &str)], trusted: &[&str]) -> Client {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|text| text.parse().unwrap()).collect();
        let (head, ()) = request.body(()).unwrap().into_parts();
        Client::of(peer.parse().unwrap(), &head, &host.parse().unwrap(), &trusted)
    }

    #[test]
    fn a_program_of_this_computer_is_local() {
        for (peer, host) in [
            ("127.0.0.1", "127.0.0.1:4327"),
            ("127.0.0.1", "localhost"),
            ("::1", "[::1]:4327"),
            ("::ffff:127.0.0.1", "LOCALHOST:1"),
        ] {
            assert!(
                client(peer, host, &[("user-agent", "curl")], &[]).is_local,
                "{peer} {host}"
            );
        }
        for (peer, host) in [
            ("192.168.1.7", "localhost"),
            ("127.0.0.1", "hearth.lan"),
            ("127.0.0.1", "192.168.1.5:4327"),
        ] {
            assert!(!client(peer, host, &[], &[]).is_local, "{peer} {host}");
        }
    }

    #[test]
    fn a_stranger_behind_a_proxy_is_never_local() {
        for name in [
            "Forwarded",
            "X-Forwarded-For",
            "X-Forwarded-Proto",
            "X-Forwarded-Host",
            "X-Real-IP",
            "Via",
            "CF-Connecting-IP",
            "CF-Ray",
            "True-Client-IP",
            "Tailscale-User-Login",
        ] {
            let found = client("127.0.0.1", "localhost", &[(name, "127.0.0.1")], &[]);
            assert!(!found.is_local, "{name}");
            assert_eq!(
                found.address,
                "127.0.0.1".parse::<IpAddr>().unwrap(),
                "nobody is believed"
            );
        }
        let (mut head, ()) = Request::new(()).into_parts();
        head.version = Version::HTTP_10;
        let found = Client::of([127, 0, 0, 1].into(), &head, &"127.0.0.1".parse().unwrap(), &[]);
        assert!(!found.is_local, "nginx as it comes");
    }

    #[test]
    fn a_trusted_proxy_is_believed_whom_it_speaks_for() {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8"];
        let of = |headers: &[(&str, &str)]| client("127.0.0.1", "localhost", headers, &trusted);
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        for (headers, expected) in [
            (vec![("x-forwarded-for", "203.0.113.9")], "203.0.113.9"),
            // What the client wrote itself stands before.
            (
                vec![("x-forwarded-for", "127.0.0.1, 203.0.113.9, 10.0.0.3")],
                "203.0.113.9",
            ),
            (
                vec![(
                    "forwarded",
                    "for=198.51.100.1;proto=http, For=\"[2001:db8:1:2:3::4]:4711\"",
                )],
                "2001:db8:1:2::",
            ),
            (vec![("x-forwarded-for", "unknown")], "127.0.0.1"),
            (vec![], "127.0.0.1"),
        ] {
            let found = of(&headers);
            assert_eq!(
                (found.address, found.is_local),
                (address(expected), false),
                "{headers:?}"
            );
        }
        // Who is not trusted is not believed.
        let found = client(
            "192.0.2.1",
            "localhost",
            &[("x-forwarded-for", "203.0.113.9")],
            &trusted,
        );
        assert_eq!(found.address, address("192.0.2.1"));
    }
}
