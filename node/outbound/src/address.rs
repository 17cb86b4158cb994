//! Where an address leads: into the public network, or inwards. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Ends of names that are given out inside networks only (RFC 6761, RFC 6762, RFC 8375, and what routers use).
const INNER_ENDS: [&str; 8] = [
    "localhost",
    "local",
    "internal",
    "lan",
    "home",
    "corp",
    "private",
    "home.arpa",
];

/// Whether an address is written as one of the public network. A public name may still resolve to an inner address,
/// which the resolver of [`crate::Client`] looks at.
#[must_use]
pub fn is_public(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => is_public_ip(IpAddr::V4(ip)),
        Some(Host::Ipv6(ip)) => is_public_ip(IpAddr::V6(ip)),
        Some(Host::Domain(name)) => is_public_name(name),
        None => false,
    }
}

/// Whether a name can be one of the public network.
pub(crate) fn is_public_name(name: &str) -> bool {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if let Ok(ip) = name.parse::<IpAddr>() {
        return is_public_ip(ip);
    }
    let ends_inside = INNER_ENDS.iter().any(|end| {
        name.strip_suffix(end)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    name.contains('.') && !ends_inside
}

/// Whether an address belongs to the public network: no loopback, no private or shared range, nothing reserved, and
/// no wrapping of such an address in IPv6.
#[must_use]
pub fn is_public_ip(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => match wrapped(ip) {
            Some(inner) => is_public_v4(inner),
            None => is_public_v6(ip),
        },
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_broadcast()
        || ip.is_multicast()
        || ip.is_documentation()
        // This network, 0.0.0.0/8; reserved, 240.0.0.0/4.
        || a == 0
        || a >= 240
        // Shared address space of carriers, 100.64.0.0/10.
        || (a == 100 && b & 0xc0 == 64)
        // Protocol assignments, 192.0.0.0/24, and measurements, 198.18.0.0/15.
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && b & 0xfe == 18))
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let first = ip.segments()[0];
    // Of the whole space only 2000::/3 is given out; within it, documentation is not.
    first & 0xe000 == 0x2000 && !(first == 0x2001 && ip.segments()[1] == 0x0db8)
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64 or 6to4.
fn wrapped(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let s = ip.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match s {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] => Some(v4(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_inside_are_not_public() {
        for inside in [
            "http://localhost:1/",
            "http://a.localhost/",
            "http://localhost./",
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://10.1.2.3/",
            "http://192.168.1.1/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::10.0.0.1]/",
            "http://[2002:7f00:1::]/",
            "http://[fec0::1]/",
            "http://100.64.1.1/",
            "http://169.254.169.254/",
            "http://198.18.0.1/",
            "http://240.0.0.1/",
            "http://printer/",
            "http://a.local/",
            "http://nas.lan/",
            "http://nas.home.arpa/",
            "http://[fd00::1]/",
            "http://[fe80::1]/",
            "http://[ff02::1]/",
            "http://[2001:db8::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://0.0.0.0/",
            "http://0.1.2.3/",
        ] {
            assert!(!is_public(&Url::parse(inside).unwrap()), "{inside}");
        }
        for outside in [
            "https://relay.example.org/x",
            "https://my-local.org/",
            "https://homelan.net/",
            "http://8.8.8.8:4328/",
            "http://[2606:4700::1]/",
            "http://[::ffff:8.8.8.8]/",
        ] {
            assert!(is_public(&Url::parse(outside).unwrap()), "{outside}");
        }
    }

    proptest! {
        #[test]
        fn a_wrapping_changes_nothing(bits in any::<u32>()) {
            let ip = Ipv4Addr::from(bits);
            let plain = is_public_ip(IpAddr::V4(ip));
            prop_assert_eq!(is_public_ip(IpAddr::V6(ip.to_ipv6_mapped())), plain);
            prop_assert_eq!(is_public_ip(IpAddr::V6(ip.to_ipv6_compatible())), plain);
        }
    }
}
