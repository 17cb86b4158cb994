//! Package `pocket.service`, without the messages of the relay path (see [`super::relay`]).

use super::{
    cosmos::{Coin, PageRequest, PageResponse},
    messages,
    shared::Service,
};

messages! { "pocket.service";
    ServiceComputeUnitsPerRelayUpdate { 1 effective_height: i64; 2 service_id: string; 3 compute_units_per_relay: u64; }
    /// Parameters of the module.
    Params { 1 add_service_fee: message(Coin); 2 target_num_relays: u64; }
    RelayMiningDifficulty { 1 service_id: string; 2 block_height: i64; 3 num_relays_ema: u64; 4 target_hash: bytes; }
    RelayMiningDifficultyUpdate { 1 effective_height: i64; 2 difficulty: message(RelayMiningDifficulty); }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    QueryGetServiceRequest { 1 id: string; 2 dehydrated: bool; }
    QueryGetServiceResponse { 1 service: always(Service); }
    QueryAllServicesRequest { 1 pagination: message(PageRequest); 2 dehydrated: bool; }
    QueryAllServicesResponse { 1 service: list(Service); 2 pagination: message(PageResponse); }
    QueryGetRelayMiningDifficultyRequest { 1 #[serde(rename = "serviceId")] service_id: string; }
    QueryGetRelayMiningDifficultyResponse {
        1 #[serde(rename = "relayMiningDifficulty")] relay_mining_difficulty: always(RelayMiningDifficulty);
    }
    QueryAllRelayMiningDifficultyRequest { 1 pagination: message(PageRequest); }
    QueryAllRelayMiningDifficultyResponse {
        1 #[serde(rename = "relayMiningDifficulty")] relay_mining_difficulty: list(RelayMiningDifficulty);
        2 pagination: message(PageResponse);
    }
    QueryGetRelayMiningDifficultyAtHeightRequest {
        1 #[serde(rename = "serviceId")] service_id: string;
        2 #[serde(rename = "blockHeight")] block_height: i64;
    }
    QueryGetRelayMiningDifficultyAtHeightResponse {
        1 #[serde(rename = "relayMiningDifficulty")] relay_mining_difficulty: always(RelayMiningDifficulty);
    }
    QueryRelayMiningDifficultyHistoryRequest {
        1 #[serde(rename = "serviceId")] service_id: string;
        2 pagination: message(PageRequest);
    }
    QueryRelayMiningDifficultyHistoryResponse {
        1 #[serde(rename = "relayMiningDifficultyHistory")] relay_mining_difficulty_history: list(RelayMiningDifficultyUpdate);
        2 pagination: message(PageResponse);
    }
    QueryComputeUnitsPerRelayAtHeightRequest {
        1 #[serde(rename = "serviceId")] service_id: string;
        2 #[serde(rename = "blockHeight")] block_height: i64;
    }
    QueryComputeUnitsPerRelayAtHeightResponse {
        1 #[serde(rename = "computeUnitsPerRelay")] compute_units_per_relay: u64;
    }
    QueryComputeUnitsPerRelayHistoryRequest {
        1 #[serde(rename = "serviceId")] service_id: string;
        2 pagination: message(PageRequest);
    }
    QueryComputeUnitsPerRelayHistoryResponse {
        1 #[serde(rename = "computeUnitsPerRelayHistory")] compute_units_per_relay_history: list(ServiceComputeUnitsPerRelayUpdate);
        2 pagination: message(PageResponse);
    }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgUpdateParam { 1 authority: string; 2 name: string; 3 as_coin: message(Coin); 4 as_uint64: u64; }
    MsgAddService { 1 owner_address: string; 2 service: always(Service); }
    MsgTransferService { 1 owner_address: string; 2 service_id: string; 3 new_owner_address: string; }
    EventRelayMiningDifficultyUpdated {
        1 service_id: string;
        2 prev_target_hash_hex_encoded: string;
        3 new_target_hash_hex_encoded: string;
        4 prev_num_relays_ema: u64;
        5 new_num_relays_ema: u64;
    }
}
