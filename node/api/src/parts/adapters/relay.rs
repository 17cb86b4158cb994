//! Network models, over the gateway.

use axum::http::StatusCode;
use futures::{FutureExt as _, StreamExt as _};
use hearth_base::ServiceId;
use hearth_gateway::{Error, Fault, Gateway, NetworkModel, Outcome, Receipt, Request, Unavailable};
use uuid::Uuid;

use crate::{
    control::types::{
        BoughtAnswer, BoughtAnswerList, Charge, Model, ModelKind, ModelState, ModelTask, NetworkBudget,
        NetworkReceipt, Reason, Timestamp, Upokt,
    },
    error::ApiError,
    parts::{Answer, Relay, RelayAnswer, RelayCall, RelayReceipt, Window},
};

/// The gateway behind the API.
pub struct GatewayRelay {
    pub gateway: Gateway,
}

#[async_trait::async_trait]
impl Relay for GatewayRelay {
    async fn models(&self) -> Answer<Vec<Model>> {
        let models = self.gateway.services().await.map_err(error)?;
        Ok(models.into_iter().map(model).collect())
    }

    async fn send(&self, call: RelayCall) -> Answer<RelayAnswer> {
        let request = Request {
            id: call.id,
            ..Request::post(ServiceId::new(call.service), &call.path, call.body)
        };
        let answer = self.gateway.send(request).await.map_err(error)?;
        Ok(RelayAnswer {
            status: answer.status,
            content_type: answer.content_type,
            body: answer.body.map(|part| part.map_err(error)).boxed(),
            receipt: answer
                .receipt
                .map(|receipt| receipt.as_ref().map(relay_receipt))
                .boxed(),
        })
    }

    async fn receipt(&self, id: Uuid) -> Answer<Option<BoughtAnswer>> {
        Ok(self.gateway.receipt(id).await?.map(bought))
    }

    async fn receipts(&self, window: Window) -> Answer<BoughtAnswerList> {
        let receipts = self.gateway.receipts(window.limit, window.offset).await?;
        Ok(BoughtAnswerList {
            answers: receipts.into_iter().map(bought).collect(),
            total: self.gateway.n_receipts().await?,
        })
    }

    async fn budget(&self) -> Answer<NetworkBudget> {
        let budget = self.gateway.budget().await?;
        Ok(NetworkBudget {
            daily_cap: Upokt(budget.daily_cap),
            spent_today: Upokt(budget.spent_today),
        })
    }

    async fn set_daily_cap(&self, cap: Upokt) -> Answer<()> {
        Ok(self.gateway.set_daily_cap(cap.0).await?)
    }
}

fn model(model: NetworkModel) -> Model {
    Model {
        id: model.model,
        kind: ModelKind::Network,
        task: ModelTask::Chat,
        title: model.title,
        state: if model.unavailable.is_some() {
            ModelState::Unavailable
        } else {
            ModelState::Ready
        },
        unavailable: model.unavailable.map(reason),
        cid: None,
        size_bytes: None,
        context_tokens: None,
        parameters: None,
        architecture: None,
        quantisation: None,
        licence: None,
        added_at: None,
        verified_at: None,
        serves: Vec::new(),
        service: Some(model.service.to_string()),
        price_per_answer: Some(Upokt(model.price)),
        suppliers: model.suppliers.and_then(|n| u32::try_from(n).ok()),
    }
}

fn reason(why: Unavailable) -> Reason {
    let (code, meaning, remedy) = match why {
        Unavailable::NoKey => (
            "no_wallet",
            "There is no wallet, so nobody signs for an answer.",
            "Make a wallet.",
        ),
        Unavailable::NoApplication => (
            "needs_application",
            "No application is staked for this service and delegated to this gateway.",
            "Set money aside for chat.",
        ),
        Unavailable::OutOfStake => (
            "out_of_stake",
            "What was set aside for this service is used up.",
            "Add to it.",
        ),
        Unavailable::DailyCap => (
            "daily_cap_reached",
            "One answer more would cost more than answers of the network may cost in a day.",
            "Raise the cap under Settings, or wait until midnight UTC.",
        ),
        Unavailable::NoSupplier => (
            "no_supplier",
            "Nobody serves it in the current session.",
            "Wait for the next session.",
        ),
    };
    Reason {
        code: code.to_owned(),
        fact: None,
        meaning: meaning.to_owned(),
        remedy: Some(remedy.to_owned()),
    }
}

