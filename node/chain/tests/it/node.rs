//! A node that answers from recorded data, and may be told to misbehave.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use hearth_base::{Clock, Height, Tasks};
use hearth_chain::{Anchor, Args, Chain, Config, Head, Standing};
use hearth_store::Store;
use serde_json::{Value, json};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate, matchers::method};

/// The chain id of the recorded chains.
pub(crate) const CHAIN_ID: &str = "hearth-golden";
/// How long a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A file of `tests/vectors`.
pub(crate) fn load(name: &str) -> Value {
    let path = format!("{}/../../tests/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("not a list: {value}"))
}

/// How a node misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Misbehaviour {
    #[default]
    None,
    /// Answers everything with a page of text.
    Rubbish,
    /// Answers after ten seconds.
    Slow,
    /// Answers with HTTP status 502.
    BadGateway,
    /// Says that it serves another chain.
    OtherChain,
    /// Turns a bit in the app hash of every header.
    ForgedHeader,
    /// Turns a bit in every value, and leaves the proof as it is.
    WrongValue,
    /// Turns a bit in every proof.
    WrongProof,
    /// Says that present records are absent.
    Hides,
    /// Sends a page of more validators than were asked for.
    ManyValidators,
}

#[derive(Debug, Default)]
struct State {
    head: u64,
    misbehaviour: Misbehaviour,
    heights: BTreeMap<u64, Value>,
    /// Recorded answers of `abci_query`, by path, data and height.
    answers: BTreeMap<(String, String, u64), Value>,
    /// What a path answers, whatever is asked.
    told: BTreeMap<String, Value>,
    /// What `broadcast_tx_sync` answers, in turn; the last one stays.
    broadcasts: Vec<Value>,
    /// What `tx` answers, by hash in base64.
    txs: BTreeMap<String, Value>,
    calls: BTreeMap<String, usize>,
}

#[derive(Clone, Debug, Default)]
struct SharedState(Arc<Mutex<State>>);

pub(crate) struct Node {
    server: MockServer,
    shared: SharedState,
}

impl Node {
    /// A node with the headers of a golden file up to `head`, and all recorded proofs.
    pub(crate) async fn start(golden: &str, head: u64) -> Node {
        let mut state = State {
            head,
            ..State::default()
        };
        for entry in list(&load(golden)["heights"]) {
            state
                .heights
                .insert(entry["height"].as_u64().unwrap(), entry.clone());
        }
        if golden == "chain_light" {
            let proofs = load("chain_proofs");
            for entry in list(&proofs["proofs_height_344"]) {
                let path = entry["request"]["path"].as_str().unwrap().to_owned();
                let data = entry["request"]["data"].as_str().unwrap().to_owned();
                state.answers.insert((path, data, 344), entry["response"].clone());
            }
        }
        let shared = SharedState(Arc::new(Mutex::new(state)));
        let server = MockServer::start().await;
        Mock::given(method("POST"))
            .respond_with(shared.clone())
            .mount(&server)
            .await;
        Node { server, shared }
    }

    pub(crate) async fn with(golden: &str, head: u64, misbehaviour: Misbehaviour) -> Node {
        let node = Node::start(golden, head).await;
        node.set(|state| state.misbehaviour = misbehaviour);
        node
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.shared.0.lock().unwrap());
    }

    pub(crate) fn set_head(&self, head: u64) {
        self.set(|state| state.head = head);
    }

    pub(crate) fn misbehave(&self, misbehaviour: Misbehaviour) {
        self.set(|state| state.misbehaviour = misbehaviour);
    }

    /// Answers every question at a path with this.
    pub(crate) fn tell(&self, path: &str, value: &[u8]) {
        let answer = json!({ "code": 0, "value": base64(value), "height": "0" });
        self.set(|state| {
            state.told.insert(path.to_owned(), answer);
        });
    }

    pub(crate) fn broadcasts(&self, answers: Vec<Value>) {
        self.set(|state| state.broadcasts = answers);
    }

    pub(crate) fn include(&self, hash: &[u8], answer: Value) {
        self.set(|state| {
            state.txs.insert(base64(hash), answer);
        });
    }

    pub(crate) fn calls(&self, method: &str) -> usize {
        self.shared
            .0
            .lock()
            .unwrap()
            .calls
            .get(method)
            .copied()
            .unwrap_or(0)
    }

    pub(crate) fn url(&self) -> String {
        self.server.uri()
    }
}

pub(crate) fn from_base64(text: &str) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.decode(text).unwrap()
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(bytes)
}

