//! The API of the daemon that runs on a data directory.

use std::time::Duration;

use anyhow::Context as _;
use hearth_node::control::ErrorBody;
use reqwest::{Method, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};

use super::{Exit, Place};

/// How long the daemon may take to say that it is there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Speaks to one daemon.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Client {
    /// Finds the daemon of a data directory.
    pub(crate) async fn connect(place: &Place) -> Result<Client, Exit> {
        let not_ready = || {
            Exit::NotReady(format!(
                "Hearth does not run on {}: start it with `hearth --daemon --network {}`, or name another --data-dir",
                place.layout.root().display(),
                place.layered.settings.network
            ))
        };
        let address = std::fs::read_to_string(place.layout.api_address()).map_err(|_| not_ready())?;
        let token = std::fs::read_to_string(place.layout.api_token()).map_err(|_| not_ready())?;
        let base = format!("http://{}", address.trim());
        let url = base.parse().context("the address in api-address is none")?;
        let config = hearth_outbound::Config::new(hearth_outbound::Inward::Allowed, CONNECT_WITHIN);
        let http = hearth_outbound::Client::new(config).context("the HTTP client cannot be built")?;
        let client = Client {
            http: http.pick(&url).clone(),
            base,
            token: token.trim().to_owned(),
        };
        let alive = client
            .http
            .get(format!("{}/health", client.base))
            .timeout(CONNECT_WITHIN)
            .send()
            .await;
        if alive.is_ok_and(|answer| answer.status().is_success()) {
            Ok(client)
        } else {
            Err(not_ready())
        }
    }

    /// The page with the token that opens it.
    pub(crate) fn page_url(&self) -> String {
        format!("{}/#token={}", self.base, self.token)
    }

    /// The address of the page.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Reads a value of the control API.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        read(self.request(Method::GET, &format!("/api/v1{path}"))).await
    }

    /// Asks the control API to do something.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        read(self.request(Method::POST, &format!("/api/v1{path}")).json(body)).await
    }

    /// Asks the control API to do something that needs no words.
    pub(crate) async fn post_empty<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        read(self.request(Method::POST, &format!("/api/v1{path}"))).await
    }

    /// Deletes something.
    pub(crate) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        answer(self.request(Method::DELETE, &format!("/api/v1{path}")))
            .await
            .map(drop)
    }

    /// A request to the OpenAI API, whose answer may stream.
    pub(crate) async fn openai(&self, path: &str, body: &impl Serialize) -> anyhow::Result<Response> {
        answer(self.request(Method::POST, path).json(body)).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("{}{path}", self.base))
            .bearer_auth(&self.token)
    }
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> anyhow::Result<T> {
    answer(request)
        .await?
        .json()
        .await
        .context("the daemon's answer is not what this version expects")
}

async fn answer(request: RequestBuilder) -> anyhow::Result<Response> {
    let response = request.send().await.context("the daemon does not answer")?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = response.text().await.unwrap_or_default();
    if let Ok(body) = serde_json::from_str::<ErrorBody>(&text) {
        let remedy = body
            .error
            .remedy
            .map(|remedy| format!("\n  -> {remedy}"))
            .unwrap_or_default();
        anyhow::bail!("{}{remedy}", body.error.message);
    }
    anyhow::bail!("the daemon answered {status}: {text}")
}
