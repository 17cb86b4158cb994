//! What PATH sent, and what it made of our answers: PATH itself judged each of them. It must never ban us.

use std::net::SocketAddr;

use hearth_pocket::{PublicKey, message::session::Session, relay::verify_response};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use wiremock::{Mock, MockServer, ResponseTemplate, matchers::any};

use super::{recorded::load, *};

/// `tests/vectors/path_exchanges.json`.
#[derive(Deserialize)]
struct Golden {
    keys: BTreeMap<String, Key>,
    /// One of the sessions: the others differ in their headers.
    session: Session,
    exchanges: Vec<Exchange>,
    /// Answers that were made up, as other miners give them.
    made_up: Vec<MadeUp>,
}

#[derive(Deserialize)]
struct Key {
    address: String,
    #[serde(deserialize_with = "from_hex")]
    public_key: Vec<u8>,
    #[serde(deserialize_with = "from_hex")]
    private_key: Vec<u8>,
}

#[derive(Deserialize)]
struct Exchange {
    label: String,
    /// The head when it was sent.
    height: u64,
    /// What the backend answered, if it was asked and answered.
    backend: Option<FromBackend>,
    request: Sent,
    response: Got,
    path: Judged,
}

impl Exchange {
    /// The session that it was of. What is too long to be kept has it in its answer alone.
    fn header(&self) -> Option<SessionHeader> {
        let request = RelayRequest::decode(self.request.body.as_slice()).unwrap_or_default();
        let response = RelayResponse::decode(self.response.body.as_slice()).unwrap_or_default();
        request.meta.session_header.or(response.meta.session_header)
    }
}

#[derive(Deserialize)]
struct FromBackend {
    status: u16,
    content_type: String,
    body: String,
}

#[derive(Clone, Deserialize)]
struct Sent {
    method: String,
    path: String,
    headers: BTreeMap<String, String>,
    #[serde(deserialize_with = "from_hex")]
    body: Vec<u8>,
    /// Its length, where it is too long to be kept.
    body_bytes: Option<usize>,
}

#[derive(Deserialize)]
struct Got {
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(deserialize_with = "from_hex")]
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct MadeUp {
    label: String,
    #[serde(deserialize_with = "from_hex")]
    request: Vec<u8>,
    response: Got,
    path: Judged,
}

fn from_hex<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    hex::decode(text).map_err(serde::de::Error::custom)
}

/// What PATH did.
#[derive(Deserialize)]
struct Judged {
    /// Why it asks this supplier no more.
    banned: Option<String>,
    /// Whether its next request came to us; `None`: it was not PATH who asked.
    came_again: Option<bool>,
}

/// What of an answer PATH looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// One signed response, which carries an answer of this status.
    Signed(u32),
    /// Signed responses, each with a separator behind it.
    Parts(u32),
    /// JSON that says why, with a status of its own, and the short name of the reason where the server gives one.
    Refused(u16, Option<String>),
    /// A status and no body.
    Bare(u16),
    /// Nothing of these at status 200.
    Unsigned,
}

impl Form {
    fn of(got: &Got, request: &[u8], supplier: &PublicKey) -> Form {
        let request = RelayRequest::decode(request).unwrap_or_default();
        let status_of = |body: Bytes| {
            let response = RelayResponse::decode(body).ok()?;
            // Where the request was too long to be kept, its session is not known.
            let own = &response.meta.session_header;
            let wanted = request.meta.session_header.as_ref().or(own.as_ref())?;
            verify_response(&response, wanted, supplier).ok()?;
            Some(HttpResponse::decode(response.payload).ok()?.status)
        };
        if got.status != 200 {
            return refused(got);
        }
        if let Some(status) = status_of(got.body.clone().into()) {
            return Form::Signed(status);
        }
        let mut splitter = Splitter::new(1 << 20);
        splitter.push(&got.body);
        let mut last = Form::Unsigned;
        while let Ok(Some(part)) = splitter.next_part() {
            let Some(status) = status_of(part) else {
                return Form::Unsigned;
            };
            last = Form::Parts(status);
        }
        last
    }

