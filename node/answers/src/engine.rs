//! This computer's engine as a backend.

mod generation;
mod models;
mod plan;
mod stream;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use hearth_engine::{EmbedInput, EmbedRequest, Origin};

pub use models::{Args, Library, LibraryError, LoadedModel, Models, Snapshot};

use crate::{
    answer::{Answer, Body, Embeddings, Form, Generation, Head, Whole},
    backend::{Backend, Capacity, Health, ModelEntry},
    error::Error,
    principal::Principal,
    request::{DetokenizeRequest, EmbeddingInput, EmbeddingRequest, Request, RequestBody, TokenizeRequest},
};
use models::Lease;
use plan::Plan;
use stream::Texts;

/// The most texts of one request, and the most bytes of the copies of it that they take.
const MAX_TEXTS: u64 = 2048;
const MAX_COPIED_BYTES: u64 = 64 << 20;

/// Tells the texts of one request from those of another.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

/// Answers with the models of this node.
#[derive(Clone)]
pub struct EngineBackend {
    models: Models,
    slots: usize,
    health: Arc<Health>,
}

impl EngineBackend {
    /// Answers with these models, so many at once.
    #[must_use]
    pub fn new(models: Models, slots: usize) -> EngineBackend {
        EngineBackend {
            models,
            slots: slots.max(1),
            health: Arc::default(),
        }
    }

    async fn texts(
        &self,
        lease: Lease,
        mut plans: Vec<Plan>,
        request: &Request,
        principal: &Principal,
        head: Head,
    ) -> Result<Answer, Error> {
        let origin = Origin {
            asker: principal.asker(),
            request: REQUESTS.fetch_add(1, Ordering::Relaxed),
        };
        for plan in &mut plans {
            plan.request.origin = origin;
        }
        let fingerprint = lease.address.as_ref();
        let fingerprint =
            fingerprint.map(|address| format!("{address}-hearth-{}", env!("CARGO_PKG_VERSION")));
        let Texts {
            chunks,
            prompt_tokens,
            notes,
        } = stream::texts(Arc::new(lease), plans).await?;
        let head = Head {
            fingerprint,
            prompt_tokens: Some(prompt_tokens),
            notes,
            ..head
        };
        let body = if request.stream {
            Body::Stream(chunks)
        } else {
            Body::Whole(Whole::Generation(Generation::collect(chunks).await?))
        };
        Ok(Answer { head, body })
    }

    async fn embeddings(
        &self,
        model: &str,
        request: &EmbeddingRequest,
        principal: &Principal,
    ) -> Result<Embeddings, Error> {
        let inputs = request.inputs.iter().map(|input| match input {
            EmbeddingInput::Text(text) => EmbedInput::Text(text.clone()),
            EmbeddingInput::Tokens(tokens) => EmbedInput::Tokens(tokens.clone()),
        });
        let inputs: Vec<EmbedInput> = inputs.collect();
        if inputs.iter().any(|input| matches!(input, EmbedInput::Tokens(_))) {
            let lease = self.models.lease(model, principal.priority()).await?;
            check_own_tokens(&lease, &inputs)?;
        }
        let made = self
            .models
            .embed(
                model,
                EmbedRequest {
                    inputs,
                    truncate: request.truncate,
                    dimensions: request
                        .dimensions
                        .map(|dimensions| usize::try_from(dimensions).unwrap_or(usize::MAX)),
                    priority: principal.priority(),
                },
            )
            .await?;
        Ok(Embeddings {
            vectors: made.vectors,
            prompt_tokens: made.prompt_tokens,
        })
    }
}

#[async_trait]
impl Backend for EngineBackend {
    async fn answer(&self, request: Request, principal: &Principal) -> Result<Answer, Error> {
        let answered = self.answer_to(&request, principal).await;
        // Who pays did not choose the model file: its faults are the seller's.
        answered.map_err(|error| {
            if principal.is_buyer() {
                error.towards_a_buyer()
            } else {
                error
            }
        })
    }

    async fn prepare(&self, model: Option<&str>) -> Result<(), Error> {
        let name = match model {
            Some(name) => name.to_owned(),
            None => self.models.only_one().await?,
        };
        self.models.load(&name).await.map(drop)
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        Ok(self.models.list().await)
    }

    fn capacity(&self, _model: Option<&str>) -> Capacity {
        Capacity { slots: self.slots }
    }

    fn health(&self) -> &Health {
        &self.health
    }
}

