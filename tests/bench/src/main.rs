//! Measures speed: one run, figures beside those of rivals and beside the physical limit where there is one.
//!
//! `hearth-bench [--hearth PROGRAM] [--desktop PROGRAM] [--rivals PROGRAM] [SECTION…]`; sections: pocket chain weights
//! engine relay answers outbox program. Nothing here fails on a slow machine: a figure is information, tests are elsewhere.

mod answers;
mod chain;
mod engine;
mod node;
mod outbox;
mod pocket;
mod program;
mod relay;
mod rivals;
mod table;
mod weights;

use std::path::PathBuf;

use anyhow::Context as _;

use rivals::Rivals;

/// What is measured, and where the programs are.
struct Args {
    hearth: Option<PathBuf>,
    desktop: Option<PathBuf>,
    rivals: Option<PathBuf>,
    sections: Vec<String>,
}

const SECTIONS: [&str; 8] = [
    "pocket", "chain", "weights", "engine", "relay", "answers", "outbox", "program",
];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    hearth_base::tls::init();
    let args = arguments()?;
    let wanted = |section: &str| args.sections.is_empty() || args.sections.iter().any(|name| name == section);
    let hearth = args.hearth.as_deref();
    let mut rivals = Rivals::new(args.rivals);
    let mut n_failed = 0;
    for section in SECTIONS.into_iter().filter(|section| wanted(section)) {
        let result = match section {
            "pocket" => pocket::run(&mut rivals),
            "chain" => chain::run().await,
            "weights" => weights::run().await,
            "engine" => engine::run(),
            "relay" => relay::run(hearth, &models()?, &rivals).await,
            "answers" => answers::run(hearth, &models()?).await,
            "outbox" => outbox::run().await,
            _ => program::run(hearth, args.desktop.as_deref()).await,
        };
        // One section that fails does not take the figures of the others with it.
        if let Err(error) = result {
            table::figure("FAILED", "", &format!("{error:#}"));
            n_failed += 1;
        }
    }
    anyhow::ensure!(n_failed == 0, "{n_failed} sections failed");
    Ok(())
}

fn arguments() -> anyhow::Result<Args> {
    let mut args = Args {
        hearth: None,
        desktop: None,
        rivals: None,
        sections: Vec::new(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(arg) = given.next() {
        match arg.as_str() {
            "--hearth" => args.hearth = Some(program(&arg, given.next())?),
            "--desktop" => args.desktop = Some(program(&arg, given.next())?),
            "--rivals" => args.rivals = Some(program(&arg, given.next())?),
            section if SECTIONS.contains(&section) => args.sections.push(section.to_owned()),
            other => anyhow::bail!("\"{other}\" is no section; there are: {}", SECTIONS.join(" ")),
        }
    }
    Ok(args)
}

fn program(flag: &str, path: Option<String>) -> anyhow::Result<PathBuf> {
    Ok(path
        .with_context(|| format!("{flag} needs the path of the program"))?
        .into())
}

/// The folder of the fetched models.
pub(crate) fn models() -> anyhow::Result<PathBuf> {
    #[allow(
        clippy::disallowed_methods,
        reason = "a setting of the measurement, not of the program"
    )]
    let variable = |name: &str| std::env::var_os(name);
    if let Some(folder) = variable("TEST_MODELS_DIR") {
        return Ok(folder.into());
    }
    Ok(PathBuf::from(variable("HOME").context("HOME is not set")?).join(".cache/hearth/models"))
}
