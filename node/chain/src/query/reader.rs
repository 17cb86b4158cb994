//! Asking the state, with proof where it can be had.

use std::{collections::BTreeMap, sync::Arc};

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hearth_base::Height;
use hearth_pocket::{address::Address, message::shared::Supplier};
use parking_lot::Mutex;
use prost::Message;
use serde_json::json;
use tokio::sync::watch;

use super::{Query, QueryError, ReadAt, Seen, Stale, Told, epochs::Epochs, fresh::Fresh, hints::Hints};
use crate::{
    db::{CachedValue, Db},
    head::{Head, Standing},
    light::{Light, LightError},
    rpc::{
        Endpoint, Fault, Heard, Lie, Pool, RpcError,
        wire::{AbciQuery, AbciQueryAnswer},
    },
    verify::{Neighbour, Proven, Statement, VerifiedHeader, Walk, Walked},
};

/// A value is written to disk again only when it changed or its proof is this many blocks newer.
const CACHE_STEP: u64 = 30;
/// How many values are remembered as written; a few hundred bytes each.
const MAX_REMEMBERED: usize = 4096;
/// Proofs of one list that are asked for at a time.
const AT_ONCE: usize = 16;

/// The doors to the state.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) pool: Arc<Pool>,
    pub(crate) light: Arc<Light>,
    pub(crate) db: Db,
    /// What was written to the cache last.
    remembered: Mutex<BTreeMap<(&'static str, Vec<u8>), CachedValue>>,
    /// The head: what was proven of the newest state counts while the chain is followed.
    pub(super) head: watch::Receiver<Head>,
    /// What was proven of the newest state.
    fresh: Mutex<Fresh>,
    /// The suppliers of the owner who was asked for last, as an endpoint listed them at a head.
    pub(super) owned: Mutex<Option<(Address, Height, Seen<Vec<Supplier>>)>>,
    /// Parameters and prices of the past.
    pub(super) epochs: Mutex<Epochs>,
    /// Which suppliers were candidates last.
    pub(super) hints: Mutex<Hints>,
}

impl From<RpcError> for Fault<QueryError> {
    fn from(error: RpcError) -> Fault<QueryError> {
        Fault::Failed(error.into())
    }
}

impl Reader {
    pub(crate) fn new(pool: Arc<Pool>, light: Arc<Light>, db: Db, head: watch::Receiver<Head>) -> Reader {
        Reader {
            pool,
            light,
            db,
            head,
            remembered: Mutex::default(),
            fresh: Mutex::default(),
            owned: Mutex::default(),
            epochs: Mutex::default(),
            hints: Mutex::default(),
        }
    }

    /// Reads a record. What asks and proves is boxed: eight are joined for all parameters, and the sum of what they hold
    /// would go through the stack of a thread.
    pub(crate) async fn read<T>(&self, query: &Query<T>, at: ReadAt) -> Result<Told<Option<T>>, QueryError> {
        let unreadable = |why| QueryError::Unreadable {
            what: query.what,
            why,
        };
        let error = match at {
            ReadAt::Unproven => {
                let why = "it was asked for without a proof".to_owned();
                let seen = Box::pin(self.unproven(query.store, &query.key, None, why)).await?;
                return seen.parsed(query);
            }
            ReadAt::Newest | ReadAt::Height(_) => {
                match Box::pin(self.proven(query.store, &query.key, at)).await {
                    Ok(statement) => {
                        return Ok(Told::Proven(statement.record(query.parse).map_err(unreadable)?));
                    }
                    Err(error) => error,
                }
            }
        };
        Box::pin(self.without_proof(query.store, &query.key, at, error))
            .await?
            .parsed(query)
    }

    /// As [`Reader::read`], where nothing but a proof will do.
    pub(crate) async fn prove<T>(
        &self,
        query: &Query<T>,
        at: ReadAt,
    ) -> Result<Proven<Option<T>>, QueryError> {
        let statement = Box::pin(self.proven(query.store, &query.key, at)).await?;
        statement
            .record(query.parse)
            .map_err(|why| QueryError::Unreadable {
                what: query.what,
                why,
            })
    }

    /// The newest state that can be proven.
    pub(crate) async fn newest_state(&self) -> Result<Height, QueryError> {
        let newest = self.light.newest().await?;
        Ok(Height(newest.height().0.saturating_sub(1)))
    }

