//! Messages of the Cosmos SDK that Hearth reads or signs: coins, paging, transactions, accounts, bank, authz.

use hearth_base::Amount;

use super::{enumeration, messages};

/// The denomination of all money on the relay path.
pub const UPOKT: &str = "upokt";

enumeration! {
    /// How a transaction is signed. Hearth signs with `Direct` only.
    SignMode {
        Unspecified = 0 "SIGN_MODE_UNSPECIFIED",
        Direct = 1 "SIGN_MODE_DIRECT",
        Textual = 2 "SIGN_MODE_TEXTUAL",
        LegacyAminoJson = 127 "SIGN_MODE_LEGACY_AMINO_JSON",
    }
}

/// A message with its name. In JSON its fields stand beside `@type`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct Any {
    #[prost(string, tag = 1)]
    pub type_url: String,
    #[prost(bytes = "vec", tag = 2)]
    pub value: Vec<u8>,
}

/// Seconds and nanoseconds since the epoch. In JSON a text such as `2026-11-21T09:04:40.340183123Z`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Timestamp {
    #[prost(int64, tag = 1)]
    pub seconds: i64,
    #[prost(int32, tag = 2)]
    pub nanos: i32,
}

/// A span of time. In JSON a text such as `86400s`.
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct Duration {
    #[prost(int64, tag = 1)]
    pub seconds: i64,
    #[prost(int32, tag = 2)]
    pub nanos: i32,
}

messages! { "cosmos.base.v1beta1";
    /// An amount with its denomination.
    #[derive(Eq)]
    Coin { 1 denom: string; 2 amount: string; }
}

messages! { "cosmos.base.query.v1beta1";
    PageRequest { 1 key: bytes; 2 offset: u64; 3 limit: u64; 4 count_total: bool; 5 reverse: bool; }
    PageResponse { 1 next_key: bytes; 2 total: u64; }
}

messages! { "cosmos.crypto.secp256k1";
    PubKey { 1 key: bytes; }
}

messages! { "cosmos.tx.v1beta1";
    TxRaw { 1 body_bytes: bytes; 2 auth_info_bytes: bytes; 3 signatures: blobs; }
    SignDoc { 1 body_bytes: bytes; 2 auth_info_bytes: bytes; 3 chain_id: string; 4 account_number: u64; }
    TxBody {
        1 messages: list(Any);
        2 memo: string;
        3 timeout_height: u64;
        4 unordered: bool;
        5 timeout_timestamp: message(Timestamp);
        1023 extension_options: list(Any);
        2047 non_critical_extension_options: list(Any);
    }
    AuthInfo { 1 signer_infos: list(SignerInfo); 2 fee: message(Fee); }
    SignerInfo { 1 public_key: message(Any); 2 mode_info: message(ModeInfo); 3 sequence: u64; }
    /// The single signer's mode; multi-signatures (field 2) are not signed by Hearth.
    ModeInfo { 1 single: message(ModeInfoSingle); 2 multi: message(ModeInfoMulti); }
    ModeInfoSingle { 1 mode: enumeration("SignMode"); }
    /// Known only so that its presence is seen.
    ModeInfoMulti { 1 bitarray: bytes; }
    Fee { 1 amount: list(Coin); 2 gas_limit: u64; 3 payer: string; 4 granter: string; }
    SimulateRequest { 2 tx_bytes: bytes; }
    SimulateResponse { 1 gas_info: message(GasInfo); }
}

messages! { "cosmos.base.abci.v1beta1";
    GasInfo { 1 gas_wanted: u64; 2 gas_used: u64; }
    /// What a transaction's messages answered.
    TxMsgData { 2 msg_responses: list(Any); }
}

messages! { "cosmos.auth.v1beta1";
    BaseAccount { 1 address: string; 2 pub_key: message(Any); 3 account_number: u64; 4 sequence: u64; }
    ModuleAccount { 1 base_account: message(BaseAccount); 2 name: string; 3 permissions: strings; }
    /// Parameters of the auth module.
    Params {
        1 max_memo_characters: u64;
        2 tx_sig_limit: u64;
        3 tx_size_cost_per_byte: u64;
        4 sig_verify_cost_ed25519: u64;
        5 sig_verify_cost_secp256k1: u64;
    }
    QueryAccountRequest { 1 address: string; }
    QueryAccountResponse { 1 account: message(Any); }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
}

