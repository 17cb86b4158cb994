//! Which backend answers which name: one place that resolves models, and turns to the next backend where one fails
//! before its first part.
//!
//! | name | backend |
//! |---|---|
//! | `pocket/SERVICE` | the network |
//! | `BACKEND/MODEL` | the configured backend of that name |
//! | a model that configured backends serve | one of them: well ones first, by weight; then the others |
//! | anything else, or none | this computer's engine |

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::{
    answer::Answer,
    backend::{Backend, Capacity, Health, ModelEntry, SharedBackend},
    error::Error,
    principal::Principal,
    request::Request,
};

/// What the name of a network model begins with.
pub const NETWORK_PREFIX: &str = "pocket/";

/// A configured backend.
#[derive(Clone)]
pub struct Named {
    pub backend: SharedBackend,
    /// The models that it serves under their bare names; empty serves them as `BACKEND/MODEL` alone.
    pub models: Vec<String>,
    /// How often it is chosen beside others of the same model.
    pub weight: u32,
}

/// All backends of this node behind one.
pub struct Router {
    engine: SharedBackend,
    network: Option<SharedBackend>,
    named: BTreeMap<String, Named>,
    /// Other names of models.
    aliases: BTreeMap<String, String>,
    /// How much of its weight each backend has used up: the one with the least goes first.
    used: Mutex<BTreeMap<String, u64>>,
    health: Health,
}

/// A backend, and its own name for the model.
struct Candidate {
    backend: SharedBackend,
    model: Option<String>,
    name: Option<String>,
}

impl Router {
    /// The engine, the network where there is one, and what is configured.
    #[must_use]
    pub fn new(
        engine: SharedBackend,
        network: Option<SharedBackend>,
        named: BTreeMap<String, Named>,
        aliases: BTreeMap<String, String>,
    ) -> Router {
        Router {
            engine,
            network,
            named,
            aliases,
            used: Mutex::default(),
            health: Health::default(),
        }
    }

    /// The configured backends by name.
    #[must_use]
    pub fn named(&self) -> &BTreeMap<String, Named> {
        &self.named
    }

    /// Whether a name is one of the network, which costs money.
    #[must_use]
    pub fn is_network(&self, model: &str) -> bool {
        self.unaliased(model).starts_with(NETWORK_PREFIX)
    }

    /// The name that an alias stands for; any other name as it is.
    #[must_use]
    pub fn unaliased<'a>(&'a self, model: &'a str) -> &'a str {
        self.aliases.get(model).map_or(model, String::as_str)
    }

    /// Who can be asked, the best first.
    fn candidates(&self, model: Option<&str>) -> Result<Vec<Candidate>, Error> {
        let one = |backend: &SharedBackend, model: Option<&str>| Candidate {
            backend: Arc::clone(backend),
            model: model.map(str::to_owned),
            name: None,
        };
        let Some(model) = model.map(|model| self.unaliased(model)) else {
            return Ok(vec![one(&self.engine, None)]);
        };
        if let Some(service) = model.strip_prefix(NETWORK_PREFIX) {
            let network = self.network.as_ref().ok_or_else(|| Error::no_model(model))?;
            return Ok(vec![one(network, Some(service))]);
        }
        if let Some((name, own)) = model.split_once('/')
            && let Some(named) = self.named.get(name)
        {
            return Ok(vec![one(&named.backend, Some(own).filter(|own| !own.is_empty()))]);
        }
        let serving = self
            .named
            .iter()
            .filter(|(_, named)| named.models.iter().any(|served| served == model));
        let mut serving: Vec<(&String, &Named)> = serving.collect();
        if serving.is_empty() {
            return Ok(vec![one(&self.engine, Some(model))]);
        }
        let used = self.used.lock();
        serving.sort_by_key(|(name, named)| {
            (
                named.backend.health().ailment().is_some(),
                used.get(*name).copied().unwrap_or(0),
            )
        });
        Ok(serving
            .into_iter()
            .map(|(name, named)| Candidate {
                name: Some(name.clone()),
                ..one(&named.backend, Some(model))
            })
            .collect())
    }

    /// Counts a turn against a backend's weight.
    fn count(&self, candidate: &Candidate) {
        /// Divisible by every small weight.
        const TURN: u64 = 720_720;
        let Some(name) = &candidate.name else {
            return;
        };
        let weight = self.named.get(name).map_or(1, |named| named.weight.max(1));
        let mut used = self.used.lock();
        // One that was away does not make up for all it missed at once.
        let most = used.values().copied().max().unwrap_or(0);
        let turns = used.entry(name.clone()).or_default();
        *turns = (*turns).max(most.saturating_sub(2 * TURN)) + TURN / u64::from(weight);
    }
}

#[async_trait]
impl Backend for Router {
    async fn answer(&self, request: Request, principal: &Principal) -> Result<Answer, Error> {
        let candidates = self.candidates(request.model.as_deref())?;
        let mut last = None;
        for candidate in candidates {
            self.count(&candidate);
            let asked = request.clone().for_model(candidate.model);
            match candidate.backend.answer(asked, principal).await {
                Err(error) if error.is_of_the_backend() && candidate.name.is_some() => {
                    tracing::info!(backend = candidate.name, %error, "a backend fails, the next one is asked");
                    last = Some(error);
                }
                answered => return answered,
            }
        }
        Err(last.unwrap_or_else(|| Error::no_model(request.model.as_deref().unwrap_or_default())))
    }

    async fn prepare(&self, model: Option<&str>) -> Result<(), Error> {
        let mut last = Ok(());
        for candidate in self.candidates(model)? {
            last = candidate.backend.prepare(candidate.model.as_deref()).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        let mut models = self.engine.models().await?;
        for (name, named) in &self.named {
            // One that is away has no models now.
            let listed = named.backend.models().await.unwrap_or_default();
            for model in listed {
                let is_known = models.iter().any(|known| known.name == model.name);
                if named.models.contains(&model.name) && !is_known {
                    models.push(model.clone());
                }
                models.push(ModelEntry {
                    name: format!("{name}/{}", model.name),
                    ..model
                });
            }
        }
        Ok(models)
    }

    async fn probe(&self, model: Option<&str>) -> Result<(), Error> {
        let mut last = Ok(());
        for candidate in self.candidates(model)? {
            last = candidate.backend.probe(candidate.model.as_deref()).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn capacity(&self, model: Option<&str>) -> Capacity {
        let candidates = self.candidates(model).unwrap_or_default();
        let slots = candidates
            .iter()
            .map(|candidate| candidate.backend.capacity(candidate.model.as_deref()).slots)
            .sum();
        Capacity { slots }
    }

    fn health(&self) -> &Health {
        &self.health
    }
}

#[cfg(test)]
mod tests;
