//! A backend that answers at once with the same words: for tests and measurements.

use async_trait::async_trait;

use crate::{
    answer::{Answer, Body, Choice, FinishReason, Generation, Head, Usage, Whole},
    backend::{Backend, Capacity, Health, ModelEntry, Task},
    error::Error,
    principal::Principal,
    request::Request,
};

/// Answers every request with `ok`.
#[derive(Debug)]
pub struct NullBackend {
    /// Answers at once.
    pub slots: usize,
    health: Health,
}

impl Default for NullBackend {
    fn default() -> NullBackend {
        NullBackend {
            slots: 1024,
            health: Health::default(),
        }
    }
}

#[async_trait]
impl Backend for NullBackend {
    async fn answer(&self, request: Request, _principal: &Principal) -> Result<Answer, Error> {
        let ok = Generation {
            choices: vec![Choice {
                text: "ok".to_owned(),
                finish_reason: Some(FinishReason::Stop),
                ..Choice::default()
            }],
            usage: Some(Usage {
                prompt_tokens: 1,
                completion_tokens: 1,
                ..Usage::default()
            }),
        };
        Ok(Answer {
            head: Head {
                model: request.shown_model("null").to_owned(),
                ..Head::default()
            },
            body: if request.stream {
                Body::Stream(ok.into_stream())
            } else {
                Body::Whole(Whole::Generation(ok))
            },
        })
    }

    async fn prepare(&self, _model: Option<&str>) -> Result<(), Error> {
        Ok(())
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        Ok(vec![ModelEntry {
            name: "null".to_owned(),
            added_at: 0,
            task: Task::Chat,
        }])
    }

    fn capacity(&self, _model: Option<&str>) -> Capacity {
        Capacity { slots: self.slots }
    }

    fn health(&self) -> &Health {
        &self.health
    }
}
