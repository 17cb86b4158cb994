//! The chain in memory: its head, the states that can be asked, the mempool, and the making of blocks.

use std::{collections::BTreeMap, sync::Arc};

use hearth_base::Clock;
use parking_lot::{Mutex, MutexGuard, RwLock};
use tendermint::block::{Commit, Id};
use tokio::sync::broadcast;

use crate::{
    address::Account,
    ante,
    block::{self, BlockError, Draft, Validator},
    config::BlockTime,
    ctx::Ctx,
    db::{BlockRow, Db, DbError, NewBlock, TxRow},
    faults::{Fault, Faults},
    genesis::Genesis,
    machine,
    mempool::{self, Mempool},
    state::State,
};

/// How many heights back the state can be asked for: a light client asks one or two back, a session query one session.
pub(crate) const KEPT_HEIGHTS: u64 = 1_000;
/// Blocks that a slow subscriber may lag behind before it loses some.
const NEWS: usize = 256;

/// Why no block was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProduceError {
    #[error(transparent)]
    Block(#[from] BlockError),
    #[error(transparent)]
    Db(#[from] DbError),
}

/// The newest block, and what the next one is made upon.
#[derive(Clone)]
pub(crate) struct ChainTip {
    pub(crate) height: u64,
    pub(crate) time_ns: u64,
    /// Nothing before the first block.
    pub(crate) last: Option<(Id, Commit)>,
    pub(crate) app_hash: [u8; 32],
    pub(crate) results_hash: [u8; 32],
    pub(crate) state: State,
}

/// A block, as subscribers are told.
#[derive(Clone, Debug)]
pub(crate) struct BlockNotice {
    pub(crate) block: Arc<BlockRow>,
    pub(crate) last_commit: Option<Commit>,
    pub(crate) txs: Arc<Vec<TxRow>>,
}

pub(crate) struct Core {
    pub(crate) chain_id: Arc<str>,
    pub(crate) genesis: Genesis,
    pub(crate) validator: Validator,
    pub(crate) db: Db,
    pub(crate) faults: Faults,
    pub(crate) news: broadcast::Sender<BlockNotice>,
    pub(crate) clock: Clock,
    time: BlockTime,
    proposer: Account,
    head: RwLock<Arc<ChainTip>>,
    states: RwLock<BTreeMap<u64, State>>,
    mempool: Mutex<Mempool>,
    /// Changes of parameters that the next block makes.
    pending: Mutex<Vec<Patch>>,
    producing: tokio::sync::Mutex<()>,
    /// The height of the first block.
    pub(crate) first: u64,
    /// Whether blocks come by themselves.
    pub(crate) has_timer: bool,
}

/// A change of the state that no transaction makes.
pub(crate) type Patch = Box<dyn FnOnce(&mut State, u64) + Send>;

/// What a [`Core`] is made of.
pub(crate) struct CoreArgs {
    pub(crate) chain_id: String,
    pub(crate) genesis: Genesis,
    pub(crate) validator_seed: [u8; 32],
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) time: BlockTime,
    pub(crate) has_timer: bool,
}

/// The power of the validator: it is alone, so any number does.
const POWER: u32 = 500_000;

impl Core {
    /// Reads the chain from its database.
    pub(crate) async fn load(args: CoreArgs) -> Result<Core, ProduceError> {
        let states = args.db.states().await?;
        let height = args.db.last_height().await?;
        let state = states.last().map(|(_, state)| state.clone()).unwrap_or_default();
        let empty = block::results_hash(&[]);
        let head = match args.db.block(height).await? {
            Some(row) => {
                let results: Vec<_> = args
                    .db
                    .txs(height)
                    .await?
                    .iter()
                    .map(|tx| tx.result.leaf())
                    .collect();
                let time_ns = nanoseconds(&row);
                let id = row.commit.block_id;
                ChainTip {
                    height,
                    time_ns,
                    app_hash: row.app_hash,
                    last: Some((id, row.commit)),
                    results_hash: block::results_hash(&results),
                    state,
                }
            }
            // Header 1 commits to nothing.
            None => ChainTip {
                height: 0,
                time_ns: 0,
                last: None,
                app_hash: empty,
                results_hash: empty,
                state,
            },
        };
        let chain_id: Arc<str> = args.chain_id.into();
        let proposer = args.genesis.proposer();
        let mempool = Mempool::new(ctx_of(&head, &chain_id, proposer));
        Ok(Core {
            chain_id,
            proposer,
            genesis: args.genesis,
            validator: Validator::new(args.validator_seed, POWER),
            db: args.db,
            faults: Faults::default(),
            news: broadcast::Sender::new(NEWS),
            clock: args.clock,
            time: args.time,
            states: RwLock::new(states.into_iter().filter(|(height, _)| *height > 0).collect()),
            head: RwLock::new(Arc::new(head)),
            mempool: Mutex::new(mempool),
            pending: Mutex::default(),
            producing: tokio::sync::Mutex::default(),
            first: 1,
            has_timer: args.has_timer,
        })
    }

    pub(crate) fn head(&self) -> Arc<ChainTip> {
        Arc::clone(&self.head.read())
    }

    /// The state after a block, if it is young enough.
    pub(crate) fn state_at(&self, height: u64) -> Option<State> {
        self.states.read().get(&height).cloned()
    }

