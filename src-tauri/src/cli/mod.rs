//! The command line. A daemon that runs is found through the data directory and asked over its API.

mod args;
mod auth;
mod chat;
mod client;
mod config;
mod daemon;
mod devnet;
mod doctor;
mod earn;
mod model;
mod out;
mod place;
mod status;
mod wallet;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

pub(crate) use args::Args;
use args::Command;
pub(crate) use client::Client;
#[cfg(feature = "desktop")]
pub(crate) use daemon::{start as start_node, stop_signal};
#[cfg(feature = "desktop")]
pub(crate) use earn::words as earning_words;
pub(crate) use out::Out;
pub(crate) use place::Place;

/// Why a command ends with a code other than 0.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Code 1: it failed.
    Failed(anyhow::Error),
    /// Code 1, and everything is said already.
    Problems,
    /// Code 2: it was asked for wrongly.
    WrongUse(String),
    /// Code 3: something that it needs is not there yet.
    NotReady(String),
}

impl From<anyhow::Error> for Exit {
    fn from(error: anyhow::Error) -> Exit {
        Exit::Failed(error)
    }
}

/// What a command gives back.
pub(crate) type Done = Result<(), Exit>;

/// What `hearth` alone does: opens the window, or says where the page is.
pub(crate) type Open = fn(&tokio::runtime::Runtime, &Args, &Out) -> Done;

/// Runs what the arguments ask for.
pub(crate) fn run(open: Open) -> ExitCode {
    let args = Args::parse();
    let out = Out::new(args.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(&out, Err(Exit::Failed(error.into()))),
    };
    if args.daemon && args.command.is_some() {
        return end(
            &out,
            Err(Exit::WrongUse(
                "--daemon runs the node and takes no command beside it".to_owned(),
            )),
        );
    }
    let done = match &args.command {
        None if args.daemon => runtime.block_on(daemon::run(&args, &out)),
        None => open(&runtime, &args, &out),
        Some(command) => runtime.block_on(dispatch(command, &args, &out)),
    };
    end(&out, done)
}

/// Says where the page of the running daemon is.
#[cfg(not(feature = "desktop"))]
pub(crate) fn show_page(runtime: &tokio::runtime::Runtime, args: &Args, out: &Out) -> Done {
    runtime.block_on(async {
        let place = Place::find(args)?;
        let client = Client::connect(&place).await?;
        out.line(&format!("Hearth runs. Its page: {}", client.page_url()));
        Ok(())
    })
}

async fn dispatch(command: &Command, args: &Args, out: &Out) -> Done {
    match command {
        Command::Status => status::run(args, out).await,
        Command::Doctor => doctor::run(args, out).await,
        Command::Chat(chat) => chat::run(chat, args, out).await,
        Command::Earn { command } => earn::run(command, args, out).await,
        Command::Wallet { command } => wallet::run(command, args, out).await,
        Command::Model { command } => model::run(command, args, out).await,
        Command::Auth { command } => auth::run(command, args, out).await,
        Command::Devnet(devnet) => devnet::run(devnet, args, out).await,
        Command::Config { command } => config::run(command, args, out),
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Args::command(), "hearth", &mut std::io::stdout());
            Ok(())
        }
    }
}

fn end(out: &Out, done: Done) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Exit::Problems) => ExitCode::from(1),
        Err(Exit::Failed(error)) => {
            out.error(&format!("{error:#}"));
            ExitCode::from(1)
        }
        Err(Exit::WrongUse(text)) => {
            out.error(&text);
            ExitCode::from(2)
        }
        Err(Exit::NotReady(text)) => {
            out.error(&text);
            ExitCode::from(3)
        }
    }
}
