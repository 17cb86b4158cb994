//! Calls about transactions: sent, waiting, included.

use std::time::Duration;

use hearth_pocket::merkle;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Answer, RpcError, Server, admin::inclusion, args::Args, json as to};
use crate::{
    db::TxRow,
    error::TxError,
    faults::Fault,
    machine,
    mempool::{self, Rejection},
};

/// How long `broadcast_tx_commit` waits.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(10);

impl Server {
    fn tx_arg(args: &Args) -> Result<Vec<u8>, RpcError> {
        args.bytes("tx")?.ok_or_else(|| RpcError::params("tx is missing"))
    }

    /// What a transaction is answered before it is in a block.
    fn checked(hash: &[u8], result: Result<(), TxError>) -> Value {
        let error = result.err();
        json!({
            "code": error.as_ref().map_or(0, |error| error.code),
            "data": "",
            "log": error.as_ref().map_or("", |error| error.log.as_str()),
            "codespace": error.as_ref().map_or("", |error| error.codespace.as_str()),
            "hash": hex::encode_upper(hash),
        })
    }

    fn submit(&self, tx: Vec<u8>) -> Result<(mempool::TxHash, Result<(), TxError>), RpcError> {
        let hash = mempool::hash(&tx);
        let fee = self.core.fee();
        match self.core.mempool().add(tx, fee) {
            Ok(_) => Ok((hash, Ok(()))),
            Err(Rejection::Refused(error)) => Ok((hash, Err(error))),
            Err(Rejection::Seen) => Err(RpcError::internal("tx already exists in cache")),
            Err(Rejection::Full) => Err(RpcError::internal("mempool is full")),
            Err(Rejection::TooLarge(size)) => Err(RpcError::internal(format!("Tx too large. Got {size}"))),
        }
    }

    pub(super) fn broadcast(&self, args: &Args) -> Answer {
        let (hash, result) = self.submit(Server::tx_arg(args)?)?;
        let lie = self.core.faults.false_refusal();
        let result = lie.map_or(result, |(codespace, code, log)| {
            Err(TxError::new(&codespace, code, log))
        });
        Ok(Server::checked(&hash, result))
    }

    pub(super) fn check_tx(&self, args: &Args) -> Answer {
        let tx = Server::tx_arg(args)?;
        let mut ctx = self.core.ctx();
        let result = machine::check(&mut ctx, &tx, self.core.fee());
        Ok(Server::checked(&mempool::hash(&tx), result))
    }

    pub(super) async fn broadcast_commit(&self, args: &Args) -> Answer {
        let news = self.core.news.subscribe();
        let (hash, result) = self.submit(Server::tx_arg(args)?)?;
        let refused = result.is_err();
        let check = Server::checked(&hash, result);
        let hash_text = hex::encode_upper(hash);
        if refused {
            return Ok(json!({"check_tx": check, "tx_result": {}, "hash": hash_text, "height": "0"}));
        }
        match tokio::time::timeout(COMMIT_TIMEOUT, inclusion(news, &hash_text)).await {
            Ok(Some(tx)) => Ok(json!({
                "check_tx": check,
                "tx_result": to::tx_result(&tx.result),
                "hash": hash_text,
                "height": tx.height.to_string(),
            })),
            Ok(None) | Err(_) => Err(RpcError::internal(
                "timed out waiting for tx to be included in a block",
            )),
        }
    }

    pub(super) fn unconfirmed_txs(&self, with_txs: bool) -> Value {
        let mempool = self.core.mempool();
        let total: usize = mempool.waiting().map(Vec::len).sum();
        let count = mempool.waiting().len().to_string();
        let txs: Vec<String> = mempool.waiting().take(100).map(|tx| to::base64(tx)).collect();
        let txs = if with_txs { json!(txs) } else { Value::Null };
        json!({"n_txs": count, "total": count, "total_bytes": total.to_string(), "txs": txs})
    }

    pub(super) async fn tx(&self, args: &Args) -> Answer {
        let hash = args
            .bytes("hash")?
            .ok_or_else(|| RpcError::params("hash is missing"))?;
        let not_found = || RpcError::internal(format!("tx ({}) not found", hex::encode_upper(&hash)));
        if self.core.faults.is(&Fault::HidesTransactions) {
            return Err(not_found());
        }
        let row = self.core.db.tx(&hash).await?.ok_or_else(not_found)?;
        if row.height > self.visible_height() {
            return Err(not_found());
        }
        self.tx_json(&row, args.flag("prove")?).await
    }

    /// An included transaction as calls and searches show it.
    pub(super) async fn tx_json(&self, row: &TxRow, prove: bool) -> Answer {
        let mut shown = json!({
            "hash": hex::encode_upper(&row.hash),
            "height": row.height.to_string(),
            "index": row.index,
            "tx_result": to::tx_result(&row.result),
            "tx": to::base64(&row.raw),
        });
        if prove {
            let txs = self.core.db.txs(row.height).await?;
            let leaf = |tx: &TxRow| merkle::leaf_hash(&Sha256::digest(&tx.raw));
            let leaves: Vec<merkle::Hash> = txs.iter().map(leaf).collect();
            let index = row.index as usize;
            let way = merkle::path(&leaves, index);
            let aunts: Vec<String> = way.iter().map(|(_, aunt)| to::base64(aunt)).collect();
            shown["proof"] = json!({
                "root_hash": hex::encode_upper(merkle::root(&leaves)),
                "data": to::base64(&row.raw),
                "proof": {
                    "total": leaves.len().to_string(),
                    "index": index.to_string(),
                    "leaf_hash": to::base64(leaves.get(index).map_or(&[][..], |leaf| leaf.as_slice())),
                    "aunts": aunts,
                },
            });
        }
        Ok(shown)
    }
}
