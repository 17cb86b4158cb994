//! Which data directory a command speaks of.

use std::path::PathBuf;

use hearth_node::{
    config::{self, Layered},
    data_dir::{self, Layout},
    network::Network,
};

use super::{Exit, args::Args};

/// A data directory and the settings that hold there.
pub(crate) struct Place {
    pub(crate) layout: Layout,
    pub(crate) layered: Layered,
    pub(crate) network: Network,
}

impl Place {
    /// The data directory that the arguments name. Without a name, the one default directory in which a daemon runs.
    pub(crate) fn find(args: &Args) -> Result<Place, Exit> {
        if args.data_dir.is_none() && args.network.is_none() {
            let running = ["mainnet", "beta", "devnet"].into_iter().filter_map(|name| {
                let place = Place::of(args, Some(name)).ok()?;
                place.layout.api_address().exists().then_some(place)
            });
            if let Some(place) = running.into_iter().next() {
                return Ok(place);
            }
        }
        Place::of(args, None)
    }

    /// The data directory of one network by name.
    pub(crate) fn named(args: &Args, network: &str) -> Result<Place, Exit> {
        Place::of(args, Some(network))
    }

    fn of(args: &Args, network: Option<&str>) -> Result<Place, Exit> {
        let mut flags = args.flags();
        if let Some(network) = network {
            flags.insert("network".to_owned(), network.to_owned());
        }
        // The network decides on the directory, and the directory may hold the file that names the network; so the
        // file counts for the network only where the directory is given.
        let wrong = |error: &dyn std::error::Error| Exit::WrongUse(hearth_base::failure::chain(error));
        let given = args.data_dir.clone();
        let first_file = args
            .config
            .clone()
            .or_else(|| given.as_deref().map(|path| Layout::of(path).config()))
            .unwrap_or_default();
        let first =
            config::load(&first_file, args.config.is_some(), &flags).map_err(|error| wrong(&error))?;
        let network = Network::parse(&first.settings.network).map_err(|error| wrong(&error))?;
        let path: PathBuf = match given {
            Some(path) => std::path::absolute(&path).map_err(|error| wrong(&error))?,
            None => data_dir::default_for(&network.folder_name()).map_err(|error| wrong(&error))?,
        };
        let layout = Layout::of(&path);
        let file = args.config.clone().unwrap_or_else(|| layout.config());
        let layered = config::load(&file, args.config.is_some(), &flags).map_err(|error| wrong(&error))?;
        Ok(Place {
            layout,
            layered,
            network,
        })
    }
}
