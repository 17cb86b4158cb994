//! From a request to the engine's events: checking, queueing, cancelling when the reader goes away.

use std::ops::ControlFlow;

use hearth_engine::{
    EmbedRequest, Embeddings, Event, GenerateRequest, Message, ModelInfo, Priority, Prompt, Sampling, Ticket,
};
use tokio::sync::{mpsc, oneshot};

use crate::{
    error::{Error, internal},
    models::{Lease, Models},
    types::{
        ChatMessage, ChatRequest, CompletionRequest, EmbeddingInput, EmbeddingRequest, SamplingParams, Stop,
        TextPrompt,
    },
};

/// The most alternatives per token, as OpenAI has it.
const MAX_TOP_LOGPROBS: u32 = 20;
/// Events of a generation that are not tokens: `Started`, `Prompt`, `Finished`, and a flush of held-back text.
const OTHER_EVENTS: usize = 4;
/// The most stop strings of an answer; OpenAI has four.
const MAX_STOPS: usize = 16;
/// The longest stop string.
const MAX_STOP_BYTES: usize = 256;
/// The most texts of one embedding request, as OpenAI has it.
const MAX_TEXTS: usize = 2048;

/// An answer that is being written. Dropping it stops the engine's work on it.
pub struct Generation {
    events: mpsc::Receiver<Event>,
    ticket: Ticket,
    _lease: Lease,
}

impl Generation {
    /// The next event; `None` after the last one.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.ticket.cancel();
    }
}

/// A request as its caller wrote it: how to sample, and how long to answer, may be left to the model.
#[derive(Debug)]
pub(crate) struct ParsedRequest {
    pub(crate) request: GenerateRequest,
    sampling: SamplingParams,
}

impl ParsedRequest {
    /// Fills in what the caller left open.
    fn with_defaults_of(self, model: &ModelInfo) -> GenerateRequest {
        let ParsedRequest {
            mut request,
            sampling,
        } = self;
        request.sampling = merged_sampling(&sampling, model.sampling.sampling());
        request.max_tokens = request.max_tokens.or(model.sampling.max_tokens);
        if let (Prompt::Chat { messages, .. }, Some(system)) = (&mut request.prompt, &model.system)
            && messages.iter().all(|message| message.role != "system")
        {
            messages.insert(0, Message::new("system", system.clone()));
        }
        request
    }
}

/// An embedding request at work. Dropping it stops the engine's work on it.
struct EmbedWork(Ticket);

impl Drop for EmbedWork {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Models {
    /// Queues a request and waits until the engine took it on: refusals are errors here, not events.
    ///
    /// # Errors
    /// The engine's refusals, a model that cannot be loaded.
    pub(crate) async fn generate(&self, model: &str, asked: ParsedRequest) -> Result<Generation, Error> {
        let lease = self.lease(model, asked.request.priority).await?;
        let request = asked.with_defaults_of(lease.handle.info());
        // A generation has at most one event per token and no more tokens than the context window, so the engine
        // never finds the channel full: a slow reader costs 131,072 events of some 100 bytes at worst, 13 MB.
        let (sender, mut events) = mpsc::channel(lease.handle.info().context_tokens + OTHER_EVENTS);
        let sink = Box::new(move |event| match sender.try_send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(mpsc::error::TrySendError::Full(_) | mpsc::error::TrySendError::Closed(_)) => {
                ControlFlow::Break(())
            }
        });
        let ticket = lease.handle.generate(request, sink);
        // From here on a caller that goes away cancels the request, even while it waits.
        let mut generation = Generation {
            events: mpsc::channel(1).1,
            ticket,
            _lease: lease,
        };
        let first = events.recv().await;
        generation.events = events;
        match first {
            Some(Event::Started { .. }) => Ok(generation),
            Some(Event::Failed(error)) => Err(error.into()),
            // The engine promises `Started` or `Failed` first.
            Some(Event::Prompt { .. } | Event::Token { .. } | Event::Finished { .. }) | None => {
                Err(internal())
            }
        }
    }

    /// Makes embeddings.
    ///
    /// # Errors
    /// The engine's refusals, a model that cannot be loaded.
    pub async fn embed(&self, model: &str, request: EmbedRequest) -> Result<Embeddings, Error> {
        let lease = self.lease(model, request.priority).await?;
        let (sender, answer) = oneshot::channel();
        let sink = Box::new(move |result| drop(sender.send(result)));
        // From here on a caller that goes away cancels the request.
        let _work = EmbedWork(lease.handle.embed(request, sink));
        answer.await.map_err(|_| internal())?.map_err(Error::from)
    }
}

