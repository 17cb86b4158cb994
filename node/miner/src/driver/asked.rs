//! What was asked of the chain at one head: many claims are over at the same block, and each question to an endpoint far
//! away costs a part of a window.

use super::*;
use crate::claim::Stage;

/// Questions that are asked at a time.
const AT_ONCE: usize = 16;

/// What was asked, and what came of it.
#[derive(Default)]
pub(super) struct Asked {
    /// What the state says of claims.
    seen: BTreeMap<Key, ClaimSeen>,
    /// What happened in blocks.
    blocks: BTreeMap<Height, BlockEvents>,
    live: Option<LiveParams>,
    costs: Option<Costs>,
}

impl Asked {
    /// A new head may say something else.
    pub(super) fn clear(&mut self) {
        *self = Asked::default();
    }
}

impl Driver {
    /// What the state says of a claim.
    pub(super) async fn claim_seen(&self, facts: &Facts) -> Result<ClaimSeen, Trouble> {
        if let Some(seen) = self.memory.asked.seen.get(&facts.key()) {
            return Ok(seen.clone());
        }
        let supplier = self.sessions.supplier();
        Ok(self
            .network
            .claim_status(&facts.header.session_id, supplier)
            .await?)
    }

    /// The same of several, at once.
    pub(super) async fn claims_seen(
        &self,
        claims: Vec<Arc<Facts>>,
    ) -> Vec<(Arc<Facts>, Result<ClaimSeen, Trouble>)> {
        let asked = claims.into_iter().map(|facts| async move {
            let seen = self.claim_seen(&facts).await;
            (facts, seen)
        });
        stream::iter(asked).buffered(AT_ONCE).collect().await
    }

    /// Asks at once about the claims of which the state decides now.
    pub(super) async fn ask_about(&mut self, claims: &[Arc<Facts>], height: Height) {
        let mut asked: Vec<Arc<Facts>> = Vec::new();
        for facts in claims {
            let Some(ClaimState::Open(stage)) = self.states.get(&facts.key()) else {
                continue;
            };
            if is_decided_by_state(stage, facts, height) || self.is_placed_long(stage, facts).await {
                asked.push(Arc::clone(facts));
            }
        }
        for (facts, seen) in self.claims_seen(asked).await {
            // Without an answer it is asked for once more where it is needed.
            if let Ok(seen) = seen {
                self.memory.asked.seen.insert(facts.key(), seen);
            }
        }
    }

    /// Whether a block holds a claim or a proof, and nobody proves what became of it there.
    async fn is_placed_long(&self, stage: &Stage, facts: &Facts) -> bool {
        if !stage.is_sent() {
            return false;
        }
        let told = self
            .told_by_outbox(facts, chase::kind_of(&stage.clone().into()))
            .await;
        matches!(told, Ok(chase::Told::Placed { height, .. }) if self.is_overdue(height))
    }

    /// What happened in a block.
    pub(super) async fn block_events(&mut self, height: Height) -> Result<BlockEvents, NetworkError> {
        if let Some(block) = self.memory.asked.blocks.get(&height) {
            return Ok(block.clone());
        }
        let block = self.network.events_of(height).await?;
        self.memory.asked.blocks.insert(height, block.clone());
        Ok(block)
    }

    /// The parameters as they are now.
    pub(super) async fn live_params(&mut self) -> Result<LiveParams, NetworkError> {
        if let Some(live) = &self.memory.asked.live {
            return Ok(live.clone());
        }
        let live = self.network.live_params().await?.into_value();
        self.memory.asked.live = Some(live.clone());
        Ok(live)
    }

    /// What claims and proofs cost now.
    pub(super) async fn costs(&mut self) -> Result<Costs, Trouble> {
        if let Some(costs) = self.memory.asked.costs {
            return Ok(costs);
        }
        let live = self.live_params().await?;
        let costs = Costs::weigh(&live.proof, &self.outbox).await?;
        self.memory.asked.costs = Some(costs);
        Ok(costs)
    }
}

/// Whether the next step of a claim asks the state.
fn is_decided_by_state(stage: &Stage, facts: &Facts, height: Height) -> bool {
    let windows = &facts.windows;
    match stage {
        // Whether another program has claimed it.
        Stage::Accumulating => height >= windows.claim_open && height <= windows.claim_close,
        // Whether it is still the claim of this node.
        Stage::ClaimIncluded { .. } => height >= windows.proof_seed(),
        Stage::Sealed { .. } => height >= windows.claim_close,
        Stage::ClaimSent { .. } => height > windows.claim_close,
        Stage::ProofDue { .. } => height >= windows.proof_close,
        Stage::ProofSent { .. } => height > windows.proof_close,
        Stage::ProofIncluded { .. } | Stage::ProofNotRequired { .. } => height > windows.settlement.plus(2),
    }
}
