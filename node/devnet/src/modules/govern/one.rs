//! `MsgUpdateParam`: the value that it gives a parameter, among the kinds of values that it has room for.

use hearth_pocket::message::{application, gateway, proof, service, session, shared, supplier, tokenomics};
use serde_json::{Value, json};

use super::Governed;

/// One parameter by its name.
pub(crate) trait OneParam {
    /// The parameters that it is one of.
    type Of: Governed;

    fn authority(&self) -> &str;
    fn name(&self) -> &str;
    /// In the JSON form of the parameters.
    fn value(&self) -> Value;
}

macro_rules! one_param {
    ($($module:ident: |$msg:ident| $value:expr;)*) => { $(
        impl OneParam for $module::MsgUpdateParam {
            type Of = $module::Params;

            fn authority(&self) -> &str {
                &self.authority
            }

            fn name(&self) -> &str {
                &self.name
            }

            fn value(&self) -> Value {
                let $msg = self;
                $value
            }
        }
    )* };
}

one_param! {
    shared: |msg| json!(msg.as_uint64);
    session: |msg| json!(msg.as_uint64);
    proof: |msg| match msg.name.as_str() {
        "proof_request_probability" => json!(msg.as_float),
        _ => json!(msg.as_coin),
    };
    tokenomics: |msg| match msg.name.as_str() {
        "mint_allocation_percentages" => json!(msg.as_mint_allocation_percentages),
        "mint_equals_burn_claim_distribution" => json!(msg.as_mint_equals_burn_claim_distribution),
        "dao_reward_address" => json!(msg.as_string),
        "overservicing_bonus_multiplier" => json!(msg.as_uint64),
        _ => json!(msg.as_float),
    };
    service: |msg| match msg.name.as_str() {
        "target_num_relays" => json!(msg.as_uint64),
        _ => json!(msg.as_coin),
    };
    application: |msg| match msg.name.as_str() {
        "max_delegated_gateways" => json!(msg.as_uint64),
        _ => json!(msg.as_coin),
    };
    gateway: |msg| json!(msg.as_coin);
    supplier: |msg| json!(msg.as_coin);
}
