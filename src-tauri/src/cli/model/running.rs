//! `hearth model` with a daemon.

use std::{path::Path, time::Duration};

use hearth_node::control::{
    AddModel, Download, DownloadList, DownloadState, Model, ModelKind, ModelList, ModelTask, PullModel,
    VerifiedModel,
};

use super::{Bar, ModelCommand, Shown, Verdict, bench, find, path_of, show_list, show_model, show_verdicts};
use crate::cli::{Client, Done, Exit, Fault, Out, out::Glyph};

/// How often a download is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);

pub(super) async fn run(command: &ModelCommand, client: &Client, out: &Out) -> Done {
    match command {
        ModelCommand::List => show_list(out, &local(client).await?),
        ModelCommand::Add { path } => {
            let path = path_of(path)?;
            let asked = AddModel {
                path: path.to_string_lossy().into_owned(),
            };
            let added: anyhow::Result<Model> = client.post("/models/add", &asked).await;
            let model = added.map_err(|error| unseen(&path, error))?;
            show_model(out, "added", &shown(&model));
        }
        ModelCommand::Pull { cid, from } => pull(client, out, cid, from.clone()).await?,
        ModelCommand::Rm { model } => {
            let models = local(client).await?;
            let model = find(&models, model)?;
            client.delete(&format!("/models/{}", model.cid)).await?;
            show_model(out, "removed", model);
        }
        ModelCommand::Verify { model } => {
            let models = local(client).await?;
            let wanted = match model {
                Some(wanted) => vec![find(&models, wanted)?.clone()],
                None => models,
            };
            let mut verdicts = Vec::with_capacity(wanted.len());
            for model in wanted {
                let found: VerifiedModel = client
                    .post_empty(&format!("/models/{}/verify", model.cid))
                    .await?;
                let VerifiedModel {
                    cid,
                    ok,
                    checked_bytes,
                    problems,
                } = found;
                verdicts.push(Verdict {
                    id: model.id,
                    cid,
                    ok,
                    checked_bytes,
                    problems,
                });
            }
            return show_verdicts(out, &verdicts);
        }
        ModelCommand::Bench { model, tokens } => {
            let models = local(client).await?;
            let model = match model {
                Some(wanted) => find(&models, wanted)?,
                None => models.iter().find(|model| model.task == "chat").ok_or_else(|| {
                    Fault::not_ready("no_model", "there is no chat model on this computer")
                        .remedy("`hearth model add FILE` adds one")
                })?,
            };
            bench::run(client, out, &model.id, *tokens).await?;
        }
    }
    Ok(())
}

/// A file that is here for this user and not for the node: a service lives in a view of its own.
fn unseen(path: &Path, error: anyhow::Error) -> Exit {
    let refused = error.downcast_ref::<Fault>();
    let is_hidden = refused.is_some_and(|fault| fault.detail.code == "file_unseen");
    let details = refused.and_then(|fault| fault.detail.details.clone());
    if !is_hidden || std::fs::metadata(path).is_err() {
        return error.into();
    }
    let message = format!(
        "the running Hearth cannot see {}, though it is there",
        path.display()
    );
    let seen = Fault::failed("file_unseen", message)
        .meaning(
            "It runs as a service: /home, /root, /run/user and /tmp are hidden from it (ProtectHome, PrivateTmp in its \
             systemd unit), and it reads as a user of its own.",
        )
        .remedy(
            "move the file to a folder that every user may read, for example /srv/models, and add it there; or show the \
             service its folder: `systemctl edit hearth`, then under [Service] BindReadOnlyPaths=FOLDER",
        );
    match details {
        Some(details) => seen.details(details).into(),
        None => seen.into(),
    }
}

async fn local(client: &Client) -> anyhow::Result<Vec<Shown>> {
    let list: ModelList = client.get("/models").await?;
    Ok(list
        .models
        .iter()
        .filter(|model| model.kind == ModelKind::Local)
        .map(shown)
        .collect())
}

fn shown(model: &Model) -> Shown {
    Shown {
        id: model.id.clone(),
        title: model.title.clone(),
        task: match model.task {
            ModelTask::Chat => "chat".to_owned(),
            ModelTask::Embedding => "embedding".to_owned(),
            ModelTask::Rerank => "rerank".to_owned(),
        },
        cid: model.cid.clone().unwrap_or_default(),
        size_bytes: model.size_bytes.unwrap_or(0),
        licence: model.licence.clone().unwrap_or_default(),
        state: word(&model.state),
    }
}

/// The API's word for a state.
fn word(state: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(state).unwrap_or_default();
    value.as_str().unwrap_or_default().replace('_', " ")
}

/// Asks for a download and follows it to its end. The daemon goes on with it if this is interrupted.
async fn pull(client: &Client, out: &Out, cid: &str, from: Option<String>) -> Done {
    let asked = PullModel {
        cid: cid.to_owned(),
        from,
    };
    let mut download: Download = client.post("/models/pull", &asked).await?;
    let bar = Bar::new(out);
    let mut told = None;
    loop {
        bar.show(&word(&download.state), download.have_bytes, download.size_bytes);
        match download.state {
            DownloadState::Ready => break,
            DownloadState::Paused => {
                return stopped(&bar, "the download is paused: resume it on the Models page");
            }
            DownloadState::Evicting => return stopped(&bar, "the download was given up"),
            DownloadState::Failed => {
                let why = download.error.clone().unwrap_or_default();
                if download.retry_at.is_none() {
                    return stopped(&bar, &why);
                }
                if told.as_ref() != Some(&why) {
                    bar.say(&format!("{why}; it is tried again"));
                    told = Some(why);
                }
            }
            DownloadState::Wanted
            | DownloadState::Locating
            | DownloadState::Fetching
            | DownloadState::Checking => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
        let list: DownloadList = client.get("/downloads").await?;
        match list.downloads.into_iter().find(|one| one.cid == download.cid) {
            Some(one) => download = one,
            // A finished download may be off the list, when its model is there.
            None if local(client).await?.iter().any(|model| model.cid == download.cid) => break,
            None => return stopped(&bar, "the download was given up"),
        }
    }
    bar.end();
    let models = local(client).await?;
    match models.iter().find(|model| model.cid == download.cid) {
        Some(model) => show_model(out, "pulled", model),
        None => out.fact(Glyph::Ok, "pulled", &download.cid, ""),
    }
    Ok(())
}

fn stopped(bar: &Bar, why: &str) -> Done {
    bar.end();
    Err(Fault::failed("pull_failed", why).into())
}

#[cfg(test)]
mod tests {
    use hearth_node::control::ErrorDetail;

    use super::*;

    #[test]
    fn a_file_that_only_the_service_does_not_see_is_explained() {
        // D18
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("m.gguf");
        let asked = || {
            let detail = ErrorDetail {
                code: "file_unseen".to_owned(),
                message: "Hearth cannot see it".to_owned(),
                ..ErrorDetail::default()
            };
            let Exit::Fault(fault) = unseen(&file, Fault::refused(400, detail).into()) else {
                panic!("it is a fault");
            };
            fault.detail
        };
        // Nobody sees it.
        assert_eq!(asked().message, "Hearth cannot see it");
        std::fs::write(&file, "x").unwrap();
        let told = asked();
        assert!(told.meaning.unwrap().contains("ProtectHome"));
        assert!(told.remedy.unwrap().contains("BindReadOnlyPaths"));
    }
}
