//! Applications, gateways, suppliers.

use hearth_pocket::message::{application as app, gateway, shared, supplier};
use prost::Message;

use super::{
    QueryError, QueryRequest,
    page::{Total, page},
};
use crate::{
    address, keys,
    modules::{params, supplier as suppliers},
    state::StoreName,
};

pub(super) fn application(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let store = StoreName::Application;
    match method {
        "Params" => Ok(app::QueryParamsResponse {
            params: params::of(asked.state, store),
        }
        .encode_to_vec()),
        "Application" => {
            let request: app::QueryGetApplicationRequest = asked.request()?;
            let found = asked.state.read(store, &keys::application(&request.address));
            let missing =
                || QueryError::not_found(format!("app address: {}: application not found", request.address));
            Ok(app::QueryGetApplicationResponse {
                application: found.ok_or_else(missing)?,
            }
            .encode_to_vec())
        }
        "AllApplications" => {
            let request: app::QueryAllApplicationsRequest = asked.request()?;
            let gateway = &request.delegatee_gateway_address;
            let (applications, pagination) = page(
                asked.state,
                store,
                keys::APPLICATIONS.as_bytes(),
                request.pagination.as_ref(),
                Total::Everything,
                |found: &app::Application| {
                    gateway.is_empty() || found.delegatee_gateway_addresses.contains(gateway)
                },
            );
            Ok(app::QueryAllApplicationsResponse {
                applications,
                pagination: Some(pagination),
            }
            .encode_to_vec())
        }
        _ => Err(QueryError::unknown_path()),
    }
}

pub(super) fn gateway(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let store = StoreName::Gateway;
    let shown = |mut found: gateway::Gateway, dehydrated: bool| {
        if dehydrated {
            found.metadata = None;
        }
        found
    };
    match method {
        "Params" => Ok(gateway::QueryParamsResponse {
            params: params::of(asked.state, store),
        }
        .encode_to_vec()),
        "Gateway" => {
            let request: gateway::QueryGetGatewayRequest = asked.request()?;
            let found = asked.state.read(store, &keys::gateway(&request.address));
            let missing = || QueryError::not_found(format!("gateway not found: address {}", request.address));
            let gateway = shown(found.ok_or_else(missing)?, request.dehydrated);
            Ok(gateway::QueryGetGatewayResponse { gateway }.encode_to_vec())
        }
        "AllGateways" => {
            let request: gateway::QueryAllGatewaysRequest = asked.request()?;
            let (gateways, pagination) = page(
                asked.state,
                store,
                keys::GATEWAYS.as_bytes(),
                request.pagination.as_ref(),
                Total::Everything,
                |_| true,
            );
            let gateways = gateways
                .into_iter()
                .map(|found| shown(found, request.dehydrated))
                .collect();
            Ok(gateway::QueryAllGatewaysResponse {
                gateways,
                pagination: Some(pagination),
            }
            .encode_to_vec())
        }
        _ => Err(QueryError::unknown_path()),
    }
}

/// The supplier as queries show it.
fn shown(asked: &QueryRequest<'_>, operator: &str, dehydrated: bool) -> Option<shared::Supplier> {
    let mut found = suppliers::hydrated(asked.state, operator, asked.height)?;
    if dehydrated {
        found.service_config_history.clear();
        for service in &mut found.services {
            service.rev_share.clear();
        }
    }
    Some(found)
}

pub(super) fn supplier(method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let store = StoreName::Supplier;
    match method {
        "Params" => Ok(supplier::QueryParamsResponse {
            params: params::of(asked.state, store),
        }
        .encode_to_vec()),
        "Supplier" => {
            let request: supplier::QueryGetSupplierRequest = asked.request()?;
            let operator = &request.operator_address;
            let found = shown(asked, operator, request.dehydrated);
            let missing = || {
                QueryError::not_found(format!(
                    "supplier with operator address: {operator:?}: supplier not found"
                ))
            };
            Ok(supplier::QueryGetSupplierResponse {
                supplier: found.ok_or_else(missing)?,
            }
            .encode_to_vec())
        }
        "AllSuppliers" => {
            let request: supplier::QueryAllSuppliersRequest = asked.request()?;
            all_suppliers(asked, &request)
        }
        _ => Err(QueryError::unknown_path()),
    }
}

fn all_suppliers(
    asked: &QueryRequest<'_>,
    request: &supplier::QueryAllSuppliersRequest,
) -> Result<Vec<u8>, QueryError> {
    for address in [&request.operator_address, &request.owner_address] {
        if !address.is_empty() && !address::is_valid(address) {
            return Err(QueryError::invalid(format!("invalid address {address}")));
        }
    }
    let matches = |given: &str, found: &str| given.is_empty() || given == found;
    let fits = |found: &shared::Supplier| {
        matches(&request.operator_address, &found.operator_address)
            && matches(&request.owner_address, &found.owner_address)
    };
    let (store, paging, total) = (
        StoreName::Supplier,
        request.pagination.as_ref(),
        Total::Everything,
    );
    let (operators, pagination): (Vec<String>, _) = if request.service_id.is_empty() {
        let (found, pagination) = page(
            asked.state,
            store,
            keys::SUPPLIERS.as_bytes(),
            paging,
            total,
            fits,
        );
        (
            found
                .into_iter()
                .map(|found: shared::Supplier| found.operator_address)
                .collect(),
            pagination,
        )
    } else {
        // By service the chain walks the configurations: each counts, and a supplier is told at its first.
        let prefix = keys::service_configs(&request.service_id);
        let of_fitting = |config: &shared::ServiceConfigUpdate| {
            suppliers::record(asked.state, &config.operator_address).is_some_and(|found| fits(&found))
        };
        let (found, pagination) = page(asked.state, store, prefix.as_bytes(), paging, total, of_fitting);
        let mut operators: Vec<String> = Vec::new();
        for config in found {
            if !operators.contains(&config.operator_address) {
                operators.push(config.operator_address);
            }
        }
        (operators, pagination)
    };
    let supplier = operators
        .iter()
        .filter_map(|operator| shown(asked, operator, request.dehydrated))
        .collect();
    Ok(supplier::QueryAllSuppliersResponse {
        supplier,
        pagination: Some(pagination),
    }
    .encode_to_vec())
}
