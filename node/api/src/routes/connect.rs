//! Other programs: what connects them, and files of this computer that are written and taken back.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{StatusCode, Uri},
};
use hearth_connect::{KEY_PLACEHOLDER, Line, Target, Workplace, root_of};

use super::{extract::Input, models};
use crate::{
    app::App,
    auth::Caller,
    control::types::{
        ConnectOrder, ConnectPreview, Connected, ConnectedProgram, DiffKind, DiffLine, Disconnected,
        KeyLimits, Model, ModelList, ModelTask, Program, ProgramList, Scope, Snippet, Timestamp,
    },
    error::ApiError,
};

/// What the lines name where there is no model yet.
const ANY_MODEL: &str = "MODEL";

/// `model` and `root` of a call.
#[derive(Default)]
struct Asked {
    model: Option<String>,
    root: Option<String>,
}

impl Asked {
    fn of(uri: &Uri, takes_root: bool) -> Result<Asked, ApiError> {
        let mut asked = Asked::default();
        for (name, value) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
            match name.as_ref() {
                "model" => asked.model = Some(value.into_owned()),
                "root" if takes_root => asked.root = Some(checked_root(&value)?),
                other => {
                    return Err(ApiError::bad_request(format!(
                        "\"{other}\" is no parameter of this call"
                    )));
                }
            }
        }
        Ok(asked)
    }
}

/// An address without a path: it is put into files and commands.
fn checked_root(text: &str) -> Result<String, ApiError> {
    let refused = || {
        ApiError::bad_request(format!(
            "root is \"{text}\": it must be an address as http://hearth.lan:4327"
        ))
    };
    let url: url::Url = text.parse().map_err(|_| refused())?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_named = url.has_host() && url.username().is_empty() && url.password().is_none();
    if matches!(url.scheme(), "http" | "https") && is_bare && is_named {
        Ok(url.origin().ascii_serialization())
    } else {
        Err(refused())
    }
}

pub(crate) async fn list(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    uri: Uri,
) -> Result<Json<ProgramList>, ApiError> {
    let asked = Asked::of(&uri, true)?;
    let model = match &asked.model {
        Some(name) => Some(model_named(&app, name).await?),
        None => usual(&app).await?,
    };
    let mut target = target(&app, model.as_ref());
    if let Some(root) = asked.root {
        target.root = root;
    }
    let workplace = app.host.workplace();
    let programs = hearth_connect::Program::ALL
        .into_iter()
        .map(|program| shown(program, &target, workplace.as_ref()));
    Ok(Json(ProgramList {
        programs: programs.collect::<Result<_, _>>()?,
        model: model.map(|model| model.id),
        key_placeholder: KEY_PLACEHOLDER.to_owned(),
        may_write: caller.loopback && workplace.is_some(),
    }))
}

pub(crate) async fn preview(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(program): Path<String>,
    uri: Uri,
) -> Result<Json<ConnectPreview>, ApiError> {
    let program = named(&program)?;
    // It shows what lies in a file of the person's.
    let workplace = writable(&app, caller)?;
    let asked = Asked::of(&uri, false)?;
    let model = match &asked.model {
        Some(name) => model_named(&app, name).await?,
        None => usual(&app).await?.ok_or_else(no_model)?,
    };
    let preview = workplace.preview(program, &target(&app, Some(&model)))?;
    Ok(Json(ConnectPreview {
        path: preview.path.display().to_string(),
        lines: preview.lines.into_iter().map(line).collect(),
        seen: preview.seen,
    }))
}

pub(crate) async fn write(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(program): Path<String>,
    Input(order): Input<ConnectOrder>,
) -> Result<Json<Connected>, ApiError> {
    let program = named(&program)?;
    let workplace = writable(&app, caller)?;
    let model = model_named(&app, &order.model).await?;
    let limits = order.limits.unwrap_or_else(|| KeyLimits {
        scopes: vec![Scope::Local, Scope::Embeddings],
        ..KeyLimits::default()
    });
    let _alone = app.connecting.lock().await;
    let (key, secret) = app
        .keys
        .create(&app.keys.free_name(program.title()).await?, limits)
        .await?;
    let target = Target {
        key: secret,
        ..target(&app, Some(&model))
    };
    let now_ms = key.created_at.0.unix_timestamp_nanos() / 1_000_000;
    let now_ms = i64::try_from(now_ms).unwrap_or_default();
    let written = workplace.write(program, &target, &key.id, &order.seen, now_ms);
    let written = match written {
        Ok(written) => written,
        Err(error) => {
            // Nobody has seen it.
            forget(&app, &key.id).await?;
            return Err(error.into());
        }
    };
    if let Some(old) = &written.old_key_id {
        forget(&app, old).await?;
    }
    Ok(Json(Connected {
        connected: connected(&written.connection),
        secret: (!program.keeps_key_in_file()).then_some(target.key),
    }))
}

