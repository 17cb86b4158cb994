//! The command line. A daemon that runs is found through the data directory and asked over its API.

mod args;
mod auth;
mod backup;
mod chat;
mod client;
mod config;
mod connect;
mod contacts;
mod daemon;
mod devnet;
mod doctor;
mod earn;
mod fault;
mod file;
mod keys;
mod keys_args;
mod lan;
mod logs;
mod message;
mod model;
mod morse;
mod network;
mod out;
mod place;
mod roles;
mod secret;
mod services;
mod status;
mod terminal;
mod transfer;
mod tx;
mod usage;
mod wallet;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _, error::ErrorKind};

pub(crate) use args::Args;
use args::Command;
pub(crate) use client::Client;
#[cfg(feature = "desktop")]
pub(crate) use daemon::{Warning, start as start_node, stop_signal};
#[cfg(feature = "desktop")]
pub(crate) use earn::words as earning_words;
pub(crate) use fault::{Done, Exit, Fault};
pub(crate) use out::Out;
pub(crate) use place::Place;
#[cfg(feature = "desktop")]
pub(crate) use terminal::plain_log;

/// What `hearth` alone does: opens the window, or says where the page is.
pub(crate) type Open = fn(&tokio::runtime::Runtime, &Args, &Out) -> Done;

/// Runs what the arguments ask for.
pub(crate) fn run(open: Open) -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return wrong_arguments(&error),
    };
    let stays = args.command.is_none() || matches!(args.command, Some(Command::Devnet(_)));
    let out = Out::new(args.json, stays, args.data_dir.clone());
    if matches!(args.command, Some(Command::ReadPdf)) {
        return end(&out, read_pdf());
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&out, Err(anyhow::Error::from(error).into())),
    };
    if args.daemon && args.command.is_some() {
        let fault = Fault::wrong_use("--daemon runs the node and takes no command beside it");
        return end(&out, Err(fault.into()));
    }
    let done = match &args.command {
        None if args.daemon => runtime.block_on(daemon::run(&args, &out)),
        None => open(&runtime, &args, &out),
        Some(command) => runtime.block_on(dispatch(command, &args, &out)),
    };
    // What hangs in a thread of its own does not keep the program.
    runtime.shutdown_timeout(THREADS_END_WITHIN);
    end(&out, done)
}

/// What clap refuses, or what was only asked for as `--help`.
fn wrong_arguments(error: &clap::Error) -> ExitCode {
    let asks_for_words = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if asks_for_words || !std::env::args_os().any(|arg| arg == "--json") {
        // A closed pipe is the reader's choice.
        let _ = error.print();
        return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(fault::WRONG_USE));
    }
    let text = error.to_string();
    let text = text.trim_start_matches("error: ").trim_end();
    let (message, details) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut fault = Fault::wrong_use(message).remedy("`hearth --help` lists all commands");
    if !details.is_empty() {
        fault = fault.details(details);
    }
    end(&Out::new(true, false, None), Err(fault.into()))
}
/// How long work that was begun on threads of its own may still take when everything else has ended.
const THREADS_END_WITHIN: std::time::Duration = std::time::Duration::from_secs(1);

/// Says where the page of the running daemon is.
#[cfg(not(feature = "desktop"))]
pub(crate) fn show_page(runtime: &tokio::runtime::Runtime, args: &Args, out: &Out) -> Done {
    runtime.block_on(async {
        let place = Place::find(args).await?;
        let client = Client::connect(&place).await?;
        // The token in the address is for eyes.
        if std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            out.line(&format!("Hearth runs. Its page: {}", client.page_url()));
        } else {
            let token = place.layout.api_token();
            out.line(&format!(
                "Hearth runs. Its page: {} (token: {})",
                client.base(),
                token.display()
            ));
        }
        Ok(())
    })
}

async fn dispatch(command: &Command, args: &Args, out: &Out) -> Done {
    match command {
        Command::Status => status::run(args, out).await,
        Command::Doctor => doctor::run(args, out).await,
        Command::Chat(chat) => chat::run(chat, args, out).await,
        Command::Connect(connect) => connect::run(connect, args, out).await,
        Command::Earn { command } => earn::run(command, args, out).await,
        Command::Wallet { command } => wallet::run(command, args, out).await,
        Command::Stake { command } => roles::stake(command.as_ref(), args, out).await,
        Command::Unstake { role, operator, how } => {
            roles::unstake(*role, operator.as_deref(), how, args, out).await
        }
        Command::Delegate { gateway, how } => {
            roles::delegate(gateway.as_deref(), false, how, args, out).await
        }
        Command::Undelegate { gateway, how } => {
            roles::delegate(gateway.as_deref(), true, how, args, out).await
        }
        Command::Tx { command } => tx::run(command, args, out).await,
        Command::Supplier { command } => roles::supplier(command, args, out).await,
        Command::Service { command } => services::run(command, args, out).await,
        Command::Model { command } => model::run(command, args, out).await,
        Command::Network { command } => network::run(command.as_ref(), args, out).await,
        Command::Auth { command } => auth::run(command, args, out).await,
        Command::Usage(usage) => usage::run(usage, args, out).await,
        Command::Devnet(devnet) => devnet::run(devnet, args, out).await,
        Command::Config { command } => config::run(command, args, out).await,
        Command::Logs(logs) => logs::run(logs, args, out).await,
        Command::Backup {
            to,
            sealed,
            backup_passphrase_file,
        } => backup::back_up(to, *sealed, backup_passphrase_file.clone(), args, out).await,
        Command::Restore {
            from,
            test: true,
            backup_passphrase_file,
            password_file,
        } => {
            backup::rehearse(
                from,
                backup_passphrase_file.clone(),
                password_file.clone(),
                args,
                out,
            )
            .await
        }
        Command::Restore {
            from,
            test: false,
            backup_passphrase_file,
            ..
        } => backup::restore(from, backup_passphrase_file.clone(), args, out).await,
        Command::ReadPdf => read_pdf(),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "hearth", &mut script);
            out.stream(&String::from_utf8_lossy(&script));
            Ok(())
        }
    }
}

fn read_pdf() -> Done {
    hearth_node::process::read_pdf().map_err(|error| anyhow::Error::from(error).into())
}

fn end(out: &Out, done: Done) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Exit::Said(code)) => ExitCode::from(code),
        Err(Exit::Fault(fault)) => {
            out.fault(&fault.detail);
            ExitCode::from(fault.exit)
        }
    }
}
