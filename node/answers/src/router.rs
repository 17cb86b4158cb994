//! Which backend answers which name: one place that resolves models, and turns to the next backend where one fails
//! before its first part.
//!
//! | name | backend |
//! |---|---|
//! | an alias | whatever it stands for |
//! | `pocket/SERVICE` | the network |
//! | `BACKEND/MODEL` | the configured backend of that name |
//! | a model of this computer | the engine |
//! | a model that configured backends serve | one of them: well ones first, then those with a free place, by weight |
//! | anything else, or none | the engine |

mod aliases;
mod asking;
mod named;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use parking_lot::Mutex;

pub use aliases::resolved_aliases;
pub use named::Named;

use crate::{
    answer::Answer,
    backend::{Backend, Capacity, Health, ModelEntry, SharedBackend},
    error::Error,
    principal::Principal,
    request::Request,
};

/// What the name of a network model begins with.
pub const NETWORK_PREFIX: &str = "pocket/";
/// What Ollama's clients write behind a name that has no other tag.
pub(crate) const LATEST: &str = ":latest";

/// All backends of this node behind one.
pub struct Router {
    engine: SharedBackend,
    network: Option<SharedBackend>,
    named: BTreeMap<String, Named>,
    /// Other names of models.
    aliases: BTreeMap<String, String>,
    /// How much of its weight each backend has used up: the one with the least goes first.
    used: Mutex<BTreeMap<String, u64>>,
    /// Of the names that configured backends serve, those that this computer was found to have itself.
    own: Mutex<BTreeSet<String>>,
    health: Health,
}

/// A backend, and its own name for the model.
struct Candidate<'a> {
    backend: &'a SharedBackend,
    model: Option<String>,
    /// The configured backend that this is.
    named: Option<&'a Named>,
    /// Its name, where others may stand in for it.
    one_of: Option<&'a str>,
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
            own: Mutex::default(),
            health: Health::default(),
        }
    }

    /// The configured backends by name.
    #[must_use]
    pub fn named(&self) -> &BTreeMap<String, Named> {
        &self.named
    }

    /// Other names of models, with what they stand for.
    #[must_use]
    pub fn aliases(&self) -> &BTreeMap<String, String> {
        &self.aliases
    }

    /// Whether a name is one of the network, which costs money.
    #[must_use]
    pub fn is_network(&self, model: &str) -> bool {
        self.unaliased(model).starts_with(NETWORK_PREFIX)
    }

    /// The name that an alias stands for; any other name as it is, but for the tag that says nothing.
    #[must_use]
    pub fn unaliased<'a>(&'a self, model: &'a str) -> &'a str {
        let of = |name: &str| self.aliases.get(name).map(String::as_str);
        match model.strip_suffix(LATEST) {
            Some(bare)
                if of(model).is_none()
                    && !bare.is_empty()
                    && !bare.contains('/')
                    && self.serving(model).is_empty() =>
            {
                of(bare).unwrap_or(bare)
            }
            _ => of(model).unwrap_or(model),
        }
    }

    /// The configured backends that serve a bare name, unless this computer has a model of that name itself.
    fn serving(&self, model: &str) -> Vec<(&String, &Named)> {
        let serving = self.named.iter().filter(|(_, named)| named.serves(model));
        serving.collect()
    }

    /// Whether somebody answers to a name without a `/`: this computer, or configured backends.
    pub async fn has_bare(&self, model: &str) -> bool {
        !self.serving(model).is_empty() || self.engine.has(model).await
    }

    /// Who can be asked, the best first.
    async fn candidates(&self, model: Option<&str>) -> Result<Vec<Candidate<'_>>, Error> {
        if let Some(model) = model.map(|model| self.unaliased(model))
            && !self.serving(model).is_empty()
        {
            // What was added or deleted since is seen here.
            let is_own = self.engine.has(model).await;
            let mut own = self.own.lock();
            if is_own {
                own.insert(model.to_owned());
            } else {
                own.remove(model);
            }
        }
        self.candidates_now(model)
    }

    /// The same, by what is known of the models of this computer.
    fn candidates_now(&self, model: Option<&str>) -> Result<Vec<Candidate<'_>>, Error> {
        let one = |backend, model: Option<&str>, named| Candidate {
            backend,
            model: model.map(str::to_owned),
            named,
            one_of: None,
        };
        let Some(model) = model.map(|model| self.unaliased(model)) else {
            return Ok(vec![one(&self.engine, None, None)]);
        };
        if let Some(service) = model.strip_prefix(NETWORK_PREFIX) {
            let network = self.network.as_ref().ok_or_else(|| Error::no_model(model))?;
            return Ok(vec![one(network, Some(service), None)]);
        }
        if let Some((name, own)) = model.split_once('/')
            && let Some(named) = self.named.get(name)
        {
            let own = Some(own).filter(|own| !own.is_empty());
            return Ok(vec![one(&named.backend, own, Some(named))]);
        }
        let mut serving = self.serving(model);
        if serving.is_empty() || self.own.lock().contains(model) {
            return Ok(vec![one(&self.engine, Some(model), None)]);
        }
        let used = self.used.lock();
        serving.sort_by_key(|(name, named)| {
            (
                named.backend.health().is_failing(),
                !named.has_place(model),
                used.get(*name).copied().unwrap_or(0),
            )
        });
        let candidates = serving.into_iter().map(|(name, named)| Candidate {
            backend: &named.backend,
            model: Some(model.to_owned()),
            named: Some(named),
            one_of: Some(name.as_str()),
        });
        Ok(candidates.collect())
    }

    /// Counts a turn against a backend's weight.
    fn count(&self, candidate: &Candidate<'_>) {
        /// Divisible by every small weight.
        const TURN: u64 = 720_720;
        let (Some(name), Some(named)) = (candidate.one_of, candidate.named) else {
            return;
        };
        let mut used = self.used.lock();
        // One that was away does not make up for all it missed at once.
        let most = used.values().copied().max().unwrap_or(0);
        let turns = used.entry(name.to_owned()).or_default();
        *turns = (*turns).max(most.saturating_sub(2 * TURN)) + TURN / u64::from(named.weight.max(1));
    }
}

#[async_trait]
impl Backend for Router {
    async fn answer(&self, request: Request, principal: &Principal) -> Result<Answer, Error> {
        let candidates = self.candidates(request.model.as_deref()).await?;
        self.first_of(candidates, request, principal).await
    }

    async fn prepare(&self, model: Option<&str>) -> Result<(), Error> {
        let mut last = Ok(());
        for candidate in self.candidates(model).await? {
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
                if named.serves(&model.name) && !is_known {
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
        for candidate in self.candidates(model).await? {
            last = candidate.backend.probe(candidate.model.as_deref()).await;
            if last.is_ok() {
                break;
            }
        }
        last
    }

    fn capacity(&self, model: Option<&str>) -> Capacity {
        let candidates = self.candidates_now(model).unwrap_or_default();
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