impl EngineBackend {
    async fn answer_to(&self, request: &Request, principal: &Principal) -> Result<Answer, Error> {
        check_copies(request)?;
        let body = request.body()?;
        let name = match &request.model {
            Some(name) => name.clone(),
            None => self.models.only_one().await?,
        };
        let head = |form: Form| Head {
            model: request.shown_model(&name).to_owned(),
            created: self.models.now_seconds(),
            form,
            ..Head::default()
        };
        let lease = |body: &RequestBody| {
            tracing::trace!(kind = ?std::mem::discriminant(body), "a request for the engine");
            self.models.lease(&name, principal.priority())
        };
        let whole = |form, content| Answer {
            head: head(form),
            body: Body::Whole(content),
        };
        match body.as_ref() {
            RequestBody::Chat(chat) => {
                let lease = lease(&body).await?;
                let plans = plan::chat(chat, &lease.handle, principal.priority())?;
                let form = Form {
                    legacy_functions: chat.legacy_functions,
                    ..Form::default()
                };
                self.texts(lease, plans, request, principal, head(form)).await
            }
            RequestBody::Completion(completion) => {
                let lease = lease(&body).await?;
                let plans = plan::completion(completion, &lease.handle, principal.priority())?;
                let head = head(Form::default());
                let answer = self.texts(lease, plans, request, principal, head).await;
                answer.map_err(|error| match error.param.as_deref() {
                    Some("messages") => Error {
                        message: error.message.replace("your messages", "your prompt"),
                        ..error.param("prompt")
                    },
                    _ => error,
                })
            }
            RequestBody::Embedding(embedding) => {
                let form = Form {
                    as_base64: embedding.as_base64,
                    ..Form::default()
                };
                let made = self.embeddings(&name, embedding, principal).await?;
                Ok(whole(form, Whole::Embeddings(made)))
            }
            RequestBody::Tokenize(tokenize) => {
                let lease = lease(&body).await?;
                let tokens = tokens(lease, tokenize.clone()).await?;
                Ok(whole(Form::default(), Whole::Tokens(tokens)))
            }
            RequestBody::Detokenize(DetokenizeRequest { tokens }) => {
                let lease = lease(&body).await?;
                let text = lease.handle.detokenize(tokens, false);
                let text = text.map_err(|error| Error::from(error).param("tokens"))?;
                Ok(whole(Form::default(), Whole::Text(text)))
            }
        }
    }
}

/// Refuses more texts than are made at once, before anything is copied for them.
fn check_copies(request: &Request) -> Result<(), Error> {
    let n = request.n_texts();
    if n > MAX_TEXTS {
        return Err(Error::bad_field(
            "n",
            format!("n times the prompts is {n}: at most {MAX_TEXTS} texts are made at once"),
        ));
    }
    if n > 1 && (request.json().len() as u64).saturating_mul(n) > MAX_COPIED_BYTES {
        return Err(Error::bad_field(
            "n",
            format!("{n} texts of so long a request are too many at once: send several requests"),
        ));
    }
    Ok(())
}

/// Refuses tokens that this model's own tokenizer cannot have made: LangChain sends those of OpenAI's vocabulary, and
/// vectors of them would be of other words.
fn check_own_tokens(lease: &Lease, inputs: &[EmbedInput]) -> Result<(), Error> {
    let first = lease.handle.tokenize("", true)?.first().copied();
    let is_foreign = |input: &EmbedInput| match input {
        EmbedInput::Tokens(tokens) => first.is_some() && tokens.first().copied() != first,
        EmbedInput::Text(_) => false,
    };
    match inputs.iter().position(is_foreign) {
        None => Ok(()),
        Some(index) => Err(Error::bad_field(
            &format!("input[{index}]"),
            format!(
                "the tokens do not begin with this model's own first one ({}), so they are of another vocabulary: send \
                 text (LangChain: check_embedding_ctx_length=False), or tokens of this model with those around a text",
                first.unwrap_or_default()
            ),
        )),
    }
}

/// The tokens of a text or of a conversation. Long texts take a moment, so it is made off the async threads.
async fn tokens(lease: Lease, request: TokenizeRequest) -> Result<Vec<u32>, Error> {
    let split = tokio::task::spawn_blocking(move || match request {
        TokenizeRequest::Text { text, add_special } => {
            let tokens = lease.handle.tokenize(&text, add_special);
            tokens.map_err(|error| Error::from(error).param("prompt"))
        }
        TokenizeRequest::Chat(chat) => Ok(lease
            .handle
            .tokens_of(plan::conversation(&chat, &lease.handle)?)?),
    });
    split.await.map_err(|_| crate::error::internal())?
}
