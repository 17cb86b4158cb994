//! The doctor: what is wrong, what it means, how to mend it.
//!
//! On a devnet a missing GPU, an unchecked backup and a port that nobody outside reaches are warnings, never fails: the
//! demo model runs on the processor, and money and words are play.

mod keys;

use std::{path::Path, sync::Arc};

use hearth_answers::{Backend, Router};
use hearth_api::{
    control::types::{Check, Level},
    parts::adapters::chain_problem,
};
use hearth_base::Amount;
use hearth_chain::{Chain, EndpointState, Head, Standing};
use hearth_engine::Hardware;
use hearth_miner::{Miner, ReasonCode};
use hearth_wallet::{Purpose, Wallet};
use hearth_weights::Weights;

pub(crate) use keys::keys;

/// Answers must be written down before they count, and a model needs room; below this the disk is nearly full.
const LEAST_FREE_BYTES: u64 = 2_000_000_000;
/// A base block of a chain at rest lies no further behind than this many of its own blocks.
const CLOCK_ALLOWED_S: i64 = 30;

/// What the checks look at.
pub(crate) struct DoctorInput {
    pub(crate) is_devnet: bool,
    /// Whether suppliers of this network may stand on this computer or in a private network.
    pub(crate) allows_local: bool,
    pub(crate) root: std::path::PathBuf,
    pub(crate) chain: Chain,
    pub(crate) wallet: Wallet,
    pub(crate) weights: Weights,
    pub(crate) miner: Miner,
    pub(crate) router: Arc<Router>,
    pub(crate) public_url: Option<url::Url>,
}

/// Runs all checks.
pub(crate) async fn run_checks(input: &DoctorInput) -> Vec<Check> {
    let standing = input.chain.head().borrow().clone();
    let mut checks = vec![
        graphics(input.miner.backend_address().is_some()).await,
        models(&input.weights).await,
        disk(&input.root),
        clock(&standing.standing),
        chain(&input.chain, &standing),
    ];
    checks.extend(program(&input.chain).await);
    checks.extend(endpoints(&input.chain));
    checks.extend(backend(&input.miner).await);
    for (name, named) in input.router.named() {
        checks.push(named_backend(name, named.backend.as_ref()).await);
    }
    checks.extend(aliases(&input.router).await);
    checks.extend(keys(&input.wallet, input.is_devnet));
    checks.push(stake(input).await);
    checks.extend(alarms(&input.miner));
    checks.push(reachable(input));
    checks
}

pub(crate) fn ok(code: &str, subject: &str, fact: impl Into<String>) -> Check {
    Check {
        level: Level::Ok,
        code: code.to_owned(),
        subject: subject.to_owned(),
        fact: fact.into(),
        meaning: String::new(),
        remedy: None,
    }
}

pub(crate) fn bad(
    level: Level,
    code: &str,
    subject: &str,
    fact: impl Into<String>,
    meaning: &str,
    remedy: &str,
) -> Check {
    Check {
        level,
        code: code.to_owned(),
        subject: subject.to_owned(),
        fact: fact.into(),
        meaning: meaning.to_owned(),
        remedy: (!remedy.is_empty()).then(|| remedy.to_owned()),
    }
}

/// A fail on a real network, a warning where money is play.
fn serious(is_devnet: bool) -> Level {
    if is_devnet { Level::Warn } else { Level::Fail }
}

/// The server that makes the answers, where it is not the engine.
async fn backend(miner: &Miner) -> Option<Check> {
    let address = miner.backend_address()?;
    let probed = miner.probe_backend().await.map_err(|error| error.text());
    Some(backend_at(address, probed))
}

/// What a look at the server of an address gave.
pub(crate) fn backend_at(address: &str, probed: Result<(), String>) -> Check {
    match probed {
        Ok(()) => ok("backend", "Backend", format!("answers at {address}")),
        Err(why) => bad(
            Level::Fail,
            "backend",
            "Backend",
            why,
            "It makes the answers that are sold; without it none can be.",
            "start the server, or correct miner.backend and restart Hearth",
        ),
    }
}

