//! Addresses to listen on, as people write them: `127.0.0.1:4327`, `[::1]:0`, `localhost:4327`.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs as _};

use serde::{Deserialize as _, Deserializer, de::Error as _};

/// Reads an address or a name with a port. A name is asked for once, here; its IPv4 address is preferred.
///
/// # Errors
/// A text that is neither, or a name that nobody knows, with the form that is right.
pub fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let form = "write ADDRESS:PORT or NAME:PORT, as 127.0.0.1:4327, [::1]:4327 or localhost:0";
    let refused = |why: &str| format!("\"{text}\" is no address to listen on ({why}): {form}");
    if text.contains("://") {
        return Err(refused("it has a scheme"));
    }
    let (name, port) = text.rsplit_once(':').ok_or_else(|| refused("it has no port"))?;
    let port: u16 = port
        .parse()
        .map_err(|_| refused("its port is no number up to 65535"))?;
    if name.eq_ignore_ascii_case("localhost") {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    if name.is_empty() || name.contains([':', '/', '[', ' ']) {
        return Err(refused("before the port stands no address and no name"));
    }
    let found: Vec<SocketAddr> = (name, port)
        .to_socket_addrs()
        .map_err(|_| refused("nobody knows the name"))?
        .collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.copied().ok_or_else(|| refused("the name has no address"))
}

/// For settings: the text of [`listen_address`].
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(from)?;
    listen_address(&text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_read() {
        // Y10
        for (text, address) in [
            ("localhost:0", "127.0.0.1:0"),
            ("LOCALHOST:4327", "127.0.0.1:4327"),
            ("127.0.0.1:4327", "127.0.0.1:4327"),
            ("[::1]:0", "[::1]:0"),
            (" 0.0.0.0:1 ", "0.0.0.0:1"),
        ] {
            assert_eq!(listen_address(text).unwrap().to_string(), address, "{text}");
        }
    }

    #[test]
    fn a_wrong_form_is_answered_with_the_right_one() {
        for text in [
            "localhost",
            ":4327",
            "http://localhost:4327",
            "localhost:99999",
            "::1",
            "a b:1",
            "",
        ] {
            let error = listen_address(text).unwrap_err();
            assert!(error.contains("127.0.0.1:4327"), "{error}");
        }
    }
}
