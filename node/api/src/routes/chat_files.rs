//! Files of conversations: what goes with a question, what comes in, what goes out.

use std::{
    convert::Infallible,
    fs::File,
    io::{self, Seek as _, SeekFrom},
    path::Path as Folder,
};

use axum::{
    Json,
    body::Body,
    extract::{Path, Request, State},
    http::{Method, StatusCode, Uri, header},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use hearth_chats::{HEAD, MAX_FILE_BYTES, TAIL};
use hearth_listen::BodyRule;
use tokio::io::AsyncWriteExt as _;

use super::extract::{body, only_parameter};
use crate::{
    app::App,
    chats,
    control::{
        openapi::PREFIX,
        types::{Attachment, Imported},
    },
    error::ApiError,
};

/// The largest file of conversations: years of them have 100 MB.
const MAX_IMPORT_BYTES: usize = 256 << 20;
/// The most letters of a title that go into the name of a file.
const NAME_CHARS: usize = 40;

/// What the body of a call may have that takes a file.
pub(crate) fn body_rule(method: &Method, path: &str) -> Option<BodyRule> {
    let rule = match path.strip_prefix(PREFIX)? {
        "/attachments" => BodyRule {
            bytes: MAX_FILE_BYTES,
            is_passed_on: false,
        },
        "/conversations/import" => BodyRule {
            bytes: MAX_IMPORT_BYTES,
            is_passed_on: true,
        },
        _ => return None,
    };
    (method == Method::POST).then_some(rule)
}

pub(crate) async fn add(State(app): State<App>, request: Request) -> Result<Json<Attachment>, ApiError> {
    let name = only_parameter(request.uri(), "name")?.unwrap_or_default();
    let bytes = body(request).await?;
    let attachment = app.conversations.add_attachment(&name, bytes.into()).await?;
    Ok(Json(chats::attachment(attachment)))
}

pub(crate) async fn text(State(app): State<App>, Path(id): Path<String>) -> Result<Response, ApiError> {
    let text = app.conversations.attachment_text(&id).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}

pub(crate) async fn delete(State(app): State<App>, Path(id): Path<String>) -> Result<StatusCode, ApiError> {
    app.conversations.delete_attachment(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) async fn import(State(app): State<App>, request: Request) -> Result<Json<Imported>, ApiError> {
    let Ok(_one_at_a_time) = app.importing.try_lock() else {
        return Err(ApiError::unavailable(
            "crowded",
            "conversations of another file are coming in: wait until they are here",
        ));
    };
    let file = on_disk(request.into_body(), &app.scratch).await?;
    let imported = app.conversations.import(file).await?;
    tracing::info!(
        conversations = imported.conversations,
        skipped = imported.skipped.len(),
        "conversations came in from a file"
    );
    Ok(Json(chats::imported(imported)))
}

/// Writes a body to a file without a name, which is gone when it is closed.
async fn on_disk(body: Body, folder: &Folder) -> Result<File, ApiError> {
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::StorageFull {
            ApiError::disk_full()
        } else {
            ApiError::internal(&error)
        }
    };
    let file = tempfile::tempfile_in(folder).map_err(failed)?;
    let mut file = tokio::fs::File::from_std(file);
    let mut pieces = body.into_data_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| ApiError::from_body(&error))?;
        file.write_all(&piece).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    let mut file = file.into_std().await;
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    Ok(file)
}

/// All conversations, read one by one as they are sent.
pub(crate) async fn export_all(State(app): State<App>) -> Result<Response, ApiError> {
    let ids = app.conversations.ids().await?;
    let mut is_first = true;
    let chats = stream::iter(ids).filter_map(move |id| {
        let app = app.clone();
        async move {
            match app.conversations.as_json(&id).await {
                Ok(json) => Some(Ok(json)),
                // It was deleted meanwhile.
                Err(hearth_chats::Error::NotFound(_)) => None,
                Err(error) => {
                    tracing::error!(%error, "an export broke off");
                    Some(Err(io::Error::other(error)))
                }
            }
        }
    });
    let separated = chats.map(move |json| {
        let comma = if std::mem::take(&mut is_first) { "" } else { ",\n" };
        Ok::<Bytes, io::Error>(format!("{comma}{}", json?).into())
    });
    // A body that ends with an error is seen to be cut off.
    Ok(download(
        "hearth-chats.json",
        "application/json",
        whole(separated),
    ))
}

fn whole(chats: impl Stream<Item = io::Result<Bytes>> + Send + 'static) -> Body {
    let end = |text: &'static str| stream::iter([Ok(Bytes::from_static(text.as_bytes()))]);
    Body::from_stream(end(HEAD).chain(chats).chain(end(TAIL)))
}

pub(crate) async fn export(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ApiError> {
    match only_parameter(&uri, "format")?.as_deref() {
        None | Some("json") => {
            let title = app.conversations.summary(&id).await?.title;
            let json = app.conversations.as_json(&id).await?;
            let name = format!("{}.json", name_of(&title));
            let text = stream::iter([Ok(Bytes::from(json))]);
            Ok(download(&name, "application/json", whole(text)))
        }
        Some("md") => {
            let (title, text) = app.conversations.as_markdown(&id).await?;
            let name = format!("{}.md", name_of(&title));
            let text = stream::iter([Ok::<String, Infallible>(text)]);
            Ok(download(
                &name,
                "text/markdown; charset=utf-8",
                Body::from_stream(text),
            ))
        }
        Some(other) => Err(ApiError::bad_request(format!(
            "format is \"{other}\": it must be json or md"
        ))),
    }
}

/// A name for a file, in letters that every system and every header takes.
fn name_of(title: &str) -> String {
    let mut name = String::from("hearth-");
    for c in title.to_lowercase().chars() {
        if name.len() >= NAME_CHARS {
            break;
        }
        match c {
            'ä' => name.push_str("ae"),
            'ö' => name.push_str("oe"),
            'ü' => name.push_str("ue"),
            'ß' => name.push_str("ss"),
            c if c.is_ascii_alphanumeric() => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    match name.trim_end_matches('-') {
        "hearth" => "hearth-chat".to_owned(),
        name => name.to_owned(),
    }
}

fn download(name: &str, media_type: &'static str, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_becomes_the_name_of_a_file() {
        for (title, name) in [
            ("Which knot?", "hearth-which-knot"),
            ("Übergröße: \"ja\"\r\n", "hearth-uebergroesse-ja"),
            ("日本", "hearth-chat"),
            ("", "hearth-chat"),
        ] {
            assert_eq!(name_of(title), name, "{title}");
        }
        assert!(name_of(&"x".repeat(500)).len() <= NAME_CHARS);
    }

    #[test]
    fn only_calls_that_take_files_take_large_bodies() {
        let rule = |path| body_rule(&Method::POST, path);
        assert_eq!(rule("/api/v1/attachments").unwrap().bytes, 20 << 20);
        assert!(rule("/api/v1/conversations/import").unwrap().is_passed_on);
        assert_eq!(rule("/api/v1/conversations"), None);
        assert_eq!(rule("/attachments"), None);
        assert_eq!(body_rule(&Method::GET, "/api/v1/attachments"), None);
    }
}
