//! `hearth --daemon`: the node in the foreground until a signal.

use std::{
    io::{self, IsTerminal as _, Write as _},
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::Context as _;
use hearth_node::{Node, NodeArgs, NodeError, StopWarning, data_dir::DataDir};

use tokio::sync::Notify;

use super::{Done, Exit, Fault, Out, Place, args::Args, lan, terminal::Terminal};

pub(super) async fn run(args: &Args, out: &Out) -> Done {
    let place = Place::wanted(args)?;
    // Before the log, and whatever else writes there.
    let data_dir = DataDir::open(place.layout.root()).map_err(NodeError::from)?;
    let terminal = Terminal::of(out);
    let log = terminal.log(&place)?;
    #[cfg(unix)]
    let _file_size = outlive_file_size_limit().context("signals cannot be watched")?;
    // Before anything runs, so that no early signal ends the process half-way.
    let stop_within = Duration::from_secs(place.layered.settings.stop_within_s);
    let warning = Warning::default();
    let signal = stop_signal(stop_within, Arc::clone(&warning)).context("signals cannot be watched")?;
    tokio::pin!(signal);
    terminal.say("starting");
    let restart = Arc::new(Notify::new());
    let asked = cfg!(unix).then(|| Arc::clone(&restart));
    let started = start_in(data_dir, place, asked).await;
    let node = started.inspect_err(|_| terminal.clear())?;
    warning.get_or_init(|| node.stop_warning());
    notify("READY=1");
    let early = tokio::select! {
        why = &mut signal => Some(why),
        name = node.failed() => Some(format!("the task {name} failed")),
        () = terminal.follow(node.setup()) => None,
    };
    let why = match early {
        Some(why) => why,
        None => {
            greet(&node, out);
            tokio::select! {
                why = &mut signal => why,
                name = node.failed() => format!("the task {name} failed"),
                () = restart.notified() => RESTART.to_owned(),
            }
        }
    };
    notify("STOPPING=1");
    tracing::info!(%why, "stopping");
    let failed = why.starts_with("the task");
    if failed {
        hearth_node::process::end_within(stop_within);
    }
    let in_time = node.stop().await;
    if why == RESTART {
        // What is still buffered is written.
        drop(log);
        return Err(anew());
    }
    match (failed, in_time) {
        (true, _) => Err(Fault::failed("task_failed", format!("{why}, so Hearth stopped"))
            .meaning("Nothing that was answered is lost.")
            .remedy("start it again; `hearth logs` says what happened")
            .into()),
        (false, true) => Ok(()),
        (false, false) => Err(Fault::failed(
            "stopped_late",
            "not everything ended within the deadline (stop_within_s)",
        )
        .meaning("What was answered is on the disk.")
        .into()),
    }
}

/// Says where everything is; URL and key are the last lines. They are for eyes: elsewhere, as in a log, stands where
/// they lie.
fn greet(node: &Node, out: &Out) {
    let is_seen = io::stdout().is_terminal();
    match (out.json, is_seen) {
        (true, true) => out.value(
            &serde_json::json!({ "url": node.page_url(), "api": node.api_url(), "key": node.api_key() }),
        ),
        (true, false) => out.value(&serde_json::json!({
            "url": node.api_url(), "api": node.api_url(), "token_file": node.token_file(), "key_file": node.key_file(),
        })),
        (false, _) => {
            lan::greet(node, out);
            node.greeting(is_seen).iter().for_each(|line| out.line(line));
        }
    }
}

/// Starts the node of a place.
#[cfg(feature = "desktop")]
pub(crate) async fn start(place: Place) -> Result<Node, Exit> {
    let data_dir = DataDir::open(place.layout.root()).map_err(NodeError::from)?;
    start_in(data_dir, place, None).await
}

/// Why the node stops where its owner asked for a new start.
const RESTART: &str = "a new start was asked for";

/// Takes this process's place with a new one of the same program, arguments and environment. What it gives back is why
/// that failed; everything of the node is stopped by then.
#[cfg(unix)]
fn anew() -> Exit {
    use std::os::unix::process::CommandExt as _;
    // A file that was deleted since is still there under its process.
    let named = std::env::current_exe().ok().filter(|path| path.exists());
    let program = named.unwrap_or_else(|| "/proc/self/exe".into());
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_else(|| program.clone().into_os_string());
    let error = std::process::Command::new(program).arg0(name).args(args).exec();
    Fault::failed("not_restarted", "Hearth stopped, and could not start itself anew")
        .meaning("Nothing that was answered is lost.")
        .remedy("start it again")
        .details(error.to_string())
        .into()
}

/// Elsewhere nobody is told that it could be asked for.
#[cfg(not(unix))]
fn anew() -> Exit {
    Fault::failed(
        "not_restarted",
        "Hearth stopped; it cannot start itself anew here",
    )
    .remedy("start it again")
    .into()
}

async fn start_in(data_dir: DataDir, place: Place, restart: Option<Arc<Notify>>) -> Result<Node, Exit> {
    let args = NodeArgs {
        data_dir,
        layered: place.layered,
        network: place.network,
        restart,
    };
    Ok(Node::start(args).await?)
}

/// What a stop may cost, once there is a node to ask.
pub(crate) type Warning = Arc<OnceLock<StopWarning>>;

/// Ends with the name of the signal that asks the program to stop. From then on the process ends within the time,
/// whatever hangs: a thread of its own waits for the signal, which no task can hold up. Where a stop costs something, the
/// first Ctrl-C of a person only says so.
pub(crate) fn stop_signal(
    stop_within: Duration,
    warning: Warning,
) -> std::io::Result<impl Future<Output = String>> {
    let (tell, told) = tokio::sync::oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut signals = {
        let _there = runtime.enter();
        Signals::watch()?
    };
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            let mut was_warned = !io::stderr().is_terminal();
            let name = loop {
                let name = runtime.block_on(signals.next());
                let Some(words) = warning.get().and_then(|warning| warning()) else {
                    break name;
                };
                if name == TERMINATE || name == HANGUP || was_warned {
                    tracing::warn!("stopping all the same: {words}");
                    break name;
                }
                was_warned = true;
                // A terminal that is gone reads nothing.
                let _ = writeln!(io::stderr(), "\n{words}\n  → press Ctrl-C again to stop now");
            };
            hearth_node::process::end_within(stop_within);
            // Who listened may be gone.
            let _ = tell.send(name.to_owned());
            // A second signal is heard, and changes nothing.
            runtime.block_on(std::future::pending::<()>());
        })?;
    Ok(async {
        match told.await {
            Ok(name) => name,
            // The thread never ends without telling.
            Err(_) => std::future::pending().await,
        }
    })
}

