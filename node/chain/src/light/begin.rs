//! Where trust begins: at the operator's anchor, at what was verified before, or at a head on which endpoints agree. Where
//! anchor and chain contradict each other nothing is begun: a person decides.

use std::{sync::Arc, time::Duration};

use hearth_base::Height;

use super::{Light, LightError};
use crate::{
    config::Anchor,
    db::{DbError, Origin},
    rpc::{Endpoint, Fault, Lie},
    verify::{self, HeaderError, Trusted, VerifiedHeader},
};

/// A head that endpoints agree on is fresh, and our clock right, if it is not older than this by our clock.
const FRESH: Duration = Duration::from_secs(600);

/// Whose word a trust anchor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// That of the configuration or the network file.
    Configured(Anchor),
    /// That of a person, who gave it to the running program at this moment.
    ByPerson(Anchor, i64),
}

impl Given {
    pub(crate) fn anchor(self) -> Anchor {
        match self {
            Given::Configured(anchor) | Given::ByPerson(anchor, _) => anchor,
        }
    }
}

impl From<Anchor> for Origin {
    fn from(anchor: Anchor) -> Origin {
        Origin {
            anchor,
            agreed: Vec::new(),
        }
    }
}

impl Light {
    /// The anchor that counts: a person's before that of the configuration.
    pub(crate) async fn given(&self) -> Result<Option<Given>, DbError> {
        let by_person = self.db.person_anchor().await?;
        let by_person = by_person.map(|(anchor, at_ms)| Given::ByPerson(anchor, at_ms));
        Ok(by_person.or(self.configured.map(Given::Configured)))
    }

    async fn anchor(&self) -> Result<Option<Anchor>, DbError> {
        Ok(self.given().await?.map(Given::anchor))
    }

    pub(super) async fn begin(&self) -> Result<Trusted, LightError> {
        let stored = self.db.header_at_or_below(Height(u64::MAX)).await?;
        let given = self.given().await?;
        let rules = self.anchor_rules && matches!(given, Some(Given::Configured(_)));
        let given = given.map(|given| Origin::from(given.anchor()));
        match (stored, given) {
            (Some(stored), given) if self.is_expired(&stored) => self.after_expiry(&stored, given).await,
            (Some(stored), _) => match self.resume(stored).await {
                Err(LightError::Conflict { why }) if rules => {
                    tracing::warn!(why, "the stored headers are of another chain and are dropped");
                    self.begin_anew().await
                }
                other => other,
            },
            (None, Some(given)) => self.begin_at(given).await,
            (None, None) => {
                let (agreed, _) = self.agreed_head().await?;
                self.begin_at(agreed).await
            }
        }
    }

    /// Drops what was verified, and begins with the operator's anchor.
    async fn begin_anew(&self) -> Result<Trusted, LightError> {
        let origin = match self.anchor().await? {
            Some(anchor) => anchor.into(),
            None => self.agreed_head().await?.0,
        };
        self.begin_at(origin).await
    }

    /// A person has decided between the stored headers and the anchor: the anchor counts.
    pub(crate) async fn prefer_anchor(&self) -> Result<(), LightError> {
        let mut newest = self.newest.lock().await;
        let trusted = self.begin_anew().await?;
        self.show(&mut newest, trusted);
        Ok(())
    }

    /// A person gives a trust anchor. It is kept where an endpoint has that block, and where what was verified so far does
    /// not contradict it, or is to be forgotten for it (`instead`).
    pub(crate) async fn give_anchor(&self, anchor: Anchor, instead: bool) -> Result<(), LightError> {
        let mut newest = self.newest.lock().await;
        let begun = if instead {
            None
        } else {
            self.begun(&mut newest).await.ok()
        };
        let agrees = match begun {
            Some(trusted) => self.holds(&trusted, anchor).await?,
            None => false,
        };
        if !agrees {
            let trusted = self.begin_at(anchor.into()).await?;
            self.show(&mut newest, trusted);
        }
        self.db.save_person_anchor(anchor, self.clock.now_ms()).await?;
        Ok(())
    }

    /// Forgets a person's anchor: that of the configuration counts again from the next start on.
    pub(crate) async fn forget_anchor(&self) -> Result<(), LightError> {
        Ok(self.db.forget_person_anchor().await?)
    }

    /// The stored headers are older than the trusting period, or our clock is wrong: nothing is dropped before a newer
    /// anchor, or a head that is fresh by our clock, says that it is right.
    async fn after_expiry(
        &self,
        stored: &VerifiedHeader,
        given: Option<Origin>,
    ) -> Result<Trusted, LightError> {
        let expired = HeaderError::TrustExpired {
            height: stored.height(),
            header_time: stored.header().time.to_rfc3339(),
            trusting_period: self.rules.trusting_period,
        };
        match given {
            Some(origin) if origin.anchor.height > stored.height() => self.begin_at(origin).await,
            Some(_) => Err(expired.into()),
            None => {
                let (agreed, time) = self.agreed_head().await?;
                let age = Duration::try_from(self.clock.now() - time).unwrap_or_default();
                if age > FRESH {
                    return Err(expired.into());
                }
                self.begin_at(agreed).await
            }
        }
    }

