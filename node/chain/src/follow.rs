//! Followers: the events of blocks, in order, each block until it was acknowledged, also after a restart.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesOrdered};
use hearth_base::{Height, Tasks};
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::{oneshot, watch};

use crate::{
    db::{Db, DbError},
    events::{BlockEvent, of_block},
    head::{Head, Standing},
    light::{Light, LightError},
    rpc::{Pool, RpcError, is_pruned, wire::BlockResults},
};

/// Blocks that are asked for at a time, two questions each.
const AT_ONCE: usize = 16;
/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(500);

/// Where a follower begins that has acknowledged nothing yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartFrom {
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
    pub events: Vec<BlockEvent>,
    /// Host and port of the endpoint on whose word they stand; empty where nobody has them.
    pub endpoint: String,
}

/// A place in the chain that moves on block by block. Dropping it changes nothing: the next follower of the same name
/// goes on after the last acknowledged block. Blocks that are there already are asked for several at a time.
pub struct Follower {
    name: String,
    /// The first height that was not delivered yet; `None` before the database was asked.
    next: Option<Height>,
    /// The first height that was not asked for yet.
    unasked: Height,
    /// What is asked for, in order of heights.
    coming: FuturesOrdered<Coming>,
    /// Whose events are wanted; `None`: all.
    needed: Option<Heights>,
    from: StartFrom,
    /// The newest block when the follower was made.
    born: Height,
    source: Source,
    db: Db,
    head: watch::Receiver<Head>,
    tasks: Tasks,
}

type Coming = BoxFuture<'static, (Height, Result<BlockEvents, LightError>)>;

/// Where blocks come from.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) pool: Arc<Pool>,
    pub(crate) light: Arc<Light>,
    pub(crate) head: watch::Receiver<Head>,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let position = self.next.map(|next| next.0);
        write!(
            f,
            "Follower({}, next {position:?}, {} asked for)",
            self.name,
            self.coming.len()
        )
    }
}

impl Follower {
    pub(crate) fn new(name: &str, from: StartFrom, source: Source, db: Db, tasks: Tasks) -> Follower {
        let head = source.head.clone();
        let born = head.borrow().height;
        Follower {
            name: name.to_owned(),
            next: None,
            unasked: Height(0),
            coming: FuturesOrdered::new(),
            needed: None,
            from,
            born,
            source,
            db,
            head,
            tasks,
        }
    }

    /// Names the heights whose events are wanted from here on; the others are passed over without a question. It may be
    /// called as often as that changes: what was not delivered yet is chosen anew. A follower that was never told
    /// delivers every block.
    pub fn need(&mut self, heights: Heights) {
        if self.needed.as_ref() == Some(&heights) {
            return;
        }
        self.needed = Some(heights);
        self.coming = FuturesOrdered::new();
        self.unasked = self.next.unwrap_or_default();
    }

