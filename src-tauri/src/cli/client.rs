//! The API of the daemon that runs on a data directory.

use std::{io::ErrorKind, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::Context as _;
use hearth_base::Secret;
use hearth_node::{Challenge, control::ErrorDetail, data_dir};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Exit, Fault, Place, place::closed};

/// How long the daemon may take to say that it is there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// What it says of itself is shorter.
const MAX_ANSWER_BYTES: usize = 64 << 10;

/// Speaks to one daemon.
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    token: Secret,
}

impl Client {
    /// Finds the daemon of a data directory.
    pub(crate) async fn connect(place: &Place) -> Result<Client, Exit> {
        let not_ready = || match data_dir::holder(place.layout.root()) {
            Some(pid) => not_answering(place, &pid),
            None => not_running(place),
        };
        let read = |path: PathBuf| {
            std::fs::read_to_string(path).map_err(|error| {
                if error.kind() == ErrorKind::PermissionDenied {
                    closed(place.layout.root())
                } else {
                    not_ready()
                }
            })
        };
        let address = read(place.layout.api_address())?;
        let token = read(place.layout.api_token())?;
        let base = format!("http://{}", address.trim());
        let url = base.parse().context("the address in api-address is none")?;
        // The daemon is on this computer; a proxy for the outside has no part in it.
        let config = hearth_outbound::Config::new(hearth_outbound::PrivateAddresses::Allowed, CONNECT_WITHIN);
        let http = hearth_outbound::Client::new(config).context("the HTTP client cannot be built")?;
        let client = Client {
            http: http.pick(&url).clone(),
            base,
            token: token.trim().to_owned().into(),
        };
        if client.is_the_node().await.map_err(|_| not_ready())? {
            return Ok(client);
        }
        let (address, root) = (address.trim(), place.layout.root().display());
        Err(Fault::not_ready(
            "other_program",
            format!("the program on {address} is not the Hearth of {root}"),
        )
        .meaning("The Hearth that was there has ended. The token is not shown to what came after it.")
        .remedy("start Hearth again, or name another --data-dir")
        .into())
    }

    /// Whether who answers knows the token already. An error where nobody answers.
    async fn is_the_node(&self) -> anyhow::Result<bool> {
        let challenge = Challenge::new()?;
        let address: SocketAddr = self.base.trim_start_matches("http://").parse()?;
        let asked = self.http.get(format!("{}{}", self.base, challenge.path()));
        let mut answer = asked.timeout(CONNECT_WITHIN).send().await?;
        let mut body = Vec::new();
        // Whoever it is may send without an end.
        while body.len() < MAX_ANSWER_BYTES
            && let Some(part) = answer.chunk().await?
        {
            body.extend_from_slice(&part);
        }
        Ok(challenge.is_answered(&body, &self.token, address.port()))
    }

    /// The page with the token that opens it.
    pub(crate) fn page_url(&self) -> String {
        format!("{}/#token={}", self.base, self.token.reveal())
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

    /// The same for what is signed: where no answer comes it may be done all the same.
    pub(crate) async fn post_signed<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Exit> {
        let answered = self.post(path, body).await;
        answered.map_err(|error| match error.downcast::<Fault>() {
            Ok(refused) => refused.into(),
            Err(error) => Fault::failed("not_seen", error.to_string())
                .meaning("It may have been signed and sent before that.")
                .remedy("look at `hearth wallet transactions` before you do it again")
                .details(hearth_base::failure::chain(&*error))
                .into(),
        })
    }

    /// Asks the control API to do something that needs no words.
    pub(crate) async fn post_empty<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        read(self.request(Method::POST, &format!("/api/v1{path}"))).await
    }

    /// Replaces something.
    pub(crate) async fn put(&self, path: &str, body: &impl Serialize) -> anyhow::Result<()> {
        answer(self.request(Method::PUT, &format!("/api/v1{path}")).json(body))
            .await
            .map(drop)
    }

    /// Replaces something, and reads what is there then.
    pub(crate) async fn put_for<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        read(self.request(Method::PUT, &format!("/api/v1{path}")).json(body)).await
    }

    /// Changes something.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> anyhow::Result<T> {
        read(self.request(Method::PATCH, &format!("/api/v1{path}")).json(body)).await
    }

    /// Reads a table.
    pub(crate) async fn table(&self, path: &str) -> anyhow::Result<String> {
        let answer = answer(self.request(Method::GET, &format!("/api/v1{path}"))).await?;
        answer.text().await.context("the table broke off")
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
            .bearer_auth(self.token.reveal())
    }
}

/// Nobody is there.
fn not_running(place: &Place) -> Fault {
    Fault::not_ready(
        "not_running",
        format!("Hearth does not run on {}", place.layout.root().display()),
    )
    .meaning(if place.is_not_the_services() {
        "A Hearth of the system may run on /var/lib/hearth, as a user of its own."
    } else {
        "Nothing is answered or earned there now."
    })
    .remedy(format!(
        "start it with `hearth --daemon --network {}`, or name another --data-dir",
        place.layered.settings.network
    ))
}

/// Somebody is there, and says nothing.
fn not_answering(place: &Place, pid: &str) -> Fault {
    Fault::not_ready(
        "not_answering",
        format!("process {pid} holds {} and does not answer", place.layout.root().display()),
    )
    .meaning(
        "It is starting, works offline for another command, was stopped by a signal, or hangs. No second Hearth is begun \
         beside it.",
    )
    .remedy(format!(
        "wait a moment and try again; `kill -CONT {pid}` lets a stopped process go on, `kill {pid}` ends it"
    ))
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
    let detail = refusal(&text).unwrap_or_else(|| ErrorDetail {
        code: "bad_answer".to_owned(),
        message: format!("the daemon answered {status}"),
        details: Some(text).filter(|text| !text.is_empty()),
        ..ErrorDetail::default()
    });
    Err(Fault::refused(status.as_u16(), detail).into())
}

/// The refusal of the control API, or of the OpenAI API, whose errors carry other fields beside.
fn refusal(text: &str) -> Option<ErrorDetail> {
    let body: Value = serde_json::from_str(text).ok()?;
    let error = body.get("error")?;
    if let Ok(detail) = serde_json::from_value(error.clone()) {
        return Some(detail);
    }
    let field = |name: &str| error.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(ErrorDetail {
        code: field("code").or_else(|| field("type")).unwrap_or_default(),
        message: field("message")?,
        ..ErrorDetail::default()
    })
}
