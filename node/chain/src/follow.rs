//! Followers: every block's events, in order, each block once it was acknowledged, also after a restart.

use std::{sync::Arc, time::Duration};

use hearth_base::{Height, Tasks};
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{
    db::{Db, DbError},
    events::{PlacedEvent, of_block},
    head::{Head, Standing},
    light::{Light, LightError},
    rpc::{Pool, RpcError, wire::BlockResults},
};

/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Where a follower begins that has acknowledged nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// With the block after the one that is newest when the follower is made.
    Next,
    /// With the block of this height.
    Height(Height),
}

/// What happened in a block.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockEvents {
    /// The block.
    pub height: Height,
    /// Its hash.
    pub hash: [u8; 32],
    /// When it was made.
    pub time: OffsetDateTime,
    /// Whether its header was verified. Its events stand on the endpoint's word: the chain does not commit to them.
    pub verified: bool,
    /// Whether its events could be had. Where every endpoint has pruned them, the state itself must be asked.
    pub complete: bool,
    /// What happened, in the order of execution.
    pub events: Vec<PlacedEvent>,
}

/// A place in the chain that moves on block by block. Dropping it changes nothing: the next follower of the same name
/// goes on after the last acknowledged block.
#[derive(Debug)]
pub struct Follower {
    name: String,
    next: Option<Height>,
    from: From,
    /// The newest block when the follower was made.
    born: Height,
    pool: Arc<Pool>,
    light: Arc<Light>,
    db: Db,
    head: watch::Receiver<Head>,
    tasks: Tasks,
}

impl Follower {
    #[allow(
        clippy::too_many_arguments,
        reason = "called in one place, with the chain's own parts"
    )]
    pub(crate) fn new(
        name: &str,
        from: From,
        pool: Arc<Pool>,
        light: Arc<Light>,
        db: Db,
        head: watch::Receiver<Head>,
        tasks: Tasks,
    ) -> Follower {
        let born = head.borrow().height;
        Follower {
            name: name.to_owned(),
            next: None,
            from,
            born,
            pool,
            light,
            db,
            head,
            tasks,
        }
    }

    /// The next block, as soon as it is there. `None` when the chain part is stopped.
    ///
    /// # Errors
    /// A database that does not answer. Endpoints that fail are waited for.
    pub async fn next(&mut self) -> Result<Option<BlockEvents>, DbError> {
        let token = self.tasks.token();
        tokio::select! {
            biased;
            () = token.cancelled() => Ok(None),
            block = self.step() => block.map(Some),
        }
    }

    /// Records that everything up to `height` was dealt with.
    ///
    /// # Errors
    /// A database that cannot be written.
    pub async fn acknowledge(&self, height: Height) -> Result<(), DbError> {
        self.db.save_follower(&self.name, height).await
    }

    async fn step(&mut self) -> Result<BlockEvents, DbError> {
        let height = self.position().await?;
        loop {
            self.wait_for(height).await;
            match block_events(&self.pool, &self.light, &self.head, height).await {
                Ok(block) => {
                    self.next = Some(height.plus(1));
                    return Ok(block);
                }
                Err(LightError::Db(error)) => return Err(error),
                Err(error) => {
                    tracing::debug!(%height, %error, "a block cannot be followed yet");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// The height to deliver next.
    async fn position(&mut self) -> Result<Height, DbError> {
        if let Some(next) = self.next {
            return Ok(next);
        }
        let next = match (self.db.follower(&self.name).await?, self.from) {
            (Some(acknowledged), _) => acknowledged.plus(1),
            (None, From::Height(height)) => Height(height.0.max(1)),
            (None, From::Next) => {
                let mut height = self.born;
                if height.0 == 0 {
                    // Ends only with the chain part, which is noticed elsewhere.
                    let seen = self
                        .head
                        .wait_for(|head| head.height.0 > 0)
                        .await
                        .map(|head| head.height);
                    let Ok(seen) = seen else {
                        std::future::pending().await
                    };
                    height = seen;
                }
                // A crash before the first acknowledgement must not skip blocks.
                self.db.save_follower(&self.name, height).await?;
                height.plus(1)
            }
        };
        self.next = Some(next);
        Ok(next)
    }

    async fn wait_for(&mut self, height: Height) {
        if self.head.wait_for(|head| head.height >= height).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// What happened in a block.
pub(crate) async fn block_events(
    pool: &Pool,
    light: &Light,
    head: &watch::Receiver<Head>,
    height: Height,
) -> Result<BlockEvents, LightError> {
    let header = match light.header(height).await {
        Ok(header) => Some(header),
        Err(LightError::NoTrust { .. } | LightError::AnchorUnknown { .. } | LightError::TooOld { .. }) => {
            None
        }
        Err(error) => return Err(error),
    };
    let params = json!({ "height": height.0.to_string() });
    let results = match pool.call::<BlockResults>("block_results", params).await {
        Ok(results) => Some(results),
        Err(RpcError::Refused { data, .. }) if is_pruned(&data) => None,
        Err(error) => return Err(error.into()),
    };
    if let Some(results) = &results
        && u64::try_from(results.height) != Ok(height.0)
    {
        let what = format!("asked for block {height}, it sent block {}", results.height);
        let (endpoint, method) = ("an endpoint".to_owned(), "block_results".to_owned());
        return Err(RpcError::Rubbish {
            endpoint,
            method,
            what,
        }
        .into());
    }
    let (hash, time) = match &header {
        Some(header) => (header.hash(), header.time()),
        None => {
            let head = head.borrow();
            if head.height == height {
                (head.hash, head.time)
            } else {
                ([0; 32], OffsetDateTime::UNIX_EPOCH)
            }
        }
    };
    Ok(BlockEvents {
        height,
        hash,
        time,
        verified: header.is_some(),
        complete: results.is_some(),
        events: results.as_ref().map(of_block).unwrap_or_default(),
    })
}

fn is_pruned(data: &str) -> bool {
    ["lowest height", "could not find results", "is not available"]
        .iter()
        .any(|text| data.contains(text))
}

/// Waits until the head is followed at or above `height`. Says how things stand otherwise, after `patience`.
pub(crate) async fn reach(
    head: &watch::Receiver<Head>,
    height: Height,
    patience: Duration,
) -> Result<Head, Standing> {
    let mut waiting = head.clone();
    let reached = tokio::time::timeout(patience, waiting.wait_for(|head| head.proven_height >= height)).await;
    match reached {
        Ok(Ok(reached)) => Ok(reached.clone()),
        Ok(Err(_)) | Err(_) => Err(head.borrow().standing.clone()),
    }
}
