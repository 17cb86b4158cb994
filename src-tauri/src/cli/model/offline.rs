//! `hearth model` without a daemon, on the files themselves.

use anyhow::Context as _;
use hearth_base::failure::chain;
use hearth_node::{
    OfflineWeights,
    weights::{AddOptions, Cid, DownloadState, Fact, Model, ModelKind, Weights, parse_cid},
};

use super::{Bar, ModelCommand, Shown, Verdict, find, path_of, show_list, show_model, show_verdicts};
use crate::cli::{Done, Exit, Fault, Out, Place};

pub(super) async fn run(command: &ModelCommand, place: &Place, out: &Out) -> Done {
    // A list of nothing must not make a data directory.
    if !place.layout.database().exists()
        && matches!(command, ModelCommand::List | ModelCommand::Verify { model: None })
    {
        show_list(out, &[]);
        return Ok(());
    }
    let offline = OfflineWeights::open(&place.layered.settings, &place.network, &place.layout).await?;
    let done = act(command, offline.weights(), out).await;
    offline.close().await;
    done
}

async fn act(command: &ModelCommand, weights: &Weights, out: &Out) -> Done {
    match command {
        ModelCommand::List => show_list(out, &local(weights).await?),
        ModelCommand::Add { path } => {
            let path = path_of(path)?;
            let added = weights.add(&path, AddOptions::default()).await;
            let added = added.map_err(|error| refused(error.fact(), &error))?;
            show_model(out, "added", &shown(&added));
        }
        ModelCommand::Pull { cid, from } => pull(weights, out, cid, from.as_deref()).await?,
        ModelCommand::Rm { model } => {
            let models = local(weights).await?;
            let model = find(&models, model)?;
            let removed = weights.remove(&parse(&model.cid)?).await;
            removed.map_err(|error| anyhow::anyhow!("{}", chain(&error)))?;
            show_model(out, "removed", model);
        }
        ModelCommand::Verify { model } => {
            let models = local(weights).await?;
            let wanted = match model {
                Some(wanted) => vec![find(&models, wanted)?.clone()],
                None => models,
            };
            let mut verdicts = Vec::with_capacity(wanted.len());
            for model in wanted {
                verdicts.push(verify(weights, model).await?);
            }
            return show_verdicts(out, &verdicts);
        }
        // Only a daemon answers.
        ModelCommand::Bench { .. } => {}
    }
    Ok(())
}

async fn verify(weights: &Weights, model: Shown) -> Result<Verdict, Exit> {
    let found = weights
        .verify(&parse(&model.cid)?)
        .await
        .map_err(|error| anyhow::anyhow!("{}", chain(&error)))?;
    Ok(Verdict {
        ok: found.is_intact(),
        checked_bytes: found.files.iter().map(|file| file.size_bytes).sum(),
        problems: found.files.into_iter().filter_map(|file| file.wrong).collect(),
        id: model.id,
        cid: model.cid,
    })
}

async fn local(weights: &Weights) -> anyhow::Result<Vec<Shown>> {
    let models = weights.list().await.context("the models cannot be listed")?;
    Ok(models.iter().map(shown).collect())
}

fn shown(model: &Model) -> Shown {
    Shown {
        id: model.manifest.slug().to_owned(),
        title: model.manifest.title().to_owned(),
        task: match model.manifest.kind() {
            ModelKind::Chat => "chat".to_owned(),
            ModelKind::Embedding => "embedding".to_owned(),
        },
        cid: model.cid().to_string(),
        size_bytes: model.manifest.size_bytes(),
        licence: model.manifest.licence().to_owned(),
        state: if model.is_usable() { "ready" } else { "damaged" }.to_owned(),
    }
}

/// A refusal by its own code, as the API of a running node has it.
fn refused(fact: Fact, error: &(dyn std::error::Error + 'static)) -> Exit {
    let mut fault = Fault::failed(fact.code, chain(error));
    let values = fact.values.into_iter();
    fault.detail.values = values.map(|(name, value)| (name.to_owned(), value)).collect();
    fault.into()
}

fn parse(cid: &str) -> Result<Cid, Exit> {
    parse_cid(cid).map_err(|error| Fault::wrong_use(error.to_string()).into())
}

async fn pull(weights: &Weights, out: &Out, cid: &str, from: Option<&str>) -> Done {
    let cid = parse(cid)?;
    let sources: Vec<String> = from.map(str::to_owned).into_iter().collect();
    let pulling = weights.pull(cid, &sources).await;
    let mut seen = pulling.map_err(|error| refused(error.fact(), &error))?;
    let bar = Bar::new(out);
    let failed = loop {
        let download = seen.borrow_and_update().clone();
        let (_, size_bytes) = download.state.progress();
        bar.show(
            download.state.code(),
            download.arrived_bytes,
            (size_bytes > 0).then_some(size_bytes),
        );
        match &download.state {
            DownloadState::Ready { .. } => break None,
            // Nobody would be here for another try.
            DownloadState::Failed { why, .. } => break Some(why.clone()),
            DownloadState::Evicting => break Some("the download was given up".to_owned()),
            DownloadState::Wanted
            | DownloadState::Locating { .. }
            | DownloadState::Fetching { .. }
            | DownloadState::Checking { .. }
            | DownloadState::Paused { .. } => {}
        }
        if seen.changed().await.is_err() {
            break Some("the download was stopped".to_owned());
        }
    };
    bar.end();
    if let Some(why) = failed {
        return Err(Fault::failed("pull_failed", why).into());
    }
    if let Some(model) = weights.get(&cid).await.context("the model cannot be read")? {
        show_model(out, "pulled", &shown(&model));
    }
    Ok(())
}