    pub(crate) fn mempool(&self) -> MutexGuard<'_, Mempool> {
        self.mempool.lock()
    }

    /// What something is tried in: the state after the newest block.
    pub(crate) fn ctx(&self) -> Ctx {
        ctx_of(&self.head(), &self.chain_id, self.proposer)
    }

    /// What the mempool asks for.
    pub(crate) fn fee(&self) -> u64 {
        self.faults.fee().unwrap_or(ante::UPOKT_PER_MILLION_GAS)
    }

    /// Changes the state at the begin of the next block.
    pub(crate) fn patch(&self, patch: Patch) {
        self.pending.lock().push(patch);
    }

    fn next_time(&self, head: &ChainTip) -> u64 {
        let next = match self.time {
            BlockTime::Clock => u64::try_from(self.clock.now_ms())
                .unwrap_or(0)
                .saturating_mul(1_000_000),
            BlockTime::Simulated { start_ms, step } if head.height == 0 => {
                let _ = step;
                start_ms.saturating_mul(1_000_000)
            }
            BlockTime::Simulated { step, .. } => head
                .time_ns
                .saturating_add(u64::try_from(step.as_nanos()).unwrap_or(u64::MAX)),
        };
        // Strictly increasing, also when the computer's clock was set back.
        next.max(head.time_ns + 1)
    }

    /// Makes one block of what waits. `None` when blocks are being skipped on purpose.
    pub(crate) async fn produce(&self) -> Result<Option<u64>, ProduceError> {
        let _one_at_a_time = self.producing.lock().await;
        if self.faults.is(&Fault::SkipBlocks) {
            return Ok(None);
        }
        if self.faults.is(&Fault::DropTransactions) {
            let ctx = self.ctx();
            self.mempool().clear(ctx);
        }
        let reordered = self.faults.is(&Fault::ReorderedMempool);
        let txs = self.mempool().next_block(reordered);
        let height = self.append(txs).await?;
        Ok(Some(height))
    }

    /// Makes a block of exactly these transactions, which nobody looked at before.
    async fn append(&self, txs: Vec<Vec<u8>>) -> Result<u64, ProduceError> {
        let head = self.head();
        let (height, time_ns) = (head.height + 1, self.next_time(&head));
        let sealed = self.validator.seal(&Draft {
            chain_id: &self.chain_id,
            height,
            time_ns,
            last: head.last.clone(),
            txs: &txs,
            app_hash: head.app_hash,
            last_results_hash: head.results_hash,
        })?;
        let mut before = head.state.at(height);
        let patches = std::mem::take(&mut *self.pending.lock());
        for patch in patches {
            patch(&mut before, height);
        }
        let hash = <[u8; 32]>::try_from(sealed.id.hash.as_bytes()).unwrap_or_default();
        let executed = machine::execute(
            before,
            &machine::Block {
                height,
                time_ns,
                hash,
                chain_id: Arc::clone(&self.chain_id),
                proposer: self.proposer,
                txs: &txs,
            },
        );
        let block = BlockRow {
            header: sealed.header,
            commit: sealed.commit.clone(),
            events: executed.events,
            app_hash: executed.state.app_hash(),
        };
        let leaves: Vec<_> = executed.results.iter().map(machine::TxResult::leaf).collect();
        let rows: Vec<TxRow> = (0..)
            .zip(txs.iter().zip(executed.results))
            .map(|(index, (raw, result))| TxRow {
                height,
                index,
                hash: mempool::hash(raw).to_vec(),
                raw: raw.clone(),
                result,
            })
            .collect();
        let changes = executed.state.changes();
        self.db
            .append(&NewBlock {
                block: &block,
                txs: &rows,
                changes: &changes,
                keep: KEPT_HEIGHTS,
            })
            .await?;
        let new = ChainTip {
            height,
            time_ns,
            last: Some((sealed.id, sealed.commit)),
            app_hash: block.app_hash,
            results_hash: block::results_hash(&leaves),
            state: executed.state,
        };
        let last_commit = head.last.as_ref().map(|(_, commit)| commit.clone());
        self.publish(
            new,
            BlockNotice {
                block: Arc::new(block),
                last_commit,
                txs: Arc::new(rows),
            },
            &txs,
        );
        Ok(height)
    }

    fn publish(&self, head: ChainTip, news: BlockNotice, included: &[Vec<u8>]) {
        let ctx = ctx_of(&head, &self.chain_id, self.proposer);
        let mut states = self.states.write();
        states.insert(head.height, head.state.clone());
        while states.len() as u64 > KEPT_HEIGHTS {
            states.pop_first();
        }
        drop(states);
        *self.head.write() = Arc::new(head);
        self.mempool().after_block(included, ctx);
        // An error says that nobody listens.
        let _ = self.news.send(news);
    }
}

fn ctx_of(head: &ChainTip, chain_id: &Arc<str>, proposer: Account) -> Ctx {
    Ctx {
        state: head.state.at(head.height),
        height: head.height,
        time_ns: head.time_ns,
        chain_id: Arc::clone(chain_id),
        proposer,
        events: Vec::new(),
    }
}

fn nanoseconds(row: &BlockRow) -> u64 {
    u64::try_from(row.header.time.unix_timestamp_nanos()).unwrap_or(0)
}
