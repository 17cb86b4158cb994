//! Events that the chain emits, typed.
//!
//! An event's attributes are protobuf-JSON, one per field. Fields are added in every release, so unknown ones are
//! skipped, and an event that cannot be read becomes [`ChainEvent::Other`] rather than an error: events inform, they
//! do not decide about money (a claim's standing is read from the state, with proof).

use hearth_pocket::message::{
    TypeUrl,
    application::{
        Application, EventApplicationStaked, EventApplicationUnbondingBegin,
        EventApplicationUnbondingCanceled, EventApplicationUnbondingEnd, EventRedelegation,
    },
    gateway::{
        EventGatewayMetadataUpdated, EventGatewayStaked, EventGatewayUnbondingBegin,
        EventGatewayUnbondingCanceled, EventGatewayUnbondingEnd,
    },
    proof::{
        EventClaimCreated, EventClaimUpdated, EventProofSubmitted, EventProofUpdated,
        EventProofValidityChecked,
    },
    service::EventRelayMiningDifficultyUpdated,
    supplier::{
        EventSupplierServiceConfigActivated, EventSupplierStaked, EventSupplierUnbondingBegin,
        EventSupplierUnbondingCanceled, EventSupplierUnbondingEnd,
    },
    tokenomics::{
        EventApplicationOverserviced, EventApplicationReimbursementRequest, EventClaimDiscarded,
        EventClaimExpired, EventClaimSettled, EventSettlementBatch,
        EventSupplierRevShareFallbackDistribution, EventSupplierSlashed, EventValidatorRewardDistribution,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::rpc::wire::{BlockResults, RawEvent, TxOutcome};

/// Where in its block an event was emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventOrigin {
    /// Before the transactions.
    BeginBlock,
    /// In the transaction of this index.
    Tx(usize),
    /// After the transactions.
    EndBlock,
}

/// An event and where it was emitted.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockEvent {
    /// Where in its block.
    pub origin: EventOrigin,
    /// What happened.
    pub event: ChainEvent,
}

/// An application moves to another address; the names of the fields are the chain's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventTransfer {
    pub source_address: String,
    pub destination_address: String,
    /// Set at the begin.
    pub source_application: Option<Application>,
    /// Set at the end.
    pub destination_application: Option<Application>,
    /// Set when it failed.
    pub error: String,
}

