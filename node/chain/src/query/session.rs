//! Sessions: computed here from proven records. No endpoint is asked who serves.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hearth_base::{Height, ServiceId};
use hearth_pocket::{
    address::Address,
    message::{
        session::Session,
        shared::{ServiceConfigUpdate, Supplier},
    },
    session::Timing,
};
use prost::Message;

use super::{Query, QueryError, ReadAt, Reader, reader::decode};
use crate::verify::{Grounds, Neighbour, Proven, chosen};

/// Candidates of one service that are read: one question each. Mainnet has some hundreds of its largest service.
const MAX_CANDIDATES: usize = 4096;
/// Records of suppliers that are asked for at a time.
const AT_ONCE: usize = 16;

/// Pairs of a store, as its `subspace` query answers them.
#[derive(Clone, PartialEq, Message)]
struct Pairs {
    #[prost(message, repeated, tag = "1")]
    pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

impl Reader {
    /// The session of an application and a service at a height. Everything that it follows from is proven.
    pub(crate) async fn session(
        &self,
        application: &Address,
        service: &ServiceId,
        height: Height,
    ) -> Result<Proven<Session>, QueryError> {
        let newest = self.newest_state().await?;
        if height > newest.plus(1) {
            // The state that it follows from is not there yet.
            self.light.header(height).await?;
        }
        // The state of its time: later ones forget those who left.
        let state = height.min(newest);
        let shared = self.shared_in_force(height).await?;
        let bounds = Timing::from(shared.value()).bounds_at(height);
        let record = Query::application(application);
        let (params, first, record, configs) = futures::try_join!(
            self.session_params_in_force(height),
            async { Ok(self.light.header(bounds.start).await?) },
            self.prove(&record, ReadAt::Height(state)),
            self.candidates(service, state, (bounds.start, bounds.end)),
        )?;
        let grounds = Grounds {
            application: application.as_str(),
            service: service.as_str(),
            at: height,
            shared,
            params,
            start_hash: first.proven_hash(),
            record,
            configs,
        };
        let chosen = chosen(grounds)?;
        let operators: Vec<Query<Supplier>> = chosen
            .operators()
            .filter_map(|operator| Some(Query::supplier(&Address::parse(operator).ok()?)))
            .collect();
        let asked = operators
            .into_iter()
            .map(|query| async move { self.prove(&query, ReadAt::Height(state)).await });
        let records = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
        Ok(chosen.with_records(records))
    }

    /// Every configuration of suppliers for a service in a state of a session, in the order of the store. They are proven once
    /// a session, whatever applications ask.
    async fn candidates(
        &self,
        service: &ServiceId,
        state: Height,
        session: (Height, Height),
    ) -> Result<Proven<Vec<ServiceConfigUpdate>>, QueryError> {
        if let Some(known) = self.hints.lock().within(service, session) {
            return Ok(known);
        }
        let prefix = format!("ServiceConfigUpdate/service_id/{service}/");
        let prefix = prefix.as_bytes();
        let known = self.hints.lock().keys(service);
        let known = match known {
            Some(known) => known,
            None => self.guessed(prefix).await,
        };
        let found = self
            .proven_list("supplier", prefix, state, &known, MAX_CANDIDATES)
            .await?;
        let found = found.ok_or_else(|| QueryError::TooMany {
            service: service.to_string(),
            most: MAX_CANDIDATES,
        })?;
        let keys = found.value().clone();
        let configs = found.try_map(|found| {
            let read = |one: Neighbour| decode("service configuration", &one.value);
            found.into_iter().map(read).collect()
        })?;
        self.hints.lock().put(service, &keys, &configs);
        Ok(configs)
    }

    /// What an endpoint says there is under a prefix: nothing rests on it but how many questions are asked at once.
    async fn guessed(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let Ok(answer) = self.ask_anyone("store/supplier/subspace", prefix, None).await else {
            return Vec::new();
        };
        let pairs = Pairs::decode(answer.value.as_slice()).map_or_else(|_| Vec::new(), |pairs| pairs.pairs);
        let keys = pairs
            .into_iter()
            .map(|pair| pair.key)
            .filter(|key| key.starts_with(prefix));
        keys.take(MAX_CANDIDATES).collect()
    }
}