impl Respond for SharedState {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let call: Value = request.body_json().unwrap();
        let mut state = self.0.lock().unwrap();
        let method = call["method"].as_str().unwrap().to_owned();
        *state.calls.entry(method.clone()).or_default() += 1;
        match state.misbehaviour {
            Misbehaviour::Rubbish => {
                return ResponseTemplate::new(200).set_body_string("<html>Welcome to the wifi</html>");
            }
            Misbehaviour::BadGateway => return ResponseTemplate::new(502).set_body_string("bad gateway"),
            Misbehaviour::None
            | Misbehaviour::Slow
            | Misbehaviour::OtherChain
            | Misbehaviour::ForgedHeader
            | Misbehaviour::WrongValue
            | Misbehaviour::WrongProof
            | Misbehaviour::Hides
            | Misbehaviour::ManyValidators => {}
        }
        let body = match state.reply(&method, &call["params"]) {
            Ok(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
            Err(data) => json!({
                "jsonrpc": "2.0",
                "id": call["id"],
                "error": { "code": -32603, "message": "Internal error", "data": data },
            }),
        };
        let status = if body.get("error").is_some() { 500 } else { 200 };
        let template = ResponseTemplate::new(status).set_body_json(body);
        if state.misbehaviour == Misbehaviour::Slow {
            template.set_delay(Duration::from_secs(10))
        } else {
            template
        }
    }
}

impl State {
    fn reply(&mut self, method: &str, params: &Value) -> Result<Value, String> {
        let height = params["height"]
            .as_str()
            .map_or(self.head, |height| height.parse().unwrap());
        match method {
            "status" => {
                let header = &self.heights[&self.head]["commit"]["signed_header"]["header"];
                let network = if self.misbehaviour == Misbehaviour::OtherChain {
                    "another-chain"
                } else {
                    CHAIN_ID
                };
                Ok(json!({
                    "node_info": { "network": network, "version": "0.38.22" },
                    "sync_info": {
                        "latest_block_hash": "",
                        "latest_block_height": self.head.to_string(),
                        "latest_block_time": header["time"],
                        "catching_up": false,
                    },
                }))
            }
            "commit" | "header" => {
                let mut commit = self.entry(height)?["commit"].clone();
                if self.misbehaviour == Misbehaviour::ForgedHeader {
                    let hash = commit.pointer_mut("/signed_header/header/app_hash").unwrap();
                    let turned = if hash.as_str().unwrap().starts_with('0') {
                        "1"
                    } else {
                        "0"
                    };
                    *hash = format!("{turned}{}", &hash.as_str().unwrap()[1..]).into();
                }
                Ok(if method == "header" {
                    commit["signed_header"].clone()
                } else {
                    commit
                })
            }
            "validators" => {
                // The set after the head is known as well.
                let entry = self
                    .heights
                    .get(&height)
                    .or_else(|| self.heights.get(&(height - 1)));
                let mut answer = entry
                    .map(|entry| entry["validators"].clone())
                    .ok_or_else(|| self.too_high(height))?;
                if self.misbehaviour == Misbehaviour::ManyValidators {
                    let one = answer["validators"][0].clone();
                    answer["validators"] = vec![one; 101].into();
                }
                Ok(answer)
            }
            "block" => Ok(self.entry(height)?["block"].clone()),
            "block_results" => Ok(self.entry(height)?["block_results"].clone()),
            "abci_query" => Ok(json!({ "response": self.query(params, height) })),
            "broadcast_tx_sync" => {
                let answer = if self.broadcasts.len() > 1 {
                    self.broadcasts.remove(0)
                } else {
                    self.broadcasts
                        .first()
                        .cloned()
                        .unwrap_or_else(|| json!({ "code": 0, "hash": "" }))
                };
                match answer["data"].as_str().filter(|_| answer["code"] == -1) {
                    Some(data) => Err(data.to_owned()),
                    None => Ok(answer),
                }
            }
            "tx" => {
                let hash = params["hash"].as_str().unwrap();
                self.txs
                    .get(hash)
                    .cloned()
                    .ok_or_else(|| format!("tx ({hash}) not found"))
            }
            other => Err(format!("no such method: {other}")),
        }
    }

    fn entry(&self, height: u64) -> Result<&Value, String> {
        self.heights
            .get(&height)
            .filter(|_| height <= self.head)
            .ok_or_else(|| self.too_high(height))
    }

    fn too_high(&self, height: u64) -> String {
        if self.heights.keys().next().is_some_and(|lowest| height < *lowest) {
            return format!(
                "height {height} is not available, lowest height is {:?}",
                self.heights.keys().next()
            );
        }
        format!(
            "height {height} must be less than or equal to the current blockchain height {}",
            self.head
        )
    }

