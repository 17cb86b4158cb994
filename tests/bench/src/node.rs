//! The program with the chain that it embeds, the demo model and a null backend for relays.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::bail;
use serde_json::Value;

/// The demo model, and the service that it is sold as.
pub(crate) const SERVICE: &str = "smollm2-135m-instruct";
/// Sessions long enough for all of it.
const SETTINGS: [(&str, &str); 9] = [
    ("DEVNET__BLOCK_MS", "1000"),
    ("DEVNET__SESSION_BLOCKS", "60"),
    ("DEVNET__GRACE_BLOCKS", "10"),
    ("DEVNET__CLAIM_OPEN_BLOCKS", "11"),
    ("DEVNET__CLAIM_CLOSE_BLOCKS", "4"),
    ("DEVNET__PROOF_OPEN_BLOCKS", "0"),
    ("DEVNET__PROOF_CLOSE_BLOCKS", "4"),
    ("MINER__BACKEND", "null"),
    ("LOG__FILTER", "warn"),
];

/// The program with an embedded chain, on ports of its own.
pub(crate) fn daemon(hearth: &Path, data: &Path) -> Command {
    let mut command = Command::new(hearth);
    command
        .args(["--daemon", "--network", "devnet", "--listen", "127.0.0.1:0"])
        .args(["--devnet-listen", "127.0.0.1:0", "--miner-listen", "127.0.0.1:0"])
        .arg("--data-dir")
        .arg(data);
    command
}

/// The program with an embedded chain, while it runs.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) data: PathBuf,
    pub(crate) http: reqwest::Client,
}

impl Running {
    pub(crate) async fn start(hearth: &Path, data: &Path, models: &Path) -> anyhow::Result<Running> {
        let mut command = daemon(hearth, data);
        command.env("HEARTH_WEIGHTS__DEMO_FOLDER", models);
        for (key, value) in SETTINGS {
            command.env(format!("HEARTH_{key}"), value);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let node = Running {
            child,
            data: data.to_owned(),
            http,
        };
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(90) {
            if node.is_set_up().await.unwrap_or(false) {
                return Ok(node);
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("the set-up did not end")
    }

    async fn is_set_up(&self) -> anyhow::Result<bool> {
        let token = std::fs::read_to_string(self.data.join("api-token"))?;
        let request = self
            .http
            .get(self.url("/api/v1/status")?)
            .bearer_auth(token.trim());
        let status: Value = request.send().await?.json().await?;
        Ok(status.pointer("/setup/done") == Some(&Value::Bool(true)))
    }

    /// An address of the program's API.
    pub(crate) fn url(&self, path: &str) -> anyhow::Result<String> {
        let address = std::fs::read_to_string(self.data.join("api-address"))?;
        Ok(format!("http://{}{path}", address.trim()))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A program that is gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
