//! On the relay port: what was overheard is sent again, and what is no relay is sent at all.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, response::IntoResponse};
use hearth_base::Tasks;
use hearth_pocket::{
    message::relay::RelayRequest,
    payload::{Headers, HttpRequest},
};
use hearth_tests::{DEMO, Node, Settings, command_at, free_port};
use prost::Message as _;
use rand::RngExt as _;

/// A session is served for as long again as it lasts, so that what was overheard stays good for a while.
const LONG: Settings<'static> = &[
    ("DEVNET__BLOCK_MS", "100"),
    ("DEVNET__SESSION_BLOCKS", "100"),
    ("DEVNET__GRACE_BLOCKS", "99"),
    ("DEVNET__CLAIM_OPEN_BLOCKS", "99"),
    ("DEVNET__CLAIM_CLOSE_BLOCKS", "40"),
    ("DEVNET__PROOF_OPEN_BLOCKS", "0"),
    ("DEVNET__PROOF_CLOSE_BLOCKS", "40"),
    ("MINER__BACKEND", "null"),
];

/// Somebody between gateway and supplier who hears every relay.
#[derive(Clone)]
struct Listening {
    intercepted: Arc<Mutex<Vec<Bytes>>>,
    supplier: String,
    http: reqwest::Client,
}

async fn intercept(State(listening): State<Listening>, relay: Bytes) -> impl IntoResponse {
    listening.intercepted.lock().unwrap().push(relay.clone());
    let post = listening.http.post(&listening.supplier).body(relay);
    match post.send().await {
        Ok(answer) => (answer.status(), answer.bytes().await.unwrap_or_default()),
        Err(_) => (reqwest::StatusCode::BAD_GATEWAY, Bytes::new()),
    }
}

/// A node that earns behind a listener, which has heard a relay.
struct Target {
    node: Node,
    listening: Listening,
    intercepted: Bytes,
    tasks: Tasks,
}

impl Target {
    async fn start(data: &Path) -> Target {
        hearth_base::tls::init();
        let tasks = Tasks::root();
        let listening = Listening {
            intercepted: Arc::default(),
            supplier: format!("http://127.0.0.1:{}", free_port().unwrap()),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let public = format!("http://{}", socket.local_addr().unwrap());
        let router = Router::new().fallback(intercept).with_state(listening.clone());
        tasks.spawn_until_stopped("listen in", async move {
            axum::serve(socket, router).await.unwrap();
        });
        let settings = [LONG, &[("MINER__PUBLIC_URL", public.as_str())]].concat();
        let miner = listening.supplier.trim_start_matches("http://");
        let command = command_at(data, "devnet", &settings, miner).unwrap();
        let node = Node::spawn(command, data).await.unwrap();
        node.ready().await.unwrap();
        let intercepted = listening.intercepted.lock().unwrap().last().unwrap().clone();
        Target {
            node,
            listening,
            intercepted,
            tasks,
        }
    }

    /// Asks once more, so that what was heard is of a session that is not over.
    async fn refresh(&mut self) {
        let model = format!("pocket/{DEMO}");
        self.node.chat(&model, "hello", false).await.unwrap();
        self.intercepted = self.listening.intercepted.lock().unwrap().last().unwrap().clone();
    }

    /// Sends bytes to the relay port.
    async fn send(&self, bytes: Vec<u8>) -> (u16, Bytes) {
        let sent = self
            .node
            .http
            .post(&self.listening.supplier)
            .body(bytes)
            .send()
            .await;
        let answer = sent.unwrap();
        (answer.status().as_u16(), answer.bytes().await.unwrap())
    }

    /// Answers of all sessions so far.
    async fn answers(&self) -> u64 {
        let sessions = self.node.get("/earning/sessions").await.unwrap();
        let sessions = sessions["sessions"].as_array().unwrap();
        sessions
            .iter()
            .map(|session| session["answers"].as_u64().unwrap())
            .sum()
    }

    /// Resident memory in MB, where the system says it.
    fn resident_mb(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.node.pid())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? / 1024)
    }

    async fn stop(self) {
        self.tasks.stop();
        assert_eq!(self.node.stop().await.unwrap(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_was_overheard_is_not_answered_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut target = Target::start(folder.path()).await;
    target.refresh().await;
    let before = target.answers().await;
    assert!(before > 0);
    for tail in 0..20 {
        // The signature may be written in other ways that hold; they are the same one.
        let mut request = RelayRequest::decode(target.intercepted.clone()).unwrap();
        request.meta.signature.extend(std::iter::repeat_n(7, tail));
        let (status, body) = target.send(request.encode_to_vec()).await;
        assert_eq!(status, 409, "{}", String::from_utf8_lossy(&body));
    }
    assert_eq!(target.answers().await, before, "nobody pays for a replay");
    target
        .node
        .chat(&format!("pocket/{DEMO}"), "hello", true)
        .await
        .unwrap();
    target
        .node
        .wait("/earning/sessions", Duration::from_secs(20), |sessions| {
            let sessions = sessions["sessions"].as_array().unwrap();
            sessions
                .iter()
                .map(|session| session["answers"].as_u64().unwrap())
                .sum::<u64>()
                == before + 1
        })
        .await
        .unwrap();
    target.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_on_the_relay_port_is_refused_and_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::start(folder.path()).await;
    let idle = target.resident_mb();
    let before = target.answers().await;
    let with_payload = |payload: Vec<u8>| RelayRequest {
        payload: payload.into(),
        ..RelayRequest::decode(target.intercepted.clone()).unwrap()
    };
    // Four bytes on the wire would be some hundred in memory, each time.
    let many = with_payload([0x12, 0x02, 0x0a, 0x00].repeat(2 << 20)).encode_to_vec();
    let long = HttpRequest {
        headers: Headers::from([("X".to_owned(), vec!["y".repeat(40_000)])]),
        ..HttpRequest::default()
    };
    let mut long_names = RelayRequest::decode(target.intercepted.clone()).unwrap();
    long_names.meta.supplier_operator_address = "p".repeat(4 << 20);
    let mut attacks = vec![
        Vec::new(),
        b"GET / HTTP/1.1".to_vec(),
        vec![0xff; 1 << 20],
        with_payload(long.encode().to_vec()).encode_to_vec(),
        long_names.encode_to_vec(),
        vec![0x0a; 30 << 20],
    ];
    attacks.extend(std::iter::repeat_n(many, 8));
    // Each with one bit of the good relay turned.
    let mut random = rand::rng();
    for _ in 0..200 {
        let mut turned = target.intercepted.to_vec();
        let at = random.random_range(0..turned.len());
        turned[at] ^= 1 << random.random_range(0..8);
        attacks.push(turned);
    }
    for attack in attacks {
        // Who sends more than the embedded chain can prove may find the connection closed before he has sent all of it.
        let Ok(answer) = target
            .node
            .http
            .post(&target.listening.supplier)
            .body(attack.clone())
            .send()
            .await
        else {
            assert!(attack.len() > 512 << 10);
            continue;
        };
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        assert!(
            (400..600).contains(&status),
            "{status} for {} bytes",
            attack.len()
        );
        let said: serde_json::Value = serde_json::from_slice(&body).expect("a refusal is JSON");
        assert!(said["error"].as_str().unwrap().len() < 1_000);
    }
    assert_eq!(target.answers().await, before);
    if let (Some(idle), Some(now)) = (idle, target.resident_mb()) {
        assert!(now < idle + 300, "{idle} MB before, {now} MB after");
    }
    target
        .node
        .chat(&format!("pocket/{DEMO}"), "hello", false)
        .await
        .unwrap();
    target.stop().await;
}
