//! Login and API keys of a data directory whose daemon does not run.

use hearth_api::Access;
use hearth_base::Clock;
use hearth_store::Store;

use crate::{
    data_dir::{DataDir, Layout},
    database,
    error::NodeError,
    network::Network,
};

/// Login and API keys without the rest of a node. The data directory stays locked as long as this lives.
pub struct OfflineAccess {
    access: Access,
    store: Store,
    _data_dir: DataDir,
}

impl OfflineAccess {
    /// Opens the database of a data directory; makes both where there are none, so that a node can begin with a login.
    ///
    /// # Errors
    /// A data directory that a daemon holds, or that belongs to another chain.
    pub async fn open(network: &Network, layout: &Layout) -> Result<OfflineAccess, NodeError> {
        let data_dir = DataDir::open(layout.root())?;
        let store = database::open(network, layout).await?;
        Ok(OfflineAccess {
            access: Access::of(&store, &Clock::system()),
            store,
            _data_dir: data_dir,
        })
    }

    /// Login and keys.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Closes the database.
    pub async fn close(self) {
        self.store.close().await;
    }
}
