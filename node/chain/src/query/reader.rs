//! Asking the state, with proof where it can be had.

use std::{collections::BTreeMap, sync::Arc};

use hearth_base::Height;
use parking_lot::Mutex;
use serde_json::json;

use super::{ProofStatus, Query, QueryError, ReadAt, Verified, epochs::Epochs};
use crate::{
    db::{CachedValue, Db},
    light::{Light, LightError},
    rpc::{
        Endpoint, Pool, RpcError,
        wire::{AbciQuery, AbciQueryAnswer},
    },
    verify::{self, Statement},
};

/// A value is written to disk again only when it changed or its proof is this many blocks newer.
const CACHE_STEP: u64 = 30;
/// How many values are remembered as written; a few hundred bytes each.
const MAX_REMEMBERED: usize = 4096;

/// The doors to the state.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) pool: Arc<Pool>,
    pub(crate) light: Arc<Light>,
    pub(crate) db: Db,
    /// What was written to the cache last.
    pub(crate) remembered: Mutex<BTreeMap<(&'static str, Vec<u8>), CachedValue>>,
    /// Parameters and prices of the past.
    pub(crate) epochs: Mutex<Epochs>,
}

impl Reader {
    /// Reads a record. What asks and proves is boxed: eight are joined for all parameters, and the sum of what they hold
    /// would go through the stack of a thread.
    pub(crate) async fn read<T>(
        &self,
        query: &Query<T>,
        at: ReadAt,
    ) -> Result<Verified<Option<T>>, QueryError> {
        let raw = match at {
            ReadAt::Unproven => Box::pin(self.unproven(query.store, &query.key, None)).await?,
            ReadAt::Newest | ReadAt::Height(_) => {
                match Box::pin(self.proven(query.store, &query.key, at)).await {
                    Ok(answer) => answer.map(|statement| match statement {
                        Statement::Present(value) => Some(value),
                        Statement::Absent { .. } => None,
                    }),
                    Err(error) => Box::pin(self.without_proof(query.store, &query.key, at, error)).await?,
                }
            }
        };
        let parse = |bytes: Vec<u8>| {
            (query.parse)(&bytes).map_err(|why| QueryError::Unreadable {
                what: query.what,
                why,
            })
        };
        let Verified { value, height, how } = raw;
        Ok(Verified {
            value: value.map(parse).transpose()?,
            height,
            how,
        })
    }

    /// What the state says about a key, proven.
    pub(crate) async fn proven(
        &self,
        store: &'static str,
        key: &[u8],
        at: ReadAt,
    ) -> Result<Verified<Statement>, QueryError> {
        let height = match at {
            ReadAt::Height(height) => height,
            ReadAt::Newest | ReadAt::Unproven => {
                let newest = self.light.newest().await?;
                Height(newest.height().0.saturating_sub(1))
            }
        };
        if height.0 < 2 {
            return Err(QueryError::TooEarly { height });
        }
        let header = self.light.header(height.plus(1)).await?;
        let mut last: Option<QueryError> = None;
        for endpoint in self.pool.candidates() {
            let answer = match ask(&endpoint, &format!("store/{store}/key"), key, Some(height), true).await {
                Ok(answer) => answer,
                Err(error) => {
                    last = Some(error);
                    continue;
                }
            };
            if u64::try_from(answer.height) != Ok(height.0) {
                self.pool.ban(
                    &endpoint,
                    &format!(
                        "asked for the state of {height}, it sent that of {}",
                        answer.height
                    ),
                );
                continue;
            }
            match verify::prove(
                header.app_hash(),
                store,
                key,
                &answer.value,
                &answer.proof_ops.ops,
            ) {
                Ok(statement) => {
                    self.remember(store, key, height, &statement).await?;
                    return Ok(Verified {
                        value: statement,
                        height,
                        how: ProofStatus::Proven,
                    });
                }
                Err(error) => self
                    .pool
                    .ban(&endpoint, &format!("wrong proof of {store} at {height}: {error}")),
            }
        }
        Err(last.unwrap_or_else(|| self.pool.none_left().into()))
    }

