//! Records of the state that can be proven: where each lies and how it is read.

use hearth_base::{Amount, Height, ServiceId, SessionId};
use hearth_pocket::{
    address::Address,
    message::{
        self, Any,
        cosmos::{BaseAccount, Coin, ModuleAccount, PubKey},
    },
};
use prost::Message;

/// A record of type `T` in the chain's state. Its constructors name the records there are.
#[derive(Clone, Debug)]
pub struct Query<T> {
    pub(crate) store: &'static str,
    pub(crate) key: Vec<u8>,
    pub(crate) what: &'static str,
    pub(crate) parse: fn(&[u8]) -> Result<T, String>,
}

/// An account: what a transaction of its owner needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its address.
    pub address: String,
    /// Its number, part of every signature.
    pub number: u64,
    /// The sequence number of its next ordered transaction.
    pub sequence: u64,
    /// Its compressed key; the chain learns it with the first transaction.
    pub public_key: Option<[u8; 33]>,
}

impl<T> Query<T> {
    fn new(
        store: &'static str,
        key: Vec<u8>,
        what: &'static str,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Query<T> {
        Query {
            store,
            key,
            what,
            parse,
        }
    }

    fn text(
        store: &'static str,
        key: String,
        what: &'static str,
        parse: fn(&[u8]) -> Result<T, String>,
    ) -> Query<T> {
        Query::new(store, key.into_bytes(), what, parse)
    }
}

fn message<T: Message + Default>(bytes: &[u8]) -> Result<T, String> {
    T::decode(bytes).map_err(|error| error.to_string())
}

impl Query<Amount> {
    /// How many upokt an address holds. A record that is absent means none.
    #[must_use]
    pub fn balance(address: &Address) -> Query<Amount> {
        let key = [&[2, 20], address.to_bytes().as_slice(), b"upokt"].concat();
        Query::new("bank", key, "balance", parse_amount)
    }

    /// All upokt there are.
    #[must_use]
    pub fn supply() -> Query<Amount> {
        Query::new(
            "bank",
            [&[0], b"upokt".as_slice()].concat(),
            "supply",
            parse_amount,
        )
    }
}

impl Query<Account> {
    /// An account.
    #[must_use]
    pub fn account(address: &Address) -> Query<Account> {
        let key = [&[1], address.to_bytes().as_slice()].concat();
        Query::new("acc", key, "account", parse_account)
    }
}

impl Query<message::shared::Supplier> {
    /// A supplier, without its services.
    #[must_use]
    pub fn supplier(operator: &Address) -> Query<message::shared::Supplier> {
        Query::text(
            "supplier",
            format!("Supplier/operator_address/{operator}/"),
            "supplier",
            message,
        )
    }
}

impl Query<message::shared::ServiceConfigUpdate> {
    /// One service of a supplier, as activated at a height.
    #[must_use]
    pub fn service_config(
        operator: &Address,
        service: &ServiceId,
        activation: Height,
    ) -> Query<message::shared::ServiceConfigUpdate> {
        let prefix = format!("ServiceConfigUpdate/service_id/{service}/");
        let key = [
            prefix.as_bytes(),
            &activation.0.to_be_bytes(),
            b"/",
            operator.as_str().as_bytes(),
            b"/",
        ]
        .concat();
        Query::new("supplier", key, "service configuration", message)
    }

    /// One service of a supplier, by the key that an index holds.
    pub(crate) fn service_config_by_key(key: Vec<u8>) -> Query<message::shared::ServiceConfigUpdate> {
        Query::new("supplier", key, "service configuration", message)
    }
}

impl Query<message::application::Application> {
    /// An application.
    #[must_use]
    pub fn application(address: &Address) -> Query<message::application::Application> {
        Query::text(
            "application",
            format!("Application/address/{address}/"),
            "application",
            message,
        )
    }
}

impl Query<message::gateway::Gateway> {
    /// A gateway.
    #[must_use]
    pub fn gateway(address: &Address) -> Query<message::gateway::Gateway> {
        Query::text(
            "gateway",
            format!("Gateway/address/{address}/"),
            "gateway",
            message,
        )
    }
}

