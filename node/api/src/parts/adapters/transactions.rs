//! Transactions of this node as the API shows them.

use hearth_outbox::{Item, Outcome, Reason, State};

use crate::control::types::{OwnTransaction, Timestamp, TransactionReason, TransactionState, Upokt};

pub(super) fn shown(item: Item) -> OwnTransaction {
    let (state, height, why) = match item.state {
        State::Waiting { trouble } => (TransactionState::Waiting, None, trouble),
        State::Signed { trouble } => (TransactionState::Signed, None, trouble),
        State::Placed { height, .. } => (TransactionState::Placed, Some(height), None),
        State::Ended { outcome } => match outcome {
            Outcome::Included { height, .. } => (TransactionState::Included, Some(height), None),
            Outcome::Failed { height, why, .. } => (TransactionState::Failed, height, Some(why)),
            Outcome::Refused { why, .. } => (TransactionState::Refused, None, Some(why)),
            Outcome::Expired { .. } => (TransactionState::Expired, None, None),
            Outcome::Unknown { why, .. } => (TransactionState::Unknown, None, Some(why)),
        },
    };
    let reason = match item.reason {
        Reason::Payment => TransactionReason::Payment,
        Reason::Role => TransactionReason::Role,
        Reason::Setup => TransactionReason::Setup,
        Reason::Claim => TransactionReason::Claim,
        Reason::Proof => TransactionReason::Proof,
        Reason::Elsewhere => TransactionReason::Elsewhere,
    };
    let messages = item.messages.iter().map(serde_json::to_value);
    OwnTransaction {
        id: item.id.cast_unsigned(),
        time: Timestamp::from_ms(item.at_ms),
        reason,
        account: item.account.to_string(),
        counterparty: item.counterparty,
        amount: Upokt(item.amount),
        memo: Some(item.memo).filter(|memo| !memo.is_empty()),
        state,
        why,
        fee: item.tx.as_ref().map(|tx| Upokt(tx.fee)),
        shared_by: item.tx.as_ref().map_or(0, |tx| tx.n_items),
        tx: item.tx.and_then(|tx| tx.hash),
        height: height.map(|height| height.0).filter(|height| *height > 0),
        last_height: item.last_height.map(|height| height.0),
        messages: messages.filter_map(Result::ok).collect(),
    }
}
