//! Which data directory a command speaks of.

use std::{
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    time::Duration,
};

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
    /// Where a node is to run: the data directory and the network that flags, environment and file name.
    pub(crate) fn wanted(args: &Args) -> Result<Place, Exit> {
        Place::of(args, None)
    }

    /// Where a command finds a node: as [`Place::wanted`], but without a name the first default directory whose node
    /// answers.
    pub(crate) fn find(args: &Args) -> Result<Place, Exit> {
        if args.data_dir.is_none() && args.network.is_none() {
            let mut places = ["mainnet", "beta", "devnet"]
                .into_iter()
                .filter_map(|name| Place::of(args, Some(name)).ok());
            if let Some(running) = places.find(|place| answers(&place.layout)) {
                return Ok(running);
            }
        }
        Place::wanted(args)
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

/// A node on this computer takes a connection at once.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// Whether somebody listens where the node of a directory said it would. A node that was killed leaves its address.
fn answers(layout: &Layout) -> bool {
    let Ok(text) = std::fs::read_to_string(layout.api_address()) else {
        return false;
    };
    let address = text.trim().parse::<SocketAddr>();
    address.is_ok_and(|address| TcpStream::connect_timeout(&address, ANSWER_WITHIN).is_ok())
}