    /// What the state says about a key, proven.
    pub(crate) async fn proven(
        &self,
        store: &'static str,
        key: &[u8],
        at: ReadAt,
    ) -> Result<Proven<Statement>, QueryError> {
        let height = match at {
            ReadAt::Height(height) => height,
            ReadAt::Newest | ReadAt::Unproven => self.newest_state().await?,
        };
        if height.0 < 2 {
            return Err(QueryError::TooEarly { height });
        }
        // What nobody can be asked again is old before long, and must not pass for what is so now.
        let is_followed = self.head.borrow().standing == Standing::Following;
        if is_followed && let Some(known) = self.fresh.lock().find(store, key, height) {
            return Ok(known);
        }
        let header = self.light.header(height.plus(1)).await?;
        let header = &header;
        let statement = self
            .pool
            .ask(|endpoint| async move { proven_by(&endpoint, header, store, key).await })
            .await?;
        self.fresh.lock().note(store, key, &statement);
        self.remember(store, key, &statement).await;
        Ok(statement)
    }

    /// Everything under a prefix in a state, in the order of the keys; that nothing was left out is proven as well. `known`
    /// are keys that are probably there: they are asked for at once.
    pub(crate) async fn proven_list(
        &self,
        store: &'static str,
        prefix: &[u8],
        height: Height,
        known: &[Vec<u8>],
        most: usize,
    ) -> Result<Option<Proven<Vec<Neighbour>>>, QueryError> {
        let mut walk = Walk::new(prefix, height);
        let first = std::iter::once(prefix.to_vec());
        let mut ask: Vec<Vec<u8>> = first
            .chain(known.iter().map(|key| Walk::just_after(key)))
            .collect();
        loop {
            let asked = ask.clone().into_iter();
            let asked =
                asked.map(|key| async move { self.proven(store, &key, ReadAt::Height(height)).await });
            let statements: Vec<Proven<Statement>> = stream::iter(asked)
                .buffer_unordered(AT_ONCE)
                .try_collect()
                .await?;
            statements.iter().for_each(|statement| walk.take(statement));
            match walk.walked(most) {
                Walked::Whole(found) => return Ok(Some(found)),
                Walked::TooMany => return Ok(None),
                Walked::Ask(key) if ask.len() == 1 && ask[0] == key => {
                    let what = "list";
                    let why = "its records do not lead from one to the next".to_owned();
                    return Err(QueryError::Unreadable { what, why });
                }
                Walked::Ask(key) => ask = vec![key],
            }
        }
    }

    /// What can be said without a proof: an unproven answer while there is no trust or the head is asked, else what
    /// was proven before.
    async fn without_proof(
        &self,
        store: &'static str,
        key: &[u8],
        at: ReadAt,
        error: QueryError,
    ) -> Result<Told<Option<Vec<u8>>>, QueryError> {
        if is_unprovable(&error) {
            let height = match at {
                ReadAt::Height(height) => Some(height),
                ReadAt::Newest | ReadAt::Unproven => None,
            };
            let why = hearth_base::failure::chain(&error);
            return self.unproven(store, key, height, why).await;
        }
        let cached = match at {
            ReadAt::Newest => self.db.value(store, key).await?,
            ReadAt::Height(_) | ReadAt::Unproven => None,
        };
        match cached {
            Some(CachedValue { height, value }) => Ok(Told::Stale(Stale { value, height })),
            None => Err(error),
        }
    }

    /// A record on the word of one endpoint.
    async fn unproven(
        &self,
        store: &'static str,
        key: &[u8],
        height: Option<Height>,
        why: String,
    ) -> Result<Told<Option<Vec<u8>>>, QueryError> {
        let path = format!("store/{store}/key");
        let answer = self.ask_anyone(&path, key, height).await?;
        let value = (!answer.value.is_empty()).then_some(answer.value);
        let height = Height(u64::try_from(answer.height).unwrap_or(0));
        Ok(Told::Seen(Seen { value, height, why }))
    }

    /// Asks a question of the second door, on the word of one endpoint.
    pub(crate) async fn ask_anyone(
        &self,
        path: &str,
        data: &[u8],
        height: Option<Height>,
    ) -> Result<AbciQuery, QueryError> {
        self.pool
            .ask(|endpoint| async move {
                match ask(&endpoint, path, data, height, false).await {
                    Ok((answer, _)) => Ok(answer),
                    Err(QueryError::Rpc(error)) if !error.is_worth_another() => {
                        Err(Fault::Final(error.into()))
                    }
                    // What is not there is not there; a height that is not there may be elsewhere.
                    Err(error) if error.is_not_found() => Err(Fault::Final(error)),
                    Err(error) => Err(Fault::Failed(error)),
                }
            })
            .await
    }

    /// Asks a typed question of the second door.
    pub(crate) async fn call<Q: Message, A: Message + Default>(
        &self,
        path: &str,
        request: &Q,
        height: Option<Height>,
    ) -> Result<A, QueryError> {
        let answer = self.ask_anyone(path, &request.encode_to_vec(), height).await?;
        decode("answer", &answer.value)
    }

