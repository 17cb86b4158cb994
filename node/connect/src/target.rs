//! What a program is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What stands for the API key where none is made yet.
pub const KEY_PLACEHOLDER: &str = "sk-hearth-YOUR-KEY";

/// The node, a model and a key, as a program is told them. Without `Debug`: it holds a key.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// `http://127.0.0.1:4327`, without a slash at its end.
    pub root: String,
    /// The model's name in `/v1`.
    pub model: String,
    /// Its name for people.
    pub title: String,
    /// How many tokens the model takes, where that is known.
    pub context: Option<u32>,
    pub key: String,
}

impl Target {
    /// The base URL of OpenAI's API.
    pub(crate) fn openai(&self) -> String {
        format!("{}/v1", self.root)
    }
}

/// The address of a node for programs of its own computer.
#[must_use]
pub fn root_of(listen: SocketAddr) -> String {
    let ip: IpAddr = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(ip, listen.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_listens_everywhere_is_asked_here() {
        for (listen, root) in [
            ("127.0.0.1:4327", "http://127.0.0.1:4327"),
            ("0.0.0.0:4327", "http://127.0.0.1:4327"),
            ("[::]:1", "http://[::1]:1"),
            ("192.168.1.5:2", "http://192.168.1.5:2"),
        ] {
            assert_eq!(root_of(listen.parse().unwrap()), root);
        }
    }
}
