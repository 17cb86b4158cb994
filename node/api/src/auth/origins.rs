//! Origins of foreign pages that may call: what an entry of a list can be, and whether an origin fits it.
//!
//! An entry is an origin as browsers send it, `http://localhost:5173` or `app://obsidian.md`. `*` may stand for the
//! port of any, and for the host where the scheme is not one of the web (`vscode-webview://*`): whoever can make such
//! pages has a program on that computer. What stands for every site, `*` and the `null` of files and of sandboxed
//! frames, is for the list of a key alone, since there the key decides.

use std::fmt;

use crate::error::ApiError;

/// The longest entry. A browser's origin is shorter.
const MAX_CHARS: usize = 200;

/// One entry of a list of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginPattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Every origin.
    Any,
    /// What files, sandboxed frames and some Electron programs send.
    Null,
    Page(Page),
}

/// Scheme, host and port. `None` is "any" in an entry; an origin without a port has the one of its scheme, or zero.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Page {
    scheme: String,
    host: Option<String>,
    port: Option<u16>,
}

/// Why a text is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    #[error(
        "\"{0}\" is no origin: write it as browsers send it, with scheme, host and port alone, for example \
         http://localhost:5173 or app://obsidian.md"
    )]
    Form(String),
    #[error(
        "\"{0}\" would let every website in: list the origins that are meant, or give a program an API key, which \
         passes from any origin; the list of a key may have it"
    )]
    Everybody(String),
}

impl From<OriginError> for ApiError {
    fn from(error: OriginError) -> ApiError {
        let text = error.to_string();
        match error {
            OriginError::Form(origin) => ApiError::refused("origin_wrong", text).value("origin", origin),
            OriginError::Everybody(origin) => {
                ApiError::refused("origin_everybody", text).value("origin", origin)
            }
        }
    }
}

impl OriginPattern {
    /// Reads an entry of the setting `api.allowed_origins`.
    ///
    /// # Errors
    /// What is no origin, and what stands for every site.
    pub fn parse(text: &str) -> Result<OriginPattern, OriginError> {
        let pattern = OriginPattern::of_key(text)?;
        match pattern.0 {
            Kind::Any | Kind::Null => Err(OriginError::Everybody(text.to_owned())),
            Kind::Page(_) => Ok(pattern),
        }
    }

    /// Reads an entry of a key's list.
    pub(crate) fn of_key(text: &str) -> Result<OriginPattern, OriginError> {
        let kind = match text.trim() {
            "*" => Some(Kind::Any),
            "null" => Some(Kind::Null),
            page => Page::parse(page).map(Kind::Page),
        };
        kind.map(OriginPattern)
            .ok_or_else(|| OriginError::Form(text.to_owned()))
    }

    /// Whether an origin as a browser sends it fits.
    pub(crate) fn fits(&self, origin: &str) -> bool {
        match &self.0 {
            Kind::Any => true,
            Kind::Null => origin == "null",
            Kind::Page(allowed) => Page::parse(origin).is_some_and(|page| {
                page.host.is_some()
                    && page.port.is_some()
                    && page.scheme == allowed.scheme
                    && (allowed.host.is_none() || allowed.host == page.host)
                    && (allowed.port.is_none() || allowed.port == page.port)
            }),
        }
    }
}

impl Page {
    fn parse(text: &str) -> Option<Page> {
        if text.len() > MAX_CHARS {
            return None;
        }
        let text = text.to_ascii_lowercase();
        let (scheme, rest) = text.split_once("://")?;
        // People copy addresses with the slash at their end; browsers send none.
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let is_scheme = scheme.starts_with(|first: char| first.is_ascii_lowercase())
            && scheme
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
        let is_web = scheme == "http" || scheme == "https";
        let (host, port) = match rest.rsplit_once(':') {
            // The colons of an IPv6 address stand in brackets.
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            Some(_) | None => (rest, None),
        };
        let port = match (port, scheme) {
            (Some("*"), _) => None,
            (Some(port), _) => Some(port.parse().ok()?),
            (None, "http") => Some(80),
            (None, "https") => Some(443),
            (None, _) => Some(0),
        };
        let is_name = |host: &str| {
            let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            match address {
                Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
                None => !host.is_empty() && host.bytes().all(letter),
            }
        };
        let host = match host {
            "*" if !is_web => None,
            host if is_name(host) => Some(host.to_owned()),
            _ => return None,
        };
        is_scheme.then(|| Page {
            scheme: scheme.to_owned(),
            host,
            port,
        })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Any => f.write_str("*"),
            Kind::Null => f.write_str("null"),
            Kind::Page(Page { scheme, host, port }) => {
                write!(f, "{scheme}://{}", host.as_deref().unwrap_or("*"))?;
                match (scheme.as_str(), port) {
                    (_, None) => f.write_str(":*"),
                    ("http", Some(80)) | ("https", Some(443)) | (_, Some(0)) => Ok(()),
                    (_, Some(port)) => write!(f, ":{port}"),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_fits_its_origin_and_no_other_t20_t21() {
        for (entry, fitting, others) in [
            (
                "http://localhost:5173",
                &["http://localhost:5173", "HTTP://LOCALHOST:5173"][..],
                &[
                    "http://localhost",
                    "https://localhost:5173",
                    "http://localhost:51730",
                    "http://localhost.evil.example:5173",
                    "http://localhost:5173.evil.example",
                    "http://evil@localhost:5173",
                    "null",
                    "",
                ][..],
            ),
            (
                "app://obsidian.md",
                &["app://obsidian.md"],
                &["app://obsidian.md.evil", "http://obsidian.md"],
            ),
            (
                "http://localhost:*",
                &["http://localhost", "http://localhost:1"],
                &["http://localhost.x:1", "http://127.0.0.1:1"],
            ),
            (
                "https://app.example/",
                &["https://app.example", "https://app.example:443"],
                &["https://x.app.example"],
            ),
            (
                "vscode-webview://*",
                &["vscode-webview://0abc1"],
                &["vscode-webview://", "http://x"],
            ),
            (
                "http://[::1]:3000",
                &["http://[::1]:3000"],
                &["http://[::2]:3000"],
            ),
            (
                "tauri://localhost",
                &["tauri://localhost"],
                &["tauri://localhost:1"],
            ),
        ] {
            let pattern = OriginPattern::parse(entry).unwrap();
            for origin in fitting {
                assert!(pattern.fits(origin), "{entry} {origin}");
            }
            for origin in others {
                assert!(!pattern.fits(origin), "{entry} {origin}");
            }
            assert_eq!(OriginPattern::parse(&pattern.to_string()).unwrap(), pattern);
        }
    }

    #[test]
    fn what_stands_for_every_site_is_for_keys_alone() {
        for text in ["*", "null"] {
            assert!(
                matches!(OriginPattern::parse(text), Err(OriginError::Everybody(_))),
                "{text}"
            );
            assert!(OriginPattern::of_key(text).unwrap().fits("null"));
        }
        assert!(OriginPattern::of_key("*").unwrap().fits("https://any.example"));
        assert!(!OriginPattern::of_key("null").unwrap().fits("https://any.example"));
        for text in [
            "",
            "localhost",
            "localhost:5173",
            "http://",
            "http://*",
            "https://*.example.com",
            "http://a/b",
            "http://a?b",
            "http://a b",
            "http://u:p@a",
            "://a",
            "http://a:99999",
            "http://a\nhttp://b",
            "file://",
        ] {
            assert!(
                matches!(OriginPattern::of_key(text), Err(OriginError::Form(_))),
                "{text}"
            );
        }
    }
}