/// Checks a chat request and brings it into the engine's form.
pub(crate) fn chat(request: &ChatRequest, priority: Priority) -> Result<ParsedRequest, Error> {
    only_one(request.n)?;
    only_text(request.response_format.as_ref())?;
    if request.messages.is_empty() {
        return Err(Error::bad_field(
            "messages",
            "messages is empty: send at least one message",
        ));
    }
    let messages: Result<Vec<Message>, Error> = request
        .messages
        .iter()
        .enumerate()
        .map(|(index, from)| message(index, from))
        .collect();
    let logprobs = if request.logprobs {
        Some(top_logprobs(request.top_logprobs.unwrap_or(0))?)
    } else {
        None
    };
    let prompt = Prompt::Chat {
        messages: messages?,
        tools: request.all_tools(),
    };
    let made = GenerateRequest {
        max_tokens: at_least_one(request.max_completion_tokens.or(request.max_tokens))?,
        stop: stops(&request.sampling)?,
        priority,
        logprobs,
        ..GenerateRequest::new(prompt)
    };
    Ok(ParsedRequest {
        request: made,
        sampling: request.sampling.clone(),
    })
}

/// Checks a completion request and brings it into the engine's form.
pub(crate) fn completion(request: &CompletionRequest, priority: Priority) -> Result<ParsedRequest, Error> {
    only_one(request.n)?;
    only_one(request.best_of)?;
    if request.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
        return Err(Error::bad_field(
            "suffix",
            "suffix is not supported: leave it out",
        ));
    }
    let several = || {
        Error::bad_field(
            "prompt",
            "one prompt at a time is supported: send one request for each",
        )
    };
    let prompt = match request.prompt.clone() {
        None => return Err(Error::bad_field("prompt", "prompt is missing")),
        Some(TextPrompt::Text(text)) => Prompt::Text(text),
        Some(TextPrompt::Tokens(tokens)) => Prompt::Tokens(tokens),
        Some(TextPrompt::Texts(texts)) => Prompt::Text(single(texts).ok_or_else(several)?),
        Some(TextPrompt::TokenLists(lists)) => Prompt::Tokens(single(lists).ok_or_else(several)?),
    };
    if request.echo && !matches!(prompt, Prompt::Text(_)) {
        return Err(Error::bad_field("echo", "echo needs a prompt of text"));
    }
    let logprobs = request.logprobs.map(top_logprobs).transpose()?;
    let made = GenerateRequest {
        // OpenAI's own default for this route.
        max_tokens: at_least_one(request.max_tokens)?.or(Some(16)),
        stop: stops(&request.sampling)?,
        priority,
        logprobs,
        ..GenerateRequest::new(prompt)
    };
    Ok(ParsedRequest {
        request: made,
        sampling: request.sampling.clone(),
    })
}

/// Checks an embedding request and brings it into the engine's form.
pub(crate) fn embedding(request: &EmbeddingRequest, priority: Priority) -> Result<EmbedRequest, Error> {
    let texts = match request.input.clone() {
        None => return Err(Error::bad_field("input", "input is missing")),
        Some(EmbeddingInput::One(text)) => vec![text],
        Some(EmbeddingInput::Many(texts)) => texts,
        Some(EmbeddingInput::Tokens(_) | EmbeddingInput::TokenLists(_)) => {
            return Err(Error::bad_field(
                "input",
                "tokens are not supported as input: send text",
            ));
        }
    };
    if texts.is_empty() || texts.len() > MAX_TEXTS {
        return Err(Error::bad_field(
            "input",
            format!("input has {} texts: send 1 to {MAX_TEXTS}", texts.len()),
        ));
    }
    Ok(EmbedRequest {
        texts,
        truncate: false,
        priority,
    })
}

fn message(index: usize, from: &ChatMessage) -> Result<Message, Error> {
    let content = match &from.content {
        None => String::new(),
        Some(content) => content.text().map_err(|kind| {
            Error::bad_field(
                &format!("messages[{index}].content"),
                format!("a part of type \"{kind}\" is not supported: this model reads text"),
            )
        })?,
    };
    // Newer clients call the system's message the developer's; templates know the older word.
    let role = if from.role == "developer" {
        "system"
    } else {
        &from.role
    };
    Ok(Message {
        role: role.to_owned(),
        content,
        extra: from.extra.clone(),
    })
}

