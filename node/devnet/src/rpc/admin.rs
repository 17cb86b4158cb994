//! Calls that only a devnet has: play money, blocks on command, parameters, faults.

use hearth_base::Amount;
use serde_json::{Value, json};
use tokio::sync::broadcast::{self, error::RecvError};

use super::{Answer, RpcError, Server, args::Args};
use crate::{
    core::BlockNotice,
    db::TxRow,
    faucet,
    faults::Fault,
    genesis::Params,
    modules::params,
    state::{State, StoreName},
};

/// What the faucet gives when nobody says how much: 1000 POKT.
const DEFAULT_GIFT: Amount = Amount::from_upokt(1_000 * Amount::UPOKT_PER_POKT);
/// Blocks that one call may make.
const MAX_BLOCKS: i64 = 100_000;

/// How long a payment may take: many blocks.
const INCLUSION_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// The transaction with this hash, once a block has it.
pub(super) async fn inclusion(mut news: broadcast::Receiver<BlockNotice>, hash: &str) -> Option<TxRow> {
    loop {
        match news.recv().await {
            Ok(news) => {
                if let Some(tx) = news.txs.iter().find(|tx| hex::encode_upper(&tx.hash) == hash) {
                    return Some(tx.clone());
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

impl Server {
    /// `devnet_faucet {address, amount}`: upokt, as a number or as text. Waits for the block of the payment, unless
    /// blocks are made on command only.
    pub(super) async fn faucet(&self, args: &Args) -> Answer {
        let to = args
            .text("address")?
            .ok_or_else(|| RpcError::params("address is missing"))?;
        let amount = match args.value("amount") {
            None => DEFAULT_GIFT,
            Some(value) => {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                text.trim_matches('"')
                    .parse::<Amount>()
                    .map_err(|error| RpcError::params(error.to_string()))?
            }
        };
        let news = self.core.news.subscribe();
        let hash =
            faucet::pay(&self.core, &to, amount).map_err(|error| RpcError::internal(error.to_string()))?;
        let mut answer = json!({"hash": hash, "amount": amount.to_string()});
        if self.core.has_timer {
            let included = tokio::time::timeout(INCLUSION_TIMEOUT, inclusion(news, &hash))
                .await
                .ok()
                .flatten();
            let Some(tx) = included else {
                return Err(RpcError::internal("the payment waits, but no block came in time"));
            };
            if tx.result.code != 0 {
                return Err(RpcError::internal(format!(
                    "the payment was refused in its block: {}",
                    tx.result.log
                )));
            }
            answer["height"] = json!(tx.height.to_string());
        }
        Ok(answer)
    }

    /// `devnet_produce {blocks}`.
    pub(super) async fn produce(&self, args: &Args) -> Answer {
        let blocks = args.number("blocks")?.unwrap_or(1);
        if !(1..=MAX_BLOCKS).contains(&blocks) {
            return Err(RpcError::params(format!("blocks: from 1 to {MAX_BLOCKS}")));
        }
        for _ in 0..blocks {
            self.core
                .produce()
                .await
                .map_err(|error| RpcError::internal(error.to_string()))?;
        }
        Ok(json!({"height": self.core.head().height.to_string()}))
    }

    /// `devnet_set_params {module: {name: value, …}, …}`: named parameters change, the others stay. The change is made
    /// at the begin of the next block, as a decision of governance would be.
    pub(super) fn set_params(&self, args: &Args) -> Answer {
        let Value::Object(modules) = args.object() else {
            return Err(RpcError::params("expected an object"));
        };
        let head = self.core.head();
        let mut wanted = current(&head.state);
        let mut shown =
            serde_json::to_value(&wanted).map_err(|error| RpcError::internal(error.to_string()))?;
        for (module, changes) in modules {
            let Some(found) = shown.get_mut(&module) else {
                return Err(RpcError::params(format!("there is no module {module}")));
            };
            let (Some(found), Value::Object(changes)) = (found.as_object_mut(), changes) else {
                return Err(RpcError::params(format!(
                    "{module}: expected an object of parameters"
                )));
            };
            for (name, value) in changes {
                if !found.contains_key(&name) {
                    return Err(RpcError::params(format!("{module} has no parameter {name}")));
                }
                found.insert(name, value);
            }
        }
        wanted = serde_json::from_value(shown).map_err(|error| RpcError::params(error.to_string()))?;
        params::check_shared(&wanted.shared).map_err(RpcError::params)?;
        let answer = json!({"params": &wanted});
        self.core
            .patch(Box::new(move |state, height| apply(state, height, &wanted)));
        Ok(answer)
    }

    /// `devnet_fault {fault: {kind, …}, times}` switches on, `{clear: "kind"}` or `{clear: true}` off; without
    /// arguments it lists what is on.
    pub(super) fn fault(&self, args: &Args) -> Answer {
        if let Some(clear) = args.value("clear") {
            self.core
                .faults
                .clear(clear.as_str().filter(|text| *text != "true"));
        }
        let given = match args.value("fault") {
            Some(Value::String(kind)) => Some(json!({"kind": kind})),
            Some(other) => Some(other.clone()),
            None => None,
        };
        if let Some(given) = given {
            let fault: Fault =
                serde_json::from_value(given).map_err(|error| RpcError::params(error.to_string()))?;
            let times = args
                .number("times")?
                .and_then(|times| u64::try_from(times).ok())
                .filter(|times| *times > 0);
            self.core.faults.set(fault, times);
        }
        Ok(json!({"faults": self.core.faults.list()}))
    }

    /// `devnet_accounts`: the accounts of the first state. Their keys are public.
    pub(super) fn accounts(&self) -> Value {
        json!({"accounts": &self.core.genesis.accounts})
    }
}

/// The parameters as they stand.
fn current(state: &State) -> Params {
    Params {
        auth: crate::modules::auth::params(state),
        shared: params::of(state, StoreName::Shared),
        session: params::of(state, StoreName::Session),
        proof: params::of(state, StoreName::Proof),
        tokenomics: params::of(state, StoreName::Tokenomics),
        application: params::of(state, StoreName::Application),
        gateway: params::of(state, StoreName::Gateway),
        supplier: params::of(state, StoreName::Supplier),
        service: params::of(state, StoreName::Service),
        migration: params::of(state, StoreName::Migration),
    }
}

/// Writes what differs, each module by its own rule.
pub(crate) fn apply(state: &mut State, height: u64, wanted: &Params) {
    let now = current(state);
    if now.shared != wanted.shared {
        params::update_shared(state, height, &wanted.shared);
    }
    if now.session != wanted.session {
        params::update_session(state, height, &wanted.session);
    }
    state.write(StoreName::Acc, crate::keys::AUTH_PARAMS, &wanted.auth);
    params::put(state, StoreName::Proof, &wanted.proof);
    params::put(state, StoreName::Tokenomics, &wanted.tokenomics);
    params::put(state, StoreName::Application, &wanted.application);
    params::put(state, StoreName::Gateway, &wanted.gateway);
    params::put(state, StoreName::Supplier, &wanted.supplier);
    params::put(state, StoreName::Service, &wanted.service);
    params::put(state, StoreName::Migration, &wanted.migration);
}