    /// Whether PATH takes it without a ban. Parts are for those who ask for them, which PATH never does.
    fn is_harmless(&self, request: &[u8]) -> bool {
        match self {
            Form::Signed(_) | Form::Refused(..) | Form::Bare(_) => true,
            Form::Parts(_) => {
                let readable = Readable::read(Bytes::copy_from_slice(request));
                readable.is_ok_and(|readable| readable.accepts_parts())
            }
            Form::Unsigned => false,
        }
    }
}

fn refused(got: &Got) -> Form {
    if got.body.is_empty() {
        return Form::Bare(got.status);
    }
    assert_eq!(got.headers["content-type"], "application/json");
    let said: serde_json::Value = serde_json::from_slice(&got.body).expect("JSON");
    assert!(said["error"].is_string(), "{said}");
    let code = said["code"].as_str().map(str::to_owned);
    Form::Refused(got.status, code)
}

impl Golden {
    fn load() -> Golden {
        serde_json::from_value(load("path_exchanges")).unwrap()
    }

    fn supplier(&self) -> PublicKey {
        PublicKey::from_bytes(&self.keys["supplier"].public_key).unwrap()
    }

    /// The supplier as it was when a request came, on a port of its own.
    async fn stage(&self, exchange: &Exchange, backend: &str) -> (Stage, Listener, SocketAddr) {
        let chain = TableChain::new(exchange.height);
        {
            let mut state = chain.state();
            state.recorded = vec![Session {
                header: exchange.header(),
                ..self.session.clone()
            }];
            let keys = self.keys.values();
            state.keys = keys
                .map(|key| (key.address.clone(), key.public_key.clone().try_into().unwrap()))
                .collect();
        }
        let backend = Arc::new(url_backend(backend));
        let limits = ServiceConfig { slots: 1, ..limits() };
        let operator = self.keys["supplier"].private_key.clone().try_into().unwrap();
        let operator = SecretKey::from_bytes(&operator).unwrap();
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        drop(socket);
        let stage = Stage::on(chain, operator, &[("hearth-llm", limits)], backend, |server| {
            let mut config = (*server.config).clone();
            config.listen = address;
            config.models = [(ServiceId::new("hearth-llm"), "fake".to_owned())].into();
            server.config = Arc::new(config);
        })
        .await;
        let listener = Listener::start(Arc::clone(&stage.server)).unwrap();
        (stage, listener, address)
    }

    /// What we answer today.
    async fn replay(&self, exchange: &Exchange) -> Got {
        let backend = MockServer::start().await;
        let mut base = backend.uri();
        if let Some(answer) = &exchange.backend {
            let template = ResponseTemplate::new(answer.status)
                .set_body_raw(answer.body.as_bytes(), &answer.content_type);
            Mock::given(any()).respond_with(template).mount(&backend).await;
        } else {
            // Nobody is there.
            "http://127.0.0.1:1".clone_into(&mut base);
        }
        let (stage, _listener, address) = self.stage(exchange, &base).await;
        let places = &stage.server.places[&ServiceId::new("hearth-llm")];
        let _taken = (exchange.label == "busy").then(|| places.free.try_acquire().unwrap());
        if exchange.label == "replay" {
            let first = ask(address, &exchange.request).await;
            assert_eq!(first.status, 200);
        }
        match exchange.request.body_bytes {
            None => ask(address, &exchange.request).await,
            Some(n_bytes) if exchange.response.status == 200 => {
                let mut sent = exchange.request.clone();
                sent.body = self.signed_anew(exchange, n_bytes);
                ask(address, &sent).await
            }
            Some(n_bytes) => promise(address, n_bytes).await,
        }
    }