    /// What can be said without a proof: an unproven answer while there is no trust or the head is asked, else what
    /// was proven before.
    async fn without_proof(
        &self,
        store: &'static str,
        key: &[u8],
        at: ReadAt,
        error: QueryError,
    ) -> Result<Verified<Option<Vec<u8>>>, QueryError> {
        let no_trust = matches!(
            error,
            QueryError::Light(LightError::NoTrust { .. } | LightError::NotYet { .. })
                | QueryError::TooEarly { .. }
        );
        if no_trust {
            let height = match at {
                ReadAt::Height(height) => Some(height),
                ReadAt::Newest | ReadAt::Unproven => None,
            };
            return self.unproven(store, key, height).await;
        }
        let cached = match at {
            ReadAt::Newest => self.db.value(store, key).await?,
            ReadAt::Height(_) | ReadAt::Unproven => None,
        };
        match cached {
            Some(CachedValue { height, value }) => Ok(Verified {
                value,
                height,
                how: ProofStatus::Stale,
            }),
            None => Err(error),
        }
    }

    /// A record on the word of one endpoint.
    async fn unproven(
        &self,
        store: &'static str,
        key: &[u8],
        height: Option<Height>,
    ) -> Result<Verified<Option<Vec<u8>>>, QueryError> {
        let answer = self
            .ask_anyone(&format!("store/{store}/key"), key, height)
            .await?;
        let value = (!answer.value.is_empty()).then_some(answer.value);
        let height = Height(u64::try_from(answer.height).unwrap_or(0));
        Ok(Verified {
            value,
            height,
            how: ProofStatus::Unproven,
        })
    }

    /// Asks a question of the second door, on the word of one endpoint.
    pub(crate) async fn ask_anyone(
        &self,
        path: &str,
        data: &[u8],
        height: Option<Height>,
    ) -> Result<AbciQuery, QueryError> {
        let mut last: Option<QueryError> = None;
        for endpoint in self.pool.candidates() {
            match ask(&endpoint, path, data, height, false).await {
                Ok(answer) => return Ok(answer),
                Err(QueryError::Rpc(error)) if !error.is_worth_another() => return Err(error.into()),
                // What is not there is not there; a height that is not there may be elsewhere.
                Err(error) if error.is_not_found() => return Err(error),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| self.pool.none_left().into()))
    }

    /// Keeps a proven value for the time when nobody answers.
    async fn remember(
        &self,
        store: &'static str,
        key: &[u8],
        height: Height,
        statement: &Statement,
    ) -> Result<(), QueryError> {
        let value = match statement {
            Statement::Present(value) => Some(value.clone()),
            Statement::Absent { .. } => None,
        };
        let cached = CachedValue { height, value };
        let slot = (store, key.to_vec());
        {
            let mut remembered = self.remembered.lock();
            let is_fresh = remembered.get(&slot).is_some_and(|before| {
                before.value == cached.value && height.since(before.height) < CACHE_STEP
            });
            if is_fresh {
                return Ok(());
            }
            if remembered.len() >= MAX_REMEMBERED {
                remembered.clear();
            }
            remembered.insert(slot, cached.clone());
        }
        Ok(self.db.save_value(store, key, &cached).await?)
    }
}

/// Asks one endpoint.
pub(crate) async fn ask(
    endpoint: &Endpoint,
    path: &str,
    data: &[u8],
    height: Option<Height>,
    prove: bool,
) -> Result<AbciQuery, QueryError> {
    let mut params = json!({ "path": path, "data": hex::encode(data), "prove": prove });
    if let Some(height) = height {
        params["height"] = height.0.to_string().into();
    }
    let answer: Result<AbciQueryAnswer, RpcError> = endpoint.call("abci_query", params).await;
    let answer = answer?.response;
    if answer.code != 0 {
        return Err(QueryError::Refused {
            path: path.to_owned(),
            codespace: answer.codespace,
            code: answer.code,
            log: answer.log.chars().take(500).collect(),
        });
    }
    Ok(answer)
}