    fn query(&self, params: &Value, height: u64) -> Value {
        let text = |name: &str| params[name].as_str().unwrap().to_owned();
        let key = (text("path"), text("data"), height);
        if let Some(answer) = self.told.get(&key.0) {
            return answer.clone();
        }
        let Some(answer) = self.answers.get(&key) else {
            // Questions of the second door are answered at any height.
            let anywhere = self
                .answers
                .iter()
                .find(|((path, data, _), _)| *path == key.0 && *data == key.1);
            return match anywhere.filter(|_| params["prove"] != true) {
                Some((_, answer)) => answer.clone(),
                None => json!({ "code": 6, "codespace": "sdk", "log": "not recorded", "height": "0" }),
            };
        };
        let mut answer = answer.clone();
        match self.misbehaviour {
            Misbehaviour::WrongValue => answer["value"] = base64(b"99999999999999").into(),
            Misbehaviour::Hides => answer["value"] = Value::Null,
            Misbehaviour::WrongProof => {
                let data = answer.pointer_mut("/proofOps/ops/0/data").unwrap();
                let turned = data
                    .as_str()
                    .unwrap()
                    .replacen("CAEYASABKgMAAg", "CAEYASABKgMAAh", 1);
                *data = if *data == turned.as_str() {
                    base64(b"nothing").into()
                } else {
                    turned.into()
                };
            }
            Misbehaviour::None
            | Misbehaviour::Rubbish
            | Misbehaviour::Slow
            | Misbehaviour::BadGateway
            | Misbehaviour::OtherChain
            | Misbehaviour::ForgedHeader
            | Misbehaviour::ManyValidators => {}
        }
        answer
    }
}

/// When the block of a height was made, in milliseconds since the epoch.
pub(crate) fn made_at(golden: &str, height: u64) -> i64 {
    let golden = load(golden);
    let entry = list(&golden["heights"])
        .iter()
        .find(|entry| entry["height"].as_u64() == Some(height))
        .unwrap();
    let time = entry["commit"]["signed_header"]["header"]["time"]
        .as_str()
        .unwrap();
    let time = time::OffsetDateTime::parse(time, &time::format_description::well_known::Rfc3339).unwrap();
    i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap()
}

/// The trusted header of a golden file.
pub(crate) fn anchor(golden: &str) -> Anchor {
    let golden = load(golden);
    let trust = &golden["trust"];
    let hash = hex::decode(trust["trusted_hash"].as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap();
    Anchor {
        height: Height(trust["trusted_height"].as_u64().unwrap()),
        hash,
    }
}

/// A configuration for tests: impatient.
pub(crate) fn config(urls: &[String]) -> Config {
    let urls = urls.iter().map(|url| url.parse().unwrap()).collect();
    Config {
        trust: Some(anchor("chain_light")),
        poll: Duration::from_millis(20),
        request_timeout: Duration::from_millis(700),
        ..Config::new(CHAIN_ID.into(), urls)
    }
}

/// A chain with its folder and owner; stopped when dropped.
pub(crate) struct Subject {
    pub(crate) chain: Chain,
    pub(crate) clock: Clock,
    pub(crate) folder: Arc<tempfile::TempDir>,
    store: Store,
    tasks: Tasks,
}

impl Subject {
    pub(crate) async fn start(config: Config, now_ms: i64) -> Subject {
        Subject::start_in(Arc::new(tempfile::tempdir().unwrap()), config, now_ms).await
    }

    pub(crate) async fn start_in(folder: Arc<tempfile::TempDir>, config: Config, now_ms: i64) -> Subject {
        Subject::start_on(folder, config, now_ms, None).await
    }

    /// On a disk that takes no more than this many pages.
    pub(crate) async fn start_on(
        folder: Arc<tempfile::TempDir>,
        config: Config,
        now_ms: i64,
        max_pages: Option<u32>,
    ) -> Subject {
        let path = folder.path().join("hearth.db");
        let store = Store::open(hearth_store::Config {
            path,
            chain_id: config.chain_id.clone(),
            max_pages,
        })
        .await;
        let store = store.unwrap();
        let (clock, tasks) = (Clock::test(now_ms), Tasks::root());
        let args = Args {
            config,
            store: store.clone(),
            clock: clock.clone(),
            tasks: tasks.child("chain"),
        };
        Subject {
            chain: Chain::start(args).unwrap(),
            clock,
            folder,
            store,
            tasks,
        }
    }

    /// Stops, so that the folder can be used again.
    pub(crate) async fn stop(self) -> Arc<tempfile::TempDir> {
        self.chain.stop();
        self.chain.join().await;
        self.tasks.stop();
        self.store.close().await;
        self.folder
    }

    /// Waits for a head.
    pub(crate) async fn head(&self, wanted: impl Fn(&Head) -> bool) -> Head {
        let mut head = self.chain.head();
        let found = tokio::time::timeout(PATIENCE, head.wait_for(|head| wanted(head))).await;
        match found {
            Ok(found) => found.unwrap().clone(),
            Err(_) => panic!("{:?}\n{:?}", self.chain.head().borrow(), self.chain.endpoints()),
        }
    }

    pub(crate) async fn followed_to(&self, height: u64) -> Head {
        self.head(|head| head.verified_height.0 >= height && head.standing == Standing::Following)
            .await
    }
}
