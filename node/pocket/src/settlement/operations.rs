//! The coin operations of a block, added up over its claims.

use std::collections::BTreeMap;

use hearth_base::Amount;

use super::module;
use crate::message::tokenomics::{EventSettlementBatch, SettlementOpReason};

/// How coins move. The order is the order of execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OperationKind {
    /// New coins for a module.
    Mint,
    /// From a module to a module.
    ModuleToModule,
    /// From a module to an account.
    ModuleToAccount,
    /// Coins of a module cease.
    Burn,
}

/// One movement of coins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// How.
    pub kind: OperationKind,
    /// The module that mints, sends or burns.
    pub module: String,
    /// The module or account that receives; empty for mints and burns.
    pub recipient: String,
    /// Why.
    pub reason: SettlementOpReason,
    /// How much.
    pub amount: Amount,
    /// Over how many claims.
    pub num_claims: u32,
}

impl Operation {
    /// The event that the chain emits for it.
    #[must_use]
    pub fn event(&self, session_end: i64) -> EventSettlementBatch {
        let op_type = match self.kind {
            OperationKind::Mint => "mint",
            OperationKind::ModuleToModule => "mod_to_mod",
            OperationKind::ModuleToAccount => "mod_to_acct",
            OperationKind::Burn => "burn",
        };
        EventSettlementBatch {
            session_end_block_height: session_end,
            sender_module: self.module.clone(),
            recipient: self.recipient.clone(),
            op_reason: self.reason.into(),
            total_amount: self.amount.to_string(),
            num_claims: self.num_claims,
            op_type: op_type.to_owned(),
        }
    }
}

/// What orders the operations: Go sorts a text key, in which the reason is its decimal number.
type Key = (OperationKind, String, String, String);

/// The operations of a block.
#[derive(Debug, Default)]
pub(super) struct OperationLog {
    entries: BTreeMap<Key, (SettlementOpReason, Amount, u32)>,
}

impl OperationLog {
    /// Enters the operations of one claim.
    pub(super) fn enter(&mut self, operations: &ClaimOperations) {
        for (kind, module, recipient, reason, amount) in &operations.0 {
            let number: i32 = (*reason).into();
            let key = (*kind, (*module).to_owned(), recipient.clone(), number.to_string());
            let entry = self.entries.entry(key).or_insert((*reason, Amount::ZERO, 0));
            entry.1 = entry.1.saturating_add(*amount);
            entry.2 += 1;
        }
    }

    /// The operations in the order of execution.
    pub(super) fn operations(self) -> impl Iterator<Item = Operation> {
        self.entries
            .into_iter()
            .map(
                |((kind, module, recipient, _), (reason, amount, num_claims))| Operation {
                    kind,
                    module,
                    recipient,
                    reason,
                    amount,
                    num_claims,
                },
            )
    }
}

/// The operations of one claim, entered only if all of it settles.
#[derive(Debug, Default)]
pub(super) struct ClaimOperations(Vec<(OperationKind, &'static str, String, SettlementOpReason, Amount)>);

impl ClaimOperations {
    pub(super) fn mint(&mut self, reason: SettlementOpReason, amount: Amount) {
        self.push(OperationKind::Mint, module::TOKENOMICS, "", reason, amount);
    }

    pub(super) fn burn(&mut self, from: &'static str, reason: SettlementOpReason, amount: Amount) {
        self.push(OperationKind::Burn, from, "", reason, amount);
    }

    pub(super) fn pay_module(
        &mut self,
        from: &'static str,
        to: &str,
        reason: SettlementOpReason,
        amount: Amount,
    ) {
        self.push(OperationKind::ModuleToModule, from, to, reason, amount);
    }

    pub(super) fn pay_account(
        &mut self,
        from: &'static str,
        to: &str,
        reason: SettlementOpReason,
        amount: Amount,
    ) {
        self.push(OperationKind::ModuleToAccount, from, to, reason, amount);
    }

    fn push(
        &mut self,
        kind: OperationKind,
        from: &'static str,
        to: &str,
        reason: SettlementOpReason,
        amount: Amount,
    ) {
        if !amount.is_zero() {
            self.0.push((kind, from, to.to_owned(), reason, amount));
        }
    }
}
