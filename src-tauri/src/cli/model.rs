//! `hearth model`.
//!
//! With a daemon its API is asked. Without one the commands work on the files themselves, under the lock of the data
//! directory; only `bench` needs a daemon, since it measures answers.

mod bench;
mod offline;
mod running;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::Args,
    fault::FAILED,
    out::{self, Glyph, dim, fit, short},
};

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the models on this computer.
    List,
    /// Add a model file, or a folder with a model; the files stay where they are.
    Add {
        /// A .gguf file, or a folder with .gguf or .safetensors files.
        #[arg(value_name = "FILE_OR_DIR")]
        path: PathBuf,
    },
    /// Fetch a model by its CID and check every byte.
    Pull {
        /// The CID of the model's manifest, also as `ipfs://CID` or the address of a gateway.
        cid: String,
        /// A trustless gateway, for example another Hearth: http://HOST:4327.
        #[arg(long, value_name = "URL")]
        from: Option<String>,
    },
    /// Remove a model; files that were pulled are deleted, files of yours are left alone.
    Rm {
        /// Its CID or name.
        #[arg(value_name = "MODEL")]
        model: String,
    },
    /// Hash all files of a model and compare them with its CID.
    Verify {
        /// Its CID or name; without one all models.
        #[arg(value_name = "MODEL")]
        model: Option<String>,
    },
    /// Measure how fast a model answers here.
    Bench {
        /// Its name; without one the first chat model.
        #[arg(value_name = "MODEL")]
        model: Option<String>,
        /// How many tokens it writes.
        #[arg(long, default_value_t = 128)]
        tokens: u32,
    },
}

/// A model as the commands show it.
#[derive(Clone, Debug, Serialize)]
struct Shown {
    /// Its name in `/v1`.
    id: String,
    title: String,
    /// `chat` or `embedding`.
    task: String,
    cid: String,
    size_bytes: u64,
    licence: String,
    /// `ready`, `loaded`, `damaged` …
    state: String,
}

/// What `verify` found.
#[derive(Clone, Debug, Serialize)]
struct Verdict {
    id: String,
    cid: String,
    ok: bool,
    checked_bytes: u64,
    problems: Vec<String>,
}

pub(super) async fn run(command: &ModelCommand, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    match Client::connect(&place).await {
        Ok(client) => running::run(command, &client, out).await,
        // The token of another user, say, is no sign that nobody uses the files.
        Err(exit) if !exit.is("not_running") => Err(exit),
        Err(not_running) => match command {
            ModelCommand::Bench { .. } => Err(not_running),
            ModelCommand::List
            | ModelCommand::Add { .. }
            | ModelCommand::Pull { .. }
            | ModelCommand::Rm { .. }
            | ModelCommand::Verify { .. } => offline::run(command, &place, out).await,
        },
    }
}

/// The path of a file to add, absolute. Paths are kept and sent as text, so one that is no text is refused.
fn path_of(path: &Path) -> Result<PathBuf, Exit> {
    let path = std::path::absolute(path)
        .map_err(|error| Fault::wrong_use("there is no path to a file").details(error.to_string()))?;
    if path.to_str().is_some() {
        return Ok(path);
    }
    let shown = path.display();
    Err(Fault::failed(
        "path_no_text",
        format!("the path {shown} has letters that are no UTF-8"),
    )
    .meaning("Names like it come from old systems; Hearth keeps and sends paths as text.")
    .remedy("rename the file or folder to plain letters, then add it again")
    .into())
}

/// The model that a CID or a name means.
fn find<'a>(models: &'a [Shown], wanted: &str) -> Result<&'a Shown, Exit> {
    models
        .iter()
        .find(|model| model.cid == wanted || model.id == wanted)
        .ok_or_else(|| {
            Fault::failed("not_found", format!("there is no model \"{wanted}\" here"))
                .remedy("`hearth model list` shows what there is")
                .into()
        })
}

fn show_list(out: &Out, models: &[Shown]) {
    if out.json {
        out.value(&models);
        return;
    }
    if models.is_empty() {
        out.line("There is no model on this computer.");
        out.hint("Add one with `hearth model add FILE`, or fetch one with `hearth model pull CID`.");
        return;
    }
    let head = format!(
        "  {:<26} {:<9} {:>8} {:<10} {:<9} {}",
        "MODEL", "FOR", "SIZE", "LICENCE", "STATE", "CID"
    );
    out.line(&dim(head.trim_end()).to_string());
    for model in models {
        let line = format!(
            "  {:<26} {:<9} {:>8} {:<10} {:<9} {}",
            fit(&model.id, 26),
            model.task,
            out::bytes(model.size_bytes),
            fit(&model.licence, 10),
            model.state,
            short(&model.cid)
        );
        out.line(&line);
    }
}

fn show_model(out: &Out, what: &str, model: &Shown) {
    if out.json {
        out.value(model);
        return;
    }
    out.fact(Glyph::Ok, what, &model.id, &out::bytes(model.size_bytes));
    out.line(&format!("    {}", model.cid));
}

fn show_verdicts(out: &Out, verdicts: &[Verdict]) -> Done {
    if out.json {
        out.value(&verdicts);
    }
    for verdict in verdicts.iter().filter(|_| !out.json) {
        let (glyph, word) = if verdict.ok {
            (Glyph::Ok, "intact")
        } else {
            (Glyph::Hollow, "changed")
        };
        out.fact(glyph, word, &verdict.id, &out::bytes(verdict.checked_bytes));
        for problem in &verdict.problems {
            out.line(&format!("    {problem}"));
        }
    }
    if verdicts.iter().all(|verdict| verdict.ok) {
        Ok(())
    } else {
        Err(Exit::Said(FAILED))
    }
}

/// A bar for people; programs wait for the end.
struct Bar(Option<indicatif::ProgressBar>);

impl Bar {
    fn new(out: &Out) -> Bar {
        if out.json {
            return Bar(None);
        }
        let bar = indicatif::ProgressBar::no_length();
        let style = indicatif::ProgressStyle::with_template(
            "  {msg:<10} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}",
        );
        if let Ok(style) = style {
            bar.set_style(style);
        }
        Bar(Some(bar))
    }

    fn show(&self, word: &str, have_bytes: u64, size_bytes: Option<u64>) {
        if let Some(bar) = &self.0 {
            bar.set_message(word.to_owned());
            if let Some(size_bytes) = size_bytes {
                bar.set_length(size_bytes);
            }
            bar.set_position(have_bytes);
        }
    }

    /// A trouble that passes.
    fn say(&self, text: &str) {
        if let Some(bar) = &self.0 {
            bar.println(format!("  {text}"));
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
