//! Which data directory a command speaks of.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use hearth_node::{
    Store,
    config::{self, ConfigError, Layered},
    data_dir::{self, Layout},
    network::Network,
};

use super::{Exit, Fault, args::Args};

/// Where the system service of the Linux packages has its data.
const SERVICE_DATA: &str = "/var/lib/hearth";
/// A node on this computer takes a connection at once.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);

/// A data directory and the settings that hold there.
pub(crate) struct Place {
    pub(crate) layout: Layout,
    pub(crate) layered: Layered,
    pub(crate) network: Network,
}

impl Place {
    /// Where a node is to run: the data directory and the network that flags, environment and file name.
    pub(crate) fn wanted(args: &Args) -> Result<Place, Exit> {
        Place::of(args, args.data_dir.as_deref(), None)
    }

    /// Where a command finds a node or its data: as [`Place::wanted`], but without a name the first data directory
    /// whose node answers, and in any case with the network that the data belong to.
    pub(crate) async fn find(args: &Args) -> Result<Place, Exit> {
        if args.data_dir.is_some() {
            return Place::at(args, args.data_dir.as_deref()).await;
        }
        let wanted = Place::wanted(args)?;
        if wanted.names_its_network() {
            return Ok(wanted);
        }
        let service = PathBuf::from(SERVICE_DATA);
        let own = data_dir::existing();
        let mut running = own.iter().chain(std::iter::once(&service));
        if let Some(path) = running.find(|path| answers(&Layout::of(path))) {
            return Place::at(args, Some(path.as_path())).await;
        }
        // Without a node of one's own, the one of the system is meant.
        if own.is_empty() && is_closed(&service) {
            return Err(closed(&service).into());
        }
        Place::at(args, None).await
    }

    /// The data directory of one network by name.
    pub(crate) fn named(args: &Args, network: &str) -> Result<Place, Exit> {
        Place::of(args, args.data_dir.as_deref(), Some(network))
    }

    /// A directory with the network that its data belong to, unless somebody named one.
    async fn at(args: &Args, path: Option<&Path>) -> Result<Place, Exit> {
        let mut place = Place::of(args, path, None)?;
        let Some(chain) = Store::chain_of(&place.layout.database()).await else {
            return Ok(place);
        };
        // A command that names a network must not reach another one's money.
        if args.network.is_some() && place.network.chain_id() != chain {
            let (root, name) = (place.layout.root().display(), place.network.name());
            let message =
                format!("the data in {root} belong to the chain {chain}, and --network names {name}");
            let fault = Fault::wrong_use(message);
            return Err(fault
                .remedy("leave --network out, or name another --data-dir")
                .into());
        }
        if !place.names_its_network() {
            place.network = Network::of_chain(&chain);
            place.layered.settings.network = place.network.name().to_owned();
        }
        Ok(place)
    }

    /// Whether there is a system service whose data are other ones, closed to this user.
    pub(crate) fn is_not_the_services(&self) -> bool {
        let service = Path::new(SERVICE_DATA);
        self.layout.root() != service && is_closed(service)
    }

    /// Whether flag, environment or file say which network is meant.
    fn names_its_network(&self) -> bool {
        self.layered
            .origins
            .get("network")
            .is_some_and(|(_, origin)| origin != "built-in")
    }

    fn of(args: &Args, path: Option<&Path>, network: Option<&str>) -> Result<Place, Exit> {
        let mut flags = args.flags();
        if let Some(network) = network {
            flags.insert("network".to_owned(), network.to_owned());
        }
        // The network decides on the directory, and the directory may hold the file that names the network; so the
        // file counts for the network only where the directory is given.
        let first_file = args
            .config
            .clone()
            .or_else(|| path.map(|path| Layout::of(path).config()))
            .unwrap_or_default();
        let load = |file: &Path| {
            config::load(file, args.config.is_some(), &flags).map_err(|error| config_fault(&error, path))
        };
        let first = load(&first_file)?;
        let network = Network::parse(&first.settings.network)
            .map_err(|error| Fault::wrong_use(hearth_base::failure::chain(&error)))?;
        let path: PathBuf = match path {
            Some(path) => std::path::absolute(path).map_err(|error| {
                Fault::wrong_use("the data directory has no path").details(error.to_string())
            })?,
            None => data_dir::default_for(&network.folder_name())
                .map_err(|error| Fault::wrong_use(hearth_base::failure::chain(&error)))?,
        };
        let layout = Layout::of(&path);
        let file = args.config.clone().unwrap_or_else(|| layout.config());
        let layered = load(&file)?;
        Ok(Place {
            layout,
            layered,
            network,
        })
    }
}

fn config_fault(error: &ConfigError, path: Option<&Path>) -> Fault {
    if let (ConfigError::Read { source, .. }, Some(path)) = (error, path)
        && source.kind() == ErrorKind::PermissionDenied
        && is_closed(path)
    {
        return closed(path);
    }
    Fault::wrong_use(hearth_base::failure::chain(error))
}

/// Whether this user may not look into a data directory that is there.
pub(super) fn is_closed(path: &Path) -> bool {
    std::fs::read_dir(path).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

/// The data directory of another user.
pub(super) fn closed(path: &Path) -> Fault {
    let owner = owner(path);
    let whose = owner.as_deref().unwrap_or("another user");
    let shown = path.display();
    Fault::failed(
        "other_user",
        format!("this user may not read the token in {shown}"),
    )
    .meaning(format!(
        "The directory belongs to {whose}, and whoever reads its token commands that node and its money."
    ))
    .remedy(match &owner {
        Some(owner) => format!("run it as that user: sudo -u {owner} hearth --data-dir {shown} …"),
        None => format!("run it as its user, or name another --data-dir than {shown}"),
    })
}

/// The name of a directory's owner, or `#` and the number.
#[cfg(unix)]
fn owner(path: &Path) -> Option<String> {
    let id = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(path).ok()?);
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    Some(name.unwrap_or_else(|| format!("'#{id}'")))
}

#[cfg(not(unix))]
fn owner(_path: &Path) -> Option<String> {
    None
}

/// Whether somebody listens where the node of a directory said it would. A node that was killed leaves its address.
fn answers(layout: &Layout) -> bool {
    let Ok(text) = std::fs::read_to_string(layout.api_address()) else {
        return false;
    };
    let address = text.trim().parse::<SocketAddr>();
    address.is_ok_and(|address| TcpStream::connect_timeout(&address, ANSWER_WITHIN).is_ok())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_data_of_another_user_are_no_sign_that_nothing_runs() {
        // D19. Whoever may read everything, as root may, is shown no closed door; the words are the same.
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(is_closed(&data), std::fs::read_dir(&data).is_err());
        assert!(!is_closed(&folder.path().join("none")));
        let fault = closed(&data);
        assert_eq!((fault.exit, fault.detail.code.as_str()), (1, "other_user"));
        assert!(fault.detail.message.contains("token"), "{fault}");
        assert!(fault.detail.remedy.unwrap().contains("sudo -u"));
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
}
