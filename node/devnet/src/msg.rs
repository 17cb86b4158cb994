//! The messages that this chain executes: decoded, checked without state, and handed to their modules.

mod exec;

use hearth_pocket::message::{
    Any, TypeUrl,
    application::{
        MsgDelegateToGateway, MsgStakeApplication, MsgTransferApplication, MsgUndelegateFromGateway,
        MsgUnstakeApplication, MsgUpdateParam as ApplicationParam, MsgUpdateParams as ApplicationParams,
    },
    cosmos::{MsgExec, MsgGrant, MsgRevoke, MsgSend, TxMsgData},
    gateway::{
        MsgStakeGateway, MsgUnstakeGateway, MsgUpdateGatewayMetadata, MsgUpdateParam as GatewayParam,
        MsgUpdateParams as GatewayParams,
    },
    migration::{
        MsgClaimMorseAccount, MsgClaimMorseApplication, MsgClaimMorseSupplier,
        MsgUpdateParams as MigrationParams,
    },
    proof::{MsgCreateClaim, MsgSubmitProof, MsgUpdateParam as ProofParam, MsgUpdateParams as ProofParams},
    service::{
        MsgAddService, MsgTransferService, MsgUpdateParam as ServiceParam, MsgUpdateParams as ServiceParams,
    },
    session::{MsgUpdateParam as SessionParam, MsgUpdateParams as SessionParams},
    shared::{MsgUpdateParam as SharedParam, MsgUpdateParams as SharedParams},
    supplier::{
        MsgStakeSupplier, MsgUnstakeSupplier, MsgUpdateParam as SupplierParam,
        MsgUpdateParams as SupplierParams,
    },
    tokenomics::{MsgUpdateParam as TokenomicsParam, MsgUpdateParams as TokenomicsParams},
};
use prost::Message;

use crate::{
    ctx::Ctx,
    error::TxError,
    events::Event,
    modules::{
        application::{self, transfer},
        authz, bank, gateway, govern, migration, proof, service, supplier,
    },
};

/// How deep messages may lie in messages.
const MAX_DEPTH: usize = 6;

macro_rules! msgs {
    ($($variant:ident($type:ident) by $signer:ident costs $gas:literal,)*) => {
        /// A message of a transaction.
        #[derive(Clone, Debug)]
        pub(crate) enum Msg { $($variant($type),)* }

        impl Msg {
            /// Reads a message by its type.
            fn decode_one(any: &Any) -> Result<Msg, TxError> {
                $(if any.type_url == $type::TYPE_URL {
                    return $type::decode(any.value.as_slice())
                        .map(Msg::$variant)
                        .map_err(|error| TxError::sdk(2, format!("{error}: tx parse error")));
                })*
                Err(TxError::sdk(2, format!(
                    "unable to resolve type URL {}: tx parse error", any.type_url
                )))
            }

            /// Whether this chain executes messages of a type.
            pub(crate) fn is_known(type_url: &str) -> bool {
                [$($type::TYPE_URL),*].contains(&type_url)
            }

            pub(crate) fn type_url(&self) -> &'static str {
                match self { $(Msg::$variant(_) => $type::TYPE_URL,)* }
            }

            /// The address that must sign.
            pub(crate) fn signer(&self) -> &str {
                match self { $(Msg::$variant(msg) => &msg.$signer,)* }
            }

            /// About what the real meter counted for such a message.
            fn own_gas(&self) -> u64 {
                match self { $(Msg::$variant(_) => $gas,)* }
            }
        }
    };
}