macro_rules! chain_events {
    ($($(#[$doc:meta])* $variant:ident($type:ty) $name:expr;)*) => {
        /// What happened. The variants are Pocket's typed events; the fields are those of their messages.
        #[derive(Clone, Debug, PartialEq)]
        pub enum ChainEvent {
            $($(#[$doc])* $variant(Box<$type>),)*
            /// An event of the SDK, an unknown one, or one that could not be read.
            Other(RawEvent),
        }

        impl ChainEvent {
            /// The event in the JSON form of the chain's own tools.
            #[must_use]
            pub fn to_json(&self) -> Value {
                let json = match self {
                    $(ChainEvent::$variant(event) => serde_json::to_value(event),)*
                    ChainEvent::Other(raw) => Ok(fields(raw)),
                };
                json.unwrap_or_default()
            }
        }

        /// Reads an event.
        #[must_use]
        pub fn decode(raw: &RawEvent) -> ChainEvent {
            $(if Some(raw.kind.as_str()) == $name.strip_prefix('/') {
                return match serde_json::from_value::<$type>(fields(raw)) {
                    Ok(event) => ChainEvent::$variant(Box::new(event)),
                    Err(error) => {
                        tracing::warn!(kind = %raw.kind, %error, "an event of the chain cannot be read");
                        ChainEvent::Other(raw.clone())
                    }
                };
            })*
            ChainEvent::Other(raw.clone())
        }
    };
}

chain_events! {
    ApplicationStaked(EventApplicationStaked) EventApplicationStaked::TYPE_URL;
    ApplicationRedelegated(EventRedelegation) EventRedelegation::TYPE_URL;
    ApplicationUnbondingBegin(EventApplicationUnbondingBegin) EventApplicationUnbondingBegin::TYPE_URL;
    ApplicationUnbondingEnd(EventApplicationUnbondingEnd) EventApplicationUnbondingEnd::TYPE_URL;
    ApplicationUnbondingCanceled(EventApplicationUnbondingCanceled) EventApplicationUnbondingCanceled::TYPE_URL;
    ApplicationTransferBegin(EventTransfer) "/pocket.application.EventTransferBegin";
    ApplicationTransferEnd(EventTransfer) "/pocket.application.EventTransferEnd";
    ApplicationTransferError(EventTransfer) "/pocket.application.EventTransferError";
    GatewayStaked(EventGatewayStaked) EventGatewayStaked::TYPE_URL;
    GatewayUnbondingBegin(EventGatewayUnbondingBegin) EventGatewayUnbondingBegin::TYPE_URL;
    GatewayUnbondingEnd(EventGatewayUnbondingEnd) EventGatewayUnbondingEnd::TYPE_URL;
    GatewayUnbondingCanceled(EventGatewayUnbondingCanceled) EventGatewayUnbondingCanceled::TYPE_URL;
    GatewayMetadataUpdated(EventGatewayMetadataUpdated) EventGatewayMetadataUpdated::TYPE_URL;
    ClaimCreated(EventClaimCreated) EventClaimCreated::TYPE_URL;
    ClaimUpdated(EventClaimUpdated) EventClaimUpdated::TYPE_URL;
    ProofSubmitted(EventProofSubmitted) EventProofSubmitted::TYPE_URL;
    ProofUpdated(EventProofUpdated) EventProofUpdated::TYPE_URL;
    /// The chain looked at a proof: `failure_reason` is empty where it is valid.
    ProofValidityChecked(EventProofValidityChecked) EventProofValidityChecked::TYPE_URL;
    DifficultyUpdated(EventRelayMiningDifficultyUpdated) EventRelayMiningDifficultyUpdated::TYPE_URL;
    SupplierStaked(EventSupplierStaked) EventSupplierStaked::TYPE_URL;
    SupplierServiceActivated(EventSupplierServiceConfigActivated) EventSupplierServiceConfigActivated::TYPE_URL;
    SupplierUnbondingBegin(EventSupplierUnbondingBegin) EventSupplierUnbondingBegin::TYPE_URL;
    SupplierUnbondingEnd(EventSupplierUnbondingEnd) EventSupplierUnbondingEnd::TYPE_URL;
    SupplierUnbondingCanceled(EventSupplierUnbondingCanceled) EventSupplierUnbondingCanceled::TYPE_URL;
    ClaimSettled(EventClaimSettled) EventClaimSettled::TYPE_URL;
    ClaimExpired(EventClaimExpired) EventClaimExpired::TYPE_URL;
    ClaimDiscarded(EventClaimDiscarded) EventClaimDiscarded::TYPE_URL;
    SupplierSlashed(EventSupplierSlashed) EventSupplierSlashed::TYPE_URL;
    ApplicationOverserviced(EventApplicationOverserviced) EventApplicationOverserviced::TYPE_URL;
    ApplicationReimbursementRequested(EventApplicationReimbursementRequest)
        EventApplicationReimbursementRequest::TYPE_URL;
    SettlementBatch(EventSettlementBatch) EventSettlementBatch::TYPE_URL;
    ValidatorRewarded(EventValidatorRewardDistribution) EventValidatorRewardDistribution::TYPE_URL;
    SupplierRevShareFallback(EventSupplierRevShareFallbackDistribution)
        EventSupplierRevShareFallbackDistribution::TYPE_URL;
}

/// All events of a block, in the order of its execution.
#[must_use]
pub fn of_block(results: &BlockResults) -> Vec<BlockEvent> {
    let block = |origin: EventOrigin| {
        let events = results
            .finalize_block_events
            .iter()
            .filter(move |raw| origin_of(raw) == origin);
        events.map(move |raw| BlockEvent {
            origin,
            event: decode(raw),
        })
    };
    let txs = results
        .txs_results
        .iter()
        .enumerate()
        .filter(|(_, tx)| tx.code == 0);
    let in_txs = txs.flat_map(|(index, tx)| {
        tx.events.iter().map(move |raw| BlockEvent {
            origin: EventOrigin::Tx(index),
            event: decode(raw),
        })
    });
    block(EventOrigin::BeginBlock)
        .chain(in_txs)
        .chain(block(EventOrigin::EndBlock))
        .collect()
}

/// All events of a transaction.
#[must_use]
pub fn of_tx(outcome: &TxOutcome) -> Vec<ChainEvent> {
    outcome.events.iter().map(decode).collect()
}

fn origin_of(raw: &RawEvent) -> EventOrigin {
    let begins = raw
        .attributes
        .iter()
        .any(|attribute| attribute.key == "mode" && attribute.value == "BeginBlock");
    if begins {
        EventOrigin::BeginBlock
    } else {
        EventOrigin::EndBlock
    }
}

/// The attributes as one JSON object. A value that is no JSON (`mode`, events of the SDK) stays a text.
fn fields(raw: &RawEvent) -> Value {
    let pairs = raw.attributes.iter().map(|attribute| {
        let value = serde_json::from_str(&attribute.value).unwrap_or_else(|_| attribute.value.clone().into());
        (attribute.key.clone(), value)
    });
    // A list is written as `null` where it is empty; serde fills in the default where the key is missing.
    Value::Object(
        pairs
            .filter(|(_, value): &(String, Value)| !value.is_null())
            .collect::<Map<_, _>>(),
    )
}

#[cfg(test)]
mod tests;
