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

use super::{ProofStatus, QueryError, Reader, Seen};
use crate::{
    events::{ChainEvent, of_tx},
    rpc::{
        Endpoint, Heard, Lie, RpcError,
        wire::{BlockAnswer, BlockResults, TxAnswer, TxOutcome, TxSearch},
    },
    verify::{Outcome, Proven, prove_tx, prove_txs},
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
    /// What became of it, once that is proven; its events and log stand on the endpoint's word.
    pub outcome: Option<Proven<Outcome>>,
}

/// What the SDK says of whatever a module's handler refuses in words: the account's own checks were passed before it.
const HANDLER_FAILED: i64 = 1;
/// What both the account's own checks and the SDK's handlers say: too little money, a wrong address, too little gas, wrong
/// coins.
const EITHER_FAILED: [i64; 4] = [5, 7, 10, 11];

impl FoundTx {
    /// Whether a later block may hold the same bytes once more. What fails in the account's own checks changes nothing,
    /// so that its moment of validity is not used up; of most codes it cannot be said who gave them.
    #[must_use]
    pub fn may_come_again(&self) -> bool {
        !matches!(self.code, 0 | HANDLER_FAILED)
    }

    /// Whether the code alone, which is what a header commits to, does not tell the account's own checks from a handler.
    #[must_use]
    pub fn is_failure_of_either_kind(&self) -> bool {
        EITHER_FAILED.contains(&self.code)
    }
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
            outcome: None,
        }
    }

    /// How far what is told of it was verified.
    #[must_use]
    pub fn how(&self) -> ProofStatus {
        match self.outcome {
            Some(_) => ProofStatus::Proven,
            None => ProofStatus::Unproven,
        }
    }
}

impl Reader {
    /// All services, without their cards.
    pub(crate) async fn services(&self) -> Result<Seen<Vec<Service>>, QueryError> {
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
        Ok(self.listed(all).await)
    }

    /// The suppliers that have or had a configuration for a service.
    pub(crate) async fn suppliers(&self, service: &ServiceId) -> Result<Seen<Vec<Supplier>>, QueryError> {
        let of_service = QueryAllSuppliersRequest {
            service_id: service.to_string(),
            ..QueryAllSuppliersRequest::default()
        };
        self.suppliers_like(&of_service).await
    }

    /// The suppliers of an owner; asked for once a block.
    pub(crate) async fn suppliers_of(&self, owner: &Address) -> Result<Seen<Vec<Supplier>>, QueryError> {
        let height = self.head.borrow().verified_height;
        if let Some((of, at, listed)) = &*self.owned.lock()
            && (of, *at) == (owner, height)
        {
            return Ok(listed.clone());
        }
        let of_owner = QueryAllSuppliersRequest {
            owner_address: owner.to_string(),
            ..QueryAllSuppliersRequest::default()
        };
        let listed = self.suppliers_like(&of_owner).await?;
        *self.owned.lock() = Some((owner.clone(), height, listed.clone()));
        Ok(listed)
    }

    async fn suppliers_like(
        &self,
        wanted: &QueryAllSuppliersRequest,
    ) -> Result<Seen<Vec<Supplier>>, QueryError> {
        let mut all = Vec::new();
        let mut key = Vec::new();
        for _ in 0..MAX_PAGES {
            let request = QueryAllSuppliersRequest {
                pagination: Some(page(key)),
                ..wanted.clone()
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
        Ok(self.listed(all).await)
    }

    /// The pending claims of a supplier.
    pub(crate) async fn claims(&self, operator: &Address) -> Result<Seen<Vec<Claim>>, QueryError> {
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
        Ok(self.listed(all).await)
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
            let (answer, heard): (TxAnswer, Heard) = match endpoint.call_heard("tx", params.clone()).await {
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
                Err(why) => self.pool.ban(&endpoint, Lie::new(why).heard(heard)),
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
        let total = usize::try_from(proof.proof.total).unwrap_or(usize::MAX);
        match self.proven_outcome(endpoint, found.height, index, total).await? {
            Err(why) => Ok(Err(why)),
            Ok(None) => Ok(Ok(found)),
            Ok(Some((proven, _))) => {
                let told = (outcome.code, outcome.gas_used);
                if (proven.value().code, proven.value().gas_used) != told {
                    return Ok(Err("false outcome of a transaction".to_owned()));
                }
                found.outcome = Some(proven);
                Ok(Ok(found))
            }
        }
    }

    /// What became of a transaction of a block of so many, held against the next verified header; `None` where the
    /// endpoint does not say it. The inner error is a lie.
    async fn proven_outcome(
        &self,
        endpoint: &Endpoint,
        height: Height,
        index: usize,
        n_txs: usize,
    ) -> Result<Result<Option<(Proven<Outcome>, TxOutcome)>, String>, QueryError> {
        let next = self.light.header(height.plus(1)).await?;
        let asked = endpoint
            .call("block_results", json!({ "height": height.0.to_string() }))
            .await;
        let Ok(BlockResults { txs_results, .. }) = asked else {
            return Ok(Ok(None));
        };
        match next.prove_outcome(&txs_results, index) {
            Err(error) => Ok(Err(format!("false results of block {height}: {error}"))),
            // The way of a transaction to the root is the same for another place among fewer or more: the number of
            // results, which the next header commits to, fixes it.
            Ok(_) if txs_results.len() != n_txs => {
                let why = format!(
                    "block {height} has {} transactions, not {n_txs}",
                    txs_results.len()
                );
                Ok(Err(why))
            }
            Ok(proven) => Ok(Ok(proven.zip(txs_results.into_iter().nth(index)))),
        }
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
                let why = format!("false block {height}: {error}");
                self.pool.ban(&endpoint, Lie::new(why));
                continue;
            }
            let Some(index) = txs.iter().position(|tx| *hash == *Sha256::digest(tx)) else {
                return Ok(None);
            };
            match self.proven_outcome(&endpoint, height, index, txs.len()).await? {
                Err(why) => self.pool.ban(&endpoint, Lie::new(why)),
                Ok(None) => {}
                Ok(Some((proven, outcome))) => {
                    let answer = TxAnswer {
                        hash: hex::encode_upper(hash),
                        height: i64::try_from(height.0).unwrap_or(i64::MAX),
                        index: i64::try_from(index).unwrap_or(i64::MAX),
                        tx_result: outcome,
                        tx: txs.into_iter().nth(index).unwrap_or_default(),
                        proof: None,
                    };
                    return Ok(Some(FoundTx {
                        outcome: Some(proven),
                        is_placed: true,
                        ..FoundTx::from_answer(answer)
                    }));
                }
            }
        }
        Err(last.unwrap_or_else(|| self.pool.none_left()).into())
    }

    async fn listed<T>(&self, value: T) -> Seen<T> {
        Seen {
            value,
            height: self.about_now().await,
            why: "it is a list of an endpoint".to_owned(),
        }
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
