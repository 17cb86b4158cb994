//! Recorded records and questions.

use hearth_base::ServiceId;
use hearth_pocket::{
    address::Address,
    message::{self as m, session::QueryGetSessionRequest},
};
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{record::params, *};
use crate::{
    golden::{bytes, list, load, number, read, text},
    rpc::wire::{AbciQuery, BlockSearch, Broadcast, CallError, TxAnswer, TxSearch},
};

fn records() -> Vec<Value> {
    let golden = load("chain_proofs");
    ["proofs_height_344", "proofs_height_760"]
        .map(|name| list(&golden[name]).to_vec())
        .concat()
}

fn address(value: &str) -> Address {
    Address::parse(value).unwrap()
}

/// Checks that a query has the recorded key, and reads the recorded value.
fn check<T: Serialize>(query: &Query<T>, entry: &Value) {
    assert_eq!(
        (query.store, query.key.clone()),
        (text(&entry["store"]), bytes(&entry["key"])),
        "{}",
        entry["label"]
    );
    if entry["exists"].as_bool().unwrap() {
        let value = (query.parse)(&bytes(&entry["value"])).unwrap();
        assert_eq!(
            normal(&serde_json::to_value(value).unwrap()),
            normal(&entry["decoded"]),
            "{}",
            entry["label"]
        );
    }
}

/// A float may be written as an integer, and no bytes as nothing.
fn normal(value: &Value) -> Value {
    match value {
        Value::Number(number) => number.as_f64().map_or(Value::Null, Value::from),
        Value::Array(list) => list.iter().map(normal).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), normal(value)))
            .collect(),
        Value::String(text) if text.is_empty() => Value::Null,
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

