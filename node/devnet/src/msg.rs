//! The messages that this chain executes: decoded, checked without state, and handed to their modules.

use hearth_pocket::message::{
    Any, TypeUrl,
    application::{
        MsgDelegateToGateway, MsgStakeApplication, MsgTransferApplication, MsgUndelegateFromGateway,
        MsgUnstakeApplication,
    },
    cosmos::{MsgSend, TxMsgData},
    gateway::{MsgStakeGateway, MsgUnstakeGateway, MsgUpdateGatewayMetadata},
    proof::{MsgCreateClaim, MsgSubmitProof},
    service::{MsgAddService, MsgTransferService},
    supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
};
use prost::Message;

use crate::{
    ctx::Ctx,
    error::TxError,
    events::Event,
    modules::{application, bank, gateway, proof, service, supplier},
};

macro_rules! msgs {
    ($($variant:ident($type:ident) by $signer:ident costs $gas:literal,)*) => {
        /// A message of a transaction.
        #[derive(Clone, Debug)]
        pub(crate) enum Msg { $($variant($type),)* }

        impl Msg {
            /// Reads a message by its type.
            pub(crate) fn decode(any: &Any) -> Result<Msg, TxError> {
                $(if any.type_url == $type::TYPE_URL {
                    return $type::decode(any.value.as_slice())
                        .map(Msg::$variant)
                        .map_err(|error| TxError::sdk(2, format!("{error}: tx parse error")));
                })*
                Err(TxError::sdk(2, format!(
                    "unable to resolve type URL {}: tx parse error", any.type_url
                )))
            }

            pub(crate) fn type_url(&self) -> &'static str {
                match self { $(Msg::$variant(_) => $type::TYPE_URL,)* }
            }

            /// The address that must sign.
            pub(crate) fn signer(&self) -> &str {
                match self { $(Msg::$variant(msg) => &msg.$signer,)* }
            }

            /// About what the real meter counted for such a message.
            pub(crate) fn gas(&self) -> u64 {
                match self { $(Msg::$variant(_) => $gas,)* }
            }
        }
    };
}

msgs! {
    Send(MsgSend) by from_address costs 36_000,
    StakeSupplier(MsgStakeSupplier) by signer costs 98_000,
    UnstakeSupplier(MsgUnstakeSupplier) by signer costs 55_000,
    StakeApplication(MsgStakeApplication) by address costs 48_000,
    UnstakeApplication(MsgUnstakeApplication) by address costs 34_000,
    Delegate(MsgDelegateToGateway) by app_address costs 44_000,
    Undelegate(MsgUndelegateFromGateway) by app_address costs 50_000,
    TransferApplication(MsgTransferApplication) by source_address costs 36_000,
    StakeGateway(MsgStakeGateway) by address costs 50_000,
    UnstakeGateway(MsgUnstakeGateway) by address costs 28_000,
    UpdateGatewayMetadata(MsgUpdateGatewayMetadata) by address costs 28_000,
    AddService(MsgAddService) by owner_address costs 56_000,
    TransferService(MsgTransferService) by owner_address costs 27_000,
    CreateClaim(MsgCreateClaim) by supplier_operator_address costs 51_000,
    SubmitProof(MsgSubmitProof) by supplier_operator_address costs 140_000,
}

impl Msg {
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
            Msg::TransferApplication(msg) => application::validate_transfer(msg),
            Msg::StakeGateway(msg) => gateway::validate_stake(msg),
            Msg::UnstakeGateway(msg) => gateway::validate_address(&msg.address),
            Msg::UpdateGatewayMetadata(msg) => gateway::validate_metadata(msg),
            Msg::AddService(msg) => service::validate_add(msg),
            Msg::TransferService(msg) => service::validate_transfer(msg),
            Msg::CreateClaim(msg) => proof::validate_claim(msg),
            Msg::SubmitProof(msg) => proof::validate_proof(msg),
        }
    }

    /// Executes the message.
    pub(crate) fn execute(&self, ctx: &mut Ctx) -> Result<(), TxError> {
        match self {
            Msg::Send(msg) => bank::msg_send(ctx, msg),
            Msg::StakeSupplier(msg) => supplier::stake(ctx, msg),
            Msg::UnstakeSupplier(msg) => supplier::unstake(ctx, msg),
            Msg::StakeApplication(msg) => application::stake(ctx, msg),
            Msg::UnstakeApplication(msg) => application::unstake(ctx, msg),
            Msg::Delegate(msg) => application::delegate(ctx, msg),
            Msg::Undelegate(msg) => application::undelegate(ctx, msg),
            Msg::TransferApplication(_) => Err(application::no_transfers()),
            Msg::StakeGateway(msg) => gateway::stake(ctx, msg),
            Msg::UnstakeGateway(msg) => gateway::unstake(ctx, msg),
            Msg::UpdateGatewayMetadata(msg) => gateway::update_metadata(ctx, msg),
            Msg::AddService(msg) => service::add(ctx, msg),
            Msg::TransferService(msg) => service::transfer(ctx, msg),
            Msg::CreateClaim(msg) => proof::create_claim(ctx, msg),
            Msg::SubmitProof(msg) => proof::submit_proof(ctx, msg),
        }
    }

    /// The event that goes before those of the handler.
    fn event(&self) -> Event {
        let module = self.type_url().split('.').rev().nth(1).unwrap_or_default();
        let module = if module == "v1beta1" { "bank" } else { module };
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
        if let Err(error) = msg.execute(ctx) {
            ctx.state = before;
            ctx.events = outer;
            return Err(error.in_message(index));
        }
        events.extend(
            ctx.take_events()
                .into_iter()
                .map(|event| event.with("msg_index", index.to_string())),
        );
        responses.push(Any {
            type_url: format!("{}Response", msg.type_url()),
            value: Vec::new(),
        });
    }
    ctx.events = outer;
    ctx.events.extend(events);
    Ok(TxMsgData {
        msg_responses: responses,
    }
    .encode_to_vec())
}