fn only_one(n: Option<u32>) -> Result<(), Error> {
    match n {
        None | Some(1) => Ok(()),
        Some(n) => Err(Error::bad_field(
            "n",
            format!("n is {n}: only 1 is supported, send several requests"),
        )),
    }
}

fn only_text(format: Option<&serde_json::Value>) -> Result<(), Error> {
    let kind = format
        .and_then(|format| format.get("type"))
        .and_then(serde_json::Value::as_str);
    match kind {
        None | Some("text") => Ok(()),
        Some(kind) => Err(Error::bad_field(
            "response_format",
            format!("response_format \"{kind}\" is not supported: use \"text\""),
        )),
    }
}

fn top_logprobs(top: u32) -> Result<u8, Error> {
    u8::try_from(top)
        .ok()
        .filter(|top| u32::from(*top) <= MAX_TOP_LOGPROBS)
        .ok_or_else(|| {
            Error::bad_field(
                "top_logprobs",
                format!("top_logprobs is {top}: it must be 0 to {MAX_TOP_LOGPROBS}"),
            )
        })
}

fn at_least_one(max_tokens: Option<u32>) -> Result<Option<u32>, Error> {
    match max_tokens {
        Some(0) => Err(Error::bad_field(
            "max_tokens",
            "max_tokens is 0: it must be at least 1",
        )),
        max_tokens => Ok(max_tokens),
    }
}

fn single<T>(mut items: Vec<T>) -> Option<T> {
    let last = items.pop();
    last.filter(|_| items.is_empty())
}

/// What the caller asked for, else what suits the model.
fn merged_sampling(asked: &SamplingParams, default: Sampling) -> Sampling {
    Sampling {
        temperature: asked.temperature.unwrap_or(default.temperature),
        top_p: asked.top_p.unwrap_or(default.top_p),
        top_k: asked.top_k.unwrap_or(default.top_k),
        min_p: asked.min_p.unwrap_or(default.min_p),
        seed: asked.seed,
        repetition_penalty: asked.repetition_penalty.unwrap_or(default.repetition_penalty),
        presence_penalty: asked.presence_penalty.unwrap_or(default.presence_penalty),
        frequency_penalty: asked.frequency_penalty.unwrap_or(default.frequency_penalty),
        logit_bias: asked.logit_bias.clone(),
    }
}

