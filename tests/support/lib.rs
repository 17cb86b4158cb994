//! Shared by the whole-program tests: a node as a process of its own, that can be asked, killed and started again.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// The service and the model of a devnet's set-up.
pub const DEMO: &str = "smollm2-135m-instruct";

/// Settings of a node under test: key in the environment's form (`DEVNET__BLOCK_MS`) and value.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

/// Short blocks and short windows, so that a session settles in seconds.
pub const FAST: Settings<'static> = &[
    ("DEVNET__BLOCK_MS", "200"),
    ("DEVNET__SESSION_BLOCKS", "8"),
    ("DEVNET__GRACE_BLOCKS", "1"),
    ("DEVNET__CLAIM_OPEN_BLOCKS", "1"),
    ("DEVNET__CLAIM_CLOSE_BLOCKS", "6"),
    ("DEVNET__PROOF_OPEN_BLOCKS", "0"),
    ("DEVNET__PROOF_CLOSE_BLOCKS", "6"),
    ("MINER__BACKEND", "null"),
];

/// Windows that stay open longer than a node takes to come back: the embedded chain makes blocks as soon as it is up.
pub const PATIENT: Settings<'static> = &[
    ("DEVNET__BLOCK_MS", "250"),
    ("DEVNET__SESSION_BLOCKS", "8"),
    ("DEVNET__GRACE_BLOCKS", "1"),
    ("DEVNET__CLAIM_OPEN_BLOCKS", "1"),
    ("DEVNET__CLAIM_CLOSE_BLOCKS", "40"),
    ("DEVNET__PROOF_OPEN_BLOCKS", "0"),
    ("DEVNET__PROOF_CLOSE_BLOCKS", "40"),
    ("MINER__BACKEND", "null"),
];

/// A running node. Dropping it kills it.
pub struct Node {
    child: Child,
    pub data: PathBuf,
    pub url: String,
    pub token: String,
    pub http: reqwest::Client,
}

/// The program under test.
///
/// # Errors
/// A program that is not built.
pub fn program() -> anyhow::Result<PathBuf> {
    // The test lies in `target/debug/deps`, the program two folders up.
    let test = std::env::current_exe()?;
    let folder = test
        .parent()
        .and_then(Path::parent)
        .context("the test lies nowhere")?;
    let program = folder.join(format!("hearth{}", std::env::consts::EXE_SUFFIX));
    if !program.exists() {
        bail!(
            "{} is missing: cargo build -p hearth --no-default-features",
            program.display()
        );
    }
    Ok(program)
}

/// The folder of the test models.
///
/// # Errors
/// No home folder.
pub fn models() -> anyhow::Result<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "a test's own setting")]
    let variable = |name: &str| std::env::var_os(name);
    if let Some(folder) = variable("TEST_MODELS_DIR") {
        return Ok(folder.into());
    }
    let home = variable("HOME").context("HOME is not set")?;
    Ok(PathBuf::from(home).join(".cache/hearth/models"))
}

/// A free port of loopback. Another program could take it before it is used; tests take that risk.
///
/// # Errors
/// No port left.
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The command that starts a node on `data`, with ports of its own.
///
/// # Errors
/// A program that is not built.
pub fn command(data: &Path, network: &str, settings: Settings) -> anyhow::Result<Command> {
    command_at(data, network, settings, "127.0.0.1:0")
}

/// As [`command`], with a relay server that listens where it is told.
///
/// # Errors
/// A program that is not built.
pub fn command_at(data: &Path, network: &str, settings: Settings, miner: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(program()?);
    command
        .args(["--daemon", "--network", network, "--listen", "127.0.0.1:0"])
        .args([
            "--devnet-listen",
            "127.0.0.1:0",
            "--miner-listen",
            miner,
            "--data-dir",
        ])
        .arg(data)
        .env("HEARTH_WEIGHTS__DEMO_FOLDER", models()?)
        // A test may ask more in a minute than a person in a day.
        .env("HEARTH_GATEWAY__DAILY_CAP_UPOKT", "1000000000000");
    for (key, value) in settings {
        command.env(format!("HEARTH_{key}"), value);
    }
    Ok(command)
}

/// A command under a limit of open files: a soft one (`-Sn`), or one that cannot be raised (`-Hn`).
#[cfg(unix)]
#[must_use]
pub fn few_files(command: &Command, limit: &str, files: u32) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args([
            "-c",
            &format!("ulimit -Sn {files}; ulimit {limit} {files}; exec \"$0\" \"$@\""),
        ])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            limited.env(name, value);
        }
    }
    limited
}

/// Bytes of a process in memory.
///
/// # Errors
/// A process that is gone, or a system without `/proc`.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb: u64 = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
    Ok(kb << 10)
}

impl Node {
    /// Starts a node and waits until its API answers.
    ///
    /// # Errors
    /// A node that ends or does not answer within a minute; its log is in the error.
    pub async fn start(data: &Path, network: &str, settings: Settings<'_>) -> anyhow::Result<Node> {
        Node::spawn(command(data, network, settings)?, data).await
    }

