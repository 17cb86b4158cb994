//! The few query services of the Cosmos SDK that clients of Pocket use.

use hearth_pocket::message::cosmos as c;
use prost::Message;

use super::{
    APP_VERSION, QueryError, QueryRequest,
    page::{Total, page},
};
use crate::{
    address::{self, Account},
    keys,
    modules::{auth, bank},
    state::StoreName,
};

pub(super) fn answer(service: &str, method: &str, asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    match (service, method) {
        ("cosmos.auth.v1beta1.Query", "Account") => account(asked),
        ("cosmos.auth.v1beta1.Query", "Params") => Ok(c::QueryParamsResponse {
            params: auth::params(asked.state),
        }
        .encode_to_vec()),
        ("cosmos.bank.v1beta1.Query", "Balance") => balance(asked),
        ("cosmos.bank.v1beta1.Query", "AllBalances") => all_balances(asked),
        ("cosmos.bank.v1beta1.Query", "SupplyOf") => supply_of(asked),
        ("cosmos.authz.v1beta1.Query", "Grants") => grants(asked),
        ("cosmos.staking.v1beta1.Query", "Params") => Ok(StakingAnswer::real_chain().encode_to_vec()),
        // No plan: an empty message.
        ("cosmos.upgrade.v1beta1.Query", "CurrentPlan") => Ok(Vec::new()),
        ("cosmos.base.tendermint.v1beta1.Service", "GetNodeInfo") => Ok(node_info(asked)),
        _ => Err(QueryError::unknown_path()),
    }
}

fn parse(text: &str) -> Result<Account, QueryError> {
    address::parse(text).map_err(QueryError::invalid)
}

fn account(asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let request: c::QueryAccountRequest = asked.request()?;
    let found = auth::record(asked.state, &parse(&request.address)?);
    let missing = || QueryError::not_found(format!("account {} not found", request.address));
    Ok(c::QueryAccountResponse {
        account: Some(found.ok_or_else(missing)?),
    }
    .encode_to_vec())
}

fn balance(asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let request: c::QueryBalanceRequest = asked.request()?;
    let amount = bank::balance(asked.state, &parse(&request.address)?, &request.denom);
    let balance = c::Coin {
        denom: request.denom,
        amount: amount.to_string(),
    };
    Ok(c::QueryBalanceResponse {
        balance: Some(balance),
    }
    .encode_to_vec())
}

fn all_balances(asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let request: c::QueryAllBalancesRequest = asked.request()?;
    let balances = bank::balances(asked.state, &parse(&request.address)?);
    let total = balances.len() as u64;
    let pagination = Some(c::PageResponse {
        next_key: Vec::new(),
        total,
    });
    Ok(c::QueryAllBalancesResponse { balances, pagination }.encode_to_vec())
}

fn supply_of(asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let request: c::QuerySupplyOfRequest = asked.request()?;
    let amount = bank::supply(asked.state, &request.denom).to_string();
    Ok(c::QuerySupplyOfResponse {
        amount: c::Coin {
            denom: request.denom,
            amount,
        },
    }
    .encode_to_vec())
}

/// What one account may do in the name of another: one kind of message, or all.
fn grants(asked: &QueryRequest<'_>) -> Result<Vec<u8>, QueryError> {
    let request: c::QueryGrantsRequest = asked.request()?;
    let (granter, grantee) = (parse(&request.granter)?, parse(&request.grantee)?);
    if !request.msg_type_url.is_empty() {
        let key = keys::grant(&granter, &grantee, &request.msg_type_url);
        let Some(found) = asked.state.read(StoreName::Authz, &key) else {
            let text = format!(
                "authorization not found for {} type: authorization not found",
                request.msg_type_url
            );
            return Err(QueryError {
                codespace: "authz",
                ..QueryError::new(2, text)
            });
        };
        return Ok(c::QueryGrantsResponse {
            grants: vec![found],
            pagination: None,
        }
        .encode_to_vec());
    }
    let (grants, pagination) = page(
        asked.state,
        StoreName::Authz,
        &keys::grants(&granter, &grantee),
        request.pagination.as_ref(),
        Total::Wanted,
        |_: &c::Grant| true,
    );
    Ok(c::QueryGrantsResponse {
        grants,
        pagination: Some(pagination),
    }
    .encode_to_vec())
}

fn node_info(asked: &QueryRequest<'_>) -> Vec<u8> {
    let node = DefaultNodeInfo {
        network: asked.chain_id.to_owned(),
        moniker: "hearth-devnet".to_owned(),
    };
    let version = c::VersionInfo {
        name: "pocket".to_owned(),
        app_name: "hearth-devnet".to_owned(),
        version: APP_VERSION.to_owned(),
        ..c::VersionInfo::default()
    };
    NodeInfoAnswer {
        default_node_info: Some(node),
        application_version: Some(version),
    }
    .encode_to_vec()
}

#[derive(Clone, PartialEq, prost::Message)]
struct DefaultNodeInfo {
    #[prost(string, tag = 4)]
    network: String,
    #[prost(string, tag = 7)]
    moniker: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct NodeInfoAnswer {
    #[prost(message, optional, tag = 1)]
    default_node_info: Option<DefaultNodeInfo>,
    #[prost(message, optional, tag = 2)]
    application_version: Option<c::VersionInfo>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StakingAnswer {
    #[prost(message, optional, tag = 1)]
    params: Option<StakingParams>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct StakingParams {
    #[prost(message, optional, tag = 1)]
    unbonding_time: Option<c::Duration>,
    #[prost(uint32, tag = 2)]
    max_validators: u32,
    #[prost(uint32, tag = 3)]
    max_entries: u32,
    #[prost(uint32, tag = 4)]
    historical_entries: u32,
    #[prost(string, tag = 5)]
    bond_denom: String,
    #[prost(string, tag = 6)]
    min_commission_rate: String,
}

impl StakingAnswer {
    /// 21 days of unbonding: what a light client's trusting period is measured by.
    fn real_chain() -> StakingAnswer {
        StakingAnswer {
            params: Some(StakingParams {
                unbonding_time: Some(c::Duration {
                    seconds: 21 * 24 * 3600,
                    nanos: 0,
                }),
                max_validators: 10,
                max_entries: 7,
                historical_entries: 10_000,
                bond_denom: c::UPOKT.to_owned(),
                min_commission_rate: "0".to_owned(),
            }),
        }
    }
}
