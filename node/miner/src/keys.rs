//! The keys of the suppliers.

use std::sync::Arc;

use hearth_pocket::{Address, SecretKey, Signer};
use hearth_wallet::{KeyState, Wallet};

/// Why nothing can be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    #[error("there is no wallet yet")]
    NoWallet,
    #[error("no key of the wallet is the operator")]
    NoOperator,
    #[error("the working key is locked")]
    Locked,
}

/// Where the suppliers' keys are.
pub trait Keys: Send + Sync + 'static {
    /// The operators whose suppliers are served here, the usual one first; it changes with the wallet.
    fn suppliers(&self) -> Vec<Address>;

    /// The key of an operator, where it is open.
    ///
    /// # Errors
    /// No wallet, a locked one, or one in which this account is no operator.
    fn signer(&self, operator: &Address) -> Result<Arc<dyn Signer>, KeyProblem>;

    /// Why there is no operator, where there is none.
    fn missing(&self) -> KeyProblem;

    /// Whether the key of an account is here, so that what it earns is this node's.
    fn is_own(&self, account: &Address) -> bool;
}

impl Keys for Wallet {
    fn suppliers(&self) -> Vec<Address> {
        let state = self.state();
        let state = state.borrow();
        state
            .operators()
            .map(|(entry, _)| entry.address.clone())
            .collect()
    }

    fn signer(&self, operator: &Address) -> Result<Arc<dyn Signer>, KeyProblem> {
        let found = {
            let state = self.state();
            let state = state.borrow();
            let mut operators = state.operators();
            operators.find_map(|(entry, key)| (entry.address == *operator).then_some(*key))
        };
        match found {
            Some(KeyState::Open) => {}
            Some(KeyState::Locked) => return Err(KeyProblem::Locked),
            Some(KeyState::Elsewhere) | None => return Err(self.missing()),
        }
        let handle = self.signer_of(operator).map_err(|_| KeyProblem::NoOperator)?;
        Ok(Arc::new(handle))
    }

    fn missing(&self) -> KeyProblem {
        if self.state().borrow().exists {
            KeyProblem::NoOperator
        } else {
            KeyProblem::NoWallet
        }
    }

    fn is_own(&self, account: &Address) -> bool {
        self.find(account.as_str()).is_ok_and(|entry| !entry.is_watched())
    }
}

/// A key that is always open: for tests and measurements.
pub struct FixedKey(pub Arc<SecretKey>);

impl Keys for FixedKey {
    fn suppliers(&self) -> Vec<Address> {
        vec![self.0.address().clone()]
    }

    fn signer(&self, operator: &Address) -> Result<Arc<dyn Signer>, KeyProblem> {
        if self.0.address() != operator {
            return Err(KeyProblem::NoOperator);
        }
        Ok(Arc::clone(&self.0) as Arc<dyn Signer>)
    }

    fn missing(&self) -> KeyProblem {
        KeyProblem::NoOperator
    }

    fn is_own(&self, _account: &Address) -> bool {
        true
    }
}
