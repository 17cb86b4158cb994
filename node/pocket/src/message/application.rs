//! Package `pocket.application`.

use super::{
    cosmos::{Coin, PageRequest, PageResponse},
    enumeration, messages,
    shared::ApplicationServiceConfig,
};

enumeration! {
    /// Why an application unbonds.
    ApplicationUnbondingReason {
        Elective = 0 "APPLICATION_UNBONDING_REASON_ELECTIVE",
        BelowMinStake = 1 "APPLICATION_UNBONDING_REASON_BELOW_MIN_STAKE",
        Migration = 2 "APPLICATION_UNBONDING_REASON_MIGRATION",
    }
}

messages! { "pocket.application";
    /// Who pays for relays.
    Application {
        1 address: string;
        2 stake: message(Coin);
        3 service_configs: list(ApplicationServiceConfig);
        4 delegatee_gateway_addresses: strings;
        5 pending_undelegations: map_u64(UndelegatingGatewayList);
        6 unstake_session_end_height: u64;
        7 pending_transfer: message(PendingApplicationTransfer);
        8 per_session_spend_limit: message(Coin);
        9 service_config_history: list(ApplicationServiceConfigUpdate);
    }
    ApplicationServiceConfigUpdate {
        1 application_address: string;
        2 service: message(ApplicationServiceConfig);
        3 activation_height: i64;
        4 deactivation_height: i64;
    }
    UndelegatingGatewayList { 2 gateway_addresses: strings; }
    PendingApplicationTransfer { 1 destination_address: string; 2 session_end_height: u64; }
    /// Parameters of the module.
    Params { 1 max_delegated_gateways: u64; 2 min_stake: message(Coin); }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    QueryGetApplicationRequest { 1 address: string; }
    QueryGetApplicationResponse { 1 application: always(Application); }
    QueryAllApplicationsRequest { 1 pagination: message(PageRequest); 2 delegatee_gateway_address: string; }
    QueryAllApplicationsResponse { 1 applications: list(Application); 2 pagination: message(PageResponse); }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgUpdateParam { 1 authority: string; 2 name: string; 3 as_uint64: u64; 4 as_coin: message(Coin); }
    MsgStakeApplication {
        1 address: string;
        2 stake: message(Coin);
        3 services: list(ApplicationServiceConfig);
        4 per_session_spend_limit: message(Coin);
    }
    MsgUnstakeApplication { 1 address: string; }
    MsgDelegateToGateway { 1 app_address: string; 2 gateway_address: string; }
    MsgUndelegateFromGateway { 1 app_address: string; 2 gateway_address: string; }
    MsgTransferApplication { 1 source_address: string; 2 destination_address: string; }
    EventApplicationStaked { 1 application: message(Application); 2 session_end_height: i64; }
    EventRedelegation { 1 application: message(Application); 2 session_end_height: i64; }
    EventApplicationUnbondingBegin {
        1 application: message(Application);
        2 reason: enumeration("ApplicationUnbondingReason");
        3 session_end_height: i64;
        4 unbonding_end_height: i64;
    }
    EventApplicationUnbondingEnd {
        1 application: message(Application);
        2 reason: enumeration("ApplicationUnbondingReason");
        3 session_end_height: i64;
        4 unbonding_end_height: i64;
    }
    EventApplicationUnbondingCanceled { 1 application: message(Application); 2 session_end_height: i64; }
    EventTransferBegin {
        1 source_address: string;
        2 destination_address: string;
        3 source_application: message(Application);
        4 session_end_height: i64;
        5 transfer_end_height: i64;
    }
    EventTransferEnd {
        1 source_address: string;
        2 destination_address: string;
        3 destination_application: message(Application);
        4 session_end_height: i64;
        5 transfer_end_height: i64;
    }
}
