//! Lists and searches: on the word of one endpoint.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_base::{Height, ServiceId};
use hearth_pocket::{
    address::Address,
    merkle,
    message::{
        cosmos::{PageRequest, PageResponse},
        proof::{Claim, QueryAllClaimsRequest, QueryAllClaimsResponse},
        service::{QueryAllServicesRequest, QueryAllServicesResponse},
        shared::{Service, Supplier},
        supplier::{QueryAllSuppliersRequest, QueryAllSuppliersResponse},
    },
};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{ProofStatus, QueryError, Reader, Verified};
use crate::{
    events::{ChainEvent, of_tx},
    rpc::{
        Endpoint, RpcError,
        wire::{BlockAnswer, BlockResults, TxAnswer, TxOutcome, TxSearch},
    },
    verify::{prove_results, prove_tx, prove_txs},
};

/// Entries per page.
const PAGE: u64 = 100;
/// At most this many pages of a list are read: 10,000 entries.
const MAX_PAGES: usize = 100;
/// Transactions on one page of a search: endpoints give no more.
const MAX_FOUND_PER_PAGE: usize = 100;

/// A transaction that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundTx {
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// The block it is in.
    pub height: Height,
    /// Its place in that block.
    pub index: u64,
    /// 0 where it did what it should.
    pub code: i64,
    /// Who refused it.
    pub codespace: String,
    /// Why it failed.
    pub log: String,
    /// What it used.
    pub gas_used: u64,
    /// What it caused.
    pub events: Vec<ChainEvent>,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Whether it is proven that the block holds it.
    pub is_placed: bool,
    /// Whether it is proven that the block holds it and that `code` is what became of it. Its events and log stand on
    /// the endpoint's word.
    pub how: ProofStatus,
}

/// Whose "not found" is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AbsencePolicy {
    /// That of the best endpoint: asked again soon.
    Best,
    /// Only that of all: something final follows from it.
    All,
}

impl FoundTx {
    pub(crate) fn from_answer(answer: TxAnswer) -> FoundTx {
        let mut hash = [0; 32];
        // A hash that cannot be read stays zero; callers compare it.
        let _ = hex::decode_to_slice(&answer.hash, &mut hash);
        FoundTx {
            hash,
            height: Height(u64::try_from(answer.height).unwrap_or(0)),
            index: u64::try_from(answer.index).unwrap_or(0),
            code: answer.tx_result.code,
            events: of_tx(&answer.tx_result),
            codespace: answer.tx_result.codespace,
            log: answer.tx_result.log,
            gas_used: u64::try_from(answer.tx_result.gas_used).unwrap_or(0),
            bytes: answer.tx,
            is_placed: false,
            how: ProofStatus::Unproven,
        }
    }
}

