//! Lists of addresses and networks in the configuration: `127.0.0.1`, `10.0.0.0/24`.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

pub(super) fn serialize<S: Serializer>(networks: &[IpNet], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(networks.iter().map(IpNet::to_string))
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<IpNet>, D::Error> {
    let parse = |text: &String| {
        let address = text.parse::<IpAddr>().map(IpNet::from);
        address.or_else(|_| text.parse()).map_err(|_| {
            D::Error::custom(format!(
                "\"{text}\" is neither an address nor a network: write it as 127.0.0.1 or 10.0.0.0/24"
            ))
        })
    };
    Vec::<String>::deserialize(deserializer)?
        .iter()
        .map(parse)
        .collect()
}