    /// Goes on from what was stored, if it agrees with the operator's anchor.
    async fn resume(&self, stored: VerifiedHeader) -> Result<Trusted, LightError> {
        let trusted = self.trusted_of(stored).await?;
        let Some(anchor) = self.anchor().await? else {
            return Ok(trusted);
        };
        if self.holds(&trusted, anchor).await? {
            return Ok(trusted);
        }
        // Nothing that is stored says anything of it: the operator's word counts.
        self.begin_anew().await
    }

    /// Whether what was verified holds the anchor; `false` where nothing of it says anything.
    async fn holds(&self, trusted: &Trusted, anchor: Anchor) -> Result<bool, LightError> {
        let at_anchor = if let Some(header) = self.kept(anchor.height).await? {
            header
        } else if anchor.height > trusted.header.height() {
            self.link(trusted, anchor).await?.header
        } else {
            match self.older_header(anchor.height).await {
                Ok(header) => header,
                // An anchor from long ago, which led here once.
                Err(LightError::TooOld { .. }) => {
                    return Ok(self
                        .db
                        .origin()
                        .await?
                        .is_some_and(|origin| origin.anchor == anchor));
                }
                Err(error) => return Err(error),
            }
        };
        if at_anchor.hash() != anchor.hash {
            let why = format!(
                "the verified header there has hash {}",
                hex::encode(at_anchor.hash())
            );
            return Err(contradiction(anchor, &why));
        }
        Ok(true)
    }

    /// Verifies from the stored headers to the operator's. Where no endpoint leads there, it is another chain of the
    /// same name, or the stored headers are those of a fork.
    async fn link(&self, trusted: &Trusted, anchor: Anchor) -> Result<Trusted, LightError> {
        let mut last = None;
        let mut lies: Vec<(Arc<Endpoint>, Lie)> = Vec::new();
        for endpoint in self.pool.candidates() {
            let step = |_: &Trusted| {};
            match self.bisect(&endpoint, trusted.clone(), anchor.height, step).await {
                Ok(reached) => {
                    for (liar, lie) in lies {
                        self.pool.ban(&liar, lie);
                    }
                    return Ok(reached);
                }
                Err(Fault::Lie(lie)) => lies.push((endpoint, lie)),
                Err(Fault::Failed(error)) => last = Some(error),
                Err(Fault::Final(error)) => return Err(error),
            }
        }
        match lies.first() {
            Some((endpoint, lie)) => {
                let why = format!(
                    "the headers verified so far do not lead to it by {}: {}",
                    endpoint.name(),
                    lie.why
                );
                Err(contradiction(anchor, &why))
            }
            None => Err(last.unwrap_or_else(|| self.pool.none_left().into())),
        }
    }

    async fn begin_at(&self, origin: Origin) -> Result<Trusted, LightError> {
        let anchor = origin.anchor;
        let mut last = None;
        let mut others: Vec<(Arc<Endpoint>, Lie)> = Vec::new();
        for endpoint in self.pool.candidates() {
            let (block, said) = match self.fetch(&endpoint, anchor.height, None).await {
                Ok(block) => block,
                Err(Fault::Lie(lie)) => {
                    self.pool.ban(&endpoint, lie);
                    continue;
                }
                Err(Fault::Failed(error)) => {
                    last = Some(error);
                    continue;
                }
                Err(Fault::Final(error)) => return Err(error),
            };
            match verify::anchor(block, self.chain_id.as_str(), anchor.height, &anchor.hash) {
                Ok(trusted) => {
                    for (other, lie) in others {
                        self.pool.ban(&other, lie);
                    }
                    self.db.start_from(&origin).await?;
                    self.recent.clear();
                    self.keep(&trusted.header, Some(trusted.next_validators())).await;
                    tracing::info!(height = %anchor.height, hash = %hex::encode(anchor.hash), "trust begins");
                    return Ok(trusted);
                }
                Err(error) => others.push((endpoint, Lie::new(error.to_string()).heard(said))),
            }
        }
        match others.first() {
            Some((endpoint, lie)) => Err(contradiction(
                anchor,
                &format!("{} says: {}", endpoint.name(), lie.why),
            )),
            None => Err(last.unwrap_or_else(|| self.pool.none_left().into())),
        }
    }
}

fn contradiction(anchor: Anchor, why: &str) -> LightError {
    let (height, hash) = (anchor.height, hex::encode(anchor.hash));
    LightError::Conflict {
        why: format!("block {height} should have hash {hash}, but {why}"),
    }
}
