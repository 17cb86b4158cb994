//! One way to a model, wherever it runs: the engine of this computer or the network. Both speak OpenAI.

use bytes::Bytes;
use futures::{
    FutureExt, StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use hearth_answers::{Body, HttpRequest, Priority, answer::StreamJudge, serve_http, sse};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, value::RawValue};
use uuid::Uuid;

use crate::{
    app::App,
    auth::{Caller, may_spend},
    error::ApiError,
    parts::{RelayCall, RelayReceipt},
};

/// What the name of a network model begins with.
pub(crate) const NETWORK_PREFIX: &str = "pocket/";

/// The header that names the receipt of a network answer: `GET /api/v1/receipts/{id}`.
const RECEIPT_HEADER: &str = "x-hearth-receipt";

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
/// A network answer's receipt gets `id`.
pub(crate) async fn send(
    app: &App,
    caller: Caller,
    path: &str,
    body: Bytes,
    id: Uuid,
) -> Result<Upstream, ApiError> {
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
                    id,
                },
            )
            .await
        }
    }
}

/// The service and the parsed body, if the body names a network model. What cannot be parsed is left to the engine's
/// reader, whose refusal says where the fault is.
fn network_model(body: &[u8]) -> Option<(String, Value)> {
    if hearth_answers::has_too_many_values(body) {
        return None;
    }
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
    let id = call.id;
    let answer = app.parts.relay.send(call).await?;
    let is_stream = answer.content_type.starts_with(sse::MEDIA_TYPE);
    let body = if is_stream {
        rename_stream(answer.body, name)
    } else {
        rename_whole(answer.body, name)
    };
    Ok(Upstream {
        status: answer.status,
        headers: vec![
            ("content-type", answer.content_type),
            (RECEIPT_HEADER, id.to_string()),
        ],
        is_stream,
        body,
        receipt: Some(answer.receipt),
    })
}

/// Writes the name that the caller knows into a streamed answer, and the last line where the supplier forgot it.
fn rename_stream(
    body: BoxStream<'static, Result<Bytes, ApiError>>,
    name: String,
) -> BoxStream<'static, Result<Bytes, ApiError>> {
    let mut renamer = Renamer {
        reader: Some(sse::Reader::new()),
        judge: StreamJudge::default(),
        has_broken: false,
        name,
    };
    body.map(Some)
        .chain(stream::once(std::future::ready(None)))
        .map(move |piece| renamer.take(piece))
        .filter(|piece| std::future::ready(!matches!(piece, Ok(bytes) if bytes.is_empty())))
        .boxed()
}

struct Renamer {
    reader: Option<sse::Reader>,
    judge: StreamJudge,
    has_broken: bool,
    name: String,
}

impl Renamer {
    /// Takes the next piece; `None` is the end.
    fn take(&mut self, piece: Option<Result<Bytes, ApiError>>) -> Result<Bytes, ApiError> {
        let result = match piece {
            Some(Ok(bytes)) => match self.reader.as_mut().map(|reader| reader.push(&bytes)) {
                Some(Ok(events)) => Ok(self.renamed(&events)),
                Some(Err(error)) => Err(ApiError::unavailable("bad_answer", error.to_string())),
                None => Ok(Vec::new()),
            },
            Some(Err(error)) => Err(error),
            None => {
                let last: Vec<sse::Event> = self
                    .reader
                    .take()
                    .and_then(sse::Reader::finish)
                    .into_iter()
                    .collect();
                let mut out = self.renamed(&last);
                let is_whole = !self.has_broken && self.judge.has_content() && !self.judge.has_failed();
                if is_whole && !self.judge.is_done() {
                    out.push(sse::done());
                }
                Ok(out)
            }
        };
        self.has_broken |= result.is_err();
        result.map(|events| events.concat().into())
    }

    fn renamed(&mut self, events: &[sse::Event]) -> Vec<Bytes> {
        let rename = |event: &sse::Event| {
            self.judge.event(&event.data);
            let data = String::from_utf8_lossy(&renamed(event.data.as_bytes(), &self.name)).into_owned();
            let name = event.name.clone();
            sse::Event { name, data }.encode()
        };
        events.iter().map(rename).collect()
    }
}

