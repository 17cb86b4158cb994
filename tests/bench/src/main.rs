//! Measures speed: one run, figures beside those of rivals and beside the physical limit where there is one.
//!
//! `hearth-bench [--hearth PROGRAM] [SECTION…]`; sections: pocket chain weights engine relay program. Nothing here
//! fails on a slow machine: a figure is information, tests are elsewhere.

mod chain;
mod engine;
mod pocket;
mod program;
mod relay;
mod table;
mod weights;

use std::path::PathBuf;

use anyhow::Context as _;

/// What is measured, and where the program is.
struct Args {
    hearth: Option<PathBuf>,
    sections: Vec<String>,
}

const SECTIONS: [&str; 6] = ["pocket", "chain", "weights", "engine", "relay", "program"];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    hearth_base::tls::init();
    let args = arguments()?;
    let wanted = |section: &str| args.sections.is_empty() || args.sections.iter().any(|name| name == section);
    if wanted("pocket") {
        pocket::run()?;
    }
    if wanted("chain") {
        chain::run().await?;
    }
    if wanted("weights") {
        weights::run().await?;
    }
    if wanted("engine") {
        engine::run()?;
    }
    if wanted("relay") {
        relay::run(args.hearth.as_deref(), &models()?).await?;
    }
    if wanted("program") {
        program::run(args.hearth.as_deref()).await?;
    }
    Ok(())
}

fn arguments() -> anyhow::Result<Args> {
    let mut args = Args {
        hearth: None,
        sections: Vec::new(),
    };
    let mut given = std::env::args().skip(1);
    while let Some(arg) = given.next() {
        match arg.as_str() {
            "--hearth" => {
                args.hearth = Some(
                    given
                        .next()
                        .context("--hearth needs the path of the program")?
                        .into(),
                )
            }
            section if SECTIONS.contains(&section) => args.sections.push(section.to_owned()),
            other => anyhow::bail!("\"{other}\" is no section; there are: {}", SECTIONS.join(" ")),
        }
    }
    Ok(args)
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