pub(crate) async fn undo(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(program): Path<String>,
) -> Result<Json<Disconnected>, ApiError> {
    let program = named(&program)?;
    let workplace = writable(&app, caller)?;
    let _alone = app.connecting.lock().await;
    let undone = workplace.undo(program)?;
    forget(&app, &undone.key_id).await?;
    Ok(Json(Disconnected {
        path: undone.path.display().to_string(),
        kept: undone.kept,
        removed: undone.is_removed,
    }))
}

/// Revokes a key; it stays in the list, since it may have been used. One that is gone already was forgotten by a person.
async fn forget(app: &App, id: &str) -> Result<(), ApiError> {
    match app.keys.get(id).await {
        Ok(key) if key.revoked_at.is_none() => app.keys.revoke(id).await?,
        Ok(_) => {}
        Err(error) if error.status == StatusCode::NOT_FOUND => {}
        Err(error) => return Err(error),
    }
    if app.keys.get(id).await.is_ok_and(|key| key.last_used_at.is_none()) {
        // One that nobody used has nothing to tell.
        app.keys.revoke(id).await?;
    }
    Ok(())
}

fn named(id: &str) -> Result<hearth_connect::Program, ApiError> {
    hearth_connect::Program::named(id).ok_or_else(|| ApiError::not_found("program"))
}

/// Files are written for whoever sits at this computer, and where the node is that person's.
fn writable(app: &App, caller: Caller) -> Result<Workplace, ApiError> {
    let workplace = app.host.workplace().filter(|_| caller.loopback);
    workplace.ok_or_else(|| {
        ApiError::new(
            StatusCode::FORBIDDEN,
            "connect_from_here",
            "files of programs are written from the computer that they lie on alone",
        )
        .meaning("The caller is elsewhere, or the node runs as a service without a home of its own.")
        .remedy("Copy what is shown, or run `hearth connect` there.")
    })
}

async fn usual(app: &App) -> Result<Option<Model>, ApiError> {
    let list = ModelList {
        models: models::all(app).await?,
    };
    Ok(list.usual().cloned())
}

/// A model that can be asked in a chat.
async fn model_named(app: &App, name: &str) -> Result<Model, ApiError> {
    let all = models::all(app).await?;
    let found = all.into_iter().find(|model| model.id == name);
    let found = found.ok_or_else(|| {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "model_not_found",
            format!("there is no model \"{name}\""),
        )
    })?;
    if found.task == ModelTask::Chat {
        Ok(found)
    } else {
        Err(ApiError::bad_request(format!(
            "{name} makes embeddings, and programs ask for answers"
        )))
    }
}

fn no_model() -> ApiError {
    ApiError::conflict("model_not_found", "there is no model to ask")
        .meaning("A program needs the name of one.")
        .remedy("Add one under Models, or with `hearth model add FILE`.")
}

fn target(app: &App, model: Option<&Model>) -> Target {
    Target {
        root: root_of(app.addr),
        model: model.map_or_else(|| ANY_MODEL.to_owned(), |model| model.id.clone()),
        title: model.map_or_else(|| ANY_MODEL.to_owned(), |model| model.title.clone()),
        context: model.and_then(|model| model.context_tokens),
        key: KEY_PLACEHOLDER.to_owned(),
    }
}

fn shown(
    program: hearth_connect::Program,
    target: &Target,
    workplace: Option<&Workplace>,
) -> Result<Program, ApiError> {
    let places = workplace.map(|workplace| &workplace.places);
    let connection = workplace
        .map(|workplace| workplace.connection(program))
        .transpose()?
        .flatten();
    let file = places.and_then(|places| places.file(program));
    let snippets = hearth_connect::snippets(program, target, places);
    Ok(Program {
        id: program.id().to_owned(),
        title: program.title().to_owned(),
        what: program.what().to_owned(),
        found: places.map(|places| places.has(program)),
        path: file.map(|(path, _)| path.display().to_string()),
        keeps_key_in_file: program.keeps_key_in_file(),
        snippets: snippets
            .into_iter()
            .map(|snippet| Snippet {
                label: snippet.label,
                language: snippet.language.to_owned(),
                text: snippet.text,
            })
            .collect(),
        connected: connection.as_ref().map(connected),
    })
}

fn connected(connection: &hearth_connect::Connection) -> ConnectedProgram {
    ConnectedProgram {
        path: connection.path.display().to_string(),
        model: connection.model.clone(),
        root: connection.root.clone(),
        key_id: connection.key_id.clone(),
        at: Timestamp::from_ms(connection.written_at_ms),
    }
}

fn line(line: Line) -> DiffLine {
    let (kind, text) = match line {
        Line::Same(text) => (DiffKind::Same, text),
        Line::Added(text) => (DiffKind::Added, text),
        Line::Removed(text) => (DiffKind::Removed, text),
        Line::Gap => (DiffKind::Gap, String::new()),
    };
    DiffLine { kind, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_and_nothing_more() {
        assert_eq!(
            checked_root("http://Hearth.lan:4327/").unwrap(),
            "http://hearth.lan:4327"
        );
        for text in [
            "hearth.lan",
            "ftp://x",
            "http://a:b@x",
            "http://x/path",
            "http://x?y",
            "",
            "http://x/#'",
        ] {
            assert!(checked_root(text).is_err(), "{text}");
        }
    }
}
