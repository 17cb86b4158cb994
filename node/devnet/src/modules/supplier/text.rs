//! Protobuf's compact text form, in which some refusals quote a whole record.

use std::fmt::Write as _;

use hearth_pocket::message::{
    ProtoEnum,
    shared::{RpcType, ServiceConfigUpdate, Supplier, SupplierServiceConfig},
};

use super::stake_text;

/// `service_id:"x" endpoints:<url:"…" rpc_type:REST > rev_share:<…> `, with the blank at the end.
pub(crate) fn config(config: &SupplierServiceConfig) -> String {
    let mut text = String::new();
    quoted(&mut text, "service_id", &config.service_id);
    for endpoint in &config.endpoints {
        text.push_str("endpoints:<");
        quoted(&mut text, "url", &endpoint.url);
        if let Some(name) = RpcType::proto_name(endpoint.rpc_type).filter(|_| endpoint.rpc_type != 0) {
            let _ = write!(text, "rpc_type:{name} ");
        }
        for option in &endpoint.configs {
            text.push_str("configs:<");
            number(&mut text, "key", i64::from(option.key));
            quoted(&mut text, "value", &option.value);
            text.push_str("> ");
        }
        text.push_str("> ");
    }
    for share in &config.rev_share {
        text.push_str("rev_share:<");
        quoted(&mut text, "address", &share.address);
        number(
            &mut text,
            "rev_share_percentage",
            share.rev_share_percentage as i64,
        );
        text.push_str("> ");
    }
    text
}

fn update(update: &ServiceConfigUpdate) -> String {
    let mut text = String::new();
    quoted(&mut text, "operator_address", &update.operator_address);
    if let Some(service) = &update.service {
        let _ = write!(text, "service:<{}> ", config(service));
    }
    number(&mut text, "activation_height", update.activation_height);
    number(&mut text, "deactivation_height", update.deactivation_height);
    text
}

/// A record as Go prints a struct.
pub(crate) fn supplier(supplier: &Supplier) -> String {
    let list = |parts: Vec<String>| parts.join(" ");
    format!(
        "{{OwnerAddress:{} OperatorAddress:{} Stake:{} Services:[{}] UnstakeSessionEndHeight:{} \
         ServiceConfigHistory:[{}]}}",
        supplier.owner_address,
        supplier.operator_address,
        stake_text(supplier),
        list(supplier.services.iter().map(config).collect()),
        supplier.unstake_session_end_height,
        list(supplier.service_config_history.iter().map(update).collect()),
    )
}

fn quoted(text: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        let _ = write!(text, "{name}:{value:?} ");
    }
}

fn number(text: &mut String, name: &str, value: i64) {
    if value != 0 {
        let _ = write!(text, "{name}:{value} ");
    }
}
