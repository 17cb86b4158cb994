//! Looks at a server: whether it is well, what it has, and whether one that failed answers again.

use std::time::Duration;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use url::Url;

use super::{
    Cut, UrlBackend, bytes_of,
    list::{self, List},
    stream::too_slow,
    unreachable,
};
use crate::{
    answer::{Answer, Body, ChunkStream},
    error::{Code, Error},
    judge::{Verdict, judge},
    operation::Operation,
};

/// How long a look at the server may take.
const LOOK_WITHIN: Duration = Duration::from_secs(10);
/// The most bytes of a list of models.
const MODELS_BYTES: usize = 4 << 20;
/// Models of Ollama that are asked for their kinds at a time, and at most in one look.
const SHOWN_AT_ONCE: usize = 8;
const MOST_SHOWN: usize = 256;

impl UrlBackend {
    /// Asks whether the server is well, and learns which models it has. What it failed to answer stays its ailment.
    pub(super) async fn look(&self) -> Result<(), Error> {
        let looked = tokio::time::timeout(LOOK_WITHIN, async {
            self.look_at_health().await?;
            self.look_at_models().await
        });
        let looked = looked.await.unwrap_or_else(|_| {
            let seconds = LOOK_WITHIN.as_secs();
            Err(unreachable(
                &self.address,
                format!("it gave no answer within {seconds} s"),
            ))
        });
        match &looked {
            Ok(()) if self.state.trial().is_none() => self.state.health.well(),
            Ok(()) => {}
            Err(error) => self.state.health.failed(&error.message),
        }
        looked
    }

    /// Asks again, with a small question, what it failed to answer.
    pub(super) async fn try_again(&self) -> Result<(), Error> {
        let Some(trial) = self.state.trial() else {
            return Ok(());
        };
        let Some(request) = trial.request() else {
            self.state.well();
            return Ok(());
        };
        let within = self.settings.limits.first_byte_within;
        let answered = tokio::time::timeout(within, async {
            let Answer { body, .. } = self.answered(&request).await?;
            match body {
                Body::Whole(_) => Ok(()),
                Body::Stream(chunks) => to_the_end(chunks).await.map_err(|error| self.failed(error)),
            }
        });
        match answered
            .await
            .unwrap_or_else(|_| Err(self.failed(too_slow(within))))
        {
            Err(error) if error.is_of_the_backend() => {
                self.state.health.failed(&error.message);
                Err(error)
            }
            // Whoever refuses a question in words is there to answer others.
            Ok(()) | Err(_) => {
                self.state.well();
                Ok(())
            }
        }
    }

    async fn look_at_health(&self) -> Result<(), Error> {
        let Some(path) = &self.settings.health else {
            return Ok(());
        };
        let mut url = self.settings.base.clone();
        url.set_path(path);
        self.get(url, path).await.map(drop)
    }

    /// Where the server says elsewhere that it is well, it need not list its models.
    async fn look_at_models(&self) -> Result<(), Error> {
        let listed = async {
            let answer = self.get(self.url("models"), "/v1/models").await?;
            self.learn(answer).await.map_err(|why| self.not_ready(&why))
        };
        let listed = listed.await;
        if self.settings.health.is_some() && listed.is_err() {
            self.listed.lock().get_or_insert_default();
            return Ok(());
        }
        listed
    }

    async fn get(&self, url: Url, path: &str) -> Result<reqwest::Response, Error> {
        let answer = self.ask(reqwest::Method::GET, url).send().await;
        let answer = answer.map_err(|error| self.unreachable(error))?;
        let status = answer.status().as_u16();
        let setting = &self.settings.setting;
        let hint = match status {
            200..=299 => return Ok(answer),
            401 | 403 => format!(": is the key in {} right?", setting_beside(setting, "key_file")),
            404 | 405 => format!(
                ": is {setting} the server's address, with or without /v1? A server that lists no models needs {}",
                setting_beside(setting, "health")
            ),
            _ => String::new(),
        };
        Err(self.not_ready(&format!("it answers GET {path} with status {status}{hint}")))
    }

    fn not_ready(&self, why: &str) -> Error {
        let address = &self.address;
        Error::new(
            Code::BackendNotReady,
            format!("the backend at {address} is not ready: {why}"),
        )
    }

    /// Reads the list of models.
    async fn learn(&self, answer: reqwest::Response) -> Result<(), String> {
        let body = bytes_of(answer, MODELS_BYTES).await.map_err(|why| match why {
            Cut::TooLarge => format!("its list of models is larger than {MODELS_BYTES} bytes"),
            Cut::Broken(why) => why,
        })?;
        match judge(Operation::Models, 200, &body) {
            Verdict::Counts => {}
            Verdict::NoAnswer(why) => return Err(format!("GET /v1/models: {why}")),
            Verdict::NoRoute => return Err("GET /v1/models: it has no such route".to_owned()),
        }
        let mut list = List::read(&body);
        self.ask_ollama(&mut list).await;
        *self.listed.lock() = Some(list);
        Ok(())
    }

    /// Ollama says what a model is for where one model is asked about. What it said before holds.
    async fn ask_ollama(&self, list: &mut List) {
        let known = self.listed.lock().clone().unwrap_or_default();
        let mut unknown = Vec::new();
        for listed in list
            .iter_mut()
            .filter(|listed| listed.is_ollamas && !listed.is_said)
        {
            match known.get(&listed.entry.name).filter(|before| before.is_said) {
                Some(before) => (listed.entry.task, listed.is_said) = (before.entry.task, true),
                None => unknown.push(listed),
            }
        }
        stream::iter(unknown.into_iter().take(MOST_SHOWN))
            .for_each_concurrent(SHOWN_AT_ONCE, |listed| async move {
                if let Some(shown) = self.show(&listed.entry.name).await {
                    // It is not asked twice, whatever it says.
                    listed.is_said = true;
                    listed.entry.task = list::said(&shown).unwrap_or(listed.entry.task);
                }
            })
            .await;
    }

    /// Ollama's `/api/show`; `Null` where there is no such route, nothing where no answer came.
    async fn show(&self, model: &str) -> Option<Value> {
        let mut url = self.url("models");
        let root = url.path().trim_end_matches("v1/models").to_owned();
        url.set_path(&format!("{root}api/show"));
        let body = json!({ "model": model }).to_string();
        let asked = self.ask(reqwest::Method::POST, url).body(body);
        let answer = asked.header("Content-Type", "application/json").send().await;
        let body = bytes_of(answer.ok()?, MODELS_BYTES).await.ok()?;
        Some(serde_json::from_slice(&body).unwrap_or_default())
    }
}

async fn to_the_end(mut chunks: ChunkStream) -> Result<(), Error> {
    while let Some(chunk) = chunks.next().await {
        chunk?;
    }
    Ok(())
}

/// Another setting of a server whose address is in `setting`: `miner.backend` has `miner.backend_health` beside it, and
/// `backends.box.url` has `backends.box.health`.
#[must_use]
pub fn setting_beside(setting: &str, other: &str) -> String {
    match setting.strip_suffix(".url") {
        Some(table) => format!("{table}.{other}"),
        None => format!("{setting}_{other}"),
    }
}
