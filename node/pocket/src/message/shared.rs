//! Package `pocket.shared`.

use super::{cosmos::Coin, enumeration, messages};

enumeration! {
    /// How an endpoint is spoken to.
    RpcType {
        Unknown = 0 "UNKNOWN_RPC",
        Grpc = 1 "GRPC",
        WebSocket = 2 "WEBSOCKET",
        JsonRpc = 3 "JSON_RPC",
        Rest = 4 "REST",
        CometBft = 5 "COMET_BFT",
    }
}

enumeration! {
    /// What an endpoint's option sets.
    ConfigOptions {
        Unknown = 0 "UNKNOWN_CONFIG",
        Timeout = 1 "TIMEOUT",
    }
}

messages! { "pocket.shared";
    /// A service on chain.
    Service {
        1 id: string;
        2 name: string;
        3 compute_units_per_relay: u64;
        4 owner_address: string;
        5 metadata: message(Metadata);
    }
    /// A free-form card, at most 256 KiB.
    Metadata { 1 card: bytes; }
    ApplicationServiceConfig { 1 service_id: string; }
    SupplierServiceConfig {
        1 service_id: string;
        2 endpoints: list(SupplierEndpoint);
        3 rev_share: list(ServiceRevenueShare);
    }
    SupplierEndpoint {
        1 url: string;
        2 rpc_type: enumeration("RpcType");
        3 configs: list(ConfigOption);
    }
    #[derive(Eq)]
    ServiceRevenueShare { 1 address: string; 3 rev_share_percentage: u64; }
    ConfigOption {
        1 key: enumeration("ConfigOptions");
        2 value: string;
    }
    Supplier {
        1 owner_address: string;
        2 operator_address: string;
        3 stake: message(Coin);
        4 services: list(SupplierServiceConfig);
        5 unstake_session_end_height: u64;
        6 service_config_history: list(ServiceConfigUpdate);
    }
    ServiceConfigUpdate {
        1 operator_address: string;
        2 service: message(SupplierServiceConfig);
        3 activation_height: i64;
        4 deactivation_height: i64;
    }
    /// Parameters of the module: the session grid, the windows and the price of a compute unit.
    #[derive(Eq)]
    Params {
        1 num_blocks_per_session: u64;
        2 grace_period_end_offset_blocks: u64;
        3 claim_window_open_offset_blocks: u64;
        4 claim_window_close_offset_blocks: u64;
        5 proof_window_open_offset_blocks: u64;
        6 proof_window_close_offset_blocks: u64;
        7 supplier_unbonding_period_sessions: u64;
        8 application_unbonding_period_sessions: u64;
        9 compute_units_to_tokens_multiplier: u64;
        10 gateway_unbonding_period_sessions: u64;
        11 compute_unit_cost_granularity: u64;
        12 session_grid_anchor_height: u64;
        13 session_number_at_anchor: u64;
    }
    /// Parameters with the height from which they count.
    ParamsUpdate { 1 effective_height: i64; 2 params: message(Params); }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    QueryParamsAtHeightRequest { 1 height: i64; }
    QueryParamsAtHeightResponse { 1 params: always(Params); }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgUpdateParam { 1 authority: string; 2 name: string; 3 as_string: string; 6 as_uint64: u64; 7 as_bytes: bytes; }
}
