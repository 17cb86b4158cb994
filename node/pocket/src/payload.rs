//! What a relay carries: an HTTP request and its answer, as the Shannon SDK packs them.
//!
//! Headers are a map; its entries are written in the order of their keys, each with key and value, as Go's
//! deterministic marshalling does. A payload with more headers than any honest one is refused before it is taken
//! apart: each entry costs many times its bytes in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

/// Headers by canonical name.
pub type Headers = BTreeMap<String, Vec<String>>;

/// The most headers of a payload. Servers take some hundred.
pub const MAX_HEADERS: usize = 256;
/// The most bytes that they take together.
pub const MAX_HEADER_BYTES: usize = 32 << 10;

/// Why bytes are no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    #[error("the payload is no packed HTTP request: {0}")]
    Request(prost::DecodeError),
    #[error("the payload is no packed HTTP answer: {0}")]
    Response(prost::DecodeError),
    #[error("the payload has more than {MAX_HEADERS} headers, or more than {MAX_HEADER_BYTES} bytes of them")]
    Headers,
}

/// An HTTP request in a relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpRequest {
    pub method: String,
    pub headers: Headers,
    /// The whole URL as the client saw it; a supplier keeps only its path and query.
    pub url: String,
    pub body: Bytes,
}

/// An HTTP answer in a relay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpResponse {
    pub status: u32,
    pub headers: Headers,
    pub body: Bytes,
}

impl HttpRequest {
    /// The payload's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let wire = wire::Request {
            method: self.method.clone(),
            header: wire::entries(&self.headers),
            url: self.url.clone(),
            body_bz: self.body.clone(),
        };
        wire.encode_to_vec().into()
    }

    /// Reads a payload. The body shares its memory.
    ///
    /// # Errors
    /// Bytes that are no such message; too many headers.
    pub fn decode(payload: Bytes) -> Result<HttpRequest, PayloadError> {
        check_headers(&payload)?;
        let wire = wire::Request::decode(payload).map_err(PayloadError::Request)?;
        let headers = wire::headers(wire.header);
        Ok(HttpRequest {
            method: wire.method,
            headers,
            url: wire.url,
            body: wire.body_bz,
        })
    }

    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    /// Path and query of the URL: `/v1/chat/completions?x=1`.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        let rest = self
            .url
            .split_once("://")
            .map_or(self.url.as_str(), |(_, rest)| rest);
        if rest.starts_with('/') {
            return rest;
        }
        rest.find('/').map_or("/", |slash| &rest[slash..])
    }
}

impl HttpResponse {
    /// The payload's bytes.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        let wire = wire::Response {
            status_code: self.status,
            header: wire::entries(&self.headers),
            body_bz: self.body.clone(),
        };
        wire.encode_to_vec().into()
    }

    /// Reads a payload. The body shares its memory.
    ///
    /// # Errors
    /// Bytes that are no such message; too many headers.
    pub fn decode(payload: Bytes) -> Result<HttpResponse, PayloadError> {
        check_headers(&payload)?;
        let wire = wire::Response::decode(payload).map_err(PayloadError::Response)?;
        Ok(HttpResponse {
            status: wire.status_code,
            headers: wire::headers(wire.header),
            body: wire.body_bz,
        })
    }

    /// The first value of a header, whatever the case of its name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }
}