fn rename_whole(
    body: BoxStream<'static, Result<Bytes, ApiError>>,
    name: String,
) -> BoxStream<'static, Result<Bytes, ApiError>> {
    let whole = body.collect::<Vec<_>>().map(move |pieces| {
        let pieces: Result<Vec<Bytes>, ApiError> = pieces.into_iter().collect();
        let mut pieces = pieces?;
        let whole = match (pieces.pop(), pieces.is_empty()) {
            // The gateway gives it in one piece, which is not copied.
            (Some(only), true) => only,
            (last, _) => [pieces.concat(), last.unwrap_or_default().to_vec()]
                .concat()
                .into(),
        };
        Ok(renamed(&whole, &name))
    });
    stream::once(whole).boxed()
}

/// JSON with `model` replaced; anything else stays as it is. The JSON is not taken apart: as values it would take
/// many times its bytes.
fn renamed(json: &[u8], name: &str) -> Bytes {
    let new = serde_json::to_string(name).unwrap_or_default();
    match serde_json::from_slice::<ModelField<'_>>(json) {
        Ok(ModelField(Some(old))) => {
            // It is a slice of `json`, so its place is the distance between the two.
            let start = old.get().as_ptr() as usize - json.as_ptr() as usize;
            let end = start + old.get().len();
            [&json[..start], new.as_bytes(), &json[end..]].concat().into()
        }
        Ok(ModelField(None)) | Err(_) => Bytes::copy_from_slice(json),
    }
}

/// The text of the field `model` of a JSON object, where it lies in it.
struct ModelField<'a>(Option<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for ModelField<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ModelField<'a>, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Option<&'de RawValue>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
                let mut model = None;
                while let Some(key) = fields.next_key::<std::borrow::Cow<'de, str>>()? {
                    if key == "model" {
                        model = Some(fields.next_value()?);
                    } else {
                        fields.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(model)
            }
        }
        deserializer.deserialize_map(Fields).map(ModelField)
    }
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

    #[tokio::test]
    async fn a_stream_without_its_last_line_gets_one_and_a_broken_one_does_not_r22_r24() {
        let out = async |pieces: Vec<Result<&'static str, ApiError>>| {
            let pieces = pieces
                .into_iter()
                .map(|piece| piece.map(|text| Bytes::from_static(text.as_bytes())));
            let out: Vec<_> = rename_stream(stream::iter(pieces.collect::<Vec<_>>()).boxed(), "n".into())
                .collect()
                .await;
            let text: Vec<Bytes> = out.iter().flatten().cloned().collect();
            (
                String::from_utf8(text.concat()).unwrap(),
                out.iter().filter(|piece| piece.is_err()).count(),
            )
        };
        let word = "data:{\"model\":\"a\",\"choices\":[{}]}\n\n";
        let renamed = "data: {\"model\":\"n\",\"choices\":[{}]}\n\n";
        let done = "data: [DONE]\n\n";
        assert_eq!(out(vec![Ok(word)]).await, ([renamed, done].concat(), 0));
        assert_eq!(
            out(vec![Ok(word), Ok("data:[DONE]")]).await,
            ([renamed, done].concat(), 0)
        );
        let broken = ApiError::unavailable("broken_off", "it broke off");
        assert_eq!(out(vec![Ok(word), Err(broken)]).await, (renamed.to_owned(), 1));
        let error = "data: {\"error\":{\"message\":\"x\"}}\n\n";
        assert_eq!(
            out(vec![Ok(word), Ok(error)]).await,
            ([renamed, error].concat(), 0)
        );
    }

    #[test]
    fn only_the_name_changes_in_an_answer() {
        for (json, wanted) in [
            (
                r#"{ "a":[1 , 2],"model" : "x","b":1e400}"#,
                r#"{ "a":[1 , 2],"model" : "n\"e","b":1e400}"#,
            ),
            (r#"{"m":{"model":"x"}}"#, r#"{"m":{"model":"x"}}"#),
            (r#"{"model":null}"#, r#"{"model":"n\"e"}"#),
            ("[1]", "[1]"),
            ("{\"model\":", "{\"model\":"),
        ] {
            assert_eq!(renamed(json.as_bytes(), "n\"e"), wanted.as_bytes(), "{json}");
        }
    }

    #[test]
    fn only_network_names_leave_this_computer() {
        assert_eq!(network_model(br#"{"model":"pocket/svc"}"#).unwrap().0, "svc");
        assert!(network_model(br#"{"model":"smollm2"}"#).is_none());
        assert!(network_model(b"{").is_none());
    }
}
