//! `hearth backup` and `hearth restore`.

use std::path::Path;

use hearth_node::BackupError;

use super::{Done, Exit, Fault, Out, Place, args::Args};

pub(super) async fn back_up(to: &Path, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let made = hearth_node::back_up(&place.layout, to).await.map_err(failed)?;
    if out.json {
        out.value(&made);
        return Ok(());
    }
    out.line(&format!("{} files are in {}", made.files.len() + 1, to.display()));
    out.hint("It holds the keys, sealed with your password: keep it where others do not look. Models and the answers of");
    out.hint("sessions that are not claimed yet are not in it.");
    Ok(())
}

pub(super) async fn restore(from: &Path, args: &Args, out: &Out) -> Done {
    // Not where a node answers, but where one is to run.
    let place = Place::wanted(args)?;
    let made = hearth_node::restore(&place.layout, from).await.map_err(failed)?;
    if out.json {
        out.value(&made);
        return Ok(());
    }
    out.line(&format!(
        "the data of {} are in {}",
        made.chain_id,
        place.layout.root().display()
    ));
    out.hint("Never run the old node again beside this one: both would sign for the same money.");
    Ok(())
}

fn failed(error: BackupError) -> Exit {
    let fault = Fault::failed(error.code(), error.to_string());
    match std::error::Error::source(&error) {
        Some(cause) => fault.details(cause.to_string()).into(),
        None => fault.into(),
    }
}