/// What a look at a configured backend gave.
pub(crate) async fn named_backend(name: &str, backend: &dyn Backend) -> Check {
    let at = backend.address().unwrap_or("this program").to_owned();
    match backend.probe(None).await {
        Ok(()) => ok("backend", name, format!("a backend, answers at {at}")),
        Err(error) => bad(
            Level::Warn,
            "backend",
            name,
            error.text(),
            "Its models cannot be asked for until it answers.",
            &format!("start the server, or correct backends.{name} and restart Hearth"),
        ),
    }
}

/// Each other name of a model for which there is no model now. What it stands for may still be added.
async fn aliases(router: &Router) -> Vec<Check> {
    let mut checks = Vec::new();
    for (alias, model) in router.aliases() {
        if model.contains('/') || router.has_bare(model).await {
            continue;
        }
        checks.push(bad(
            Level::Warn,
            "alias_nowhere",
            "Models",
            format!("\"{alias}\" stands for \"{model}\", which is not here"),
            "Who asks for it is told that there is no such model.",
            &format!("add {model}, or correct models.aliases and restart Hearth"),
        ));
    }
    checks
}

/// `elsewhere`: another server makes the answers that are sold.
pub(crate) async fn graphics(elsewhere: bool) -> Check {
    // The probe opens driver libraries, which can take a while.
    let hardware = tokio::task::spawn_blocking(Hardware::probe).await;
    let Ok(hardware) = hardware else {
        return bad(
            Level::Warn,
            "gpu_unknown",
            "Graphics",
            "could not be looked at",
            "The probe of the hardware failed.",
            "",
        );
    };
    if hardware.gpus.is_empty() {
        let fact = format!("none found ({}), {} threads", hardware.gpu_note, hardware.threads);
        if elsewhere {
            return ok(
                "graphics",
                "Graphics",
                format!("{fact}; the backend makes the answers"),
            );
        }
        let meaning = "Models run on the processor, slowly.";
        return bad(Level::Warn, "no_gpu", "Graphics", fact, meaning, "");
    }
    let names: Vec<&str> = hardware.gpus.iter().map(|gpu| gpu.name.as_str()).collect();
    bad(
        Level::Warn,
        "gpu_unused",
        "Graphics",
        names.join(", "),
        "This version computes on the processor; the GPU is not used yet.",
        "",
    )
}

pub(crate) async fn models(weights: &Weights) -> Check {
    match weights.list().await {
        Err(error) => bad(
            Level::Fail,
            "models_unreadable",
            "Models",
            "cannot be listed",
            &hearth_base::failure::chain(&error),
            "look at the disk, then restart Hearth",
        ),
        Ok(models) if models.is_empty() => bad(
            Level::Warn,
            "no_model",
            "Models",
            "none on this computer",
            "Local chat and earning need one.",
            "hearth model add FILE.gguf",
        ),
        Ok(models) => match models.iter().find(|model| !model.is_usable()) {
            Some(model) => bad(
                Level::Fail,
                "model_changed",
                "Models",
                format!("{} changed on the disk", model.manifest.slug()),
                "Its files are not what was verified; it is not used until they are.",
                &format!("hearth model verify {}", model.cid()),
            ),
            None => ok(
                "models",
                "Models",
                format!("{} here, as they were verified", models.len()),
            ),
        },
    }
}

/// An amount of the chain, in upokt, as people read it.
fn pokt(upokt: &str) -> String {
    upokt
        .parse()
        .map_or_else(|_| upokt.to_owned(), |upokt| Amount::from_upokt(upokt).pokt())
}

/// Free bytes of the disk that holds `path`.
pub(crate) fn free_bytes(path: &Path) -> Option<u64> {
    let disks = sysinfo::Disks::new_with_refreshed_list().ok()?;
    disks
        .iter()
        .filter(|disk| path.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().as_os_str().len())
        .map(sysinfo::Disk::available_space)
}

/// Whether a file can be written now. Quotas and limits on file sizes do not show in the free space.
fn is_writable(root: &Path) -> bool {
    let written = tempfile::NamedTempFile::new_in(root).and_then(|mut file| {
        std::io::Write::write_all(&mut file, &[0; 4096])?;
        file.as_file().sync_data()
    });
    written.is_ok()
}

