//! Calls about the chain itself: status, blocks, headers, commits, validators.

use serde_json::{Value, json};
use tendermint::block::{Commit, CommitSig, Header};

use super::{Answer, RpcError, Server, args::Args, json as to};
use crate::{
    block::{address_text, hash_text},
    db::BlockRow,
    faults::Fault,
};

/// The version of CometBFT that the real chain's nodes name.
const COMET_VERSION: &str = "0.38.22";
/// Headers in one answer of `blockchain`.
const MAX_HEADERS: u64 = 20;

impl Server {
    /// The newest height, as far as this endpoint says.
    pub(super) fn visible_height(&self) -> u64 {
        self.core
            .head()
            .height
            .saturating_sub(self.core.faults.stale_blocks())
            .max(1)
    }

    /// The height that a call asks for; the newest where it asks for none.
    pub(super) fn asked_height(&self, args: &Args) -> Result<u64, RpcError> {
        let last = self.visible_height();
        let Some(asked) = args.number("height")? else {
            return Ok(last);
        };
        let Some(height) = u64::try_from(asked).ok().filter(|height| *height > 0) else {
            return Err(RpcError::internal(format!(
                "height must be greater than 0, but got {asked}"
            )));
        };
        if height > last {
            return Err(RpcError::internal(format!(
                "height {height} must be less than or equal to the current blockchain height {last}"
            )));
        }
        Ok(height)
    }

    async fn row(&self, height: u64) -> Result<BlockRow, RpcError> {
        let row = self.core.db.block(height).await?;
        row.ok_or_else(|| RpcError::internal(format!("block {height} is not available")))
    }

    /// The header as this endpoint shows it.
    fn shown_header(&self, row: &BlockRow) -> Value {
        let mut shown = to::header(&self.lied_header(&row.header));
        if let Some(chain_id) = self.core.faults.chain_id() {
            shown["chain_id"] = json!(chain_id);
        }
        shown
    }

    fn lied_header(&self, header: &Header) -> Header {
        let mut header = header.clone();
        if self.core.faults.is(&Fault::ForgedHeader) {
            let mut hash = header.app_hash.as_bytes().to_vec();
            if let Some(first) = hash.first_mut() {
                *first ^= 1;
            }
            if let Ok(hash) = tendermint::AppHash::try_from(hash) {
                header.app_hash = hash;
            }
        }
        header
    }

    fn shown_commit(&self, commit: &Commit) -> Value {
        let mut commit = commit.clone();
        if self.core.faults.is(&Fault::WrongSignature) {
            for signature in &mut commit.signatures {
                flip(signature);
            }
        }
        to::commit(Some(&commit))
    }

    pub(super) async fn status(&self) -> Answer {
        let head = self.core.head();
        let last = self.row(self.visible_height()).await?;
        let first = self.row(self.core.first).await?;
        let info = self.core.validator.info();
        let address = address_text(&info.address);
        let network = self
            .core
            .faults
            .chain_id()
            .unwrap_or_else(|| self.core.chain_id.to_string());
        let app_hash = |row: &BlockRow| hex::encode_upper(row.header.app_hash.as_bytes());
        Ok(json!({
            "node_info": {
                "protocol_version": {"p2p": "8", "block": "11", "app": "0"},
                "id": address.to_lowercase(),
                "listen_addr": "tcp://127.0.0.1:0",
                "network": network,
                "version": COMET_VERSION,
                "channels": "40202122233038606100",
                "moniker": "hearth-devnet",
                "other": {"tx_index": "on", "rpc_address": format!("tcp://{}", self.address)},
            },
            "sync_info": {
                "latest_block_hash": hash_text(&last.header.hash()),
                "latest_app_hash": app_hash(&last),
                "latest_block_height": last.header.height.value().to_string(),
                "latest_block_time": last.header.time.to_rfc3339(),
                "earliest_block_hash": hash_text(&first.header.hash()),
                "earliest_app_hash": app_hash(&first),
                "earliest_block_height": first.header.height.value().to_string(),
                "earliest_block_time": first.header.time.to_rfc3339(),
                "catching_up": head.height == 0,
            },
            "validator_info": {
                "address": address,
                "pub_key": to::pub_key(info),
                "voting_power": info.power().to_string(),
            },
        }))
    }

    pub(super) async fn genesis(&self) -> Answer {
        let mut app_state = serde_json::to_value(&self.core.genesis.params)
            .map_err(|error| RpcError::internal(error.to_string()))?;
        // Each module has more than its parameters, as on the real chain; what else it began with can be asked for.
        if let Some(modules) = app_state.as_object_mut() {
            for params in modules.values_mut() {
                *params = json!({"params": params.take()});
            }
        }
        let first = self.core.db.block(self.core.first).await?;
        let time = first.map(|first| to::header(&first.header)["time"].take());
        Ok(json!({"genesis": {
            "genesis_time": time,
            "chain_id": &*self.core.chain_id,
            "initial_height": "1",
            "consensus_params": to::consensus_params(),
            "app_hash": "",
            "app_state": app_state,
        }}))
    }