messages! { "cosmos.bank.v1beta1";
    MsgSend { 1 from_address: string; 2 to_address: string; 3 amount: list(Coin); }
    /// A power to send so much, to these addresses alone where some are named.
    SendAuthorization { 1 spend_limit: list(Coin); 2 allow_list: strings; }
    QueryBalanceRequest { 1 address: string; 2 denom: string; }
    QueryBalanceResponse { 1 balance: message(Coin); }
    QueryAllBalancesRequest { 1 address: string; 2 pagination: message(PageRequest); }
    QueryAllBalancesResponse { 1 balances: list(Coin); 2 pagination: message(PageResponse); }
    QuerySupplyOfRequest { 1 denom: string; }
    QuerySupplyOfResponse { 1 amount: always(Coin); }
}

messages! { "cosmos.authz.v1beta1";
    GenericAuthorization { 1 msg: string; }
    Grant { 1 authorization: message(Any); 2 expiration: message(Timestamp); }
    MsgGrant { 1 granter: string; 2 grantee: string; 3 grant: always(Grant); }
    MsgExec { 1 grantee: string; 2 msgs: list(Any); }
    MsgExecResponse { 1 results: blobs; }
    MsgRevoke { 1 granter: string; 2 grantee: string; 3 msg_type_url: string; }
    EventGrant { 2 msg_type_url: string; 3 granter: string; 4 grantee: string; }
    EventRevoke { 2 msg_type_url: string; 3 granter: string; 4 grantee: string; }
    QueryGrantsRequest { 1 granter: string; 2 grantee: string; 3 msg_type_url: string; 4 pagination: message(PageRequest); }
    QueryGrantsResponse { 1 grants: list(Grant); 2 pagination: message(PageResponse); }
}

messages! { "cosmos.feegrant.v1beta1";
    /// Fees up to a limit; none is any.
    BasicAllowance { 1 spend_limit: list(Coin); 2 expiration: message(Timestamp); }
    PeriodicAllowance {
        1 basic: always(BasicAllowance);
        2 period: always(Duration);
        3 period_spend_limit: list(Coin);
        4 period_can_spend: list(Coin);
        5 period_reset: always(Timestamp);
    }
    /// An allowance for fees of these messages alone.
    AllowedMsgAllowance { 1 allowance: message(Any); 2 allowed_messages: strings; }
    MsgGrantAllowance { 1 granter: string; 2 grantee: string; 3 allowance: message(Any); }
    MsgRevokeAllowance { 1 granter: string; 2 grantee: string; }
}

messages! { "cosmos.upgrade.v1beta1";
    Plan { 1 name: string; 2 time: message(Timestamp); 3 height: i64; 4 info: string; }
    QueryCurrentPlanRequest {}
    QueryCurrentPlanResponse { 1 plan: message(Plan); }
}

messages! { "cosmos.base.tendermint.v1beta1";
    GetNodeInfoRequest {}
    GetNodeInfoResponse { 2 application_version: message(VersionInfo); }
    VersionInfo {
        1 name: string;
        2 app_name: string;
        3 version: string;
        4 git_commit: string;
        5 build_tags: string;
        6 go_version: string;
        8 cosmos_sdk_version: string;
    }
}

impl Timestamp {
    /// The moment this many nanoseconds after the epoch.
    #[must_use]
    pub fn from_unix_nanos(nanos: i128) -> Timestamp {
        let seconds = i64::try_from(nanos.div_euclid(1_000_000_000)).unwrap_or(i64::MAX);
        let nanos = i32::try_from(nanos.rem_euclid(1_000_000_000)).unwrap_or_default();
        Timestamp { seconds, nanos }
    }

    /// Nanoseconds since the epoch.
    #[must_use]
    pub fn unix_nanos(self) -> i128 {
        i128::from(self.seconds) * 1_000_000_000 + i128::from(self.nanos)
    }
}

impl Coin {
    /// An amount of upokt.
    #[must_use]
    pub fn upokt(amount: Amount) -> Coin {
        Coin {
            denom: UPOKT.to_owned(),
            amount: amount.upokt().to_string(),
        }
    }

    /// The amount, if this is a valid amount of upokt.
    #[must_use]
    pub fn to_amount(&self) -> Option<Amount> {
        if self.denom != UPOKT || self.amount.starts_with('+') {
            return None;
        }
        self.amount.parse().ok().map(Amount::from_upokt)
    }
}

/// Text such as `12upokt`, as events and fees show a coin.
impl std::fmt::Display for Coin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{}", self.amount, self.denom)
    }
}