impl Query<message::migration::MorseClaimableAccount> {
    /// An account of the former network, by its address of 40 upper-case hex digits.
    #[must_use]
    pub fn morse_account(address: &str) -> Query<message::migration::MorseClaimableAccount> {
        Query::text(
            "migration",
            format!("MorseClaimableAccount/value/{address}/"),
            "Morse account",
            message,
        )
    }
}

impl Query<message::migration::Params> {
    /// Whether accounts of the former network can be claimed, and for how much.
    #[must_use]
    pub fn migration_params() -> Query<message::migration::Params> {
        Query::text("migration", "p_migration".to_owned(), "parameters", message)
    }
}

impl Query<message::shared::Service> {
    /// A service.
    #[must_use]
    pub fn service(id: &ServiceId) -> Query<message::shared::Service> {
        Query::text("service", format!("Service/id/{id}/"), "service", message)
    }
}

impl Query<message::service::RelayMiningDifficulty> {
    /// The difficulty of a service as it is now. Absent before the service's first settlement.
    #[must_use]
    pub fn difficulty(id: &ServiceId) -> Query<message::service::RelayMiningDifficulty> {
        Query::text(
            "service",
            format!("RelayMiningDifficulty/value/{id}/"),
            "difficulty",
            message,
        )
    }
}

impl Query<message::proof::Claim> {
    /// A claim. Absent before it was made and after it was settled or expired.
    #[must_use]
    pub fn claim(session: &SessionId, operator: &Address) -> Query<message::proof::Claim> {
        // Unlike all others this key has no slash at its end.
        Query::text(
            "proof",
            format!("Claim/primary_key/{session}/{operator}"),
            "claim",
            message,
        )
    }
}

impl Query<[u8; 32]> {
    /// The hash of a block, as the session module keeps it.
    #[must_use]
    pub fn block_hash(height: Height) -> Query<[u8; 32]> {
        let parse = |bytes: &[u8]| {
            bytes
                .try_into()
                .map_err(|_| format!("{} bytes where 32 are a hash", bytes.len()))
        };
        Query::text(
            "session",
            format!("BlockHash/height/{height}/"),
            "block hash",
            parse,
        )
    }
}

/// The parameters of each module, as they are now. Sessions use those of their own heights: see `params_at`.
pub mod params {
    use super::{Query, message};

    macro_rules! of_modules {
        ($($module:ident;)*) => {$(
            /// The parameters of the module of this name.
            #[must_use]
            pub fn $module() -> Query<message::$module::Params> {
                let name = stringify!($module);
                Query::text(name, format!("p_{name}"), "parameters", super::message)
            }
        )*};
    }

    of_modules! { shared; session; proof; application; supplier; gateway; service; tokenomics; }
}

fn parse_amount(bytes: &[u8]) -> Result<Amount, String> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    if let Some(text) = text {
        return text
            .parse()
            .map_err(|error: hearth_base::amount::AmountError| error.to_string());
    }
    // Very old entries hold a coin.
    let coin = Coin::decode(bytes).map_err(|error| error.to_string())?;
    coin.to_amount()
        .ok_or_else(|| format!("{coin} is no amount of upokt"))
}

/// Reads an account from its `Any`.
pub(crate) fn parse_account(bytes: &[u8]) -> Result<Account, String> {
    let any = Any::decode(bytes).map_err(|error| error.to_string())?;
    let base = if let Some(base) = any.unpack::<BaseAccount>() {
        base.map_err(|error| error.to_string())?
    } else if let Some(module) = any.unpack::<ModuleAccount>() {
        let module = module.map_err(|error| error.to_string())?;
        module.base_account.ok_or("a module account without its base")?
    } else {
        return Err(format!("accounts of kind {} are not supported", any.type_url));
    };
    let public_key = match &base.pub_key {
        None => None,
        Some(any) => match any.unpack::<PubKey>() {
            None => None,
            Some(key) => {
                let key = key.map_err(|error| error.to_string())?.key;
                Some(
                    key.try_into()
                        .map_err(|_| "a public key that has not 33 bytes".to_owned())?,
                )
            }
        },
    };
    Ok(Account {
        address: base.address,
        number: base.account_number,
        sequence: base.sequence,
        public_key,
    })
}