impl Reader {
    /// All services, without their cards.
    pub(crate) async fn services(&self) -> Result<Verified<Vec<Service>>, QueryError> {
        let mut all = Vec::new();
        let mut key = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = QueryAllServicesRequest {
                pagination: Some(page(key)),
                dehydrated: true,
            };
            let answer: QueryAllServicesResponse = self
                .call("/pocket.service.Query/AllServices", &request, None)
                .await?;
            all.extend(answer.service);
            key = next(answer.pagination);
            if key.is_empty() {
                break;
            }
        }
        self.told(all).await
    }

    /// The suppliers that have or had a configuration for a service.
    pub(crate) async fn suppliers(&self, service: &ServiceId) -> Result<Verified<Vec<Supplier>>, QueryError> {
        let mut all = Vec::new();
        let mut key = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = QueryAllSuppliersRequest {
                pagination: Some(page(key)),
                service_id: service.to_string(),
                ..QueryAllSuppliersRequest::default()
            };
            let answer: QueryAllSuppliersResponse = self
                .call("/pocket.supplier.Query/AllSuppliers", &request, None)
                .await?;
            all.extend(answer.supplier);
            key = next(answer.pagination);
            if key.is_empty() {
                break;
            }
        }
        self.told(all).await
    }

    /// The pending claims of a supplier.
    pub(crate) async fn claims(&self, operator: &Address) -> Result<Verified<Vec<Claim>>, QueryError> {
        let mut all = Vec::new();
        let mut key = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = QueryAllClaimsRequest {
                pagination: Some(page(key)),
                supplier_operator_address: operator.to_string(),
                ..QueryAllClaimsRequest::default()
            };
            let answer: QueryAllClaimsResponse =
                self.call("/pocket.proof.Query/AllClaims", &request, None).await?;
            all.extend(answer.claims);
            key = next(answer.pagination);
            if key.is_empty() {
                break;
            }
        }
        self.told(all).await
    }

    /// Hands out transactions that match a search, newest first, `limit` at most; says whether there are more.
    pub(crate) async fn search(
        &self,
        query: &str,
        limit: usize,
        found: &mut (dyn FnMut(FoundTx) + Send),
    ) -> Result<bool, QueryError> {
        let per_page = limit.clamp(1, MAX_FOUND_PER_PAGE);
        let mut n_found = 0;
        for page in 1..=limit.div_ceil(per_page) {
            let params = json!({
                "query": query,
                "prove": false,
                "page": page.to_string(),
                "per_page": per_page.to_string(),
                "order_by": "desc",
            });
            let answer: TxSearch = self.pool.call("tx_search", params).await?;
            let n_all = usize::try_from(answer.total_count).unwrap_or(0);
            let wanted = answer.txs.into_iter().take(per_page.min(limit - n_found));
            let n_before = n_found;
            for tx in wanted {
                found(FoundTx::from_answer(tx));
                n_found += 1;
            }
            // An endpoint that counts more than it gives is not asked for ever.
            if n_found >= limit.min(n_all) || n_found == n_before {
                return Ok(n_all > n_found);
            }
        }
        Ok(true)
    }

    /// A transaction by its hash; `None` while no block holds it. An endpoint that puts it into a block that does not
    /// hold it, or tells another outcome than the block's, is banned.
    pub(crate) async fn tx(
        &self,
        hash: &[u8; 32],
        ask: AbsencePolicy,
    ) -> Result<Option<FoundTx>, QueryError> {
        let params = json!({ "hash": STANDARD.encode(hash), "prove": true });
        let mut last: Option<RpcError> = None;
        let mut unknown = false;
        for endpoint in self.pool.candidates() {
            let answer: TxAnswer = match endpoint.call("tx", params.clone()).await {
                Ok(answer) => answer,
                Err(RpcError::Refused { data, .. }) if data.contains("not found") => match ask {
                    AbsencePolicy::Best => return Ok(None),
                    AbsencePolicy::All => {
                        unknown = true;
                        continue;
                    }
                },
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            match self.check_tx(&endpoint, answer, hash).await? {
                Ok(found) => return Ok(Some(found)),
                Err(why) => self.pool.ban(&endpoint, &why),
            }
        }
        if unknown {
            return Ok(None);
        }
        Err(last.unwrap_or_else(|| self.pool.none_left()).into())
    }

    /// Holds a transaction against the verified headers, as far as those are there. The inner error is a lie.
    async fn check_tx(
        &self,
        endpoint: &Endpoint,
        answer: TxAnswer,
        hash: &[u8; 32],
    ) -> Result<Result<FoundTx, String>, QueryError> {
        let (proof, outcome) = (answer.proof.clone(), answer.tx_result.clone());
        let mut found = FoundTx::from_answer(answer);
        if found.hash != *hash || (!found.bytes.is_empty() && hearth_pocket::tx::hash(&found.bytes) != *hash)
        {
            return Ok(Err("asked for one transaction, it sent another".to_owned()));
        }
        let (Some(proof), Ok(header)) = (proof, self.light.header(found.height).await) else {
            return Ok(Ok(found));
        };
        let data_hash = header.header().data_hash.unwrap_or_default();
        if let Err(error) = prove_tx(data_hash.as_bytes(), &found.bytes, &proof) {
            return Ok(Err(format!("false place of a transaction: {error}")));
        }
        found.is_placed = true;
        if self.light.newest().await?.height() <= found.height {
            return Ok(Ok(found));
        }
        let index = usize::try_from(proof.proof.index).unwrap_or(usize::MAX);
        match self.proven_outcome(endpoint, found.height, index).await? {
            Err(why) => Ok(Err(why)),
            Ok(None) => Ok(Ok(found)),
            Ok(Some(result)) if result.code == outcome.code && result.gas_used == outcome.gas_used => {
                found.how = ProofStatus::Proven;
                Ok(Ok(found))
            }
            Ok(Some(_)) => Ok(Err("false outcome of a transaction".to_owned())),
        }
    }

    /// What became of a transaction of a block, held against the next verified header; `None` where the endpoint does
    /// not say it. The inner error is a lie.
    async fn proven_outcome(
        &self,
        endpoint: &Endpoint,
        height: Height,
        index: usize,
    ) -> Result<Result<Option<TxOutcome>, String>, QueryError> {
        let next = self.light.header(height.plus(1)).await?;
        let asked = endpoint
            .call("block_results", json!({ "height": height.0.to_string() }))
            .await;
        let Ok(BlockResults { txs_results, .. }) = asked else {
            return Ok(Ok(None));
        };
        let results_hash = next.header().last_results_hash.unwrap_or_default();
        if let Err(error) = prove_results(results_hash.as_bytes(), &txs_results) {
            return Ok(Err(format!("false results of block {height}: {error}")));
        }
        Ok(Ok(txs_results.into_iter().nth(index)))
    }

    /// A transaction with its proven outcome, if the verified block of this height holds it. `None`: it certainly does
    /// not.
    pub(crate) async fn tx_in_block(
        &self,
        hash: &[u8; 32],
        height: Height,
    ) -> Result<Option<FoundTx>, QueryError> {
        let header = self.light.header(height).await?;
        let data_hash = header.header().data_hash.unwrap_or_default();
        if *data_hash.as_bytes() == merkle::root(&[]) {
            return Ok(None);
        }
        let mut last: Option<RpcError> = None;
        for endpoint in self.pool.candidates() {
            let params = json!({ "height": height.0.to_string() });
            let txs = match endpoint.call::<BlockAnswer>("block", params).await {
                Ok(answer) => answer.block.data.txs.0,
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            if let Err(error) = prove_txs(data_hash.as_bytes(), &txs) {
                self.pool
                    .ban(&endpoint, &format!("false block {height}: {error}"));
                continue;
            }
            let Some(index) = txs.iter().position(|tx| *hash == *Sha256::digest(tx)) else {
                return Ok(None);
            };
            match self.proven_outcome(&endpoint, height, index).await? {
                Err(why) => self.pool.ban(&endpoint, &why),
                Ok(None) => {}
                Ok(Some(outcome)) => {
                    let answer = TxAnswer {
                        hash: hex::encode_upper(hash),
                        height: i64::try_from(height.0).unwrap_or(i64::MAX),
                        index: i64::try_from(index).unwrap_or(i64::MAX),
                        tx_result: outcome,
                        tx: txs.into_iter().nth(index).unwrap_or_default(),
                        proof: None,
                    };
                    return Ok(Some(FoundTx {
                        how: ProofStatus::Proven,
                        is_placed: true,
                        ..FoundTx::from_answer(answer)
                    }));
                }
            }
        }
        Err(last.unwrap_or_else(|| self.pool.none_left()).into())
    }

    async fn told<T>(&self, value: T) -> Result<Verified<T>, QueryError> {
        let height = match self.light.newest().await {
            Ok(newest) => newest.height(),
            // Lists are unproven anyway.
            Err(_) => Height(0),
        };
        Ok(Verified {
            value,
            height,
            how: ProofStatus::Unproven,
        })
    }
}

fn page(key: Vec<u8>) -> PageRequest {
    PageRequest {
        key,
        limit: PAGE,
        ..PageRequest::default()
    }
}

fn next(page: Option<PageResponse>) -> Vec<u8> {
    page.map(|page| page.next_key).unwrap_or_default()
}
