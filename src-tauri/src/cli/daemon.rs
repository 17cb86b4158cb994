//! `hearth --daemon`: the node in the foreground until a signal.

use anyhow::Context as _;
use hearth_node::{Node, NodeArgs};

use super::{Done, Exit, Fault, Out, Place, args::Args, lan, terminal::Terminal};

pub(super) async fn run(args: &Args, out: &Out) -> Done {
    let place = Place::wanted(args)?;
    let terminal = Terminal::of(out);
    let _log = terminal.log(&place)?;
    #[cfg(unix)]
    let _file_size = outlive_file_size_limit().context("signals cannot be watched")?;
    // Before anything runs, so that no early signal ends the process half-way.
    let signal = stop_signal().context("signals cannot be watched")?;
    tokio::pin!(signal);
    terminal.say("starting");
    let started = start(place).await;
    let node = started.inspect_err(|_| terminal.clear())?;
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
            }
        }
    };
    notify("STOPPING=1");
    tracing::info!(%why, "stopping");
    let failed = why.starts_with("the task");
    let in_time = node.stop().await;
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

/// Says where everything is; URL and key are the last lines.
fn greet(node: &Node, out: &Out) {
    if out.json {
        out.value(
            &serde_json::json!({ "url": node.page_url(), "api": node.api_url(), "key": node.api_key() }),
        );
        return;
    }
    lan::greet(node, out);
    for line in node.greeting() {
        out.line(&line);
    }
}

/// Starts the node of a place.
pub(crate) async fn start(place: Place) -> Result<Node, Exit> {
    let args = NodeArgs {
        layout: place.layout,
        layered: place.layered,
        network: place.network,
    };
    Ok(Node::start(args).await?)
}

/// Ends with the name of the signal that asks the program to stop.
#[cfg(unix)]
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = String>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM".to_owned(),
            _ = interrupt.recv() => "SIGINT".to_owned(),
        }
    })
}

/// Ends with the name of the signal that asks the program to stop.
#[cfg(not(unix))]
pub(crate) fn stop_signal() -> std::io::Result<impl Future<Output = String>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
        "Ctrl-C".to_owned()
    })
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