msgs! {
    Send(MsgSend) by from_address costs 19_000,
    StakeSupplier(MsgStakeSupplier) by signer costs 79_000,
    UnstakeSupplier(MsgUnstakeSupplier) by signer costs 36_000,
    StakeApplication(MsgStakeApplication) by address costs 34_000,
    UnstakeApplication(MsgUnstakeApplication) by address costs 16_000,
    Delegate(MsgDelegateToGateway) by app_address costs 25_000,
    Undelegate(MsgUndelegateFromGateway) by app_address costs 32_000,
    TransferApplication(MsgTransferApplication) by source_address costs 19_000,
    StakeGateway(MsgStakeGateway) by address costs 33_000,
    UnstakeGateway(MsgUnstakeGateway) by address costs 9_000,
    UpdateGatewayMetadata(MsgUpdateGatewayMetadata) by address costs 9_000,
    AddService(MsgAddService) by owner_address costs 30_000,
    TransferService(MsgTransferService) by owner_address costs 8_000,
    CreateClaim(MsgCreateClaim) by supplier_operator_address costs 51_000,
    SubmitProof(MsgSubmitProof) by supplier_operator_address costs 140_000,
    Grant(MsgGrant) by granter costs 16_000,
    Exec(MsgExec) by grantee costs 5_000,
    Revoke(MsgRevoke) by granter costs 8_000,
    ClaimMorseAccount(MsgClaimMorseAccount) by shannon_signing_address costs 30_000,
    ClaimMorseApplication(MsgClaimMorseApplication) by shannon_signing_address costs 65_000,
    ClaimMorseSupplier(MsgClaimMorseSupplier) by shannon_signing_address costs 115_000,
    SharedParam(SharedParam) by authority costs 5_000,
    SessionParam(SessionParam) by authority costs 5_000,
    ProofParam(ProofParam) by authority costs 5_000,
    TokenomicsParam(TokenomicsParam) by authority costs 5_000,
    ServiceParam(ServiceParam) by authority costs 5_000,
    ApplicationParam(ApplicationParam) by authority costs 5_000,
    GatewayParam(GatewayParam) by authority costs 5_000,
    SupplierParam(SupplierParam) by authority costs 5_000,
    SharedParams(SharedParams) by authority costs 5_000,
    SessionParams(SessionParams) by authority costs 5_000,
    ProofParams(ProofParams) by authority costs 5_000,
    TokenomicsParams(TokenomicsParams) by authority costs 5_000,
    ServiceParams(ServiceParams) by authority costs 5_000,
    ApplicationParams(ApplicationParams) by authority costs 5_000,
    GatewayParams(GatewayParams) by authority costs 5_000,
    SupplierParams(SupplierParams) by authority costs 5_000,
    MigrationParams(MigrationParams) by authority costs 5_000,
}

impl Msg {
    /// Reads a message by its type, and those within it.
    pub(crate) fn decode(any: &Any) -> Result<Msg, TxError> {
        Msg::decode_within(any, MAX_DEPTH)
    }

    fn decode_within(any: &Any, depth: usize) -> Result<Msg, TxError> {
        let msg = Msg::decode_one(any)?;
        if let Msg::Exec(exec) = &msg {
            let Some(depth) = depth.checked_sub(1) else {
                return Err(TxError::sdk(2, "call limit exceeded: tx parse error"));
            };
            for inner in &exec.msgs {
                Msg::decode_within(inner, depth)?;
            }
        }
        Ok(msg)
    }

    /// Gas of the message and of those within it.
    pub(crate) fn gas(&self) -> u64 {
        let Msg::Exec(exec) = self else {
            return self.own_gas();
        };
        // What lies in it was read when the transaction was.
        let inner = exec.msgs.iter().filter_map(|msg| Msg::decode(msg).ok());
        inner.fold(self.own_gas(), |sum, msg| sum.saturating_add(msg.gas()))
    }

    /// Whether it takes over what was on the former network.
    pub(crate) fn is_morse_claim(&self) -> bool {
        self.type_url().starts_with("/pocket.migration.MsgClaimMorse")
    }

    /// The checks that need no state. Those of bank messages happen in the handler.
    pub(crate) fn validate_basic(&self) -> Result<(), TxError> {
        match self {
            Msg::Send(_) => Ok(()),
            Msg::StakeSupplier(msg) => supplier::validate_stake(msg),
            Msg::UnstakeSupplier(msg) => supplier::validate_unstake(msg),
            Msg::StakeApplication(msg) => application::validate_stake(msg),
            Msg::UnstakeApplication(msg) => application::validate_address(&msg.address),
            Msg::Delegate(msg) => application::validate_pair(&msg.app_address, &msg.gateway_address),
            Msg::Undelegate(msg) => application::validate_pair(&msg.app_address, &msg.gateway_address),
            Msg::TransferApplication(msg) => transfer::validate(msg),
            Msg::StakeGateway(msg) => gateway::validate_stake(msg),
            Msg::UnstakeGateway(msg) => gateway::validate_address(&msg.address),
            Msg::UpdateGatewayMetadata(msg) => gateway::validate_metadata(msg),
            Msg::AddService(msg) => service::validate_add(msg),
            Msg::TransferService(msg) => service::validate_transfer(msg),
            Msg::CreateClaim(msg) => proof::validate_claim(msg),
            Msg::SubmitProof(msg) => proof::validate_proof(msg),
            // As with bank messages.
            Msg::Grant(_) | Msg::Exec(_) | Msg::Revoke(_) => Ok(()),
            Msg::ClaimMorseAccount(msg) => migration::validate_account(msg),
            Msg::ClaimMorseApplication(msg) => migration::validate_application(msg),
            Msg::ClaimMorseSupplier(msg) => migration::validate_supplier(msg),
            Msg::SharedParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::SessionParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::ProofParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::TokenomicsParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::ServiceParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::ApplicationParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::GatewayParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::SupplierParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::MigrationParams(msg) => govern::validate(&msg.authority, &msg.params),
            Msg::SharedParam(SharedParam { authority, .. })
            | Msg::SessionParam(SessionParam { authority, .. })
            | Msg::ProofParam(ProofParam { authority, .. })
            | Msg::TokenomicsParam(TokenomicsParam { authority, .. })
            | Msg::ServiceParam(ServiceParam { authority, .. })
            | Msg::ApplicationParam(ApplicationParam { authority, .. })
            | Msg::GatewayParam(GatewayParam { authority, .. })
            | Msg::SupplierParam(SupplierParam { authority, .. }) => govern::validate_authority(authority),
        }
    }

