//! `hearth chat`: one question and its answer, or a chat in the terminal.

mod input;
mod params;
mod render;
mod talk;

use std::io::{IsTerminal as _, Read as _};

use anyhow::Context as _;
use eventsource_stream::Eventsource as _;
use futures::StreamExt as _;
use hearth_node::control::{Model, ModelKind, ModelList};
use serde_json::{Value, json};

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::{Args, ChatArgs, On},
};

pub(super) async fn run(chat: &ChatArgs, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let client = Client::connect(&place).await?;
    let prompt = match chat.prompt.as_deref() {
        Some("-") => stdin()?,
        Some(prompt) => prompt.to_owned(),
        None if !std::io::stdin().is_terminal() => stdin()?,
        None if out.json || !std::io::stdout().is_terminal() => {
            return Err(Fault::wrong_use("there is no question")
                .remedy("name one, or pipe it in; a chat needs a terminal")
                .into());
        }
        None => return talk::run(chat, &client, &place.layout.chat_history(), out).await,
    };
    if prompt.trim().is_empty() {
        return Err(Fault::wrong_use("the question is empty").into());
    }
    let models: ModelList = client.get("/models").await?;
    let model = choose(chat, &models.models)?;
    let mut request = json!({
        "model": model,
        "messages": [{ "role": "user", "content": prompt }],
        "stream": true,
        "stream_options": { "include_usage": true },
    });
    if let Some(max_tokens) = chat.max_tokens {
        request["max_tokens"] = max_tokens.into();
    }
    if let Some(temperature) = chat.temperature {
        request["temperature"] = temperature.into();
    }
    let response = client.openai("/v1/chat/completions", &request).await?;
    let (text, last) = read(response, out).await?;
    if out.json {
        let reason = last
            .pointer("/choices/0/finish_reason")
            .cloned()
            .unwrap_or_default();
        out.value(
            &json!({ "model": model, "answer": text, "finish_reason": reason, "usage": last["usage"] }),
        );
    } else {
        out.line("");
        if let Some(usage) = last["usage"].as_object() {
            let count = |key: &str| usage.get(key).and_then(Value::as_u64).unwrap_or(0);
            let counts = format!(
                "{} tokens read, {} written",
                count("prompt_tokens"),
                count("completion_tokens")
            );
            out.hint(&format!("{model} · {counts}"));
        }
    }
    Ok(())
}

fn stdin() -> anyhow::Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .context("the question cannot be read from standard input")?;
    Ok(text)
}

/// The model that was named, or the first ready one that runs where it was asked for.
fn choose(chat: &ChatArgs, models: &[Model]) -> Result<String, Exit> {
    if let Some(model) = &chat.model {
        // The daemon knows best whether there is such a model; only a contradiction is told here.
        let kind = models
            .iter()
            .find(|candidate| candidate.id == *model)
            .map(|model| model.kind);
        let wanted = chat.on.map(kind_of);
        if let (Some(kind), Some(wanted)) = (kind, wanted)
            && kind != wanted
        {
            return Err(Fault::wrong_use(format!("{model} does not run there"))
                .remedy("leave --on or --model out")
                .into());
        }
        return Ok(model.clone());
    }
    let usable = |model: &&Model| model.is_for_chat() && chat.on.is_none_or(|on| kind_of(on) == model.kind);
    models
        .iter()
        .find(usable)
        .map(|model| model.id.clone())
        .ok_or_else(|| {
            let fault = match chat.on {
                Some(On::Network) => nothing_on_the_network(models),
                Some(On::Local) | None => Fault::not_ready("no_model", "there is no model on this computer")
                    .remedy("`hearth model add FILE` or `hearth model pull CID`"),
            };
            fault.into()
        })
}

/// Why no model of the network can be asked: what the node says of the first one.
fn nothing_on_the_network(models: &[Model]) -> Fault {
    let reason = models
        .iter()
        .filter(|model| model.kind == ModelKind::Network)
        .find_map(|model| model.unavailable.as_ref());
    let Some(reason) = reason else {
        return Fault::not_ready("network_unavailable", "no model answers on the network now")
            .remedy("`hearth doctor` says why");
    };
    let fact = reason
        .fact
        .as_ref()
        .map(|fact| format!(" ({fact})"))
        .unwrap_or_default();
    let fault = Fault::not_ready(&reason.code, format!("{}{fact}", reason.meaning));
    match &reason.remedy {
        Some(remedy) => fault.remedy(remedy),
        None => fault,
    }
}

fn kind_of(on: On) -> ModelKind {
    match on {
        On::Local => ModelKind::Local,
        On::Network => ModelKind::Network,
    }
}

/// Streams the answer to the terminal. Gives the whole text, and the last chunk with reason and usage merged.
async fn read(response: reqwest::Response, out: &Out) -> anyhow::Result<(String, Value)> {
    let mut events = response.bytes_stream().eventsource();
    let (mut text, mut last) = (String::new(), json!({}));
    while let Some(event) = events.next().await {
        let event = event.context("the answer broke off")?;
        if event.data == "[DONE]" {
            return Ok((text, last));
        }
        let chunk: Value =
            serde_json::from_str(&event.data).context("the answer is not what OpenAI's API says")?;
        if let Some(error) = chunk.get("error") {
            let message = error["message"].as_str().unwrap_or("no reason was given");
            anyhow::bail!("the answer broke off: {message}");
        }
        if let Some(piece) = chunk.pointer("/choices/0/delta/content").and_then(Value::as_str) {
            text.push_str(piece);
            if !out.json {
                out.stream(&render::shown(piece));
            }
        }
        if let Some(reason) = chunk
            .pointer("/choices/0/finish_reason")
            .filter(|reason| !reason.is_null())
        {
            last["choices"] = json!([{ "finish_reason": reason }]);
        }
        if let Some(usage) = chunk.get("usage").filter(|usage| !usage.is_null()) {
            last["usage"] = usage.clone();
        }
    }
    anyhow::bail!("the answer broke off before its end")
}
