//! The built-in engine, through the OpenAI layer.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::StreamExt as _;
use hearth_answers::{Body, HttpRequest, Models, Priority, serve_http};
use hearth_base::ServiceId;

use super::{
    Backend, BackendAnswer, BackendBody, BackendError, BackendRequest, Capacity, headers, known_route,
};

/// Serves models of this node.
#[derive(Clone, Debug)]
pub struct EngineBackend {
    models: Models,
    /// The model of each service, by slug.
    services: BTreeMap<ServiceId, String>,
    slots: usize,
}

impl EngineBackend {
    /// Serves these services with these models, so many answers at once.
    #[must_use]
    pub fn new(models: Models, services: BTreeMap<ServiceId, String>, slots: usize) -> EngineBackend {
        EngineBackend {
            models,
            services,
            slots: slots.max(1),
        }
    }

    fn model(&self, service: &ServiceId) -> Result<&String, BackendError> {
        self.services.get(service).ok_or_else(|| BackendError::NoService {
            service: service.clone(),
        })
    }
}

#[async_trait]
impl Backend for EngineBackend {
    async fn prepare(&self, service: &ServiceId) -> Result<(), BackendError> {
        let model = self.model(service)?;
        self.models
            .load(model)
            .await
            .map(drop)
            .map_err(|error| BackendError::NoModel(format!("{model} cannot be loaded: {}", error.message)))
    }

    async fn serve(&self, request: BackendRequest) -> Result<BackendAnswer, BackendError> {
        let model = self.model(&request.service)?.clone();
        known_route(&request.method, &request.path)?;
        let answer = serve_http(
            &self.models,
            HttpRequest {
                method: request.method,
                path: request.path,
                body: request.body,
                priority: Priority::Paid,
                model: Some(model),
            },
        )
        .await;
        let body = match answer.body {
            Body::Full(bytes) => BackendBody::Full(bytes),
            Body::Stream(stream) => BackendBody::Stream(stream.map(Ok).boxed()),
        };
        Ok(BackendAnswer {
            status: answer.status,
            headers: headers(answer.headers),
            body,
            // The engine writes the name that was asked for by itself.
            model: None,
        })
    }

    fn capacity(&self, _service: &ServiceId) -> Capacity {
        Capacity { slots: self.slots }
    }
}
