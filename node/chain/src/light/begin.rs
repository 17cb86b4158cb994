//! Where trust begins: at the operator's anchor, at what was verified before, or at a head on which endpoints agree. Where
//! anchor and chain contradict each other nothing is begun: a person decides.

use std::{sync::Arc, time::Duration};

use hearth_base::Height;

use super::{EndpointFault, Light, LightError};
use crate::{
    config::Anchor,
    db::Origin,
    rpc::Endpoint,
    verify::{self, HeaderError, Trusted, VerifiedHeader},
};

/// A head that endpoints agree on is fresh, and our clock right, if it is not older than this by our clock.
const FRESH: Duration = Duration::from_secs(600);

impl Light {
    pub(super) async fn begin(&self) -> Result<Trusted, LightError> {
        let stored = self.db.header_at_or_below(Height(u64::MAX)).await?;
        let given = self.anchor.map(|anchor| Origin {
            anchor,
            agreed: Vec::new(),
        });
        match (stored, given) {
            (Some(stored), given) if self.is_expired(&stored) => self.after_expiry(&stored, given).await,
            (Some(stored), _) => match self.resume(stored).await {
                Err(LightError::Conflict { why }) if self.anchor_rules => {
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
        let origin = match self.anchor {
            Some(anchor) => Origin {
                anchor,
                agreed: Vec::new(),
            },
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
        let Some(anchor) = self.anchor else {
            return Ok(trusted);
        };
        let at_anchor = if let Some(header) = self.db.header(anchor.height).await? {
            header
        } else if anchor.height > trusted.header.height() {
            self.link(&trusted, anchor.height).await?.header
        } else {
            match self.older_header(anchor.height).await {
                Ok(header) => header,
                // An anchor from long ago, which led here once.
                Err(LightError::TooOld { .. })
                    if self.db.origin().await?.is_some_and(|o| o.anchor == anchor) =>
                {
                    return Ok(trusted);
                }
                // Nothing that is stored says anything of it: the operator's word counts.
                Err(LightError::TooOld { .. }) => return self.begin_anew().await,
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
        Ok(trusted)
    }

    /// Verifies from the stored headers to the operator's. Where no endpoint leads there, it is another chain of the
    /// same name, or the stored headers are those of a fork.
    async fn link(&self, trusted: &Trusted, target: Height) -> Result<Trusted, LightError> {
        let mut last = None;
        let mut lies: Vec<(Arc<Endpoint>, String)> = Vec::new();
        for endpoint in self.pool.candidates() {
            match self.bisect(&endpoint, trusted.clone(), target).await {
                Ok(reached) => {
                    for (liar, why) in lies {
                        self.pool.ban(&liar, &why);
                    }
                    return Ok(reached);
                }
                Err(EndpointFault::Lie(why)) => lies.push((endpoint, why)),
                Err(EndpointFault::Failed(error)) => last = Some(error),
                Err(EndpointFault::Ours(error)) => return Err(error),
            }
        }
        match (lies.first(), self.anchor) {
            (Some((endpoint, why)), Some(anchor)) => {
                let why = format!(
                    "the headers verified so far do not lead to it by {}: {why}",
                    endpoint.name()
                );
                Err(contradiction(anchor, &why))
            }
            (Some(_), None) | (None, _) => Err(last.unwrap_or_else(|| self.pool.none_left()).into()),
        }
    }

    async fn begin_at(&self, origin: Origin) -> Result<Trusted, LightError> {
        let anchor = origin.anchor;
        let mut last = None;
        let mut others: Vec<(Arc<Endpoint>, String)> = Vec::new();
        for endpoint in self.pool.candidates() {
            let block = match self.fetch(&endpoint, anchor.height, None).await {
                Ok(block) => block,
                Err(EndpointFault::Lie(why)) => {
                    self.pool.ban(&endpoint, &why);
                    continue;
                }
                Err(EndpointFault::Failed(error)) => {
                    last = Some(error);
                    continue;
                }
                Err(EndpointFault::Ours(error)) => return Err(error),
            };
            match verify::anchor(block, self.chain_id.as_str(), anchor.height, &anchor.hash) {
                Ok(trusted) => {
                    for (other, why) in others {
                        self.pool.ban(&other, &why);
                    }
                    self.db.start_from(&origin).await?;
                    self.db
                        .save_header(&trusted.header, Some(trusted.next_validators()))
                        .await?;
                    tracing::info!(height = %anchor.height, hash = %hex::encode(anchor.hash), "trust begins");
                    return Ok(trusted);
                }
                Err(error) => others.push((endpoint, error.to_string())),
            }
        }
        match others.first() {
            Some((endpoint, why)) => Err(contradiction(anchor, &format!("{} says: {why}", endpoint.name()))),
            None => Err(last.unwrap_or_else(|| self.pool.none_left()).into()),
        }
    }
}

fn contradiction(anchor: Anchor, why: &str) -> LightError {
    let (height, hash) = (anchor.height, hex::encode(anchor.hash));
    LightError::Conflict {
        why: format!("block {height} should have hash {hash}, but {why}"),
    }
}
