//! The models of a data directory whose daemon does not run.

use hearth_base::{Clock, Tasks};
use hearth_store::Store;
use hearth_weights::Weights;

use crate::{
    build, config::Settings, data_dir::DataDir, data_dir::Layout, database, error::NodeError,
    network::Network,
};

/// Weights and database without the rest of a node. The data directory stays locked as long as this lives.
pub struct OfflineWeights {
    weights: Weights,
    store: Store,
    tasks: Tasks,
    _data_dir: DataDir,
}

impl OfflineWeights {
    /// Opens the models of a data directory.
    ///
    /// # Errors
    /// A data directory that a daemon holds, or that belongs to another chain.
    pub async fn open(
        settings: &Settings,
        network: &Network,
        layout: &Layout,
    ) -> Result<OfflineWeights, NodeError> {
        let data_dir = DataDir::open(layout.root())?;
        let store = database::open(network, layout).await?;
        let tasks = Tasks::root();
        let weights = Weights::start(hearth_weights::Args {
            config: build::weights_config(settings, layout),
            store: store.clone(),
            clock: Clock::system(),
            tasks: tasks.clone(),
            inspector: crate::library::inspector(),
        })
        .await?;
        Ok(OfflineWeights {
            weights,
            store,
            tasks,
            _data_dir: data_dir,
        })
    }

    /// The models.
    #[must_use]
    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    /// Ends it; downloads note what they have.
    pub async fn close(self) {
        self.weights.stop();
        self.weights.join().await;
        self.tasks.stop();
        self.tasks.join().await;
        self.store.close().await;
    }
}
