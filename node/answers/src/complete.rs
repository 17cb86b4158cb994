//! `/v1/completions`: the engine's events as OpenAI's older answer, whole or in chunks.

use bytes::Bytes;
use hearth_engine::{Event, TokenLogprob};

use crate::{
    error::{Error, internal},
    generation,
    http::{HttpAnswer, HttpRequest, json, names, new_id, reason, stream},
    models::Models,
    sse,
    types::{CompletionAnswer, CompletionChoice, CompletionLogprobs, CompletionRequest, TextPrompt, Usage},
};

pub(crate) async fn answer(
    models: &Models,
    http: &HttpRequest,
    request: CompletionRequest,
) -> Result<HttpAnswer, Error> {
    let (model, name) = names(http, request.model.as_deref())?;
    let generate = generation::completion(&request, http.priority)?;
    let echo = echo(&request);
    let generation = models.generate(&model, generate).await?;
    let head = ChunkHeader {
        id: new_id("cmpl"),
        created: models.now_seconds(),
        model: name,
        logprobs: request.logprobs.is_some(),
        n_chars: echo.chars().count(),
    };
    if !request.stream {
        return whole(generation, head, echo).await;
    }
    let with_usage = request
        .stream_options
        .is_some_and(|options| options.include_usage);
    let first = if echo.is_empty() {
        None
    } else {
        let usage = with_usage.then_some(None);
        Some(sse::event(&head.envelope(Some((echo, None, None)), usage)).map_err(|_| internal())?)
    };
    let mut head = head;
    Ok(stream(generation, first, move |event| {
        head.write(with_usage, event)
    }))
}

fn echo(request: &CompletionRequest) -> String {
    match &request.prompt {
        Some(TextPrompt::Text(text)) if request.echo => text.clone(),
        Some(TextPrompt::Texts(texts)) if request.echo => texts.concat(),
        Some(
            TextPrompt::Text(_) | TextPrompt::Texts(_) | TextPrompt::Tokens(_) | TextPrompt::TokenLists(_),
        )
        | None => String::new(),
    }
}

/// What all chunks of an answer share.
struct ChunkHeader {
    id: String,
    created: i64,
    model: String,
    logprobs: bool,
    /// Characters of text so far.
    n_chars: usize,
}

type Piece = (String, Option<CompletionLogprobs>, Option<&'static str>);

impl ChunkHeader {
    fn write(&mut self, with_usage: bool, event: &Event) -> Result<Bytes, serde_json::Error> {
        let usage = with_usage.then_some(None);
        match event {
            Event::Token { text, tokens } if text.is_empty() && (tokens.is_empty() || !self.logprobs) => {
                Ok(Bytes::new())
            }
            Event::Token { text, tokens } => {
                let logprobs = self.logprobs_of(tokens);
                self.n_chars += text.chars().count();
                sse::event(&self.envelope(Some((text.clone(), logprobs, None)), usage))
            }
            Event::Finished {
                reason: why,
                usage: used,
                ..
            } => {
                let last =
                    sse::event(&self.envelope(Some((String::new(), None, Some(reason(*why)))), usage))?;
                if !with_usage {
                    return Ok(last);
                }
                let counted = sse::event(&self.envelope(None, Some(Some((*used).into()))))?;
                Ok([last, counted].concat().into())
            }
            Event::Started { .. } | Event::Prompt { .. } | Event::Failed(_) => Ok(Bytes::new()),
        }
    }

    fn logprobs_of(&self, tokens: &[TokenLogprob]) -> Option<CompletionLogprobs> {
        let mut logprobs = CompletionLogprobs::default();
        let mut offset = self.n_chars;
        for token in tokens {
            logprobs.push(token, offset);
            offset += String::from_utf8_lossy(&token.bytes).chars().count();
        }
        self.logprobs.then_some(logprobs)
    }

    fn envelope(&self, piece: Option<Piece>, usage: Option<Option<Usage>>) -> CompletionAnswer {
        let choice = piece.map(|(text, logprobs, finish_reason)| CompletionChoice {
            index: 0,
            text,
            logprobs,
            finish_reason,
        });
        CompletionAnswer {
            id: self.id.clone(),
            object: "text_completion",
            created: self.created,
            model: self.model.clone(),
            choices: choice.into_iter().collect(),
            usage,
            system_fingerprint: None,
        }
    }
}

async fn whole(
    mut generation: generation::Generation,
    head: ChunkHeader,
    mut content: String,
) -> Result<HttpAnswer, Error> {
    let mut tokens = Vec::new();
    loop {
        match generation.next().await.ok_or_else(internal)? {
            Event::Started { .. } | Event::Prompt { .. } => {}
            Event::Token { text, tokens: new } => {
                content.push_str(&text);
                tokens.extend(new);
            }
            Event::Failed(error) => return Err(error.into()),
            Event::Finished {
                reason: why, usage, ..
            } => {
                let logprobs = head.logprobs_of(&tokens);
                return json(&head.envelope(
                    Some((content, logprobs, Some(reason(why)))),
                    Some(Some(usage.into())),
                ));
            }
        }
    }
}
