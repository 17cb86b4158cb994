//! Connections that are there to be in the way: half-open, half-sent, idle.

use std::{net::SocketAddr, time::Duration};

use hearth_tests::{DEMO, FAST, Node, few_files, free_port, resident_bytes};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// What a node may hold over its idle state, however many knock.
const MOST_MORE_BYTES: u64 = 300 << 20;
/// More than any of the caps, and than the 1,024 files that most systems give a process.
const FLOOD: usize = 1_100;

/// A node with its relay port, under a limit of 1,024 files.
struct Stage {
    node: Node,
    api: SocketAddr,
    relays: SocketAddr,
    idle_bytes: u64,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new(limit: &str) -> Stage {
        // Both ends of what this process opens are its own here.
        let files = hearth_listen::files::raise_limit();
        assert!(
            files.is_none_or(|files| files > 4 * FLOOD as u64),
            "this test needs {} files",
            4 * FLOOD
        );
        let folder = tempfile::tempdir().unwrap();
        let relays: SocketAddr = ([127, 0, 0, 1], free_port().unwrap()).into();
        let command = hearth_tests::command_at(folder.path(), "devnet", FAST, &relays.to_string()).unwrap();
        let node = Node::spawn(few_files(&command, limit, 1024), folder.path())
            .await
            .unwrap();
        node.ready().await.unwrap();
        Stage {
            api: node.url.trim_start_matches("http://").parse().unwrap(),
            relays,
            idle_bytes: resident_bytes(node.pid()).unwrap(),
            node,
            _folder: folder,
        }
    }

    /// The owner's page, a stranger's look at the relay port, and a paid relay: all by new connections.
    async fn everybody_is_served(&self) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let (page, status) = (
            format!("{}/", self.node.url),
            format!("{}/api/v1/status", self.node.url),
        );
        let asked = [
            http.get(page),
            http.get(status).bearer_auth(&self.node.token),
            http.get(format!("http://{}/health", self.relays)),
        ];
        for call in asked {
            let answer = call
                .timeout(Duration::from_secs(60))
                .send()
                .await
                .expect("an answer");
            assert!(answer.status().is_success(), "{answer:?}");
        }
        self.node
            .chat(&format!("pocket/{DEMO}"), "hello", false)
            .await
            .expect("a paid relay");
        let more = resident_bytes(self.node.pid())
            .unwrap()
            .saturating_sub(self.idle_bytes);
        assert!(more < MOST_MORE_BYTES, "{} MB over idle", more >> 20);
    }
}

/// Opens so many connections and sends the same on each. One that is not taken counts, too.
async fn flood(address: SocketAddr, n_connections: usize, sent: &[u8]) -> Vec<TcpStream> {
    let mut open = Vec::new();
    for _ in 0..n_connections {
        let connect = tokio::time::timeout(Duration::from_secs(10), TcpStream::connect(address));
        if let Ok(Ok(mut stream)) = connect.await {
            // One that is cut meanwhile, or whose bytes nobody takes, has done its part.
            let _ = tokio::time::timeout(Duration::from_millis(200), stream.write_all(sent)).await;
            open.push(stream);
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn half_open_and_half_sent_requests_lock_nobody_out() {
    let stage = Stage::new("-Hn").await;
    let mut open = Vec::new();
    for address in [stage.api, stage.relays] {
        open.push(flood(address, FLOOD, b"GET / HT").await);
    }
    for _ in 0..3 {
        stage.everybody_is_served().await;
    }
    // Bodies of which a part comes: 300 MB on each port, if they were all kept.
    let part = vec![b' '; 1 << 20];
    let head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n";
    let half = [head.as_bytes(), &part].concat();
    for address in [stage.api, stage.relays] {
        open.push(flood(address, 300, &half).await);
        stage.everybody_is_served().await;
    }
    // With all of it open, a stop ends in time and in order.
    assert_eq!(stage.node.stop().await.unwrap(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_kept_busy_do_not_lock_the_relay_port() {
    let stage = Stage::new("-Sn").await;
    let relays = stage.relays;
    let keep = async move {
        let mut open = Vec::new();
        loop {
            // Those that were ended come anew.
            let lacking = (FLOOD + 20).saturating_sub(open.len()).min(200);
            open.extend(flood(relays, lacking, b"").await);
            let mut kept = Vec::new();
            for mut stream in open {
                let sent = stream.write_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
                let mut answer = [0; 1024];
                let read = tokio::time::timeout(Duration::from_millis(5), stream.read(&mut answer)).await;
                let is_open = sent.is_ok() && !matches!(read, Ok(Ok(0) | Err(_)));
                // Slower than what one address may ask for in vain, however fast this computer is: it is about places.
                tokio::time::sleep(Duration::from_millis(1)).await;
                if is_open {
                    kept.push(stream);
                }
            }
            open = kept;
        }
    };
    let looks = async {
        for _ in 0..12 {
            stage.everybody_is_served().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        () = keep => {}
        () = looks => {}
    }
    assert_eq!(stage.node.stop().await.unwrap(), Some(0));
}