/// The signal of service managers.
const TERMINATE: &str = "SIGTERM";

/// The signal of a terminal that is closed.
const HANGUP: &str = "SIGHUP";

/// The signals that ask a program to stop.
#[cfg(unix)]
struct Signals {
    /// `None` where whoever started the program has it ignored, as `nohup` does.
    hangup: Option<tokio::signal::unix::Signal>,
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn watch() -> io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        let hangup = (!is_hangup_ignored()).then(|| signal(SignalKind::hangup()));
        Ok(Signals {
            hangup: hangup.transpose()?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// The name of the next one.
    async fn next(&mut self) -> &'static str {
        let hangup = async {
            match &mut self.hangup {
                Some(hangup) => hangup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => HANGUP,
            _ = self.terminate.recv() => TERMINATE,
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Whether the program was started with SIGHUP ignored. Where the system does not tell, it was not.
#[cfg(unix)]
fn is_hangup_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Elsewhere there is Ctrl-C alone.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
#[allow(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    reason = "the same on all systems"
)]
impl Signals {
    fn watch() -> io::Result<Signals> {
        Ok(Signals)
    }

    async fn next(&mut self) -> &'static str {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C"
    }
}

/// A write beyond the limit of file sizes (`ulimit -f`) sends SIGXFSZ, which would end the process; taken, the write
/// fails like one on a full disk, and the relay is refused.
#[cfg(unix)]
fn outlive_file_size_limit() -> std::io::Result<tokio::signal::unix::Signal> {
    const SIGXFSZ: i32 = 25;
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(SIGXFSZ))
}

/// Tells systemd (`Type=notify`) how the node does; elsewhere nothing.
fn notify(state: &str) {
    if let Err(error) = hearth_node::notify::send(state) {
        tracing::warn!(%error, "systemd was not told");
    }
}
