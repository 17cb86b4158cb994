//! A supplier that is served here, as a value: its address, its sessions, and what is known of it. Its driver runs beside
//! it and makes its claims. Several share the relay port, the disk and the chain, and nothing else: what stands in the way
//! of one does not stop another.

use std::sync::Arc;

use hearth_pocket::{Address, Signer};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{earning::Reason, outlook::Outlook, sessions::Sessions};

/// What the chain said of a supplier when it was last asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OnChain {
    /// Whether it has said anything: before that nobody knows whether buyers are sent here.
    pub(crate) is_known: bool,
    /// Whose it is.
    pub(crate) owner: Option<String>,
    /// What of the stake stands in the way.
    pub(crate) stake: Option<Reason>,
    /// What of the stake is worth knowing.
    pub(crate) stake_notes: Vec<Reason>,
    /// Whether the working key can pay for what is ahead.
    pub(crate) funds: Option<Reason>,
    /// What somebody else changed of the supplier's record.
    pub(crate) record: Option<Reason>,
}

/// A supplier that is served here.
pub(crate) struct Supplier {
    pub(crate) sessions: Arc<Sessions>,
    /// Signs its answers; `None` while something stands in its way.
    signer: Mutex<Option<Arc<dyn Signer>>>,
    /// What the chain said of it.
    pub(crate) on_chain: watch::Sender<OnChain>,
    /// What is ahead of its claims, and what was lost lately.
    pub(crate) outlook: watch::Sender<Outlook>,
}

impl Supplier {
    /// It answers nothing before [`Supplier::open`].
    pub(crate) fn new(sessions: Arc<Sessions>) -> Supplier {
        Supplier {
            sessions,
            signer: Mutex::default(),
            on_chain: watch::Sender::default(),
            outlook: watch::Sender::default(),
        }
    }

    /// Its operator's address.
    pub(crate) fn operator(&self) -> &Address {
        self.sessions.supplier()
    }

    /// From here on it answers, signing with this key.
    pub(crate) fn open(&self, signer: Arc<dyn Signer>) {
        *self.signer.lock() = Some(signer);
    }

    /// It takes no new request. Answers that are being made are finished.
    pub(crate) fn close(&self) {
        *self.signer.lock() = None;
    }

    /// What signs its answers; `None`: it takes no request now.
    pub(crate) fn signer(&self) -> Option<Arc<dyn Signer>> {
        self.signer.lock().clone()
    }
}

/// The suppliers that were taken up, in the order in which that was. Those whose key has left the wallet stay: their
/// claims may still be open.
#[derive(Clone, Default)]
pub(crate) struct Suppliers(Vec<Arc<Supplier>>);

impl Suppliers {
    /// The supplier of an operator.
    pub(crate) fn of(&self, operator: &str) -> Option<&Arc<Supplier>> {
        let mut all = self.0.iter();
        all.find(|supplier| supplier.operator().as_str() == operator)
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Arc<Supplier>] {
        &self.0
    }

    /// Takes one up.
    pub(crate) fn add(&mut self, supplier: Arc<Supplier>) {
        self.0.push(supplier);
    }
}
