//! One block through the state machine.

use std::sync::Arc;

use crate::{
    address::Account,
    ante::{self, Mode, Tx},
    block::ResultLeaf,
    ctx::Ctx,
    error::TxError,
    events::Event,
    modules::{application, authz, gateway, params, proof, session, supplier, tokenomics},
    msg,
    state::State,
};

/// The result of a transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct TxResult {
    pub(crate) code: u32,
    pub(crate) codespace: String,
    pub(crate) log: String,
    pub(crate) data: Vec<u8>,
    pub(crate) gas_wanted: u64,
    pub(crate) gas_used: u64,
    pub(crate) events: Vec<Event>,
}

impl TxResult {
    pub(crate) fn failed(error: TxError, gas_wanted: u64, gas_used: u64, events: Vec<Event>) -> TxResult {
        TxResult {
            code: error.code,
            codespace: error.codespace,
            log: error.log,
            data: Vec::new(),
            gas_wanted,
            gas_used,
            events,
        }
    }

    /// The part that the next header commits to.
    pub(crate) fn leaf(&self) -> ResultLeaf {
        ResultLeaf {
            code: self.code,
            data: self.data.clone(),
            gas_wanted: self.gas_wanted as i64,
            gas_used: self.gas_used as i64,
        }
    }
}

/// What a block did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Executed {
    pub(crate) state: State,
    pub(crate) results: Vec<TxResult>,
    /// Events of the begin and the end of the block.
    pub(crate) events: Vec<Event>,
}

/// What a block is executed with.
pub(crate) struct Block<'a> {
    pub(crate) height: u64,
    pub(crate) time_ns: u64,
    pub(crate) hash: [u8; 32],
    pub(crate) chain_id: Arc<str>,
    pub(crate) proposer: Account,
    pub(crate) txs: &'a [Vec<u8>],
}

/// Executes a block. The state is that after the block before, taken on by [`State::at`].
pub(crate) fn execute(state: State, block: &Block<'_>) -> Executed {
    let mut ctx = Ctx {
        state,
        height: block.height,
        time_ns: block.time_ns,
        chain_id: Arc::clone(&block.chain_id),
        proposer: block.proposer,
        events: Vec::new(),
    };
    begin(&mut ctx);
    let mut events = in_mode(ctx.take_events(), "BeginBlock");
    let results = block.txs.iter().map(|tx| deliver(&mut ctx, tx)).collect();
    end(&mut ctx, block.hash);
    events.extend(in_mode(ctx.take_events(), "EndBlock"));
    Executed {
        state: ctx.state,
        results,
        events,
    }
}

fn in_mode(events: Vec<Event>, mode: &str) -> Vec<Event> {
    events
        .into_iter()
        .map(|event| event.with("mode", mode.to_owned()))
        .collect()
}

fn begin(ctx: &mut Ctx) {
    ante::forget_old_nonces(ctx);
    authz::forget_expired(ctx);
    supplier::begin_block(ctx);
}

/// The order of the modules is the chain's.
fn end(ctx: &mut Ctx, hash: [u8; 32]) {
    session::keep_block_hash(&mut ctx.state, ctx.height, hash);
    proof::end_block(ctx);
    tokenomics::end_block(ctx);
    gateway::unbond(ctx);
    application::auto_undelegate(ctx);
    application::prune_undelegations(ctx);
    application::unbond(ctx);
    application::transfer::finish(ctx);
    supplier::unbond(ctx);
    supplier::prune(&mut ctx.state, ctx.height);
    params::promote_shared(&mut ctx.state, ctx.height);
}

/// Runs one transaction. A failed one keeps its fee and its sequence.
fn deliver(ctx: &mut Ctx, bytes: &[u8]) -> TxResult {
    let tx = match Tx::decode(bytes) {
        Ok(tx) => tx,
        Err(error) => return TxResult::failed(error, 0, 0, Vec::new()),
    };
    let (wanted, before) = (tx.gas_limit(), ctx.state.clone());
    if let Err(error) = ante::run(ctx, &tx, Mode::Deliver) {
        ctx.state = before;
        ctx.events.clear();
        return TxResult::failed(error, wanted, tx.ante_gas().min(wanted), Vec::new());
    }
    let ante_events = ctx.take_events();
    let after_ante = ctx.state.clone();
    let run = msg::execute_all(ctx, &tx.msgs).and_then(|data| match tx.gas() {
        used if used > wanted => Err(ante::out_of_gas(wanted, used)),
        _ => Ok(data),
    });
    match run {
        Ok(data) => {
            let mut events = ante_events;
            events.extend(ctx.take_events());
            TxResult {
                data,
                gas_wanted: wanted,
                gas_used: tx.gas(),
                events,
                ..TxResult::default()
            }
        }
        Err(error) => {
            ctx.state = after_ante;
            ctx.events.clear();
            TxResult::failed(error, wanted, tx.gas(), ante_events)
        }
    }
}

/// Looks at a transaction before it enters the mempool: the ante steps, upon what the mempool holds already.
pub(crate) fn check(ctx: &mut Ctx, bytes: &[u8], upokt_per_million_gas: u64) -> Result<(), TxError> {
    let tx = Tx::decode(bytes)?;
    let before = ctx.state.clone();
    let result = ante::run(
        ctx,
        &tx,
        Mode::Check {
            upokt_per_million_gas,
        },
    );
    ctx.events.clear();
    if result.is_err() {
        ctx.state = before;
    }
    result
}

/// Runs a transaction without its signature, and tells the gas it would use.
pub(crate) fn simulate(mut ctx: Ctx, bytes: &[u8]) -> Result<u64, (TxError, u64)> {
    let tx = Tx::decode(bytes).map_err(|error| (error, 0))?;
    let failed = |error| (error, tx.gas());
    ante::run(&mut ctx, &tx, Mode::Simulate).map_err(failed)?;
    msg::execute_all(&mut ctx, &tx.msgs).map_err(failed)?;
    Ok(tx.gas())
}