    /// As [`Node::start`] with a command of one's own.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn spawn(mut command: Command, data: &Path) -> anyhow::Result<Node> {
        hearth_base::tls::init();
        std::fs::create_dir_all(data)?;
        let log = data.join(".test-log");
        // A former run's address must not be taken for this one's.
        let _ = std::fs::remove_file(data.join("api-address"));
        let mut child = command
            .stdout(Stdio::null())
            .stderr(File::options().create(true).append(true).open(&log)?)
            .spawn()?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(120))
            .build()?;
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait()? {
                bail!("the node ended with {status}:\n{}", tail(&log));
            }
            if let Ok(address) = std::fs::read_to_string(data.join("api-address"))
                && !address.trim().is_empty()
            {
                let url = format!("http://{}", address.trim());
                if http
                    .get(format!("{url}/health"))
                    .send()
                    .await
                    .is_ok_and(|answer| answer.status().is_success())
                {
                    let token = std::fs::read_to_string(data.join("api-token"))?.trim().to_owned();
                    return Ok(Node {
                        child,
                        data: data.to_owned(),
                        url,
                        token,
                        http,
                    });
                }
            }
            if began.elapsed() > Duration::from_secs(60) {
                let _ = child.kill();
                bail!("the node does not answer:\n{}", tail(&log));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Reads a value of the control API.
    ///
    /// # Errors
    /// No answer, or another status than success.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        let request = self
            .http
            .get(format!("{}/api/v1{path}", self.url))
            .bearer_auth(&self.token);
        json(request.send().await?).await
    }

    /// Asks the control API to do something.
    ///
    /// # Errors
    /// As [`Node::get`].
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let request = self
            .http
            .post(format!("{}/api/v1{path}", self.url))
            .bearer_auth(&self.token)
            .json(body);
        json(request.send().await?).await
    }

    /// A whole answer of a model. The future ends when the last byte is here.
    ///
    /// # Errors
    /// As [`Node::get`].
    pub async fn chat(&self, model: &str, prompt: &str, stream: bool) -> anyhow::Result<String> {
        let body = serde_json::json!({
            "model": model,
            "messages": [{ "role": "user", "content": prompt }],
            "max_tokens": 16,
            "temperature": 0,
            "stream": stream,
        });
        let request = self
            .http
            .post(format!("{}/v1/chat/completions", self.url))
            .bearer_auth(&self.token)
            .json(&body);
        let answer = request.send().await?;
        let status = answer.status();
        let text = answer.text().await?;
        if !status.is_success() {
            bail!("{status}: {text}");
        }
        if !stream {
            let value: Value = serde_json::from_str(&text)?;
            return Ok(value
                .pointer("/choices/0/message/content")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned());
        }
        if !text.trim_end().ends_with("[DONE]") {
            bail!("the stream broke off: {text}");
        }
        let pieces = text
            .lines()
            .filter_map(|line| line.strip_prefix("data: "))
            .filter_map(|data| {
                let chunk: Value = serde_json::from_str(data).ok()?;
                chunk
                    .pointer("/choices/0/delta/content")
                    .and_then(Value::as_str)
                    .map(str::to_owned)
            });
        Ok(pieces.collect())
    }

    /// Asks until `done` is content with the answer.
    ///
    /// # Errors
    /// Not within the time; the last answer and the log are in the error.
    pub async fn wait(
        &self,
        path: &str,
        within: Duration,
        done: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let began = Instant::now();
        let mut last = Value::Null;
        while began.elapsed() < within {
            if let Ok(value) = self.get(path).await {
                if done(&value) {
                    return Ok(value);
                }
                last = value;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!(
            "{path} did not come to what was waited for: {last:#}\n{}",
            tail(&self.data.join(".test-log"))
        )
    }

    /// Waits until the set-up is done and the network model answers.
    ///
    /// # Errors
    /// Not within two minutes.
    pub async fn ready(&self) -> anyhow::Result<()> {
        self.wait("/status", Duration::from_secs(120), |status| {
            status.pointer("/setup/done") == Some(&Value::Bool(true))
        })
        .await?;
        let began = Instant::now();
        loop {
            match self.chat(&format!("pocket/{DEMO}"), "hello", false).await {
                Ok(_) => return Ok(()),
                Err(error) if began.elapsed() > Duration::from_secs(60) => {
                    bail!(
                        "the network does not answer: {error:#}\n{}",
                        tail(&self.data.join(".test-log"))
                    )
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// A process that is gone already.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and the exit code.
    ///
    /// # Errors
    /// A process that does not end within 40 seconds.
    pub async fn stop(mut self) -> anyhow::Result<Option<i32>> {
        Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()?;
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(40) {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the node did not stop:\n{}", tail(&self.data.join(".test-log")))
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // A node that is gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn json(answer: reqwest::Response) -> anyhow::Result<Value> {
    let status = answer.status();
    let text = answer.text().await?;
    if !status.is_success() {
        bail!("{status}: {text}");
    }
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))
}

/// The last lines of a log.
#[must_use]
pub fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