fn relay_receipt(receipt: &Receipt) -> RelayReceipt {
    RelayReceipt {
        cost: cost(receipt),
        network: NetworkReceipt {
            id: Some(receipt.id.to_string()),
            charge: match receipt.charge {
                hearth_gateway::Charge::Paid => Charge::Paid,
                hearth_gateway::Charge::Unpaid => Charge::Unpaid,
                hearth_gateway::Charge::Unknown => Charge::Unknown,
            },
            service: receipt.service.to_string(),
            supplier: receipt.supplier.clone(),
            supplier_url: Some(receipt.supplier_url.clone()),
            application: receipt.application.clone(),
            session_id: receipt.session_id.to_string(),
            session_start: receipt.session_start,
            session_end: receipt.session_end,
            verified_batches: receipt.parts,
            request_hash: Some(hex::encode(receipt.request_hash)),
            failed_tries: receipt.failed_tries,
        },
    }
}

/// What was paid, or may be claimed.
fn cost(receipt: &Receipt) -> Option<Upokt> {
    match receipt.charge {
        hearth_gateway::Charge::Paid | hearth_gateway::Charge::Unknown => Some(Upokt(receipt.price)),
        hearth_gateway::Charge::Unpaid => None,
    }
}

fn bought(receipt: Receipt) -> BoughtAnswer {
    let relayed = relay_receipt(&receipt);
    BoughtAnswer {
        asked_at: Timestamp::from_ms(receipt.started_at_ms),
        cost: relayed.cost,
        status: receipt.status,
        bytes: receipt.bytes,
        total_ms: receipt.total_ms,
        outcome: receipt.outcome.word().to_owned(),
        error: match receipt.outcome {
            Outcome::Failed { error } => Some(error),
            Outcome::Complete | Outcome::Cancelled => None,
        },
        receipt: relayed.network,
    }
}

/// Whose fault it is decides on the status.
fn error(error: Error) -> ApiError {
    let text = hearth_base::failure::chain(&error);
    if let Error::UnknownService { .. } = error {
        return ApiError::new(StatusCode::NOT_FOUND, "model_not_found", text);
    }
    if let Error::DailyCap { .. } = error {
        return ApiError::new(StatusCode::PAYMENT_REQUIRED, "daily_cap_reached", text).remedy(
            "Raise the cap under Settings, or wait for the next day (UTC). Local models cost nothing.",
        );
    }
    if let Error::OutOfStake { .. } = error {
        return ApiError::new(StatusCode::PAYMENT_REQUIRED, "out_of_stake", text)
            .remedy("Add to the application's stake, or wait until former sessions are settled.");
    }
    match error.fault() {
        Fault::Caller => ApiError::bad_request(text),
        Fault::Node => later(ApiError::unavailable("gateway_not_ready", text)),
        Fault::Application => ApiError::new(StatusCode::PAYMENT_REQUIRED, "application_not_ready", text),
        Fault::Supplier if error.is_busy() => later(ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "supplier_failed",
            text,
        )),
        Fault::Supplier => ApiError::new(StatusCode::BAD_GATEWAY, "supplier_failed", text)
            .remedy("Try again; another supplier may be drawn."),
        Fault::Network => later(ApiError::unavailable("network_unavailable", text)),
    }
}

/// What passes by itself, with the next block or session, says when it is worth asking again.
fn later(error: ApiError) -> ApiError {
    const SECONDS: u64 = 2;
    ApiError {
        retry_after_seconds: Some(SECONDS),
        ..error
    }
}
