//! `hearth model bench`: one long answer, timed from outside as a client sees it.

use std::time::Instant;

use anyhow::Context as _;
use eventsource_stream::Eventsource as _;
use futures::StreamExt as _;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::{Client, Out, out::Glyph};

/// A prompt that no model ends early.
const PROMPT: &str = "Count from one upwards in words, one number after another, and do not stop.";

#[derive(Serialize)]
struct Figures {
    model: String,
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Until the first word, with the model loaded.
    first_token_ms: u64,
    tokens_per_second: f64,
}

pub(super) async fn run(client: &Client, out: &Out, model: &str, tokens: u32) -> anyhow::Result<()> {
    // Loads the model, so that this does not count.
    measure(client, model, 1).await?;
    let figures = measure(client, model, tokens).await?;
    if out.json {
        out.value(&figures);
        return Ok(());
    }
    let rate = format!("{:.1} tokens a second", figures.tokens_per_second);
    let detail = format!("{} written", figures.completion_tokens);
    out.fact(Glyph::Ok, "speed", &rate, &detail);
    let first = format!("{} ms to the first word", figures.first_token_ms);
    out.fact(
        Glyph::Ok,
        "start",
        &first,
        &format!("{} read", figures.prompt_tokens),
    );
    Ok(())
}

async fn measure(client: &Client, model: &str, tokens: u32) -> anyhow::Result<Figures> {
    let request = json!({
        "model": model,
        "messages": [{ "role": "user", "content": PROMPT }],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    let began = Instant::now();
    let mut events = client
        .openai("/v1/chat/completions", &request)
        .await?
        .bytes_stream()
        .eventsource();
    let (mut first, mut last, mut usage) = (None, began, Value::Null);
    while let Some(event) = events.next().await {
        let event = event.context("the answer broke off")?;
        if event.data == "[DONE]" {
            break;
        }
        let chunk: Value =
            serde_json::from_str(&event.data).context("the answer is not what OpenAI's API says")?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            anyhow::bail!(
                "the answer broke off: {}",
                error["message"].as_str().unwrap_or("no reason was given")
            );
        }
        if chunk
            .pointer("/choices/0/delta/content")
            .and_then(Value::as_str)
            .is_some_and(|text| !text.is_empty())
        {
            last = Instant::now();
            first.get_or_insert(last);
        }
        if let Some(found) = chunk.get("usage").filter(|usage| !usage.is_null()) {
            usage = found.clone();
        }
    }
    let first = first.context("the model wrote nothing")?;
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    let completion_tokens = count("completion_tokens");
    // The first token ends the reading of the prompt; the others are the writing.
    let seconds = (last - first).as_secs_f64();
    #[allow(clippy::cast_precision_loss, reason = "a few hundred tokens")]
    let written = completion_tokens.saturating_sub(1) as f64;
    Ok(Figures {
        model: model.to_owned(),
        prompt_tokens: count("prompt_tokens"),
        completion_tokens,
        first_token_ms: u64::try_from((first - began).as_millis()).unwrap_or(u64::MAX),
        tokens_per_second: if seconds > 0.0 { written / seconds } else { 0.0 },
    })
}