/// Every stop string is searched for after every token, so there are few and they are short.
fn stops(asked: &SamplingParams) -> Result<Vec<String>, Error> {
    let texts = asked.stop.clone().map(Stop::into_texts).unwrap_or_default();
    if texts.len() > MAX_STOPS {
        let message = format!("stop has {} texts: send at most {MAX_STOPS}", texts.len());
        return Err(Error::bad_field("stop", message));
    }
    if let Some(long) = texts.iter().map(String::len).find(|len| *len > MAX_STOP_BYTES) {
        let message = format!("stop has a text of {long} bytes: at most {MAX_STOP_BYTES} are read");
        return Err(Error::bad_field("stop", message));
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(body: serde_json::Value) -> Error {
        chat(&serde_json::from_value(body).unwrap(), Priority::Local).unwrap_err()
    }

    #[test]
    fn what_we_cannot_do_is_said_by_name() {
        let hello = json!([{"role": "user", "content": "hello"}]);
        for (body, param) in [
            (json!({"messages": hello, "n": 2}), "n"),
            (json!({"messages": []}), "messages"),
            (
                json!({"messages": hello, "response_format": {"type": "json_object"}}),
                "response_format",
            ),
            (json!({"messages": hello, "max_tokens": 0}), "max_tokens"),
            (
                json!({"messages": hello, "logprobs": true, "top_logprobs": 21}),
                "top_logprobs",
            ),
            (
                json!({"messages": hello, "stop": vec!["x"; MAX_STOPS + 1]}),
                "stop",
            ),
            (
                json!({"messages": hello, "stop": "x".repeat(MAX_STOP_BYTES + 1)}),
                "stop",
            ),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
                "messages[0].content",
            ),
        ] {
            let error = refused(body);
            assert_eq!(
                (error.status, error.param.as_deref()),
                (400, Some(param)),
                "{error}"
            );
        }
    }

    #[test]
    fn as_many_stops_as_allowed_reach_the_engine_on_both_routes() {
        let stops = vec!["x".repeat(MAX_STOP_BYTES); MAX_STOPS];
        let body = json!({"messages": [{"role": "user", "content": "u"}], "stop": stops});
        let request = chat(&serde_json::from_value(body).unwrap(), Priority::Local)
            .unwrap()
            .request;
        assert_eq!(request.stop, stops);
        let body = json!({"prompt": "p", "stop": "s", "temperature": 0, "logit_bias": {"3": 1}});
        let asked = completion(&serde_json::from_value(body).unwrap(), Priority::Local).unwrap();
        let sampling = merged_sampling(&asked.sampling, Sampling::default());
        assert_eq!(
            (asked.request.stop, sampling.temperature),
            (vec!["s".to_owned()], 0.0)
        );
        assert_eq!(sampling.logit_bias[&3], 1.0);
        let body = json!({"prompt": "p", "stop": vec!["x"; MAX_STOPS + 1]});
        let refused = completion(&serde_json::from_value(body).unwrap(), Priority::Local).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some("stop"));
    }

    fn model() -> ModelInfo {
        ModelInfo {
            name: "m".to_owned(),
            kind: hearth_engine::ModelKind::Text,
            architecture: "llama".to_owned(),
            quantisation: "Q4_1".to_owned(),
            parameters: 1,
            context_tokens: 512,
            vocabulary: 1,
            width: 1,
            has_chat_template: true,
            weight_bytes: 1,
            cache_bytes_per_token: 1,
            sampling: hearth_engine::SuggestedSampling {
                temperature: Some(0.2),
                ..hearth_engine::SuggestedSampling::GENERAL
            },
            system: Some("be brief".to_owned()),
        }
    }

    #[test]
    fn what_a_caller_leaves_open_is_filled_in_by_the_model() {
        let filled = |body| {
            let asked = chat(&serde_json::from_value(body).unwrap(), Priority::Local).unwrap();
            asked.with_defaults_of(&model())
        };
        let request = filled(json!({"messages": [{"role": "user", "content": "u"}]}));
        assert_eq!((request.sampling.temperature, request.sampling.top_p), (0.2, 0.9));
        assert_eq!(
            (request.sampling.min_p, request.sampling.repetition_penalty),
            (0.05, 1.0)
        );
        assert_eq!(request.max_tokens, Some(2048));
        let Prompt::Chat { messages, .. } = &request.prompt else {
            panic!("a chat prompt")
        };
        assert_eq!(
            (messages[0].role.as_str(), messages[0].content.as_str()),
            ("system", "be brief")
        );
        let request = filled(json!({
            "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
            "temperature": 1, "top_p": 1, "min_p": 0, "max_tokens": 9,
        }));
        assert_eq!((request.sampling.temperature, request.sampling.top_p), (1.0, 1.0));
        assert_eq!((request.sampling.min_p, request.max_tokens), (0.0, Some(9)));
        let Prompt::Chat { messages, .. } = &request.prompt else {
            panic!("a chat prompt")
        };
        assert_eq!((messages.len(), messages[0].content.as_str()), (2, "s"));
    }

    #[test]
    fn everything_else_reaches_the_engine() {
        let body = json!({
            "messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": "u", "name": "n"}],
            "max_tokens": 3, "max_completion_tokens": 4, "temperature": 0.5, "top_p": 0.9, "top_k": 7, "min_p": 0.1, "seed": 9,
            "presence_penalty": 1, "frequency_penalty": -1, "repetition_penalty": 1.1, "stop": ["x", ""], "logprobs": true,
        });
        let ParsedRequest { request, sampling } =
            chat(&serde_json::from_value(body).unwrap(), Priority::Paid).unwrap();
        assert_eq!(request.max_tokens, Some(4));
        assert_eq!(request.stop, ["x"]);
        assert_eq!(request.logprobs, Some(0));
        assert_eq!(request.priority, Priority::Paid);
        let sampling = merged_sampling(&sampling, Sampling::default());
        assert_eq!(
            (sampling.temperature, sampling.top_k, sampling.seed),
            (0.5, 7, Some(9))
        );
        assert_eq!(
            (sampling.presence_penalty, sampling.frequency_penalty),
            (1.0, -1.0)
        );
        let Prompt::Chat { messages, .. } = request.prompt else {
            panic!("a chat prompt")
        };
        assert_eq!(messages[0].role, "system");
        assert_eq!(messages[1].extra["name"], "n");
    }
}
