//! Play money for whoever asks.

use hearth_base::Amount;
use hearth_pocket::{
    message::{Coin, Timestamp, TypeUrl, cosmos::MsgSend},
    tx::{Plan, Replay},
};

use crate::{address, core::Core, mempool::Rejection, modules::auth};

/// Far above what a plain payment uses.
const GAS: u64 = 200_000;
/// How long a payment may wait: well below the ten minutes that the chain allows.
const PATIENCE_NS: u64 = 300 * 1_000_000_000;

/// Why the faucet gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum FaucetError {
    #[error("\"{address}\" is no account of this chain: {why}")]
    Address { address: String, why: String },
    #[error("this chain has no faucet: its genesis has no account of that name with a known key")]
    NoFaucet,
    #[error("the faucet cannot pay: {0}")]
    Refused(String),
}

/// Puts a payment into the mempool. Payments are unordered, so that any number of them fits into a block.
pub(crate) fn pay(core: &Core, to: &str, amount: Amount) -> Result<String, FaucetError> {
    address::parse(to).map_err(|why| FaucetError::Address {
        address: to.to_owned(),
        why,
    })?;
    let key = core
        .genesis
        .account("faucet")
        .and_then(crate::genesis::Account::key)
        .ok_or(FaucetError::NoFaucet)?;
    let head = core.head();
    let account = auth::base(&head.state, &key.address().to_bytes()).ok_or(FaucetError::NoFaucet)?;
    let msg = MsgSend {
        from_address: key.address().as_str().to_owned(),
        to_address: to.to_owned(),
        amount: vec![Coin::upokt(amount)],
    };
    // The nanosecond makes the payment unique; try the next one when it was used already.
    for attempt in 0..1_000 {
        let until_ns = head.time_ns + PATIENCE_NS + attempt;
        let until = Timestamp {
            seconds: i64::try_from(until_ns / 1_000_000_000).unwrap_or(i64::MAX),
            nanos: (until_ns % 1_000_000_000) as i32,
        };
        let plan = Plan {
            replay: Replay::Unordered { until },
            fee: vec![Coin::upokt(Amount::from_upokt(u128::from(core.fee().max(1))))],
            gas_limit: GAS,
            ..Plan::ordered(vec![msg.to_any()], 0)
        };
        let signed = plan
            .sign(&key, &core.chain_id, account.account_number)
            .map_err(|error| FaucetError::Refused(error.to_string()))?;
        match core.mempool().add(signed.raw().to_vec(), core.fee()) {
            Ok(_) => return Ok(signed.hash_text()),
            Err(Rejection::Seen) => {}
            Err(Rejection::Refused(error)) if error.log.contains("already used timeout") => {}
            Err(Rejection::Refused(error)) => return Err(FaucetError::Refused(error.log)),
            Err(Rejection::Full) => return Err(FaucetError::Refused("the mempool is full".to_owned())),
            Err(Rejection::TooLarge(_)) => {
                return Err(FaucetError::Refused("the payment is too large".to_owned()));
            }
        }
    }
    Err(FaucetError::Refused("too many payments wait already".to_owned()))
}
