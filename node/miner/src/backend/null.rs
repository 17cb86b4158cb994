//! A backend that answers at once with the same words: for tests and measurements.

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use hearth_base::ServiceId;

use super::{
    Backend, BackendAnswer, BackendBody, BackendError, BackendRequest, Capacity, headers, known_route,
};

/// Answers every chat completion with `ok`.
#[derive(Clone, Copy, Debug)]
pub struct NullBackend {
    /// Answers at once.
    pub slots: usize,
}

impl Default for NullBackend {
    fn default() -> NullBackend {
        NullBackend { slots: 1024 }
    }
}

const FULL: &[u8] = br#"{"id":"chatcmpl-null","object":"chat.completion","created":0,"model":"null","choices":[{"index":0,"message":{"role":"assistant","content":"ok"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;
const PARTS: [&[u8]; 3] = [
    b"data: {\"id\":\"chatcmpl-null\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"null\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"ok\"},\"finish_reason\":null}]}\n\n",
    b"data: {\"id\":\"chatcmpl-null\",\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":\"null\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    b"data: [DONE]\n\n",
];

#[async_trait]
impl Backend for NullBackend {
    async fn prepare(&self, _service: &ServiceId) -> Result<(), BackendError> {
        Ok(())
    }

    async fn serve(&self, request: BackendRequest) -> Result<BackendAnswer, BackendError> {
        known_route(&request.method, &request.path)?;
        if request
            .body
            .windows(13)
            .any(|window| window == br#""stream":true"#)
        {
            let parts = stream::iter(PARTS.map(|part| Ok(Bytes::from_static(part))));
            return Ok(BackendAnswer {
                status: 200,
                headers: headers([("content-type", "text/event-stream".to_owned())]),
                body: BackendBody::Stream(parts.boxed()),
                model: None,
            });
        }
        Ok(BackendAnswer {
            status: 200,
            headers: headers([("content-type", "application/json".to_owned())]),
            body: BackendBody::Full(Bytes::from_static(FULL)),
            model: None,
        })
    }

    fn capacity(&self, _service: &ServiceId) -> Capacity {
        Capacity { slots: self.slots }
    }
}