/// The parts of a key that end in a slash.
fn part(entry: &Value, index: usize) -> String {
    let key = bytes(&entry["key"]);
    let parts: Vec<&[u8]> = key.split(|byte| *byte == b'/').collect();
    String::from_utf8(parts[index].to_vec()).unwrap()
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of all records")]
fn recorded_records_are_found_and_read() {
    let mut checked = 0;
    for entry in &records() {
        let label = text(&entry["label"]);
        checked += 1;
        match (text(&entry["store"]), text(&entry["value_type"])) {
            ("shared", "pocket.shared.Params") => check(&params::shared(), entry),
            ("session", "pocket.session.Params") => check(&params::session(), entry),
            ("proof", "pocket.proof.Params") => check(&params::proof(), entry),
            ("application", "pocket.application.Params") => check(&params::application(), entry),
            ("supplier", "pocket.supplier.Params") => check(&params::supplier(), entry),
            ("gateway", "pocket.gateway.Params") => check(&params::gateway(), entry),
            ("service", "pocket.service.Params") => check(&params::service(), entry),
            ("tokenomics", "pocket.tokenomics.Params") => check(&params::tokenomics(), entry),
            (_, "pocket.shared.Supplier") => check(&Query::supplier(&address(&part(entry, 2))), entry),
            (_, "pocket.gateway.Gateway") => check(&Query::gateway(&address(&part(entry, 2))), entry),
            (_, "pocket.application.Application") => {
                check(&Query::application(&address(&part(entry, 2))), entry)
            }
            (_, "pocket.shared.Service") => check(&Query::service(&ServiceId::new(part(entry, 2))), entry),
            (_, "pocket.service.RelayMiningDifficulty") => {
                check(&Query::difficulty(&ServiceId::new(part(entry, 2))), entry);
            }
            (_, "pocket.proof.Claim") => {
                let operator = part(entry, 3);
                let operator = if operator.is_empty() {
                    part(entry, 2)
                } else {
                    operator
                };
                check(&Query::claim(&part(entry, 2).into(), &address(&operator)), entry);
            }
            (_, "pocket.shared.ServiceConfigUpdate") if entry["exists"] == true => {
                let service = &entry["decoded"]["service"];
                let query = Query::service_config(
                    &address(text(&entry["decoded"]["operator_address"])),
                    &text(&service["service_id"]).into(),
                    Height(number(&entry["decoded"]["activation_height"])),
                );
                check(&query, entry);
            }
            ("bank", "text") if label.starts_with("balance") && !label.contains("denom") => {
                let key = bytes(&entry["key"]);
                let query = Query::balance(&Address::from_bytes(&key[2..22].try_into().unwrap()));
                check(&query, entry);
            }
            ("bank", "text") if label.starts_with("supply") => check(&Query::supply(), entry),
            ("session", "hex") => {
                let query = Query::block_hash(Height(part(entry, 2).parse().unwrap()));
                assert_eq!(query.key, bytes(&entry["key"]));
                if entry["exists"] == true {
                    assert_eq!(
                        (query.parse)(&bytes(&entry["value"])).unwrap().to_vec(),
                        bytes(&entry["value"])
                    );
                }
            }
            ("acc", "google.protobuf.Any") => {
                let key = bytes(&entry["key"]);
                let query = Query::account(&Address::from_bytes(&key[1..].try_into().unwrap()));
                assert_eq!(query.key, key);
                if entry["exists"] == true {
                    let account = (query.parse)(&bytes(&entry["value"])).unwrap();
                    let decoded = entry["decoded"].get("base_account").unwrap_or(&entry["decoded"]);
                    assert_eq!(account.address, text(&decoded["address"]));
                    assert_eq!(account.number, number(&decoded["account_number"]));
                    assert_eq!(account.sequence, number(&decoded["sequence"]));
                    let key = account
                        .public_key
                        .map(|key| Address::from_public_key(&key).to_string());
                    assert_eq!(key.is_some(), !decoded["pub_key"].is_null());
                    assert!(key.is_none_or(|key| key == account.address));
                }
            }
            _ => checked -= 1,
        }
    }
    // The rest: histories, indexes, other modules and keys that never are.
    assert!(checked > 75, "{checked}");
}

/// Reads an answer as a message and compares it, written again, with the recorded one.
fn same<T: Message + Default + Serialize>(answer: &AbciQuery, entry: &Value) {
    let message = T::decode(answer.value.as_slice()).unwrap();
    let again = normal(&serde_json::to_value(&message).unwrap());
    assert_eq!(again, normal(&entry["decoded"]), "{}", entry["label"]);
}

/// Writes a question from its recorded JSON and compares the bytes.
fn asked<T: Message + DeserializeOwned>(entry: &Value) {
    let message: T = read(&entry["request"]);
    assert_eq!(
        message.encode_to_vec(),
        bytes(&entry["request_bytes"]),
        "{}",
        entry["label"]
    );
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table of all message types")]
fn recorded_questions_and_answers_are_read() {
    let golden = load("chain_queries");
    let queries = list(&golden["queries"]);
    assert_eq!(queries.len(), 68);
    let mut compared = 0;
    for entry in queries {
        if let Some(kind) = entry["request_type"].as_str() {
            match kind {
                "pocket.application.QueryGetApplicationRequest" => {
                    asked::<m::application::QueryGetApplicationRequest>(entry);
                }
                "pocket.application.QueryAllApplicationsRequest" => {
                    asked::<m::application::QueryAllApplicationsRequest>(entry);
                }
                "pocket.gateway.QueryGetGatewayRequest" => asked::<m::gateway::QueryGetGatewayRequest>(entry),
                "pocket.gateway.QueryAllGatewaysRequest" => {
                    asked::<m::gateway::QueryAllGatewaysRequest>(entry)
                }
                "pocket.supplier.QueryGetSupplierRequest" => {
                    asked::<m::supplier::QueryGetSupplierRequest>(entry)
                }
                "pocket.supplier.QueryAllSuppliersRequest" => {
                    asked::<m::supplier::QueryAllSuppliersRequest>(entry)
                }
                "pocket.service.QueryGetServiceRequest" => asked::<m::service::QueryGetServiceRequest>(entry),
                "pocket.service.QueryAllServicesRequest" => {
                    asked::<m::service::QueryAllServicesRequest>(entry)
                }
                "pocket.proof.QueryGetClaimRequest" => asked::<m::proof::QueryGetClaimRequest>(entry),
                "pocket.proof.QueryAllClaimsRequest" => asked::<m::proof::QueryAllClaimsRequest>(entry),
                "pocket.shared.QueryParamsAtHeightRequest" => {
                    asked::<m::shared::QueryParamsAtHeightRequest>(entry)
                }
                "cosmos.auth.v1beta1.QueryAccountRequest" => asked::<m::cosmos::QueryAccountRequest>(entry),
                "cosmos.bank.v1beta1.QueryBalanceRequest" => asked::<m::cosmos::QueryBalanceRequest>(entry),
                _ => {}
            }
        }
        let answer: AbciQuery = read(&entry["response"]);
        if answer.code != 0 {
            let error = QueryError::Refused {
                path: text(&entry["path"]).to_owned(),
                codespace: answer.codespace.clone(),
                code: answer.code,
                log: answer.log.clone(),
            };
            assert_eq!(error.is_not_found(), answer.code == 22, "{error}");
            continue;
        }
        compared += 1;
        match entry["response_type"].as_str().unwrap() {
            "pocket.application.QueryParamsResponse" => {
                same::<m::application::QueryParamsResponse>(&answer, entry)
            }
            "pocket.gateway.QueryParamsResponse" => same::<m::gateway::QueryParamsResponse>(&answer, entry),
            "pocket.supplier.QueryParamsResponse" => same::<m::supplier::QueryParamsResponse>(&answer, entry),
            "pocket.service.QueryParamsResponse" => same::<m::service::QueryParamsResponse>(&answer, entry),
            "pocket.session.QueryParamsResponse" => same::<m::session::QueryParamsResponse>(&answer, entry),
            "pocket.proof.QueryParamsResponse" => same::<m::proof::QueryParamsResponse>(&answer, entry),
            "pocket.shared.QueryParamsResponse" => same::<m::shared::QueryParamsResponse>(&answer, entry),
            "pocket.tokenomics.QueryParamsResponse" => {
                same::<m::tokenomics::QueryParamsResponse>(&answer, entry)
            }
            "pocket.migration.QueryParamsResponse" => {
                same::<m::migration::QueryParamsResponse>(&answer, entry)
            }
            "pocket.application.QueryGetApplicationResponse" => {
                same::<m::application::QueryGetApplicationResponse>(&answer, entry);
            }
            "pocket.application.QueryAllApplicationsResponse" => {
                same::<m::application::QueryAllApplicationsResponse>(&answer, entry);
            }
            "pocket.gateway.QueryGetGatewayResponse" => {
                same::<m::gateway::QueryGetGatewayResponse>(&answer, entry)
            }
            "pocket.gateway.QueryAllGatewaysResponse" => {
                same::<m::gateway::QueryAllGatewaysResponse>(&answer, entry)
            }
            "pocket.supplier.QueryGetSupplierResponse" => {
                same::<m::supplier::QueryGetSupplierResponse>(&answer, entry);
            }
            "pocket.supplier.QueryAllSuppliersResponse" => {
                same::<m::supplier::QueryAllSuppliersResponse>(&answer, entry);
            }
            "pocket.service.QueryGetServiceResponse" => {
                same::<m::service::QueryGetServiceResponse>(&answer, entry)
            }
            "pocket.service.QueryAllServicesResponse" => {
                same::<m::service::QueryAllServicesResponse>(&answer, entry)
            }
            "pocket.service.QueryGetRelayMiningDifficultyResponse" => {
                same::<m::service::QueryGetRelayMiningDifficultyResponse>(&answer, entry);
            }
            "pocket.service.QueryAllRelayMiningDifficultyResponse" => {
                same::<m::service::QueryAllRelayMiningDifficultyResponse>(&answer, entry);
            }
            "pocket.service.QueryGetRelayMiningDifficultyAtHeightResponse" => {
                same::<m::service::QueryGetRelayMiningDifficultyAtHeightResponse>(&answer, entry);
            }
            "pocket.service.QueryRelayMiningDifficultyHistoryResponse" => {
                same::<m::service::QueryRelayMiningDifficultyHistoryResponse>(&answer, entry);
            }
            "pocket.service.QueryComputeUnitsPerRelayAtHeightResponse" => {
                same::<m::service::QueryComputeUnitsPerRelayAtHeightResponse>(&answer, entry);
            }
            "pocket.service.QueryComputeUnitsPerRelayHistoryResponse" => {
                same::<m::service::QueryComputeUnitsPerRelayHistoryResponse>(&answer, entry);
            }
            "pocket.shared.QueryParamsAtHeightResponse" => {
                same::<m::shared::QueryParamsAtHeightResponse>(&answer, entry);
            }
            "pocket.proof.QueryGetClaimResponse" => same::<m::proof::QueryGetClaimResponse>(&answer, entry),
            "pocket.proof.QueryAllClaimsResponse" => same::<m::proof::QueryAllClaimsResponse>(&answer, entry),
            "pocket.proof.QueryAllProofsResponse" => same::<m::proof::QueryAllProofsResponse>(&answer, entry),
            "cosmos.auth.v1beta1.QueryParamsResponse" => {
                same::<m::cosmos::QueryParamsResponse>(&answer, entry)
            }
            "cosmos.bank.v1beta1.QueryBalanceResponse" => {
                same::<m::cosmos::QueryBalanceResponse>(&answer, entry)
            }
            "cosmos.bank.v1beta1.QueryAllBalancesResponse" => {
                same::<m::cosmos::QueryAllBalancesResponse>(&answer, entry);
            }
            "cosmos.bank.v1beta1.QuerySupplyOfResponse" => {
                same::<m::cosmos::QuerySupplyOfResponse>(&answer, entry)
            }
            "cosmos.auth.v1beta1.QueryAccountResponse" => {
                let account = m::cosmos::QueryAccountResponse::decode(answer.value.as_slice())
                    .unwrap()
                    .account
                    .unwrap();
                let account = record::parse_account(&account.encode_to_vec()).unwrap();
                assert_eq!(account.sequence, number(&entry["decoded"]["account"]["sequence"]));
            }
            "cosmos.base.tendermint.v1beta1.GetNodeInfoResponse" => {
                let info = m::cosmos::GetNodeInfoResponse::decode(answer.value.as_slice()).unwrap();
                assert_eq!(info.application_version.unwrap().version, "v0.1.35");
            }
            // Empty, or of a module that Hearth does not read.
            other => {
                assert!(
                    other.contains("CurrentPlan") || other.contains("staking"),
                    "{other}"
                );
                compared -= 1;
            }
        }
    }
    assert!(compared > 50, "{compared}");
}

#[test]
fn recorded_searches_are_read() {
    let golden = load("chain_queries");
    for entry in list(&golden["search"]) {
        let result = &entry["answer"]["result"];
        match text(&entry["method"]) {
            "tx_search" => {
                let answer: TxSearch = read(result);
                assert_eq!(answer.total_count.unsigned_abs(), number(&result["total_count"]));
                for (found, recorded) in answer.txs.into_iter().zip(list(&result["txs"])) {
                    let found = FoundTx::from_answer(found);
                    assert_eq!(hearth_pocket::tx::hash(&found.bytes), found.hash);
                    assert_eq!(found.height.0, number(&recorded["height"]));
                    assert_eq!(found.events.len(), list(&recorded["tx_result"]["events"]).len());
                }
            }
            "tx" => {
                let answer: TxAnswer = read(result);
                assert_eq!(answer.hash, text(&result["hash"]));
            }
            "block_search" => {
                let answer: BlockSearch = read(result);
                assert_eq!(answer.blocks.len(), list(&result["blocks"]).len());
            }
            other => panic!("{other}"),
        }
    }
    for error in load("chain_light")["errors"].as_object().unwrap().values() {
        if let Some(error) = error.get("error") {
            let error: CallError = read(error);
            assert!(error.code < 0 && !error.message.is_empty());
        } else if error["result"]["response"].is_object() {
            let answer: AbciQuery = read(&error["result"]["response"]);
            assert!(answer.code > 0 && answer.value.is_empty());
        } else {
            let answer: Broadcast = read(&error["result"]);
            let reason = crate::tx::reason_of(&answer.codespace, answer.code, &answer.log);
            assert_eq!(reason, crate::Reason::Undecodable);
        }
    }
}

#[test]
fn recorded_sessions_are_read() {
    let golden = load("chain_session");
    let mut with_answer = 0;
    for entry in list(&golden["sessions"]) {
        let request: QueryGetSessionRequest = read(&entry["request"]);
        assert_eq!(request.encode_to_vec(), bytes(&entry["request_bytes"]));
        let Some(answer) = entry["response_bytes"].as_str() else {
            continue;
        };
        let answer =
            m::session::QueryGetSessionResponse::decode(hex::decode(answer).unwrap().as_slice()).unwrap();
        let session = answer.session.unwrap();
        assert_eq!(
            serde_json::to_value(&session).unwrap(),
            entry["session"],
            "{}",
            entry["label"]
        );
        let header = session.header.unwrap();
        let start = Height(u64::try_from(header.session_start_block_height).unwrap());
        let preimage = hearth_pocket::session::id_preimage(
            &bytes(&entry["inputs"]["session_start_block_hash"]),
            &header.service_id,
            &header.application_address,
            start,
        );
        assert_eq!(hearth_pocket::session::id(&preimage).as_str(), header.session_id);
        with_answer += 1;
    }
    assert!(with_answer > 40, "{with_answer}");
}
