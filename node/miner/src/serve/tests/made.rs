//! Backends whose answers are made by a function, as servers give them: whole, late, or in parts.

use async_trait::async_trait;
use bytes::BytesMut;
use futures::StreamExt as _;
use hearth_answers::{
    Backend, Capacity, Health, ModelEntry, Operation,
    answer::{Head, Whole},
    judge::judge,
    openai::ChunkReader,
};

use super::super::*;

pub(super) type Parts = BoxStream<'static, Result<Bytes, Error>>;

/// What a backend of these tests answers with.
pub(super) enum Made {
    Whole(Bytes),
    /// One answer that takes its time.
    Parts(Parts),
    Stream(Parts),
}

/// A backend whose answer is made by a function.
pub(super) struct Maker<F> {
    make: F,
    health: Health,
}

pub(super) fn made<F: Fn(Request) -> Made + Send + Sync + 'static>(make: F) -> Maker<F> {
    Maker {
        make,
        health: Health::default(),
    }
}

#[async_trait]
impl<F: Fn(Request) -> Made + Send + Sync + 'static> Backend for Maker<F> {
    async fn answer(&self, request: Request, _principal: &Principal) -> Result<Answer, Error> {
        let head = Head {
            model: request.shown_model("own").to_owned(),
            ..Head::default()
        };
        let body = match (self.make)(request) {
            Made::Whole(body) => body,
            Made::Parts(mut parts) => {
                let mut all = BytesMut::new();
                while let Some(part) = parts.next().await {
                    all.extend_from_slice(&part?);
                }
                all.freeze()
            }
            Made::Stream(parts) => {
                let chunks = ChunkReader::new(parts, usize::MAX, usize::MAX).into_stream();
                return Ok(Answer {
                    head,
                    body: Body::Stream(chunks),
                });
            }
        };
        match judge(Operation::Chat, 200, &body) {
            Verdict::Counts => Ok(Answer {
                head,
                body: Body::Whole(Whole::Foreign(Operation::Chat, body)),
            }),
            other @ Verdict::NoRoute | other @ Verdict::NoAnswer(_) => {
                Err(Error::new(Code::BackendFailed, format!("{other:?}")))
            }
        }
    }

    async fn prepare(&self, _model: Option<&str>) -> Result<(), Error> {
        Ok(())
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        Ok(Vec::new())
    }

    fn capacity(&self, _model: Option<&str>) -> Capacity {
        Capacity { slots: 2 }
    }

    fn health(&self) -> &Health {
        &self.health
    }
}