pub(crate) fn disk(root: &Path) -> Check {
    if !is_writable(root) {
        return bad(
            Level::Fail,
            "disk_full",
            "Disk",
            "the data directory cannot be written",
            "Nothing is answered for the network and nothing is kept until it can.",
            "free some space on its disk, and look at quotas, limits and the folder's permissions",
        );
    }
    let gigabytes = |bytes: u64| format!("{}.{} GB free", bytes / 1_000_000_000, bytes / 100_000_000 % 10);
    match free_bytes(root) {
        None => bad(
            Level::Warn,
            "disk_unknown",
            "Disk",
            "free space is not known",
            "The system does not tell it.",
            "",
        ),
        Some(free) if free < LEAST_FREE_BYTES => bad(
            Level::Fail,
            "disk_low",
            "Disk",
            gigabytes(free),
            "Answers must be written down before they count.",
            "free some space, or move the data directory",
        ),
        Some(free) => ok("disk", "Disk", gigabytes(free)),
    }
}

fn clock(standing: &Standing) -> Check {
    if let Standing::ClockSkew { ahead_s, .. } = standing {
        let way = if *ahead_s < 0 { "behind" } else { "ahead" };
        return bad(
            Level::Fail,
            "clock_skew",
            "Clock",
            format!("{} s {way} of the chain", ahead_s.abs()),
            &format!("The network allows {CLOCK_ALLOWED_S} s; claims would fail."),
            "set the clock, best by the system's time service",
        );
    }
    if *standing != Standing::Following {
        let meaning = "The chain is what it is compared with, and the chain is not followed now.";
        return bad(Level::Warn, "clock", "Clock", "not compared", meaning, "");
    }
    ok(
        "clock",
        "Clock",
        format!("agrees with the chain, {CLOCK_ALLOWED_S} s allowed"),
    )
}

/// The chain's program, where it runs or will run something that this release was not tested with.
async fn program(chain: &Chain) -> Option<Check> {
    let program = chain.program().await.ok()?;
    let planned = program.upgrade.as_ref().filter(|upgrade| upgrade.is_newer());
    let fact = match planned {
        Some(upgrade) => format!("{} comes at block {}", upgrade.name, upgrade.height),
        None if program.is_newer() => format!("runs {}", program.version),
        None => return None,
    };
    Some(bad(
        Level::Warn,
        "chain_program",
        "Chain",
        format!("{fact}; tested with {}", hearth_chain::TESTED_WITH),
        "An upgrade may change how money is paid and earned.",
        "look for a newer Hearth",
    ))
}

fn chain(chain: &Chain, head: &Head) -> Check {
    let endpoints = chain.endpoints();
    let Some(problem) = chain_problem(&head.standing) else {
        let n_ok = endpoints
            .iter()
            .filter(|endpoint| endpoint.state == EndpointState::Healthy)
            .count();
        let age = chain.age_of(head.proven_height).unwrap_or_default();
        let fact = format!(
            "proven at {}, {} s ago, {n_ok} of {} endpoints",
            head.proven_height,
            age.as_secs(),
            endpoints.len()
        );
        return ok("chain", "Chain", fact);
    };
    let fact = problem.fact.unwrap_or_else(|| "nothing heard yet".to_owned());
    let remedy = problem.remedy.unwrap_or_default();
    bad(
        Level::Fail,
        &problem.code,
        "Chain",
        fact,
        &problem.meaning,
        &remedy,
    )
}

/// Each endpoint that is of no use, or not where the chain is.
fn endpoints(chain: &Chain) -> Vec<Check> {
    let found = chain.endpoints().into_iter().filter_map(|endpoint| {
        let (code, why, remedy) = match endpoint.state {
            EndpointState::Healthy | EndpointState::Unknown => return None,
            EndpointState::Stale { why } => (
                "endpoint_stale",
                why,
                "ask whoever runs it, or set another one in chain.rpc",
            ),
            EndpointState::Failing { why } => (
                "endpoint_down",
                why,
                "look at the connection, or set another one in chain.rpc",
            ),
            EndpointState::Limited { why } => (
                "endpoint_limited",
                why,
                "wait, or add another one on the Network page",
            ),
            EndpointState::Banned { why } => ("endpoint_lied", why, "take it out of chain.rpc"),
            EndpointState::OtherChain { found } => (
                "endpoint_other_chain",
                format!("it serves chain \"{found}\""),
                "take it out of chain.rpc",
            ),
        };
        let meaning = "Others are asked in its place where there are any.";
        let fact = format!("{}: {why}", endpoint.name);
        Some(bad(Level::Warn, code, "Endpoint", fact, meaning, remedy))
    });
    found.collect()
}