    /// The next wanted block, as soon as it is there. `None` when the chain part is stopped. It may be dropped at any
    /// time; nothing is lost then.
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
    pub fn acknowledge(
        &self,
        height: Height,
    ) -> impl Future<Output = Result<(), DbError>> + Send + 'static + use<> {
        let (db, name) = (self.db.clone(), self.name.clone());
        async move { db.save_follower(&name, height).await }
    }

    async fn step(&mut self) -> Result<BlockEvents, DbError> {
        self.position().await?;
        loop {
            self.ask();
            let Some((height, answer)) = self.coming.next().await else {
                self.wait_for_more().await;
                continue;
            };
            match answer {
                Ok(block) => {
                    self.next = Some(height.plus(1));
                    return Ok(block);
                }
                Err(error) => {
                    tracing::debug!(%height, %error, "a block cannot be followed yet");
                    // In its place again before anything is waited for.
                    self.coming.push_front(self.fetch(height, PAUSE));
                    if let LightError::Db(error) = error {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Asks for blocks that are there, as many as may be asked for at a time.
    fn ask(&mut self) {
        let head = self.head.borrow().height;
        while self.coming.len() < AT_ONCE {
            match self.first_needed() {
                Some(height) if height <= head => {
                    self.coming.push_back(self.fetch(height, Duration::ZERO));
                    self.unasked = height.plus(1);
                }
                Some(_) | None => return,
            }
        }
    }

    /// Asks for a block after a pause, in a task of its own: it goes on while the caller deals with the block before,
    /// since it may hold the database's lock, which the caller may need. It ends when nobody waits for it any more.
    fn fetch(&self, height: Height, pause: Duration) -> Coming {
        let (mut tell, told) = oneshot::channel();
        let source = self.source.clone();
        self.tasks.spawn_until_stopped("fetch a block", async move {
            let fetched = async {
                tokio::time::sleep(pause).await;
                source.block_events(height).await
            };
            tokio::select! {
                () = tell.closed() => {}
                block = fetched => {
                    // Whoever asked may have gone.
                    let _ = tell.send(block);
                }
            }
        });
        Box::pin(async move {
            match told.await {
                Ok(block) => (height, block),
                // The chain part is stopped, which the caller sees by itself.
                Err(_) => std::future::pending().await,
            }
        })
    }

    /// The first height from here on that is wanted.
    fn first_needed(&self) -> Option<Height> {
        match &self.needed {
            None => Some(self.unasked),
            Some(heights) => heights.first_from(self.unasked),
        }
    }

    /// The height to deliver next.
    async fn position(&mut self) -> Result<(), DbError> {
        if self.next.is_some() {
            return Ok(());
        }
        let next = match (self.db.follower(&self.name).await?, self.from) {
            (Some(acknowledged), _) => acknowledged.plus(1),
            (None, StartFrom::Height(height)) => Height(height.0.max(1)),
            (None, StartFrom::Next) => {
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
        (self.next, self.unasked) = (Some(next), next);
        Ok(())
    }

    /// Waits until the next wanted block is there.
    async fn wait_for_more(&mut self) {
        let reached = match self.first_needed() {
            Some(height) => self.head.wait_for(|head| head.height >= height).await.is_ok(),
            None => false,
        };
        if !reached {
            std::future::pending::<()>().await;
        }
    }
}

/// Heights, as ranges in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heights(Vec<RangeInclusive<u64>>);

impl Heights {
    /// The first of them at or after `height`.
    #[must_use]
    pub fn first_from(&self, height: Height) -> Option<Height> {
        let range = self.0.iter().find(|range| *range.end() >= height.0)?;
        Some(Height(height.0.max(*range.start())))
    }

    /// Whether `height` is one of them.
    #[must_use]
    pub fn contains(&self, height: Height) -> bool {
        self.first_from(height) == Some(height)
    }
}

impl FromIterator<RangeInclusive<Height>> for Heights {
    fn from_iter<I: IntoIterator<Item = RangeInclusive<Height>>>(ranges: I) -> Heights {
        let mut sorted: Vec<RangeInclusive<u64>> = ranges
            .into_iter()
            .map(|range| range.start().0..=range.end().0)
            .filter(|range| !range.is_empty())
            .collect();
        sorted.sort_by_key(|range| *range.start());
        let mut merged: Vec<RangeInclusive<u64>> = Vec::new();
        for range in sorted {
            match merged.last_mut() {
                Some(last) if *range.start() <= last.end().saturating_add(1) => {
                    *last = *last.start()..=(*last.end()).max(*range.end());
                }
                Some(_) | None => merged.push(range),
            }
        }
        Heights(merged)
    }
}

impl Source {
    /// What happened in a block.
    pub(crate) async fn block_events(&self, height: Height) -> Result<BlockEvents, LightError> {
        let params = json!({ "height": height.0.to_string() });
        let (header, results) = futures::join!(
            self.light.header(height),
            self.pool.call_named::<BlockResults>("block_results", params)
        );
        let header = match header {
            Ok(header) => Some(header),
            Err(LightError::NoTrust { .. } | LightError::TooOld { .. }) => None,
            Err(LightError::Rpc(RpcError::Refused { data, .. })) if is_pruned(&data) => None,
            Err(error) => return Err(error),
        };
        let results = match results {
            Ok(results) => Some(results),
            Err(RpcError::Refused { data, .. }) if is_pruned(&data) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some((results, endpoint)) = &results
            && u64::try_from(results.height) != Ok(height.0)
        {
            let what = format!("asked for block {height}, it sent block {}", results.height);
            let (endpoint, method) = (endpoint.clone(), "block_results".to_owned());
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
                let head = self.head.borrow();
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
            events: results
                .as_ref()
                .map(|(results, _)| of_block(results))
                .unwrap_or_default(),
            endpoint: results.map(|(_, endpoint)| endpoint).unwrap_or_default(),
        })
    }
}

/// Waits until the head is followed, and the state after `height` can be proven. Says how things stand otherwise, after
/// `patience`.
pub(crate) async fn reach(
    head: &watch::Receiver<Head>,
    height: Height,
    patience: Duration,
) -> Result<Head, Standing> {
    let mut waiting = head.clone();
    // What a former run verified is shown before anybody answers, and proves nothing new.
    let is_there = |head: &Head| head.proven_height >= height && head.standing != Standing::Starting;
    let reached = tokio::time::timeout(patience, waiting.wait_for(is_there)).await;
    match reached {
        Ok(Ok(reached)) => Ok(reached.clone()),
        Ok(Err(_)) | Err(_) => Err(head.borrow().standing.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heights_are_joined_and_found() {
        let range = |from, to| Height(from)..=Height(to);
        let heights: Heights = [
            range(20, 25),
            range(5, 7),
            range(8, 9),
            range(24, 30),
            range(3, 1),
        ]
        .into_iter()
        .collect();
        assert_eq!(heights.0, [5..=9, 20..=30]);
        let first = |height| heights.first_from(Height(height)).map(|height| height.0);
        assert_eq!(
            [first(0), first(5), first(10), first(30), first(31)],
            [Some(5), Some(5), Some(20), Some(30), None]
        );
        assert!(heights.contains(Height(9)) && !heights.contains(Height(10)));
    }
}
