//! Network models, over the gateway.

use hearth_gateway::{Asker, Gateway, NetworkModel, Outcome, Receipt, Unavailable};
use uuid::Uuid;

use crate::{
    control::types::{
        AskerKind, BoughtAnswer, BoughtAnswerList, Charge, Model, ModelKind, ModelTask, NetworkBudget,
        NetworkReceipt, Reason, Timestamp, Upokt,
    },
    parts::{Answer, Relay, RelayReceipt, Window},
};

/// The gateway behind the API.
pub struct GatewayRelay {
    pub gateway: Gateway,
}

#[async_trait::async_trait]
impl Relay for GatewayRelay {
    async fn models(&self) -> Answer<Vec<Model>> {
        let models = self
            .gateway
            .services()
            .await
            .map_err(hearth_answers::Error::from)?;
        Ok(models.into_iter().map(model).collect())
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
    let common = Model::elsewhere(model.model, ModelKind::Network, ModelTask::Chat, model.title);
    Model {
        service: Some(model.service.to_string()),
        price_per_answer: Some(Upokt(model.price)),
        suppliers: model.suppliers.and_then(|n| u32::try_from(n).ok()),
        signs_directly: model.is_direct,
        ..common.unless(model.unavailable.map(reason))
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
        Unavailable::NotDelegated => (
            "application_not_delegated",
            "Your application for this service has not delegated to a gateway of this node, and does not sign for itself.",
            "Delegate it under Wallet (`hearth delegate`), or set gateway.direct_signing to let it sign for itself.",
        ),
        Unavailable::Unguarded => (
            "application_unguarded",
            "Your application for this service has delegated to no gateway and may be spent without a limit, so anybody \
             could sign for all of its stake.",
            "Delegate it under Wallet (`hearth delegate`), or stake it again with the most that a session may cost.",
        ),
        Unavailable::Leaving => (
            "application_leaving",
            "Your application for this service is on its way out, so it pays for nothing more.",
            "Stake it again under Wallet (`hearth stake application`), or wait until the stake is back and stake another one.",
        ),
        Unavailable::OutOfStake => (
            "out_of_stake",
            "Nothing is left of what was set aside for this service above the least stake, and only that can be spent.",
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
    let (key_id, key_name) = match &receipt.asker {
        Some(Asker::Key { id, name }) => (Some(id.clone()), Some(name.clone())),
        Some(Asker::Owner | Asker::Program) | None => (None, None),
    };
    BoughtAnswer {
        asker: receipt.asker.map(|asker| match asker {
            Asker::Owner => AskerKind::Owner,
            Asker::Program => AskerKind::Local,
            Asker::Key { .. } => AskerKind::Key,
        }),
        key_id,
        key_name,
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
