//! One way to a model, wherever it runs: the engine of this computer or the network. Both speak OpenAI.

use bytes::Bytes;
use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use hearth_openai::{Body, HttpRequest, Priority, serve_http, sse};
use serde_json::Value;

use crate::{
    app::App,
    auth::{Caller, may_spend},
    error::ApiError,
    parts::{RelayCall, RelayReceipt},
};

/// What the name of a network model begins with.
pub(crate) const NETWORK_PREFIX: &str = "pocket/";

/// An answer on its way.
pub(crate) struct Upstream {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) is_stream: bool,
    pub(crate) body: BoxStream<'static, Result<Bytes, ApiError>>,
    /// For a network answer, known when the body has ended.
    pub(crate) receipt: Option<BoxFuture<'static, Option<RelayReceipt>>>,
}

/// Sends a request to the model that its body names.
pub(crate) async fn send(app: &App, caller: Caller, path: &str, body: Bytes) -> Result<Upstream, ApiError> {
    match network_model(&body) {
        None => Ok(local(app, path, body).await),
        Some((service, mut request)) => {
            may_spend(caller, app.config.network.is_devnet)?;
            request["model"] = Value::String(service.clone());
            let body = serde_json::to_vec(&request).map_err(|error| ApiError::internal(&error))?;
            network(
                app,
                RelayCall {
                    service,
                    path: path.to_owned(),
                    body: body.into(),
                },
            )
            .await
        }
    }
}

/// The service and the parsed body, if the body names a network model. What cannot be parsed is left to the engine's
/// reader, whose refusal says where the fault is.
fn network_model(body: &[u8]) -> Option<(String, Value)> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let service = request
        .get("model")?
        .as_str()?
        .strip_prefix(NETWORK_PREFIX)?
        .to_owned();
    Some((service, request))
}

async fn local(app: &App, path: &str, body: Bytes) -> Upstream {
    let request = HttpRequest {
        method: "POST".to_owned(),
        path: path.to_owned(),
        body,
        priority: Priority::Local,
        model: None,
    };
    let answer = serve_http(&app.models, request).await;
    let (is_stream, body) = match answer.body {
        Body::Full(bytes) => (false, stream::iter([Ok(bytes)]).boxed()),
        Body::Stream(stream) => (true, stream.map(Ok).boxed()),
    };
    Upstream {
        status: answer.status,
        headers: answer.headers,
        is_stream,
        body,
        receipt: None,
    }
}

async fn network(app: &App, call: RelayCall) -> Result<Upstream, ApiError> {
    let name = format!("{NETWORK_PREFIX}{}", call.service);
    let answer = app.parts.relay.send(call).await?;
    let is_stream = answer.content_type.starts_with(sse::MEDIA_TYPE);
    let body = if is_stream {
        rename_stream(answer.body, name)
    } else {
        rename_whole(answer.body, name)
    };
    Ok(Upstream {
        status: answer.status,
        headers: vec![("content-type", answer.content_type)],
        is_stream,
        body,
        receipt: Some(answer.receipt),
    })
}

/// Writes the name that the caller knows into a streamed answer.
fn rename_stream(
    body: BoxStream<'static, Result<Bytes, ApiError>>,
    name: String,
) -> BoxStream<'static, Result<Bytes, ApiError>> {
    let mut reader = Some(sse::Reader::new());
    let ended = stream::once(std::future::ready(None));
    body.map(Some)
        .chain(ended)
        .map(move |piece| {
            let events = match piece {
                Some(Ok(bytes)) => match reader.as_mut().map(|reader| reader.push(&bytes)) {
                    Some(Ok(events)) => events,
                    Some(Err(error)) => return Err(ApiError::unavailable("bad_answer", error.to_string())),
                    None => Vec::new(),
                },
                Some(Err(error)) => return Err(error),
                None => reader.take().and_then(sse::Reader::finish).into_iter().collect(),
            };
            Ok::<Bytes, ApiError>(
                events
                    .iter()
                    .map(|event| rename_event(event, &name))
                    .collect::<Vec<Bytes>>()
                    .concat()
                    .into(),
            )
        })
        .filter(|piece| std::future::ready(!matches!(piece, Ok(bytes) if bytes.is_empty())))
        .boxed()
}

fn rename_event(event: &sse::Event, name: &str) -> Bytes {
    if event.data == sse::DONE {
        return sse::done();
    }
    let renamed = renamed(event.data.as_bytes(), name);
    // Lines of data are kept apart, as they were.
    let text = String::from_utf8_lossy(&renamed);
    let lines: String = text.split('\n').map(|line| format!("data: {line}\n")).collect();
    format!("{lines}\n").into()
}

fn rename_whole(
    body: BoxStream<'static, Result<Bytes, ApiError>>,
    name: String,
) -> BoxStream<'static, Result<Bytes, ApiError>> {
    let whole = body.collect::<Vec<_>>().map(move |pieces| {
        let pieces: Result<Vec<Bytes>, ApiError> = pieces.into_iter().collect();
        pieces.map(|pieces| renamed(&pieces.concat(), &name))
    });
    stream::once(whole).boxed()
}

/// JSON with `model` replaced; anything else stays as it is.
fn renamed(json: &[u8], name: &str) -> Bytes {
    let parsed = serde_json::from_slice::<Value>(json).ok();
    let replaced = parsed.and_then(|mut value| {
        *value.as_object_mut()?.get_mut("model")? = Value::String(name.to_owned());
        serde_json::to_vec(&value).ok()
    });
    replaced.map_or_else(|| Bytes::copy_from_slice(json), Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_streamed_answer_has_the_callers_name_for_the_model() {
        let pieces = [
            "data: {\"model\":\"a\",",
            "\"x\":1}\r\n\r\n: hi\n\ndata: [DO",
            "NE]\n\n",
        ];
        let body = stream::iter(pieces.map(|piece| Ok(Bytes::from_static(piece.as_bytes())))).boxed();
        let out: Vec<Bytes> = rename_stream(body, "pocket/a".into())
            .map(Result::unwrap)
            .collect()
            .await;
        assert_eq!(
            out.concat(),
            b"data: {\"model\":\"pocket/a\",\"x\":1}\n\ndata: [DONE]\n\n"
        );
    }

    #[test]
    fn only_network_names_leave_this_computer() {
        assert_eq!(network_model(br#"{"model":"pocket/svc"}"#).unwrap().0, "svc");
        assert!(network_model(br#"{"model":"smollm2"}"#).is_none());
        assert!(network_model(b"{").is_none());
    }
}
