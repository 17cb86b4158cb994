//! Clients: one for private addresses, asked directly, and one for public ones, asked as the environment says.

use std::{sync::Arc, time::Duration};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{
    ClientBuilder, Method, RequestBuilder,
    redirect::{Attempt, Policy},
};
use url::{Host, Url};

use crate::{address::is_public, resolve::PublicResolver};

/// Whether private addresses, those of this computer and its networks, may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PrivateAddresses {
    /// Wherever they lead: they are the owner's word, or all of the network is local.
    Allowed,
    /// Where the address itself is written so, by the owner; a public name or a redirect may not lead there.
    AsWritten,
    /// Never: they are a stranger's word.
    Refused,
}

/// What a client is made of.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    pub private_addresses: PrivateAddresses,
    /// The most time to open a connection.
    pub connect: Duration,
    /// Redirects that are followed.
    pub redirects: usize,
    /// Idle connections that are kept for each host.
    pub idle_per_host: usize,
    /// Whether compressed answers are asked for and unpacked.
    pub compressed: bool,
}

impl Config {
    /// A client without redirects or compression.
    #[must_use]
    pub const fn new(private_addresses: PrivateAddresses, connect: Duration) -> Config {
        Config {
            private_addresses,
            connect,
            redirects: 0,
            idle_per_host: 32,
            compressed: false,
        }
    }
}

/// An address that may not be asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} lies inside this computer or network, where a stranger's address may not lead")]
pub struct Refused(String);

/// Asks over HTTP. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    private_addresses: PrivateAddresses,
    direct: reqwest::Client,
    outside: reqwest::Client,
}

impl Client {
    /// Makes a client.
    ///
    /// # Errors
    /// No TLS on this computer.
    pub fn new(config: Config) -> Result<Client, reqwest::Error> {
        hearth_base::tls::init();
        let resolver = PublicResolver { proxies: proxies() };
        let builder = || -> ClientBuilder {
            let builder = reqwest::Client::builder()
                .connect_timeout(config.connect)
                .redirect(policy(config.private_addresses, config.redirects))
                .pool_max_idle_per_host(config.idle_per_host)
                .tcp_nodelay(true)
                .gzip(config.compressed);
            match config.private_addresses {
                PrivateAddresses::Allowed => builder,
                PrivateAddresses::AsWritten | PrivateAddresses::Refused => {
                    builder.dns_resolver(resolver.clone())
                }
            }
        };
        Ok(Client {
            private_addresses: config.private_addresses,
            direct: builder().no_proxy().build()?,
            outside: builder().build()?,
        })
    }

    /// Begins a request.
    ///
    /// # Errors
    /// An address that may not be asked.
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Refused> {
        if self.private_addresses == PrivateAddresses::Refused && !is_public(&url) {
            return Err(Refused(url.host_str().unwrap_or_default().to_owned()));
        }
        Ok(self.pick(&url).request(method, url))
    }

    /// Which client asks an address of the owner's: nothing is refused, and what lies inside is asked directly.
    #[must_use]
    pub fn pick(&self, url: &Url) -> &reqwest::Client {
        if is_public(url) {
            &self.outside
        } else {
            &self.direct
        }
    }

    /// Begins a `POST`.
    ///
    /// # Errors
    /// An address that may not be asked.
    pub fn post(&self, url: Url) -> Result<RequestBuilder, Refused> {
        self.request(Method::POST, url)
    }

    /// Begins a `GET`.
    ///
    /// # Errors
    /// An address that may not be asked.
    pub fn get(&self, url: Url) -> Result<RequestBuilder, Refused> {
        self.request(Method::GET, url)
    }
}

/// The hosts of the proxies that the environment names.
fn proxies() -> Arc<[String]> {
    let matcher = Matcher::from_system();
    ["http://hearth.invalid/", "https://hearth.invalid/"]
        .into_iter()
        .filter_map(|target| matcher.intercept(&target.parse().ok()?))
        .filter_map(|proxy| proxy.uri().host().map(str::to_owned))
        .collect()
}

