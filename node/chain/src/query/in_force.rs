//! What was in force at a height: parameters and prices with a history. What was proven of an epoch is remembered, so
//! whoever begins a session asks for it once.

use hearth_base::{Height, ServiceId};
use hearth_pocket::message::{
    self,
    service::{RelayMiningDifficulty, RelayMiningDifficultyUpdate, ServiceComputeUnitsPerRelayUpdate},
};
use prost::Message;

use super::{
    Query, QueryError, ReadAt, Reader, Seen, Told, epochs::Entry, reader::is_unprovable, record::params,
};
use crate::verify::{Neighbour, Proven, Statement};

impl Reader {
    /// The shared parameters in force at a height: those that sessions, windows and prices of that height use.
    pub(crate) async fn params_at(
        &self,
        height: Height,
    ) -> Result<Told<message::shared::Params>, QueryError> {
        let error = match self.shared_in_force(height).await {
            Ok(params) => return Ok(Told::Proven(params)),
            Err(error) => error,
        };
        if !is_unprovable(&error) {
            return Err(error);
        }
        let request = message::shared::QueryParamsAtHeightRequest {
            height: i64::try_from(height.0).unwrap_or(i64::MAX),
        };
        let path = "/pocket.shared.Query/ParamsAtHeight";
        let answer: message::shared::QueryParamsAtHeightResponse = self.call(path, &request, None).await?;
        let why = hearth_base::failure::chain(&error);
        Ok(Told::Seen(Seen {
            value: answer.params,
            height,
            why,
        }))
    }

    pub(super) async fn shared_in_force(
        &self,
        height: Height,
    ) -> Result<Proven<message::shared::Params>, QueryError> {
        let entry = self
            .in_force("shared", "shared_params_history/", height, &params::shared())
            .await?;
        entry.try_map(|entry| match entry {
            Entry::At(bytes) | Entry::Before(bytes) => {
                let update: message::shared::ParamsUpdate = read(&bytes)?;
                Ok(update.params.unwrap_or_default())
            }
            Entry::Always(Some(bytes)) => read(&bytes),
            Entry::Always(None) => Ok(message::shared::Params::default()),
        })
    }

    /// The number of suppliers of a session at a height.
    pub(crate) async fn session_params_at(
        &self,
        height: Height,
    ) -> Result<Told<message::session::Params>, QueryError> {
        match self.session_params_in_force(height).await {
            Ok(params) => Ok(Told::Proven(params)),
            Err(error) if is_unprovable(&error) => {
                let now = self.read(&params::session(), ReadAt::Unproven).await?;
                Ok(now.map(Option::unwrap_or_default))
            }
            Err(error) => Err(error),
        }
    }

    pub(super) async fn session_params_in_force(
        &self,
        height: Height,
    ) -> Result<Proven<message::session::Params>, QueryError> {
        let entry = self
            .in_force("session", "session_params_history/", height, &params::session())
            .await?;
        entry.try_map(|entry| match entry {
            Entry::At(bytes) | Entry::Before(bytes) => {
                let update: message::session::ParamsUpdate = read(&bytes)?;
                Ok(update.params.unwrap_or_default())
            }
            Entry::Always(Some(bytes)) => read(&bytes),
            Entry::Always(None) => Ok(message::session::Params::default()),
        })
    }

    /// Compute units per relay of a service at a height. `None` where there is no such service.
    pub(crate) async fn compute_units_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Told<Option<u64>>, QueryError> {
        let prefix = format!("ServiceComputeUnitsPerRelay/history/{service}/");
        let now = Query::service(service);
        match self.in_force("service", &prefix, height, &now).await {
            Ok(entry) => Ok(Told::Proven(entry.try_map(|entry| match entry {
                Entry::At(bytes) | Entry::Before(bytes) => {
                    let update: ServiceComputeUnitsPerRelayUpdate = read(&bytes)?;
                    Ok(Some(update.compute_units_per_relay))
                }
                Entry::Always(service) => units(service.as_deref()),
            })?)),
            Err(error) if is_unprovable(&error) => {
                let now = self.read(&now, ReadAt::Unproven).await?;
                Ok(now.map(|service| service.map(|service| service.compute_units_per_relay)))
            }
            Err(error) => Err(error),
        }
    }

