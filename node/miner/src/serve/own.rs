//! Answers that need no backend: the questions by which gateways look whether a supplier is well.

use bytes::Bytes;
use hearth_answers::{
    Error, Operation,
    openai::{ModelItem, ModelList},
};
use hearth_base::ServiceId;
use hearth_pocket::payload::HttpRequest;

use super::{Server, answer::Whole};
use crate::refusal::Refusal;

/// An answer that needs no backend.
pub(super) enum Own {
    /// It is written down and paid.
    Counts(Whole),
    /// It is signed and nothing more.
    Missing(Whole),
}

impl Server {
    /// An answer that can be given without asking the backend for one.
    pub(super) async fn own_answer(
        &self,
        service: &ServiceId,
        http: &HttpRequest,
    ) -> Result<Option<Own>, Refusal> {
        let operation = Operation::of(http.path_and_query());
        let body = match operation {
            Operation::Health => serde_json::json!({ "status": "healthy" }).to_string(),
            Operation::Models => self.models(service),
            Operation::Chat
            | Operation::Completion
            | Operation::Embedding
            | Operation::Rerank
            | Operation::Tokenize
            | Operation::Detokenize
            | Operation::Other => return Ok(None),
        };
        let body = match http.method.as_str() {
            "GET" => Bytes::from(body),
            "HEAD" => Bytes::new(),
            method => {
                let error = Error::not_served(method, http.path_and_query(), Some("GET"));
                return Ok(Some(Own::Missing(Whole::json(error.status, error.body(), None))));
            }
        };
        // A supplier is as well as its backend.
        let probed = self.backend.probe(self.config.model(service)).await;
        probed.map_err(|error| self.refusal(&error))?;
        self.backend.health().well();
        Ok(Some(Own::Counts(Whole::json(200, body, None))))
    }

    /// The service's model by the names under which it is sold. What else this computer has is nobody's business.
    fn models(&self, service: &ServiceId) -> String {
        let aliases = self.config.aliases.iter();
        let names = aliases
            .filter(|(_, of)| *of == service)
            .map(|(name, _)| name.as_str());
        let item = |name: &str| ModelItem::new(name, 0, "pocket");
        let list = ModelList::new(std::iter::once(service.as_str()).chain(names).map(item).collect());
        // Texts and numbers always make JSON.
        serde_json::to_string(&list).unwrap_or_default()
    }
}
