//! The network as a backend: a model there is a service, and its supplier answers.

use std::time::Duration;

use async_trait::async_trait;
use bytes::BytesMut;
use futures::{StreamExt as _, future::BoxFuture};
use hearth_answers::{
    Answer, Backend, Capacity, Code, Error, Health, ModelEntry, NETWORK_PREFIX, Principal, Request, Task,
    answer::{Body, Generation, Head, Whole},
    openai::ChunkReader,
    sse,
};
use hearth_base::{ServiceId, failure::chain};

use crate::{Gateway, error::Fault};

#[async_trait]
impl Backend for Gateway {
    async fn answer(&self, request: Request, principal: &Principal) -> Result<Answer, Error> {
        let service = request.model.clone();
        let service =
            service.ok_or_else(|| Error::bad_field("model", "no service of the network is named"))?;
        let route = request.operation.route();
        let route = route.ok_or_else(|| Error::not_served("POST", "this", None))?;
        let sent = crate::Request {
            id: request.id,
            principal: Some(principal.clone()),
            most: request.most,
            ..crate::Request::post(ServiceId::new(&service), &format!("/v1/{route}"), request.json())
        };
        let answer = self.send(sent).await?;
        let name = format!("{NETWORK_PREFIX}{service}");
        let head = Head {
            model: request.shown_model(&name).to_owned(),
            created: hearth_base::Clock::system().now_ms() / 1000,
            receipt: Some(answer.id),
            ..Head::default()
        };
        let (parts, receipt) = (answer.body.map(|part| part.map_err(Error::from)), answer.receipt);
        let is_success = (200..=299).contains(&answer.status);
        if is_success && answer.content_type.starts_with(sse::MEDIA_TYPE) {
            // The gateway has limits of its own for what it takes of an answer.
            let chunks = ChunkReader::new(parts.boxed(), usize::MAX, usize::MAX).into_stream();
            let body = if request.stream {
                Body::Stream(chunks)
            } else {
                let collected = Generation::collect(chunks).await;
                Body::Whole(Whole::Generation(after(receipt, collected).await?))
            };
            return Ok(Answer { head, body });
        }
        let mut whole = BytesMut::new();
        let mut parts = parts.boxed();
        while let Some(part) = parts.next().await {
            match part {
                Ok(part) => whole.extend_from_slice(&part),
                Err(error) => return after(receipt, Err(error)).await,
            }
        }
        let whole = whole.freeze();
        if !is_success {
            return Err(refused(answer.status, whole));
        }
        let is_stream = request.operation.may_stream() && !whole.trim_ascii_start().starts_with(b"{");
        let body = if is_stream {
            let parts = futures::stream::iter([Ok(whole)]).boxed();
            let chunks = ChunkReader::new(parts, usize::MAX, usize::MAX).into_stream();
            if request.stream {
                Body::Stream(chunks)
            } else {
                Body::Whole(Whole::Generation(Generation::collect(chunks).await?))
            }
        } else {
            Body::Whole(Whole::Foreign(request.operation, whole))
        };
        Ok(Answer { head, body })
    }

    async fn prepare(&self, _model: Option<&str>) -> Result<(), Error> {
        Ok(())
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        let services = self.services().await?;
        let entry = |model: crate::NetworkModel| ModelEntry {
            name: model.service.to_string(),
            added_at: 0,
            task: Task::Chat,
        };
        Ok(services.into_iter().map(entry).collect())
    }

    fn capacity(&self, _model: Option<&str>) -> Capacity {
        Capacity {
            slots: self.max_concurrent(),
        }
    }

    fn health(&self) -> &Health {
        self.backend_health()
    }
}

/// How long the receipt of an answer that failed may take.
const RECEIPT_WITHIN: Duration = Duration::from_secs(5);

/// A failure once its receipt is kept: whoever counts the cost of it asks for that at once.
async fn after<T>(
    receipt: BoxFuture<'static, Option<crate::Receipt>>,
    result: Result<T, Error>,
) -> Result<T, Error> {
    if result.is_err() {
        // Without one the most that may be claimed stays set aside.
        let _ = tokio::time::timeout(RECEIPT_WITHIN, receipt).await;
    }
    result
}

/// What a supplier signed as an error of the request.
fn refused(status: u16, body: bytes::Bytes) -> Error {
    let message = format!("the supplier refuses the request with status {status}");
    Error {
        status,
        own_words: Some(body).filter(|body| body.trim_ascii_start().starts_with(b"{")),
        ..Error::new(Code::BackendRefused, message)
    }
}

/// Seconds after which what passes by itself, with the next block or session, is worth asking again.
const LATER_SECONDS: u32 = 2;

/// Whose fault it is decides on the status.
impl From<crate::Error> for Error {
    fn from(error: crate::Error) -> Error {
        let text = chain(&error);
        if let crate::Error::UnknownService { .. } = error {
            return Error::new(Code::ModelNotFound, text).param("model");
        }
        if let crate::Error::DailyCap { .. } = error {
            return Error::new(Code::DailyCapReached, text).remedy(
                "Raise the cap under Settings, or wait for the next day (UTC). Local models cost nothing.",
            );
        }
        if let crate::Error::PriceRose { .. } = error {
            return Error::new(Code::PriceRose, text).remedy(
                "Ask again to pay the new price, if the budget allows it. Local models cost nothing.",
            );
        }
        if let crate::Error::OutOfStake { .. } = error {
            return Error::new(Code::OutOfStake, text)
                .remedy("Add to the application's stake, or wait until former sessions are settled.");
        }
        // The message says what stands in the way; the words of the code would say to stake one more.
        if let crate::Error::NotDelegated { .. } | crate::Error::DirectOff { .. } = error {
            return Error::new(Code::ApplicationNotReady, text).remedy(
                "Delegate it under Wallet (`hearth delegate`), or set gateway.direct_signing (Settings, All settings) to \
                 let it sign for itself.",
            );
        }
        if let crate::Error::Unguarded { .. } = error {
            return Error::new(Code::ApplicationNotReady, text).remedy(
                "Delegate it under Wallet (`hearth delegate`), or stake it again with the most that a session may cost.",
            );
        }
        if let crate::Error::Leaving { .. } = error {
            return Error::new(Code::ApplicationNotReady, text)
                .remedy("Stake the application again (`hearth stake application`), or stake another one.");
        }
        match error.fault() {
            // What else a caller does wrong is said above: the request is larger than a supplier takes.
            Fault::Caller => Error::new(Code::Of("too_large"), text),
            Fault::Node => Error::new(Code::GatewayNotReady, text).retry_after(LATER_SECONDS),
            Fault::Application => Error::new(Code::ApplicationNotReady, text),
            Fault::Supplier if error.is_busy() => Error {
                status: 503,
                ..Error::new(Code::SupplierFailed, text).retry_after(LATER_SECONDS)
            },
            Fault::Supplier => {
                Error::new(Code::SupplierFailed, text).remedy("Try again; another supplier may be drawn.")
            }
            Fault::Network => Error::new(Code::NetworkUnavailable, text).retry_after(LATER_SECONDS),
        }
    }
}