async fn stake(input: &DoctorInput) -> Check {
    let Some(operator) = input.wallet.address(Purpose::Operator) else {
        return bad(
            Level::Warn,
            "no_wallet",
            "Stake",
            "no operator key yet",
            "Only earning needs it. Chat still works.",
            "",
        );
    };
    let supplier = match input.chain.supplier(&operator).await {
        Ok(supplier) => supplier.into_value(),
        Err(error) => {
            let why = hearth_base::failure::chain(&error);
            return bad(Level::Warn, "stake_unknown", "Stake", "not known now", &why, "");
        }
    };
    match supplier.and_then(|supplier| supplier.stake) {
        Some(stake) => ok(
            "stake",
            "Stake",
            format!("{} POKT staked to earn", pokt(&stake.amount)),
        ),
        None => {
            let least = match input.chain.params().await {
                Ok(params) => params.into_value().supplier.min_stake.map(|coin| coin.amount),
                Err(_) => None,
            };
            let fact = least.map_or("none".to_owned(), |least| {
                format!("none, the network asks for {} POKT", pokt(&least))
            });
            let remedy =
                "stake with `hearth stake supplier`, or under Wallet; a devnet tries it with play money";
            let meaning = "Only earning needs it. Chat still works.";
            bad(Level::Warn, "needs_stake", "Stake", fact, meaning, remedy)
        }
    }
}

/// What the miner found wrong with the supplier's record, or with the money for its claims.
fn alarms(miner: &Miner) -> Vec<Check> {
    let earning = miner.state().borrow().clone();
    let alarm = |reason: &hearth_miner::Reason| {
        let (code, fact) = (reason.code.as_str(), reason.fact.clone());
        if reason.code == ReasonCode::RecordChanged {
            let meaning = "The supplier's record on the chain was changed, and not by this node.";
            let remedy =
                "if it was you, `hearth earn acknowledge`; if not, somebody else has one of your keys";
            return Some(bad(Level::Fail, code, "Stake", fact, meaning, remedy));
        }
        if reason.code == ReasonCode::NoFunds {
            let meaning = "No session is begun: its claim could not be paid for.";
            return Some(bad(
                Level::Warn,
                code,
                "Wallet",
                fact,
                meaning,
                "send POKT to the working key",
            ));
        }
        None
    };
    earning
        .reasons
        .iter()
        .chain(&earning.notes)
        .filter_map(alarm)
        .collect()
}

fn reachable(input: &DoctorInput) -> Check {
    reachable_at(input.is_devnet, input.allows_local, input.public_url.as_ref())
}

pub(crate) fn reachable_at(is_devnet: bool, allows_local: bool, public_url: Option<&url::Url>) -> Check {
    if is_devnet {
        return ok(
            "reachable",
            "Reachable",
            "on this computer, which is where the devnet is",
        );
    }
    match public_url {
        Some(url) if hearth_roles::is_near(url) && !allows_local => bad(
            Level::Warn,
            "address_near",
            "Reachable",
            format!("{url} is an address of this computer or of its own network"),
            "Nobody else reaches it, so no work can arrive. Chat still works.",
            "set miner.public_url to the address that the internet sees: your router's, with a port forwarded to \
             miner.listen, or that of a tunnel",
        ),
        Some(url) => ok("reachable", "Reachable", format!("gateways are sent to {url}")),
        None => bad(
            Level::Warn,
            "unreachable",
            "Reachable",
            "no public address is set",
            "No work can arrive. Chat still works.",
            "set miner.public_url to where your router or tunnel forwards miner.listen",
        ),
    }
}
