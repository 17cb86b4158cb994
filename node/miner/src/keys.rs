//! The supplier's key.

use std::sync::Arc;

use hearth_pocket::{Address, SecretKey, Signer};
use hearth_wallet::{KeyState, Role, Wallet};

/// Why nothing can be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    #[error("there is no wallet yet")]
    NoWallet,
    #[error("the working key is locked")]
    Locked,
}

/// Where the supplier's key is.
pub trait Keys: Send + Sync + 'static {
    /// The supplier's operator address, as soon as there is a wallet.
    fn supplier(&self) -> Option<Address>;

    /// The key, where it is open.
    ///
    /// # Errors
    /// No wallet, or a locked one.
    fn signer(&self) -> Result<Arc<dyn Signer>, KeyProblem>;
}

impl Keys for Wallet {
    fn supplier(&self) -> Option<Address> {
        self.accounts().map(|accounts| accounts.working)
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, KeyProblem> {
        if self.state().borrow().working == KeyState::Locked {
            return Err(if self.accounts().is_some() {
                KeyProblem::Locked
            } else {
                KeyProblem::NoWallet
            });
        }
        let handle = Wallet::signer(self, Role::Working).map_err(|_| KeyProblem::NoWallet)?;
        Ok(Arc::new(handle))
    }
}

/// A key that is always open: for tests and measurements.
pub struct FixedKey(pub Arc<SecretKey>);

impl Keys for FixedKey {
    fn supplier(&self) -> Option<Address> {
        Some(self.0.address().clone())
    }

    fn signer(&self) -> Result<Arc<dyn Signer>, KeyProblem> {
        Ok(Arc::clone(&self.0) as Arc<dyn Signer>)
    }
}
