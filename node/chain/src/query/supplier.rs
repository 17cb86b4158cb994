//! A supplier with its services: several records of the state.

use hearth_base::Height;
use hearth_pocket::{
    address::Address,
    message::{
        shared::{ServiceConfigUpdate, Supplier, SupplierServiceConfig},
        supplier::{QueryGetSupplierRequest, QueryGetSupplierResponse},
    },
};
use prost::Message as _;

use super::{
    Query, QueryError, ReadAt, Reader, Seen, Stale, Told,
    reader::{decode, is_unprovable},
};
use crate::{db::CachedValue, verify::Proven};

/// More service configurations than a supplier has; each takes two requests.
const MAX_CONFIGS: usize = 256;
/// Where a supplier is kept whole for the time when nobody answers, beside the records that it is made of.
const WHOLE: &str = "supplier, whole";

impl Reader {
    /// A supplier with all its service configurations. That none was left out is proven as well, by walking the chain's
    /// own index from neighbour to neighbour.
    pub(crate) async fn supplier(
        &self,
        operator: &Address,
        at: ReadAt,
    ) -> Result<Told<Option<Supplier>>, QueryError> {
        let error = match self.proven_supplier(operator, at).await {
            Ok(supplier) => {
                let value = supplier.value().as_ref().map(Supplier::encode_to_vec);
                let height = supplier.height();
                self.keep(WHOLE, operator.as_str().as_bytes(), CachedValue { height, value })
                    .await;
                return Ok(Told::Proven(supplier));
            }
            Err(error) => error,
        };
        if is_unprovable(&error) {
            return self
                .seen_supplier(operator, hearth_base::failure::chain(&error))
                .await;
        }
        match self.db.value(WHOLE, operator.as_str().as_bytes()).await? {
            Some(CachedValue { height, value }) if at == ReadAt::Newest => {
                let value = value.map(|bytes| decode("supplier", &bytes)).transpose()?;
                Ok(Told::Stale(Stale { value, height }))
            }
            Some(_) | None => Err(error),
        }
    }

    async fn proven_supplier(
        &self,
        operator: &Address,
        at: ReadAt,
    ) -> Result<Proven<Option<Supplier>>, QueryError> {
        let height = match at {
            ReadAt::Height(height) => height,
            ReadAt::Newest | ReadAt::Unproven => self.newest_state().await?,
        };
        let at = ReadAt::Height(height);
        let query = Query::supplier(operator);
        let (record, configs) =
            futures::try_join!(self.prove(&query, at), self.service_configs(operator, height))?;
        Ok(record
            .zip(configs)
            .with_height()
            .map(|((record, history), height)| {
                record.map(|record| Supplier {
                    services: active_at(&history, height),
                    service_config_history: history,
                    ..record
                })
            }))
    }

    async fn seen_supplier(
        &self,
        operator: &Address,
        why: String,
    ) -> Result<Told<Option<Supplier>>, QueryError> {
        let request = QueryGetSupplierRequest {
            operator_address: operator.to_string(),
            dehydrated: false,
        };
        let told: Result<QueryGetSupplierResponse, QueryError> =
            self.call("/pocket.supplier.Query/Supplier", &request, None).await;
        let value = match told {
            Ok(told) => Some(told.supplier),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        Ok(Told::Seen(Seen {
            value,
            height: Height(0),
            why,
        }))
    }

    /// All service configurations of a supplier in a state, proven and complete.
    async fn service_configs(
        &self,
        operator: &Address,
        height: Height,
    ) -> Result<Proven<Vec<ServiceConfigUpdate>>, QueryError> {
        let prefix = format!("ServiceConfigUpdate/operator_address/{operator}/");
        let index = self
            .proven_list("supplier", prefix.as_bytes(), height, &[], MAX_CONFIGS)
            .await?;
        let index = index.ok_or_else(|| QueryError::Unreadable {
            what: "supplier",
            why: format!("it has more than {MAX_CONFIGS} service configurations"),
        })?;
        let queries: Vec<Query<ServiceConfigUpdate>> = index
            .value()
            .iter()
            .map(|entry| {
                let key = [b"ServiceConfigUpdate/service_id/".as_slice(), &entry.value].concat();
                Query::service_config_by_key(key)
            })
            .collect();
        let asked = queries
            .into_iter()
            .map(|query| async move { self.prove(&query, ReadAt::Height(height)).await });
        let configs = futures::future::try_join_all(asked).await?;
        Ok(match Proven::all(configs) {
            Some(configs) => index
                .zip(configs)
                .map(|(_, configs)| configs.into_iter().flatten().collect()),
            None => index.map(|_| Vec::new()),
        })
    }
}

/// The configurations in force at a height.
fn active_at(history: &[ServiceConfigUpdate], height: Height) -> Vec<SupplierServiceConfig> {
    let at = |height: i64| Height(u64::try_from(height).unwrap_or(0));
    let active = history.iter().filter(|update| {
        hearth_pocket::session::is_active(
            at(update.activation_height),
            at(update.deactivation_height),
            height,
        )
    });
    active.filter_map(|update| update.service.clone()).collect()
}
