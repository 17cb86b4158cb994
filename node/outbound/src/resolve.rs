//! Resolving names, with a look at where they lead.

use std::{io, net::SocketAddr, sync::Arc};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::{is_public_ip, is_public_name};

/// A resolver that drops private addresses of public names.
#[derive(Clone, Debug)]
pub(crate) struct PublicResolver {
    /// Names of proxies of the environment: the owner's word, wherever they lie.
    pub(crate) proxies: Arc<[String]>,
}

/// A public name that leads to a private address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the name {name} leads to {address}, inside this computer or network, which it may not: if that is where you mean \
     to go, write the address in place of the name"
)]
pub(crate) struct LeadsToPrivate {
    name: String,
    address: String,
}

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let proxies = Arc::clone(&self.proxies);
        Box::pin(async move {
            let name = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
            // A name of the inside was let through by whoever asked; a public one may not lead there.
            let is_free =
                !is_public_name(name) || proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name));
            Ok(Box::new(public_addresses(name, found, is_free)?.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be asked.
fn public_addresses(
    name: &str,
    found: Vec<SocketAddr>,
    is_free: bool,
) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
    if is_free {
        return Ok(found);
    }
    let (outside, inside): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| is_public_ip(address.ip()));
    match inside.first() {
        _ if !outside.is_empty() => Ok(outside),
        Some(address) => Err(Box::new(LeadsToPrivate {
            name: name.to_owned(),
            address: address.ip().to_string(),
        })),
        None => Err(Box::new(io::Error::new(
            io::ErrorKind::NotFound,
            "the name has no address",
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ip: &str) -> SocketAddr {
        SocketAddr::new(ip.parse().unwrap(), 0)
    }

    #[test]
    fn a_public_name_keeps_its_public_addresses_only() {
        let both = vec![at("10.0.0.1"), at("8.8.8.8"), at("::1")];
        assert_eq!(
            public_addresses("a.org", both.clone(), false).unwrap(),
            [at("8.8.8.8")]
        );
        assert_eq!(public_addresses("a.lan", both.clone(), true).unwrap(), both);
        let said = public_addresses("a.org", vec![at("127.0.0.1")], false)
            .unwrap_err()
            .to_string();
        assert!(said.contains("a.org leads to 127.0.0.1"), "{said}");
        assert!(public_addresses("a.org", Vec::new(), false).is_err());
    }
}
