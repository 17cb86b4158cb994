//! Package `pocket.gateway`.

use super::{
    cosmos::{Coin, PageRequest, PageResponse},
    messages,
    shared::Metadata,
};

messages! { "pocket.gateway";
    /// Who signs for applications.
    Gateway {
        1 address: string;
        2 stake: message(Coin);
        3 unstake_session_end_height: u64;
        4 metadata: message(Metadata);
    }
    /// Parameters of the module.
    Params { 1 min_stake: message(Coin); }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    QueryGetGatewayRequest { 1 address: string; 2 dehydrated: bool; }
    QueryGetGatewayResponse { 1 gateway: always(Gateway); }
    QueryAllGatewaysRequest { 1 pagination: message(PageRequest); 2 dehydrated: bool; }
    QueryAllGatewaysResponse { 1 gateways: list(Gateway); 2 pagination: message(PageResponse); }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgUpdateParam { 1 authority: string; 2 name: string; 3 as_coin: message(Coin); }
    MsgStakeGateway { 1 address: string; 2 stake: message(Coin); }
    MsgUnstakeGateway { 1 address: string; }
    MsgUpdateGatewayMetadata { 1 address: string; 2 metadata: message(Metadata); }
    EventGatewayStaked { 1 gateway: message(Gateway); 2 session_end_height: i64; }
    EventGatewayUnbondingBegin { 1 gateway: message(Gateway); 3 session_end_height: i64; 4 unbonding_end_height: i64; }
    EventGatewayUnbondingEnd { 1 gateway: message(Gateway); 3 session_end_height: i64; 4 unbonding_end_height: i64; }
    EventGatewayUnbondingCanceled { 1 gateway: message(Gateway); 2 session_end_height: i64; }
    EventGatewayMetadataUpdated { 1 gateway_address: string; 2 session_end_height: i64; 3 card_size_bytes: u64; }
}