    /// Executes the message, and gives the bytes of its response: nearly all are empty.
    pub(crate) fn execute(&self, ctx: &mut Ctx) -> Result<Vec<u8>, TxError> {
        let done = match self {
            Msg::Send(msg) => bank::msg_send(ctx, msg),
            Msg::StakeSupplier(msg) => supplier::stake(ctx, msg),
            Msg::UnstakeSupplier(msg) => supplier::unstake(ctx, msg),
            Msg::StakeApplication(msg) => application::stake(ctx, msg),
            Msg::UnstakeApplication(msg) => application::unstake(ctx, msg),
            Msg::Delegate(msg) => application::delegate(ctx, msg),
            Msg::Undelegate(msg) => application::undelegate(ctx, msg),
            Msg::TransferApplication(msg) => transfer::begin(ctx, msg),
            Msg::StakeGateway(msg) => gateway::stake(ctx, msg),
            Msg::UnstakeGateway(msg) => gateway::unstake(ctx, msg),
            Msg::UpdateGatewayMetadata(msg) => gateway::update_metadata(ctx, msg),
            Msg::AddService(msg) => service::add(ctx, msg),
            Msg::TransferService(msg) => service::transfer(ctx, msg),
            Msg::CreateClaim(msg) => proof::create_claim(ctx, msg),
            Msg::SubmitProof(msg) => proof::submit_proof(ctx, msg),
            Msg::Grant(msg) => authz::grant(ctx, msg, Msg::is_known),
            Msg::Exec(msg) => return exec::exec(ctx, msg),
            Msg::Revoke(msg) => authz::revoke(ctx, msg),
            Msg::ClaimMorseAccount(msg) => migration::claim_account(ctx, msg),
            Msg::ClaimMorseApplication(msg) => migration::claim_application(ctx, msg),
            Msg::ClaimMorseSupplier(msg) => migration::claim_supplier(ctx, msg),
            Msg::SharedParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::SessionParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::ProofParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::TokenomicsParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::ServiceParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::ApplicationParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::GatewayParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::SupplierParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::MigrationParams(msg) => govern::update(ctx, &msg.authority, &msg.params),
            Msg::SharedParam(msg) => govern::update_one(ctx, msg),
            Msg::SessionParam(msg) => govern::update_one(ctx, msg),
            Msg::ProofParam(msg) => govern::update_one(ctx, msg),
            Msg::TokenomicsParam(msg) => govern::update_one(ctx, msg),
            Msg::ServiceParam(msg) => govern::update_one(ctx, msg),
            Msg::ApplicationParam(msg) => govern::update_one(ctx, msg),
            Msg::GatewayParam(msg) => govern::update_one(ctx, msg),
            Msg::SupplierParam(msg) => govern::update_one(ctx, msg),
        };
        done.map(|()| Vec::new())
    }

    /// The event that goes before those of the handler.
    fn event(&self) -> Event {
        let module = self.type_url().split('.').rev().nth(1).unwrap_or_default();
        // The packages of the SDK end with a version: `cosmos.bank.v1beta1`.
        let module = if module == "v1beta1" {
            self.type_url().split('.').nth(1).unwrap_or_default()
        } else {
            module
        };
        let sender = self.signer().to_owned();
        let attributes = [
            ("action", self.type_url().to_owned()),
            ("sender", sender),
            ("module", module.to_owned()),
        ];
        Event::new("message", attributes)
    }
}

/// Executes messages one after another, all or nothing. The answer is the data of the transaction's result.
pub(crate) fn execute_all(ctx: &mut Ctx, msgs: &[Msg]) -> Result<Vec<u8>, TxError> {
    let before = ctx.state.clone();
    let outer = ctx.take_events();
    let mut events = Vec::new();
    let mut responses = Vec::new();
    for (index, msg) in msgs.iter().enumerate() {
        ctx.emit(msg.event());
        let value = match msg.execute(ctx) {
            Ok(value) => value,
            Err(error) => {
                ctx.state = before;
                ctx.events = outer;
                return Err(error.in_message(index));
            }
        };
        events.extend(
            ctx.take_events()
                .into_iter()
                .map(|event| event.with("msg_index", index.to_string())),
        );
        responses.push(Any {
            type_url: format!("{}Response", msg.type_url()),
            value,
        });
    }
    ctx.events = outer;
    ctx.events.extend(events);
    Ok(TxMsgData {
        msg_responses: responses,
    }
    .encode_to_vec())
}