/// Counts the headers without taking them apart. Bytes that are no message are left to the decoder, which says why.
fn check_headers(mut rest: &[u8]) -> Result<(), PayloadError> {
    /// Of both messages.
    const HEADER: u32 = 2;
    let (mut n_headers, mut n_bytes) = (0_usize, 0_usize);
    while let Ok((field, wire_type)) = decode_key(&mut rest) {
        if field != HEADER || wire_type != WireType::LengthDelimited {
            match skip_field(wire_type, field, &mut rest, DecodeContext::default()) {
                Ok(()) => continue,
                Err(_) => break,
            }
        }
        let Ok(length) = decode_varint(&mut rest) else {
            break;
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        n_headers += 1;
        n_bytes = n_bytes.saturating_add(length);
        if n_headers > MAX_HEADERS || n_bytes > MAX_HEADER_BYTES {
            return Err(PayloadError::Headers);
        }
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    let found = headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.and_then(|(_, values)| values.first()).map(String::as_str)
}

/// A header's name as Go writes it: `content-type` becomes `Content-Type`.
#[must_use]
pub fn canonical_header(name: &str) -> String {
    let mut upper = true;
    let letter = |c: char| {
        let c = if upper {
            c.to_ascii_uppercase()
        } else {
            c.to_ascii_lowercase()
        };
        upper = c == '-';
        c
    };
    name.chars().map(letter).collect()
}

mod wire {
    //! The messages themselves. A map entry has both fields, also when they are empty, which prost's own maps
    //! leave out; so the entries are messages here.

    use bytes::Bytes;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Request {
        #[prost(string, tag = 1)]
        pub(super) method: String,
        #[prost(message, repeated, tag = 2)]
        pub(super) header: Vec<Entry>,
        #[prost(string, tag = 3)]
        pub(super) url: String,
        #[prost(bytes = "bytes", tag = 4)]
        pub(super) body_bz: Bytes,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Response {
        #[prost(uint32, tag = 1)]
        pub(super) status_code: u32,
        #[prost(message, repeated, tag = 2)]
        pub(super) header: Vec<Entry>,
        #[prost(bytes = "bytes", tag = 3)]
        pub(super) body_bz: Bytes,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Entry {
        #[prost(string, required, tag = 1)]
        pub(super) key: String,
        #[prost(message, required, tag = 2)]
        pub(super) value: Header,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Header {
        #[prost(string, tag = 1)]
        pub(super) key: String,
        #[prost(string, repeated, tag = 2)]
        pub(super) values: Vec<String>,
    }

    pub(super) fn entries(headers: &super::Headers) -> Vec<Entry> {
        let entry = |(key, values): (&String, &Vec<String>)| Entry {
            key: key.clone(),
            value: Header {
                key: key.clone(),
                values: values.clone(),
            },
        };
        headers.iter().map(entry).collect()
    }

    /// A key that comes twice: the last entry counts, as in any protobuf map.
    pub(super) fn headers(entries: Vec<Entry>) -> super::Headers {
        entries
            .into_iter()
            .map(|entry| (entry.key, entry.value.values))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_headers_than_any_honest_payload_has_are_refused() {
        let request = |n_headers: usize, value: usize| {
            let header = |number: usize| (format!("X-{number:04}"), vec!["v".repeat(value)]);
            HttpRequest {
                headers: (0..n_headers).map(header).collect(),
                body: Bytes::from_static(b"{}"),
                ..HttpRequest::default()
            }
        };
        let many = request(MAX_HEADERS, 1);
        assert_eq!(HttpRequest::decode(many.encode()), Ok(many));
        assert_eq!(
            HttpRequest::decode(request(MAX_HEADERS + 1, 1).encode()),
            Err(PayloadError::Headers)
        );
        assert!(HttpRequest::decode(request(1, 32_000).encode()).is_ok());
        for large in [request(1, 33_000), request(40, 1_000)] {
            assert_eq!(HttpRequest::decode(large.encode()), Err(PayloadError::Headers));
        }
        let answer = HttpResponse {
            status: 200,
            headers: request(MAX_HEADERS + 1, 1).headers,
            body: Bytes::new(),
        };
        assert_eq!(HttpResponse::decode(answer.encode()), Err(PayloadError::Headers));
        // One header that is written again and again is no map of one entry before it is refused.
        let again = [0x12, 0x02, 0x0a, 0x00].repeat(MAX_HEADERS + 1);
        assert_eq!(HttpRequest::decode(again.into()), Err(PayloadError::Headers));
    }

    #[test]
    fn names_and_paths() {
        assert_eq!(canonical_header("content-TYPE"), "Content-Type");
        assert_eq!(canonical_header("x-a-b"), "X-A-B");
        for (url, path) in [
            ("https://host/v1/x?q=1", "/v1/x?q=1"),
            ("/v1/x", "/v1/x"),
            ("http://host", "/"),
            ("host/path", "/path"),
            ("", "/"),
        ] {
            let request = HttpRequest {
                url: url.to_owned(),
                ..HttpRequest::default()
            };
            assert_eq!(request.path_and_query(), path, "{url}");
        }
    }
}
