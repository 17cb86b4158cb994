//! Answers over the API: how long a client waits for the first text, and how fast the rest comes.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};

use crate::{
    node::{Running, SERVICE},
    table::{as_f64, figure, median, section},
};

/// Questions of each kind. The first ones load the model and open the session, and are not counted.
const QUESTIONS: usize = 40;
const WARM_UP: usize = 5;
/// Length of a local answer: enough to tell its speed.
const TOKENS: u32 = 32;
/// How often a first answer of the network is asked for, once a second: a new stake counts from the next session.
const TRIES: usize = 90;

pub(crate) async fn run(hearth: Option<&Path>, models: &Path) -> anyhow::Result<()> {
    section("answers over the API, streamed");
    let Some(hearth) = hearth else {
        figure("not measured", "", "name the program with --hearth");
        return Ok(());
    };
    let folder = tempfile::tempdir()?;
    let node = Running::start(hearth, &folder.path().join("data"), models).await?;
    let local = measure(&node, SERVICE).await?;
    local.print("local, the demo model", true);
    let network = format!("pocket/{SERVICE}");
    until_sold(&node, &network).await?;
    measure(&node, &network)
        .await?
        .print("network, null backend", false);
    Ok(())
}

/// Waits until the network answers.
async fn until_sold(node: &Running, model: &str) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        if ask(node, model).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    ask(node, model).await.map(|_| ())
}

/// What a client saw of one answer.
struct Seen {
    first: Duration,
    whole: Duration,
    n_parts: usize,
}

struct Figures {
    first_ms: f64,
    whole_ms: f64,
    parts_per_second: f64,
}

impl Figures {
    fn print(&self, what: &str, has_many_parts: bool) {
        figure(
            &format!("{what}: first text"),
            &format!("{:.2} ms", self.first_ms),
            "",
        );
        figure(&format!("{what}: whole"), &format!("{:.2} ms", self.whole_ms), "");
        if has_many_parts {
            let rate = format!("{:.0} parts/s", self.parts_per_second);
            figure(&format!("{what}: after the first text"), &rate, "");
        }
    }
}

async fn measure(node: &Running, model: &str) -> anyhow::Result<Figures> {
    let (mut firsts, mut wholes, mut rates) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..WARM_UP + QUESTIONS {
        let seen = ask(node, model).await?;
        if n < WARM_UP {
            continue;
        }
        firsts.push(seen.first.as_secs_f64() * 1e3);
        wholes.push(seen.whole.as_secs_f64() * 1e3);
        let rest = (seen.whole - seen.first).as_secs_f64();
        rates.push(as_f64(seen.n_parts.saturating_sub(1)) / rest.max(1e-9));
    }
    Ok(Figures {
        first_ms: median(firsts),
        whole_ms: median(wholes),
        parts_per_second: median(rates),
    })
}

async fn ask(node: &Running, model: &str) -> anyhow::Result<Seen> {
    let body = serde_json::json!({
        "model": model,
        "stream": true,
        "max_tokens": TOKENS,
        "temperature": 0,
        "messages": [{ "role": "user", "content": "Name the days of the week." }],
    });
    let began = Instant::now();
    let request = node.http.post(node.url("/v1/chat/completions")?).json(&body);
    let mut answer = request.send().await?;
    if !answer.status().is_success() {
        bail!("{model} was refused: {}", answer.text().await?);
    }
    let (mut first, mut n_parts) = (None, 0);
    let mut line = Vec::new();
    while let Some(bytes) = answer.chunk().await? {
        for byte in bytes {
            if byte != b'\n' {
                line.push(byte);
                continue;
            }
            if has_text(&line) {
                first.get_or_insert_with(|| began.elapsed());
                n_parts += 1;
            }
            line.clear();
        }
    }
    Ok(Seen {
        first: first.with_context(|| format!("{model} gave no text"))?,
        whole: began.elapsed(),
        n_parts,
    })
}

/// Whether a line of the stream brings text.
fn has_text(line: &[u8]) -> bool {
    let event = line.strip_prefix(b"data:").unwrap_or_default();
    let event: serde_json::Value = serde_json::from_slice(event).unwrap_or_default();
    let text = event
        .pointer("/choices/0/delta/content")
        .and_then(|text| text.as_str());
    text.is_some_and(|text| !text.is_empty())
}
