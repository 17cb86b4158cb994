//! What claims and proofs cost: the chain's own fee for a proof, and the fees for gas that were paid last.

use hearth_base::Amount;
use hearth_outbox::{DbError, Outbox, Part, Reason};
use hearth_pocket::message::proof;

use crate::{
    claim::{ClaimState, Stage},
    network::{NetworkError, SharedNetwork},
    session_db::{Record, SessionDbError},
};

const MILLION: u128 = 1_000_000;

/// Why nobody can say what a claim costs now.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CostsError {
    #[error(transparent)]
    SessionDb(#[from] SessionDbError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Outbox(#[from] DbError),
}

/// What a claim and its proof cost, by the parameters as they are now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Costs {
    /// Gas of a claim.
    claim: Amount,
    /// Gas of a proof, and what the chain asks for it.
    proof: Amount,
    /// Claims worth at least this need a proof.
    threshold: Amount,
    /// How many of a million other claims need one.
    chance: u32,
}

impl Costs {
    /// Weighs them by the chain's parameters. Gas is unknown before the first claim and the first proof, and then counts
    /// as nothing; what several share counts in equal parts.
    pub(crate) async fn weigh(params: &proof::Params, outbox: &Outbox) -> Result<Costs, DbError> {
        let gas = |newest: Option<Part>| {
            newest.map_or(Amount::ZERO, |part| {
                Amount::from_upokt(part.fee.upokt().div_ceil(part.n_items.max(1).into()))
            })
        };
        Ok(Costs::new(
            params,
            gas(outbox.newest_tx(Reason::Claim).await?),
            gas(outbox.newest_tx(Reason::Proof).await?),
        ))
    }

    /// Asks the chain, and weighs them.
    pub(crate) async fn read(network: &SharedNetwork, outbox: &Outbox) -> Result<Costs, CostsError> {
        let params = network.live_params().await?.into_value().proof;
        Ok(Costs::weigh(&params, outbox).await?)
    }

    fn new(params: &proof::Params, claim_gas: Amount, proof_gas: Amount) -> Costs {
        let amount = |coin: &Option<hearth_pocket::message::Coin>| -> Amount {
            coin.as_ref()
                .and_then(|coin| coin.amount.parse().ok())
                .unwrap_or_default()
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and a million"
        )]
        let chance = (params.proof_request_probability.clamp(0.0, 1.0) * 1e6).ceil() as u32;
        Costs {
            claim: claim_gas,
            proof: proof_gas.saturating_add(amount(&params.proof_submission_fee)),
            threshold: amount(&params.proof_requirement_threshold),
            chance,
        }
    }

    /// What a claim worth `value` costs on average: the proof counts as often as one is asked for.
    pub(crate) fn expected(&self, value: Amount) -> Amount {
        if value >= self.threshold {
            return self.claim.saturating_add(self.proof);
        }
        let proof = self.proof.upokt().saturating_mul(u128::from(self.chance));
        self.claim
            .saturating_add(Amount::from_upokt(proof.div_ceil(MILLION)))
    }

    /// What the claim of a session may still cost at most.
    fn ahead(&self, state: &ClaimState, value: Amount) -> Amount {
        let proof = if value >= self.threshold || self.chance > 0 {
            self.proof
        } else {
            Amount::ZERO
        };
        match state {
            ClaimState::Open(Stage::Accumulating | Stage::Sealed { .. }) => self.claim.saturating_add(proof),
            ClaimState::Open(Stage::ClaimSent { .. } | Stage::ClaimIncluded { .. }) => proof,
            ClaimState::Open(Stage::ProofDue { .. }) => self.proof,
            ClaimState::Open(
                Stage::ProofNotRequired { .. } | Stage::ProofSent { .. } | Stage::ProofIncluded { .. },
            )
            | ClaimState::Ended(_) => Amount::ZERO,
        }
    }

    /// What the working key should hold: the claims and proofs of all open sessions, and of one more.
    pub(crate) fn reserve(&self, open: &[Record]) -> Amount {
        let value = |record: &Record| {
            let answers = record.answers;
            record
                .state
                .seal()
                .map_or_else(|| record.facts.value_of(answers), |seal| seal.value)
        };
        let one_more = self.claim.saturating_add(self.proof);
        open.iter()
            .map(|record| self.ahead(&record.state, value(record)))
            .fold(one_more, Amount::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use hearth_pocket::message::Coin;

    use super::*;
    use crate::{claim::Outcome, testing::facts};

    fn pokt(pokt: u128) -> Amount {
        Amount::from_upokt(pokt * 1_000_000)
    }

    /// The parameters of upstream's LocalNet: a proof costs 1 POKT, one of four claims below 20 POKT needs one.
    fn localnet(probability: f64) -> Costs {
        let params = proof::Params {
            proof_request_probability: probability,
            proof_requirement_threshold: Some(Coin::upokt(pokt(20))),
            proof_submission_fee: Some(Coin::upokt(pokt(1))),
            ..proof::Params::default()
        };
        Costs::new(&params, Amount::from_upokt(2), Amount::from_upokt(3))
    }

    #[test]
    fn a_claim_is_worth_its_likely_costs() {
        let costs = localnet(0.25);
        // A quarter of 1 POKT and 3 upokt, rounded up, and the claim's own gas.
        assert_eq!(
            costs.expected(Amount::from_upokt(4_200)),
            Amount::from_upokt(250_003)
        );
        assert_eq!(costs.expected(pokt(20)), Amount::from_upokt(1_000_005));
        // Where no proof is ever asked for, even a small claim brings more than its gas.
        assert_eq!(
            localnet(0.0).expected(Amount::from_upokt(4_200)),
            Amount::from_upokt(2)
        );
        // Mainnet asks for 1 upokt, nearly always.
        let mainnet = proof::Params {
            proof_request_probability: 0.01,
            proof_requirement_threshold: Some(Coin::upokt(Amount::from_upokt(100))),
            proof_submission_fee: Some(Coin::upokt(Amount::from_upokt(1))),
            ..proof::Params::default()
        };
        let mainnet = Costs::new(&mainnet, Amount::from_upokt(1), Amount::from_upokt(1));
        assert_eq!(mainnet.expected(Amount::from_upokt(100)), Amount::from_upokt(3));
    }

    #[test]
    fn the_reserve_covers_the_proofs_of_open_claims() {
        let record = |state| Record {
            facts: facts(),
            state,
            sealed_bytes: None,
            answers: 3,
            late: 0,
            slash: None,
            created_ms: 1,
            updated_ms: 1,
        };
        let costs = localnet(0.25);
        let one = Amount::from_upokt(1_000_005);
        assert_eq!(costs.reserve(&[]), one);
        let open = [
            record(ClaimState::BEGUN),
            record(ClaimState::BEGUN),
            record(Stage::Accumulating.end(Outcome::Skipped { why: String::new() })),
        ];
        assert_eq!(costs.reserve(&open), Amount::from_upokt(3 * one.upokt()));
    }
}
