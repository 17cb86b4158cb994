//! Faults that tests ask for: an endpoint that is slow, stale, rubbish or lying; a chain that skips or refuses.

use std::{collections::BTreeMap, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Something that goes wrong on purpose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// No block is made, neither by the timer nor by command.
    SkipBlocks,
    /// A call is answered with an internal error. Without a method: every call.
    RpcError {
        #[serde(default)]
        method: Option<String>,
    },
    /// A call is answered late.
    RpcDelay {
        #[serde(default)]
        method: Option<String>,
        delay_ms: u64,
    },
    /// A call is answered with bytes that are no JSON.
    RpcGarbage {
        #[serde(default)]
        method: Option<String>,
    },
    /// The endpoint says that the chain is this many blocks behind where it is.
    StaleHeight { blocks: u64 },
    /// Proofs come with a flipped bit.
    WrongProof,
    /// Values come with a flipped bit, beside a proof of the true value.
    WrongValue,
    /// Commits come with a flipped bit in the signature.
    WrongSignature,
    /// Headers come with another app hash, signed as they were.
    ForgedHeader,
    /// The endpoint names another chain.
    WrongChainId { chain_id: String },
    /// The mempool asks for this many upokt per million units of gas.
    HighFee { upokt_per_million_gas: u64 },
    /// Blocks take the newest transactions first.
    ReorderedMempool,
    /// A transaction is taken, and answered as if it were refused.
    RefusesWhatItTakes {
        codespace: String,
        code: u32,
        log: String,
    },
    /// The endpoint knows no transaction, whatever its blocks hold.
    HidesTransactions,
    /// Accepted transactions are forgotten instead of included.
    DropTransactions,
}

impl Fault {
    /// Two faults with the same name do not stand together: the later one counts.
    fn name(&self) -> &'static str {
        match self {
            Fault::SkipBlocks => "skip_blocks",
            Fault::RpcError { .. } => "rpc_error",
            Fault::RpcDelay { .. } => "rpc_delay",
            Fault::RpcGarbage { .. } => "rpc_garbage",
            Fault::StaleHeight { .. } => "stale_height",
            Fault::WrongProof => "wrong_proof",
            Fault::WrongValue => "wrong_value",
            Fault::WrongSignature => "wrong_signature",
            Fault::ForgedHeader => "forged_header",
            Fault::WrongChainId { .. } => "wrong_chain_id",
            Fault::HighFee { .. } => "high_fee",
            Fault::ReorderedMempool => "reordered_mempool",
            Fault::RefusesWhatItTakes { .. } => "refuses_what_it_takes",
            Fault::HidesTransactions => "hides_transactions",
            Fault::DropTransactions => "drop_transactions",
        }
    }
}

/// The faults that are switched on.
#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<BTreeMap<&'static str, Active>>);

#[derive(Clone, Debug)]
struct Active {
    fault: Fault,
    /// How often it still happens; nothing for ever.
    times: Option<u64>,
}

impl Faults {
    /// Switches a fault on, for ever or for a number of times.
    pub(crate) fn set(&self, fault: Fault, times: Option<u64>) {
        self.0.lock().insert(fault.name(), Active { fault, times });
    }

    /// Switches one fault off, or all.
    pub(crate) fn clear(&self, name: Option<&str>) {
        match name {
            Some(name) => self.0.lock().retain(|active, _| *active != name),
            None => self.0.lock().clear(),
        }
    }

    pub(crate) fn list(&self) -> Vec<Fault> {
        self.0
            .lock()
            .values()
            .map(|active| active.fault.clone())
            .collect()
    }

    /// The first fault that `wanted` accepts, counted as having happened.
    fn happens<T>(&self, wanted: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        let mut faults = self.0.lock();
        let (name, found) = faults
            .iter()
            .find_map(|(name, active)| Some((*name, wanted(&active.fault)?)))?;
        let active = faults.get_mut(name)?;
        if let Some(times) = &mut active.times {
            *times = times.saturating_sub(1);
            if *times == 0 {
                faults.remove(name);
            }
        }
        Some(found)
    }

    /// Whether a fault without content happens now.
    pub(crate) fn is(&self, fault: &Fault) -> bool {
        self.happens(|active| (active == fault).then_some(())).is_some()
    }

    pub(crate) fn stale_blocks(&self) -> u64 {
        self.happens(|fault| {
            if let Fault::StaleHeight { blocks } = fault {
                Some(*blocks)
            } else {
                None
            }
        })
        .unwrap_or(0)
    }

    pub(crate) fn chain_id(&self) -> Option<String> {
        self.happens(|fault| {
            if let Fault::WrongChainId { chain_id } = fault {
                Some(chain_id.clone())
            } else {
                None
            }
        })
    }

    pub(crate) fn fee(&self) -> Option<u64> {
        self.happens(|fault| {
            if let Fault::HighFee {
                upokt_per_million_gas,
            } = fault
            {
                Some(*upokt_per_million_gas)
            } else {
                None
            }
        })
    }

    /// The refusal that is told of a transaction which is taken.
    pub(crate) fn false_refusal(&self) -> Option<(String, u32, String)> {
        self.happens(|fault| {
            if let Fault::RefusesWhatItTakes { codespace, code, log } = fault {
                Some((codespace.clone(), *code, log.clone()))
            } else {
                None
            }
        })
    }

    pub(crate) fn rpc_delay(&self, called: &str) -> Option<Duration> {
        self.happens(|fault| {
            if let Fault::RpcDelay { method, delay_ms } = fault {
                concerns(method.as_deref(), called).then(|| Duration::from_millis(*delay_ms))
            } else {
                None
            }
        })
    }

    pub(crate) fn rpc_error(&self, called: &str) -> bool {
        self.happens(|fault| {
            if let Fault::RpcError { method } = fault {
                concerns(method.as_deref(), called).then_some(())
            } else {
                None
            }
        })
        .is_some()
    }

    pub(crate) fn rpc_garbage(&self, called: &str) -> bool {
        self.happens(|fault| {
            if let Fault::RpcGarbage { method } = fault {
                concerns(method.as_deref(), called).then_some(())
            } else {
                None
            }
        })
        .is_some()
    }
}

/// Admin calls never fail on purpose: a test could not take its fault back.
fn concerns(method: Option<&str>, called: &str) -> bool {
    !called.starts_with("devnet_") && method.is_none_or(|method| method == called)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_happens_as_often_as_asked() {
        let faults = Faults::default();
        faults.set(Fault::WrongProof, Some(2));
        faults.set(
            Fault::RpcError {
                method: Some("status".to_owned()),
            },
            None,
        );
        assert!(faults.is(&Fault::WrongProof));
        assert!(faults.is(&Fault::WrongProof));
        assert!(!faults.is(&Fault::WrongProof));
        assert!(faults.rpc_error("status") && faults.rpc_error("status"));
        assert!(!faults.rpc_error("block"));
        faults.clear(Some("rpc_error"));
        assert!(faults.list().is_empty());
    }
}
