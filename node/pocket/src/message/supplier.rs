//! Package `pocket.supplier`.

use super::{
    cosmos::{Coin, PageRequest, PageResponse},
    enumeration, messages,
    shared::{Supplier, SupplierServiceConfig},
};

enumeration! {
    /// Why a supplier unbonds.
    SupplierUnbondingReason {
        Unspecified = 0 "SUPPLIER_UNBONDING_REASON_UNSPECIFIED",
        Voluntary = 1 "SUPPLIER_UNBONDING_REASON_VOLUNTARY",
        BelowMinStake = 2 "SUPPLIER_UNBONDING_REASON_BELOW_MIN_STAKE",
        Migration = 3 "SUPPLIER_UNBONDING_REASON_MIGRATION",
    }
}

messages! { "pocket.supplier";
    /// Parameters of the module.
    Params { 1 min_stake: message(Coin); 2 staking_fee: message(Coin); }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    QueryGetSupplierRequest { 1 operator_address: string; 2 dehydrated: bool; }
    QueryGetSupplierResponse { 1 supplier: always(Supplier); }
    QueryAllSuppliersRequest {
        1 pagination: message(PageRequest);
        2 service_id: string;
        3 operator_address: string;
        4 owner_address: string;
        5 dehydrated: bool;
    }
    QueryAllSuppliersResponse { 1 supplier: list(Supplier); 2 pagination: message(PageResponse); }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgUpdateParam { 1 authority: string; 2 name: string; 3 as_coin: message(Coin); }
    /// Stakes a supplier, or changes its stake or services.
    MsgStakeSupplier {
        1 signer: string;
        2 owner_address: string;
        3 operator_address: string;
        4 stake: message(Coin);
        5 services: list(SupplierServiceConfig);
    }
    MsgUnstakeSupplier { 1 signer: string; 2 operator_address: string; }
    EventSupplierStaked { 2 session_end_height: i64; 3 operator_address: string; }
    EventSupplierUnbondingBegin {
        1 supplier: message(Supplier);
        2 reason: enumeration("SupplierUnbondingReason");
        3 session_end_height: i64;
        4 unbonding_end_height: i64;
    }
    EventSupplierUnbondingEnd {
        1 supplier: message(Supplier);
        2 reason: enumeration("SupplierUnbondingReason");
        3 session_end_height: i64;
        4 unbonding_end_height: i64;
    }
    EventSupplierUnbondingCanceled { 1 supplier: message(Supplier); 2 session_end_height: i64; 3 height: i64; }
    EventSupplierServiceConfigActivated { 2 activation_height: i64; 3 operator_address: string; 4 service_id: string; }
}