    /// The difficulty of a service at a height. `None` before its first settlement: every relay counts.
    pub(crate) async fn difficulty_at(
        &self,
        service: &ServiceId,
        height: Height,
    ) -> Result<Told<Option<RelayMiningDifficulty>>, QueryError> {
        let prefix = format!("RelayMiningDifficulty/history/{service}/");
        let now = Query::difficulty(service);
        match self.in_force("service", &prefix, height, &now).await {
            Ok(entry) => Ok(Told::Proven(entry.try_map(|entry| match entry {
                // Before its first entry a service had no difficulty: that entry is its first settlement.
                Entry::Before(_) => Ok(None),
                Entry::At(bytes) => {
                    let update: RelayMiningDifficultyUpdate = read(&bytes)?;
                    Ok(update.difficulty)
                }
                Entry::Always(difficulty) => difficulty.map(|bytes| read(&bytes)).transpose(),
            })?)),
            Err(error) if is_unprovable(&error) => self.read(&now, ReadAt::Unproven).await,
            Err(error) => Err(error),
        }
    }

    /// The entry of a history in force at a height, with one proof: where the key itself is absent, its proven left
    /// neighbour is the entry before it. Where there is no entry, what is in force now, of the same state, always was.
    async fn in_force<T>(
        &self,
        store: &'static str,
        prefix: &str,
        height: Height,
        now: &Query<T>,
    ) -> Result<Proven<Entry>, QueryError> {
        if let Some(known) = self.epochs.lock().find(store, prefix, height) {
            return Ok(known);
        }
        let state = self.newest_state().await?;
        let key = [prefix.as_bytes(), &height.0.to_be_bytes()].concat();
        let found = Box::pin(self.proven(store, &key, ReadAt::Height(state))).await?;
        let (first, from, to) = epoch(found.value(), prefix, height, state);
        let entry = match first {
            First::Present => found.map(|statement| match statement {
                Statement::Present(value) => Entry::At(value),
                Statement::Absent { .. } => Entry::Always(None),
            }),
            First::Left => found.map(|statement| match statement {
                Statement::Absent { left: Some(left), .. } => Entry::At(left.value),
                Statement::Absent { .. } | Statement::Present(_) => Entry::Always(None),
            }),
            First::Right => found.map(|statement| match statement {
                Statement::Absent {
                    right: Some(right), ..
                } => Entry::Before(right.value),
                Statement::Absent { .. } | Statement::Present(_) => Entry::Always(None),
            }),
            First::Nothing => {
                let now = Box::pin(self.proven(now.store, &now.key, ReadAt::Height(state))).await?;
                found.zip(now).map(|(_, now)| match now {
                    Statement::Present(bytes) => Entry::Always(Some(bytes)),
                    Statement::Absent { .. } => Entry::Always(None),
                })
            }
        };
        // What is in force at a height is settled once the state of that height is known.
        self.epochs
            .lock()
            .note(store, prefix, from..=to.min(state), entry.clone());
        Ok(entry)
    }
}

/// Where the entry in force lies.
enum First {
    Present,
    Left,
    Right,
    Nothing,
}

/// Where the entry in force at `height` lies, and from when to when it is in force.
fn epoch(statement: &Statement, prefix: &str, height: Height, state: Height) -> (First, Height, Height) {
    // The height of an entry of this history.
    let since = |neighbour: &Neighbour| -> Option<Height> {
        let suffix = neighbour.key.strip_prefix(prefix.as_bytes())?;
        Some(Height(u64::from_be_bytes(suffix.try_into().ok()?)))
    };
    let Statement::Absent { left, right } = statement else {
        // Of the next entry its proof says nothing.
        return (First::Present, height, height);
    };
    let next = right.as_ref().and_then(since);
    let until = next.map_or(state, |next| Height(next.0.saturating_sub(1)));
    match (left.as_ref().and_then(since), next) {
        (Some(since), _) => (First::Left, since, until),
        (None, Some(_)) => (First::Right, Height(0), until),
        (None, None) => (First::Nothing, Height(0), state),
    }
}

fn units(service: Option<&[u8]>) -> Result<Option<u64>, QueryError> {
    let service: Option<message::shared::Service> = service.map(read).transpose()?;
    Ok(service.map(|service| service.compute_units_per_relay))
}

fn read<T: Message + Default>(bytes: &[u8]) -> Result<T, QueryError> {
    super::reader::decode("history", bytes)
}