/// Follows redirects outwards, and to the host that was asked in the first place.
fn policy(private_addresses: PrivateAddresses, most: usize) -> Policy {
    if most == 0 {
        return Policy::none();
    }
    Policy::custom(move |attempt: Attempt<'_>| {
        if attempt.previous().len() > most {
            return attempt.error("too many redirects");
        }
        let to = attempt.url();
        let same_host = attempt
            .previous()
            .first()
            .is_some_and(|first| place(first) == place(to));
        if private_addresses == PrivateAddresses::Allowed || same_host || is_public(to) {
            return attempt.follow();
        }
        let refused = Refused(to.host_str().unwrap_or_default().to_owned());
        attempt.error(refused)
    })
}

fn place(url: &Url) -> (Option<Host<&str>>, Option<u16>) {
    (url.host(), url.port_or_known_default())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::{Router, http::header::LOCATION, routing::get};
    use hearth_base::{Tasks, failure::chain};

    use super::*;

    /// A server whose `/to` leads to what the query says.
    async fn server(tasks: &Tasks) -> SocketAddr {
        let router = Router::new().route("/here", get(async || "here")).route(
            "/to",
            get(async |uri: axum::http::Uri| {
                let to = uri.query().unwrap_or_default().to_owned();
                (axum::http::StatusCode::FOUND, [(LOCATION, to)])
            }),
        );
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn_until_stopped("server", async move {
            axum::serve(listener, router).await.unwrap();
        });
        address
    }

    fn client(private_addresses: PrivateAddresses) -> Client {
        let mut config = Config::new(private_addresses, Duration::from_secs(5));
        config.redirects = 3;
        Client::new(config).unwrap()
    }

    async fn ask(client: &Client, url: String) -> Result<String, String> {
        let request = client
            .get(Url::parse(&url).unwrap())
            .map_err(|error| error.to_string())?;
        let answer = request.send().await.map_err(|error| chain(&error))?;
        answer.text().await.map_err(|error| chain(&error))
    }

    #[tokio::test]
    async fn a_strangers_address_does_not_lead_inwards() {
        let tasks = Tasks::root();
        let here = server(&tasks).await;
        for url in [
            format!("http://{here}/here"),
            format!("http://localhost:{}/here", here.port()),
        ] {
            assert!(
                ask(&client(PrivateAddresses::Refused), url.clone())
                    .await
                    .is_err()
            );
            assert_eq!(
                ask(&client(PrivateAddresses::AsWritten), url.clone())
                    .await
                    .unwrap(),
                "here"
            );
            assert_eq!(
                ask(&client(PrivateAddresses::Allowed), url).await.unwrap(),
                "here"
            );
        }
        tasks.stop();
    }

    #[tokio::test]
    async fn a_redirect_leads_to_the_same_host_or_outwards_only() {
        let tasks = Tasks::root();
        let (here, there) = (server(&tasks).await, server(&tasks).await);
        let same = format!("http://{here}/to?http://{here}/here");
        let other = format!("http://{here}/to?http://{there}/here");
        assert_eq!(
            ask(&client(PrivateAddresses::AsWritten), same).await.unwrap(),
            "here"
        );
        let said = ask(&client(PrivateAddresses::AsWritten), other.clone())
            .await
            .unwrap_err();
        assert!(said.contains("127.0.0.1 lies inside"), "{said}");
        assert_eq!(
            ask(&client(PrivateAddresses::Allowed), other).await.unwrap(),
            "here"
        );
        // What is no HTTP address is not followed: the answer with the redirect, whose body is empty, is all there is.
        let file = format!("http://{here}/to?file:///etc/hosts");
        assert_eq!(
            ask(&client(PrivateAddresses::Allowed), file).await.as_deref(),
            Ok("")
        );
        let endless = format!("http://{here}/to?/to?/to?/to?/to?/to?/here");
        assert!(ask(&client(PrivateAddresses::Allowed), endless).await.is_err());
        tasks.stop();
    }
}
