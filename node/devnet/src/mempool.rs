//! Transactions that wait for a block.

use std::collections::{BTreeSet, VecDeque};

use sha2::{Digest, Sha256};

use crate::{ctx::Ctx, error::TxError, machine};

/// Hashes of transactions that were seen, so that the same bytes are not taken twice: 32 bytes each.
const MAX_SEEN: usize = 100_000;
/// Transactions that wait at once.
const MAX_WAITING: usize = 5_000;
/// Bytes of one transaction.
pub const MAX_TX_BYTES: usize = 1_048_576;
/// Bytes of the transactions of one block: far below what a block may have.
const MAX_BLOCK_BYTES: usize = 8 * 1_048_576;

/// Why a transaction does not wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The same bytes were here before.
    Seen,
    Full,
    TooLarge(usize),
    /// What the ante steps say.
    Refused(TxError),
}

pub(crate) type TxHash = [u8; 32];

pub(crate) fn hash(tx: &[u8]) -> TxHash {
    Sha256::digest(tx).into()
}

pub(crate) struct Mempool {
    waiting: VecDeque<Vec<u8>>,
    seen: BTreeSet<TxHash>,
    order: VecDeque<TxHash>,
    /// The state as it will be after what waits: only the ante part is known.
    ctx: Ctx,
}

impl Mempool {
    pub(crate) fn new(ctx: Ctx) -> Mempool {
        Mempool {
            waiting: VecDeque::new(),
            seen: BTreeSet::new(),
            order: VecDeque::new(),
            ctx,
        }
    }

    /// Takes a transaction in, or says why not.
    pub(crate) fn add(&mut self, tx: Vec<u8>, upokt_per_million_gas: u64) -> Result<TxHash, Rejection> {
        if tx.len() > MAX_TX_BYTES {
            return Err(Rejection::TooLarge(tx.len()));
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(Rejection::Full);
        }
        let hash = hash(&tx);
        if self.seen.contains(&hash) {
            return Err(Rejection::Seen);
        }
        machine::check(&mut self.ctx, &tx, upokt_per_million_gas).map_err(Rejection::Refused)?;
        self.note(hash);
        self.waiting.push_back(tx);
        Ok(hash)
    }

    fn note(&mut self, hash: TxHash) {
        if self.seen.insert(hash) {
            self.order.push_back(hash);
        }
        while self.order.len() > MAX_SEEN {
            if let Some(old) = self.order.pop_front() {
                self.seen.remove(&old);
            }
        }
    }

    /// The transactions of the next block, which stay until [`Mempool::after_block`].
    pub(crate) fn next_block(&self, newest_first: bool) -> Vec<Vec<u8>> {
        let mut size = 0;
        let mut txs: Vec<Vec<u8>> = self
            .waiting
            .iter()
            .take_while(|tx| {
                size += tx.len();
                size <= MAX_BLOCK_BYTES
            })
            .cloned()
            .collect();
        if newest_first {
            txs.reverse();
        }
        txs
    }

    /// Takes out what a block included, and looks at the rest again upon the new state.
    pub(crate) fn after_block(&mut self, included: &[Vec<u8>], ctx: Ctx) {
        self.ctx = ctx;
        for tx in included {
            self.note(hash(tx));
        }
        let rest = std::mem::take(&mut self.waiting);
        for tx in rest {
            if included.contains(&tx) {
                continue;
            }
            // The fee was enough when it came in.
            match machine::check(&mut self.ctx, &tx, 0) {
                Ok(()) => self.waiting.push_back(tx),
                Err(_) => {
                    self.seen.remove(&hash(&tx));
                }
            }
        }
    }

    /// Forgets everything that waits.
    pub(crate) fn clear(&mut self, ctx: Ctx) {
        self.waiting.clear();
        self.ctx = ctx;
    }

    pub(crate) fn waiting(&self) -> impl ExactSizeIterator<Item = &Vec<u8>> {
        self.waiting.iter()
    }
}