    /// Keeps a proven value for the time when nobody answers. A disk that takes nothing makes no answer wrong.
    async fn remember(&self, store: &'static str, key: &[u8], statement: &Proven<Statement>) {
        let value = match statement.value() {
            Statement::Present(value) => Some(value.clone()),
            Statement::Absent { .. } => None,
        };
        self.keep(
            store,
            key,
            CachedValue {
                height: statement.height(),
                value,
            },
        )
        .await;
    }

    /// Writes a value for the time when nobody answers, unless nearly the same is written.
    pub(super) async fn keep(&self, store: &'static str, key: &[u8], cached: CachedValue) {
        let slot = (store, key.to_vec());
        let is_fresh = self.remembered.lock().get(&slot).is_some_and(|before| {
            before.value == cached.value && cached.height.since(before.height) < CACHE_STEP
        });
        if is_fresh {
            return;
        }
        if let Err(error) = self.db.save_value(store, key, &cached).await {
            tracing::debug!(%error, "a proven value cannot be kept for the time when nobody answers");
            return;
        }
        let mut remembered = self.remembered.lock();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(slot, cached);
    }
}

impl Told<Option<Vec<u8>>> {
    /// Reads what is shown only: what is proven is read where it is proven.
    fn parsed<T>(self, query: &Query<T>) -> Result<Told<Option<T>>, QueryError> {
        let parse = |bytes: Option<Vec<u8>>| {
            let parsed = bytes.map(|bytes| (query.parse)(&bytes)).transpose();
            parsed.map_err(|why| QueryError::Unreadable {
                what: query.what,
                why,
            })
        };
        let height = self.height();
        Ok(match self {
            Told::Seen(Seen { value, why, .. }) => Told::Seen(Seen {
                value: parse(value)?,
                height,
                why,
            }),
            Told::Stale(Stale { value, .. }) => Told::Stale(Stale {
                value: parse(value)?,
                height,
            }),
            // Never made from raw bytes; were it, it would be worth no more than an old value.
            Told::Proven(proven) => Told::Stale(Stale {
                value: parse(proven.into_value())?,
                height,
            }),
        })
    }
}

/// Whether nothing can be proven yet, so that an endpoint's word is all there is to show.
pub(super) fn is_unprovable(error: &QueryError) -> bool {
    matches!(
        error,
        QueryError::Light(LightError::NoTrust { .. } | LightError::NotYet { .. })
            | QueryError::TooEarly { .. }
    )
}

/// What one endpoint proves of a key, in the state before a header.
async fn proven_by(
    endpoint: &Endpoint,
    header: &VerifiedHeader,
    store: &'static str,
    key: &[u8],
) -> Result<Proven<Statement>, Fault<QueryError>> {
    let height = Height(header.height().0.saturating_sub(1));
    let path = format!("store/{store}/key");
    let (answer, heard) = ask(endpoint, &path, key, Some(height), true)
        .await
        .map_err(Fault::Failed)?;
    let lie = |why: String| Fault::Lie(Lie::new(why).heard(heard));
    if u64::try_from(answer.height) != Ok(height.0) {
        let sent = answer.height;
        return Err(lie(format!(
            "asked for the state of {height}, it sent that of {sent}"
        )));
    }
    header
        .prove(store, key, &answer.value, &answer.proof_ops.ops)
        .map_err(|error| lie(format!("wrong proof of {store} at {height}: {error}")))
}

/// Asks one endpoint.
async fn ask(
    endpoint: &Endpoint,
    path: &str,
    data: &[u8],
    height: Option<Height>,
    prove: bool,
) -> Result<(AbciQuery, Heard), QueryError> {
    let mut params = json!({ "path": path, "data": hex::encode(data), "prove": prove });
    if let Some(height) = height {
        params["height"] = height.0.to_string().into();
    }
    let answer: Result<(AbciQueryAnswer, Heard), RpcError> = endpoint.call_heard("abci_query", params).await;
    let (answer, heard) = answer?;
    let answer = answer.response;
    if answer.code != 0 {
        return Err(QueryError::Refused {
            path: path.to_owned(),
            codespace: answer.codespace,
            code: answer.code,
            log: answer.log.chars().take(500).collect(),
        });
    }
    Ok((answer, heard))
}

pub(super) fn decode<T: Message + Default>(what: &'static str, bytes: &[u8]) -> Result<T, QueryError> {
    T::decode(bytes).map_err(|error| QueryError::Unreadable {
        what,
        why: error.to_string(),
    })
}
