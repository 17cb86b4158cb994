//! `hearth backup` and `hearth restore`.

use std::path::{Path, PathBuf};

use hearth_base::Secret;
use hearth_node::{BackupError, control::ConfigPage};

use super::{
    Client, Done, Exit, Fault, Out, Place,
    args::Args,
    out::word,
    secret::{Source, new_password, password},
};

/// The option that names the file with the passphrase of a backup.
const PASSPHRASE_FILE: &str = "--backup-passphrase-file";
/// A passphrase alone keeps a file that may lie anywhere.
const LEAST_PASSPHRASE: usize = 10;

pub(super) async fn back_up(
    to: &Path,
    sealed: bool,
    passphrase_file: Option<PathBuf>,
    args: &Args,
    out: &Out,
) -> Done {
    let place = Place::find(args).await?;
    let config = config_in_use(&place, args).await;
    let made = if sealed {
        let from = Source::of(passphrase_file.as_deref(), PASSPHRASE_FILE);
        let passphrase = new_password(from, "Passphrase of the backup (10 characters or more): ")?;
        if passphrase.chars().count() < LEAST_PASSPHRASE {
            let message = format!("the passphrase needs at least {LEAST_PASSPHRASE} characters");
            return Err(Fault::failed("weak_password", message).into());
        }
        let passphrase = Secret::from(passphrase);
        unless_interrupted(hearth_node::back_up_sealed(
            &place.layout,
            &config,
            to,
            &passphrase,
        ))
        .await
    } else {
        unless_interrupted(hearth_node::back_up(&place.layout, &config, to)).await
    };
    let made = made?;
    if out.json {
        out.value(&made);
        return Ok(());
    }
    out.line(&format!("{} files are in {}", made.files.len() + 1, to.display()));
    match &made.config {
        Some(config) => out.line(&format!("  its configuration is that of {config}")),
        None => out.line(&format!("  no configuration: there is no {}", config.display())),
    }
    if sealed {
        // It touches no data directory.
        out.elsewhere(&format!(
            "Nobody can open it without the passphrase: write that down. `hearth restore --test {}` rehearses it.",
            word(to)
        ));
    } else {
        out.hint("It holds the keys, sealed with your password: keep it where others do not look.");
    }
    out.hint("Models and the answers of sessions that are not claimed yet are not in it.");
    Ok(())
}

pub(super) async fn restore(from: &Path, passphrase_file: Option<PathBuf>, args: &Args, out: &Out) -> Done {
    // Not where a node answers, but where one is to run.
    let place = Place::wanted(args)?;
    let passphrase = passphrase_of(from, passphrase_file)?;
    let work = hearth_node::restore_any(&place.layout, from, passphrase.as_ref());
    let made = unless_interrupted(work).await?;
    if out.json {
        out.value(&made);
        return Ok(());
    }
    let was = made.backup.config.as_deref();
    out.line(&format!(
        "the data of {} are in {}",
        made.backup.chain_id,
        place.layout.root().display()
    ));
    if let Some(now) = &made.config_now {
        let was = was.map(|was| format!(" (it was {was})")).unwrap_or_default();
        out.line(&format!("  its configuration{was} is in {}", now.display()));
    }
    if made.config_kept {
        out.line(&format!(
            "  {} was there already, is another one, and stays",
            place.layout.config().display()
        ));
    }
    out.hint("Never run the old node again beside this one: both would sign for the same money.");
    Ok(())
}

/// Brings a backup back into a folder that is thrown away, and says what was in it.
pub(super) async fn rehearse(
    from: &Path,
    passphrase_file: Option<PathBuf>,
    password_file: Option<PathBuf>,
    args: &Args,
    out: &Out,
) -> Done {
    let near = Place::wanted(args).ok().map(|place| place.layout);
    let passphrase = passphrase_of(from, passphrase_file)?;
    let wallet = match password_file {
        Some(file) => {
            let from = Source::of(Some(file.as_path()), "--password-file");
            Some(Secret::from(password(from, "Password: ")?))
        }
        None => None,
    };
    let work = hearth_node::rehearse(near.as_ref(), from, passphrase.as_ref(), wallet.as_ref());
    let tested = unless_interrupted(work).await?;
    let is_wrong = tested.password_opens == Some(false);
    if out.json {
        out.value(&tested);
    } else {
        let made = &tested.backup;
        out.line(&format!(
            "  {} files of {}, made by Hearth {}",
            made.files.len(),
            made.chain_id,
            made.hearth
        ));
        let wallet = tested.wallet.as_deref().unwrap_or("none");
        out.line(&format!("  wallet         {wallet}"));
        out.line(&format!("  conversations  {}", tested.conversations));
        out.line(&format!("  transactions   {}", tested.transactions));
        match tested.password_opens {
            Some(true) => out.line("  the password opens its keys"),
            Some(false) => out.line("  the password does not open its keys"),
            None => {}
        }
        out.hint(if is_wrong {
            "It can be brought back, but this password opens none of its keys: try the one that the wallet had when the \
             backup was made. No data were touched."
        } else {
            "It can be brought back. No data were touched."
        });
    }
    if is_wrong { Err(Exit::Said(1)) } else { Ok(()) }
}

fn passphrase_of(from: &Path, file: Option<PathBuf>) -> Result<Option<Secret>, Exit> {
    if !hearth_node::is_sealed(from) {
        return Ok(None);
    }
    let from = Source::of(file.as_deref(), PASSPHRASE_FILE);
    Ok(Some(Secret::from(password(from, "Passphrase of the backup: ")?)))
}

/// The configuration that counts: the one that was named, or else the running node's, which may have been started with
/// another one than this command finds.
async fn config_in_use(place: &Place, args: &Args) -> PathBuf {
    let own = &place.layered.file;
    if args.config.is_some() {
        return own.clone();
    }
    let Ok(client) = Client::connect(place).await else {
        return own.clone();
    };
    let page = client.get::<ConfigPage>("/config").await;
    let file = page.map(|page| PathBuf::from(page.file));
    file.ok()
        .filter(|file| file.is_absolute())
        .unwrap_or_else(|| own.clone())
}

/// Ctrl-C lets go of what is done, and with it goes what lies open or unfinished on the way.
async fn unless_interrupted<T>(work: impl Future<Output = Result<T, BackupError>>) -> Result<T, Exit> {
    tokio::select! {
        // First, so that it is heard before anything lies open.
        biased;
        Ok(()) = tokio::signal::ctrl_c() => {
            let fault = Fault::failed("interrupted", "it was interrupted");
            Err(fault.meaning("What was unfinished is removed.").into())
        }
        done = work => done.map_err(failed),
    }
}

fn failed(error: BackupError) -> Exit {
    let fault = Fault::failed(error.code(), error.to_string());
    match std::error::Error::source(&error) {
        Some(cause) => fault.details(cause.to_string()).into(),
        None => fault.into(),
    }
}