    /// A chat of so many bytes, for one that was too long to be kept.
    fn signed_anew(&self, exchange: &Exchange, n_bytes: usize) -> Vec<u8> {
        let signed = |n_letters: usize| {
            let said = "x".repeat(n_letters);
            let http = HttpRequest {
                body: format!(r#"{{"messages":[{{"role":"user","content":"{said}"}}]}}"#).into(),
                ..chat(false)
            };
            let members = ["app1", "gateway1"].map(|name| self.keys[name].public_key.clone());
            let members = members.map(|key| <[u8; 33]>::try_from(key).unwrap());
            let signer = self.keys["gateway1"].private_key.clone().try_into().unwrap();
            let signer = SecretKey::from_bytes(&signer).unwrap();
            let (ring, supplier) = (Ring::new(&members).unwrap(), &self.keys["supplier"].address);
            let header = exchange.header().unwrap();
            let request = sign_request(&signer, &ring, header, supplier, http.encode());
            request.unwrap().encode_to_vec()
        };
        let without = signed(0).len();
        signed(n_bytes - without - 16)
    }
}

/// Says that so many bytes will come.
async fn promise(address: SocketAddr, n_bytes: usize) -> Got {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {n_bytes}\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let headers = head.lines().filter_map(|line| line.split_once(": "));
    Got {
        status: head[9..12].parse().unwrap(),
        headers: headers
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: body.into(),
    }
}

async fn ask(address: SocketAddr, sent: &Sent) -> Got {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let method = reqwest::Method::from_bytes(sent.method.as_bytes()).unwrap();
    let mut request = http.request(method, format!("http://{address}{}", sent.path));
    for (name, value) in &sent.headers {
        request = request.header(name, value);
    }
    let answer = request.body(sent.body.clone()).send().await.unwrap();
    let headers = answer.headers().iter();
    Got {
        status: answer.status().as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect(),
        body: answer.bytes().await.unwrap().to_vec(),
    }
}

#[tokio::test]
async fn what_path_was_answered_without_a_ban_is_answered_so_today() {
    let golden = Golden::load();
    for exchange in &golden.exchanges {
        let (label, sent) = (&exchange.label, &exchange.request);
        assert_eq!(exchange.path.banned, None, "{label}");
        assert_ne!(exchange.path.came_again, Some(false), "{label}");
        let then = Form::of(&exchange.response, &sent.body, &golden.supplier());
        let now = golden.replay(exchange).await;
        let now = Form::of(&now, &sent.body, &golden.supplier());
        assert_eq!(now, then, "{label}");
        assert!(now.is_harmless(&sent.body), "{label}: {now:?}");
        let is_bare = matches!(now, Form::Bare(_));
        assert_eq!(is_bare, sent.method == "HEAD", "{label}: a refusal says why");
    }
    assert!(golden.exchanges.len() >= 40);
}

/// Each request of PATH's: its method outside is that of what it carries, and it never asks for parts.
#[test]
fn what_path_sends_is_read() {
    for exchange in Golden::load().exchanges {
        let (label, sent) = (&exchange.label, exchange.request);
        let is_spoilt = exchange.response.status == 400 || label == "get_without_relay";
        if is_spoilt || sent.body_bytes.is_some() {
            continue;
        }
        let readable = Readable::read(sent.body.into()).unwrap();
        let is_of_path = label != "stream_in_parts";
        assert_eq!(readable.accepts_parts(), !is_of_path, "{label}");
        assert_eq!(readable.http.method, sent.method, "{label}");
    }
}

#[test]
fn what_path_bans_for_is_none_of_our_forms() {
    let golden = Golden::load();
    for made_up in &golden.made_up {
        let form = Form::of(&made_up.response, &made_up.request, &golden.supplier());
        let label = &made_up.label;
        assert!(!form.is_harmless(&made_up.request), "{label}: {form:?}");
        assert!(made_up.path.banned.is_some(), "{label}");
        assert_eq!(made_up.path.came_again, Some(false), "{label}");
    }
    assert!(golden.made_up.len() >= 6);
}