    pub(super) fn consensus_params(&self, args: &Args) -> Answer {
        let height = self.asked_height(args)?;
        Ok(json!({"block_height": height.to_string(), "consensus_params": to::consensus_params()}))
    }

    pub(super) fn validators(&self, args: &Args) -> Answer {
        let height = self.asked_height(args)?;
        Ok(json!({
            "block_height": height.to_string(),
            "validators": [to::validator(self.core.validator.info())],
            "count": "1",
            "total": "1",
        }))
    }

    pub(super) async fn block(&self, args: &Args) -> Answer {
        let height = self.asked_height(args)?;
        self.block_at(height).await
    }

    pub(super) async fn block_by_hash(&self, args: &Args) -> Answer {
        match self.height_by_hash(args).await? {
            Some(height) => self.block_at(height).await,
            None => Ok(json!({"block_id": to::block_id(None), "block": Value::Null})),
        }
    }

    async fn height_by_hash(&self, args: &Args) -> Result<Option<u64>, RpcError> {
        let hash = args.bytes("hash")?.unwrap_or_default();
        Ok(self.core.db.height_of(&hash).await?)
    }

    pub(super) async fn block_at(&self, height: u64) -> Answer {
        let row = self.row(height).await?;
        let before = self.core.db.block(height - 1).await?;
        let txs = self.core.db.txs(height).await?;
        let mut block = to::block(&row, before.as_ref().map(|before| &before.commit), &txs);
        block["header"] = self.shown_header(&row);
        Ok(json!({"block_id": to::block_id(Some(&row.commit.block_id)), "block": block}))
    }

    pub(super) async fn header(&self, args: &Args) -> Answer {
        let row = self.row(self.asked_height(args)?).await?;
        Ok(json!({"header": self.shown_header(&row)}))
    }

    pub(super) async fn header_by_hash(&self, args: &Args) -> Answer {
        match self.height_by_hash(args).await? {
            Some(height) => Ok(json!({"header": self.shown_header(&self.row(height).await?)})),
            None => Ok(json!({"header": Value::Null})),
        }
    }

    pub(super) async fn commit(&self, args: &Args) -> Answer {
        let row = self.row(self.asked_height(args)?).await?;
        Ok(json!({
            "signed_header": {"header": self.shown_header(&row), "commit": self.shown_commit(&row.commit)},
            "canonical": true,
        }))
    }

    pub(super) async fn blockchain(&self, args: &Args) -> Answer {
        let last = self.visible_height();
        let bound = |number: Option<i64>, otherwise: u64| match number.and_then(|n| u64::try_from(n).ok()) {
            Some(0) | None => otherwise,
            Some(height) => height.min(last),
        };
        let max = bound(args.number("maxHeight")?, last);
        let min = bound(args.number("minHeight")?, 1).max(max.saturating_sub(MAX_HEADERS - 1));
        let mut metas = Vec::new();
        for height in (min..=max).rev() {
            let row = self.row(height).await?;
            let n_txs = self.core.db.txs(height).await?.len();
            metas.push(json!({
                "block_id": to::block_id(Some(&row.commit.block_id)),
                "block_size": "0",
                "header": self.shown_header(&row),
                "num_txs": n_txs.to_string(),
            }));
        }
        Ok(json!({"last_height": last.to_string(), "block_metas": metas}))
    }

    pub(super) async fn block_results(&self, args: &Args) -> Answer {
        let height = self.asked_height(args)?;
        let row = self.row(height).await?;
        let txs = self.core.db.txs(height).await?;
        let results: Vec<Value> = txs.iter().map(|tx| to::tx_result(&tx.result)).collect();
        Ok(json!({
            "height": height.to_string(),
            "txs_results": if results.is_empty() { Value::Null } else { Value::Array(results) },
            "finalize_block_events": to::events(&row.events),
            "validator_updates": Value::Null,
            "consensus_param_updates": to::param_updates(),
            "app_hash": to::base64(&row.app_hash),
        }))
    }
}

/// Flips a bit of a signature.
fn flip(signature: &mut CommitSig) {
    let signature = match signature {
        CommitSig::BlockIdFlagAbsent => return,
        CommitSig::BlockIdFlagCommit { signature, .. } | CommitSig::BlockIdFlagNil { signature, .. } => {
            signature
        }
    };
    let mut bytes = signature
        .as_ref()
        .map(|signature| signature.as_bytes().to_vec())
        .unwrap_or_default();
    if let Some(first) = bytes.first_mut() {
        *first ^= 1;
    }
    *signature = tendermint::Signature::new(bytes).ok().flatten();
}
