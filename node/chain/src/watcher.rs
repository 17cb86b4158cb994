//! The watcher of the head: a loop that asks for it, has it verified and tells everybody.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use hearth_base::{ChainId, Clock, Height};
use parking_lot::Mutex;
use serde_json::json;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{
    endpoints::Endpoints,
    head::{Head, Standing, stale_after, to_the_second},
    light::{Light, LightError},
    rpc::{
        Endpoint, Fault, Heard, Lie, Pool,
        wire::{CommitAnswer, Status},
    },
    verify::{HeaderError, VerifiedHeader},
};

/// All endpoints are asked every so many rounds, or as long as those take where they are answered at once: beside a slow one
/// that is asked alone the others would seem to stand still, and be asked after it. Between, only the best one is asked.
const ASK_ALL_EVERY: u32 = 15;
/// In every so many rounds each endpoint's chain is compared with the verified one: a fork that lags is asked for nothing
/// else, and would never be named.
const COMPARE_EVERY: u32 = 4 * ASK_ALL_EVERY;
/// Heads that the mean time between blocks is taken from.
const PACE_OVER: usize = 20;
/// Fewer blocks say more about chance than about the mean.
const PACE_LEAST: u32 = 3;
/// A fresh block older than this by our clock means that our clock is ahead.
const CLOCK_AHEAD: Duration = Duration::from_secs(300);

/// How long an endpoint may take to show the height that it told, while others wait to be asked.
const ADVANCE_WITHIN: Duration = Duration::from_secs(30);
/// How long one that took longer is asked after the others.
const SLOW_FOR: Duration = Duration::from_secs(600);
/// Rounds without an answer before the chain counts as unreachable: a short failure says nothing.
const UNANSWERED_ROUNDS: u32 = 3;

/// Asks for the head, verifies it, publishes it.
pub(crate) struct Watcher {
    pub(crate) chain_id: ChainId,
    pub(crate) pool: Arc<Pool>,
    pub(crate) endpoints: Endpoints,
    pub(crate) light: Arc<Light>,
    pub(crate) clock: Clock,
    pub(crate) poll: Duration,
    pub(crate) head: watch::Sender<Head>,
    /// The heads seen last, with their times.
    pub(crate) seen: Mutex<VecDeque<(Height, OffsetDateTime)>>,
    /// When a new block was verified last, by our clock; `None` while only the first one was.
    pub(crate) moved_at: Mutex<Option<OffsetDateTime>>,
    /// Rounds in a row without a usable answer.
    pub(crate) unanswered: AtomicU32,
    /// Endpoints that did not show the height that they told in time, and until when they are asked after the others.
    pub(crate) too_slow: Mutex<BTreeMap<String, Instant>>,
}

impl Watcher {
    /// Runs until it is dropped.
    pub(crate) async fn run(self) {
        self.endpoints.recall().await;
        self.show_kept().await;
        let (mut round, mut asked_all) = (0_u32, Instant::now());
        loop {
            let is_due = asked_all.elapsed() >= self.poll.saturating_mul(ASK_ALL_EVERY);
            let is_following = self.head.borrow().standing == Standing::Following;
            let ask_all = round.is_multiple_of(ASK_ALL_EVERY) || is_due || !is_following;
            if ask_all {
                asked_all = Instant::now();
            }
            self.round(ask_all).await;
            if round % COMPARE_EVERY == ASK_ALL_EVERY {
                self.compare().await;
            }
            self.endpoints.write_evidence().await;
            round = round.wrapping_add(1);
            tokio::time::sleep(self.poll).await;
        }
    }

    /// What was verified in a former run is shown with its age before anybody answers.
    async fn show_kept(&self) {
        match self.light.newest_kept().await {
            Ok(Some(kept)) => {
                self.head.send_if_modified(|head| {
                    let is_new = head.verified_height < kept.height();
                    if is_new {
                        *head = Head {
                            standing: head.standing.clone(),
                            ..head_of(&kept, None)
                        };
                    }
                    is_new
                });
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "what was verified before cannot be read"),
        }
    }

    async fn round(&self, ask_all: bool) {
        let mut candidates = self.pool.candidates();
        if candidates.is_empty() {
            return self.none_left();
        }
        if !ask_all {
            candidates.truncate(1);
        }
        let mut reports = self.ask(&candidates).await;
        // The highest first; whoever could not show its last height in time comes after those that can.
        let now = Instant::now();
        self.too_slow.lock().retain(|_, until| *until > now);
        reports.sort_by_key(|(endpoint, status)| {
            let is_slow = self.too_slow.lock().contains_key(endpoint.name());
            (is_slow, std::cmp::Reverse(status.sync_info.latest_block_height))
        });
        if reports.is_empty() {
            return self.unreachable(self.pool.none_left().to_string());
        }
        let newest = match self.light.newest().await {
            Ok(newest) => newest,
            Err(error) => return self.without_trust(&reports, error),
        };
        let before = self.head.borrow().verified_height;
        let mut reached = newest;
        for (at, (endpoint, status)) in reports.iter().enumerate() {
            let target = height_of(status);
            if target <= reached.height() {
                break;
            }
            let began = Instant::now();
            let advanced = self.light.advance_with(endpoint, target);
            // Only while another one may do better: nothing is gained by leaving the last one.
            let within = if at + 1 < reports.len() {
                ADVANCE_WITHIN
            } else {
                Duration::MAX
            };
            let Ok(advanced) = tokio::time::timeout(within, advanced).await else {
                let why = format!("it took more than {ADVANCE_WITHIN:?} to show block {target}");
                endpoint.note_failure(&why, began);
                let until = Instant::now() + SLOW_FOR;
                self.too_slow.lock().insert(endpoint.name().to_owned(), until);
                // What it did show is verified.
                reached = self.light.newest().await.unwrap_or(reached);
                continue;
            };
            match advanced {
                Ok(header) => {
                    reached = header;
                    break;
                }
                Err(Fault::Lie(lie)) => self.pool.ban(endpoint, lie),
                Err(Fault::Failed(error)) => {
                    endpoint.note_failure(&hearth_base::failure::chain(&error), began);
                }
                Err(Fault::Final(error)) => return self.stand_for(&error),
            }
        }
        if self.pool.candidates().is_empty() && !self.pool.may_recover() {
            return self.none_left();
        }
        self.unanswered.store(0, Ordering::Relaxed);
        self.pool.note_verified(reached.height());
        let fresh = before.0 > 0
            && reached.height() > before
            && reports.iter().all(|(_, s)| !s.sync_info.catching_up);
        self.publish(&reached, fresh);
    }

    /// Compares a block of each endpoint with the verified one of its height.
    async fn compare(&self) {
        let verified = self.head.borrow().verified_height;
        let candidates = self.pool.candidates();
        let compared = candidates.clone().into_iter().map(|endpoint| async move {
            let height = Height(endpoint.height().min(verified).0.saturating_sub(1));
            let ours = self.light.kept(height).await.ok().flatten()?;
            let params = json!({ "height": height.0.to_string() });
            let said: (CommitAnswer, Heard) = endpoint.call_heard("commit", params).await.ok()?;
            let (answer, heard) = said;
            let theirs = answer.signed_header.header;
            let is_same = theirs.height.value() == height.0 && theirs.hash().as_bytes() == ours.hash();
            let why =
                || format!("its block {height} is not the one that the validators signed: it serves a fork");
            (!is_same).then(|| Lie::new(why()).heard(heard))
        });
        for (endpoint, lie) in candidates.iter().zip(join_all(compared).await) {
            if let Some(lie) = lie {
                self.pool.ban(endpoint, lie);
            }
        }
    }

    /// Asks endpoints for their status, refuses those of another chain.
    async fn ask(&self, candidates: &[Arc<Endpoint>]) -> Vec<(Arc<Endpoint>, Status)> {
        let asked = candidates
            .iter()
            .map(|endpoint| endpoint.call::<Status>("status", json!({})));
        let answers = join_all(asked).await;
        let mut reports = Vec::new();
        for (endpoint, answer) in candidates.iter().zip(answers) {
            let Ok(status) = answer else { continue };
            if status.node_info.network != self.chain_id.as_str() {
                endpoint.refuse_chain(&status.node_info.network);
                continue;
            }
            endpoint.note_status(&status);
            reports.push((Arc::clone(endpoint), status));
        }
        reports
    }

    fn publish(&self, reached: &VerifiedHeader, fresh: bool) {
        let block_time = self.pace(reached);
        let (now, limit) = (self.clock.now(), stale_after(block_time));
        if reached.height() > self.head.borrow().verified_height {
            let is_first = self.head.borrow().verified_height.0 == 0;
            *self.moved_at.lock() = (!is_first).then_some(now);
        }
        let age = now - reached.time();
        let ahead = Duration::try_from(age).unwrap_or_default();
        let standing = if fresh && ahead > CLOCK_AHEAD {
            let ahead_s = i64::try_from(ahead.as_secs()).unwrap_or(i64::MAX);
            let why = format!(
                "a block that was just made is {ahead_s} s old by this computer's clock: set the clock"
            );
            Standing::ClockSkew { ahead_s, why }
        } else if ahead > limit && self.moved_at.lock().is_none_or(|moved| now - moved > limit) {
            let why = format!(
                "no endpoint has a block after {} of {}: they stand still, or the chain does",
                reached.height(),
                to_the_second(reached.time()),
            );
            Standing::Stalled { why }
        } else {
            Standing::Following
        };
        let head = Head {
            standing,
            ..head_of(reached, block_time)
        };
        self.head.send_if_modified(|current| {
            // A slow clock verdict stays until the next block.
            if current.height == head.height && matches!(current.standing, Standing::ClockSkew { .. }) {
                return false;
            }
            let changed = *current != head;
            *current = head;
            changed
        });
    }

    /// Shows the newest head that somebody reports, marked as unverified.
    fn without_trust(&self, reports: &[(Arc<Endpoint>, Status)], error: LightError) {
        let standing = standing_of(&error);
        let unverified = matches!(standing, Standing::Unverified { .. });
        let Some((_, status)) = reports.first().filter(|_| unverified) else {
            return self.stand_for(&error);
        };
        let mut hash = [0; 32];
        // A hash that cannot be read stays zero: it is not verified anyway.
        let _ = hex::decode_to_slice(&status.sync_info.latest_block_hash, &mut hash);
        self.head.send_replace(Head {
            height: height_of(status),
            time: status.sync_info.latest_block_time,
            hash,
            verified_height: Height(0),
            proven_height: Height(0),
            block_time: None,
            standing,
        });
    }

    /// Mean time between blocks, from the last heads that were seen.
    fn pace(&self, reached: &VerifiedHeader) -> Option<Duration> {
        let mut seen = self.seen.lock();
        if seen.back().is_none_or(|(height, _)| *height < reached.height()) {
            seen.push_back((reached.height(), reached.time()));
        }
        if seen.len() > PACE_OVER {
            seen.pop_front();
        }
        let ((first, began), (last, ended)) = (seen.front()?, seen.back()?);
        let blocks = u32::try_from(last.since(*first))
            .ok()
            .filter(|blocks| *blocks >= PACE_LEAST)?;
        Some(Duration::try_from(*ended - *began).ok()? / blocks)
    }

    /// Nobody may be asked. That all gave false answers or serve another chain is no short failure, and is said at once.
    fn none_left(&self) {
        let why = self.pool.none_left().to_string();
        if self.pool.may_recover() {
            return self.unreachable(why);
        }
        self.unanswered.store(UNANSWERED_ROUNDS, Ordering::Relaxed);
        self.stand(Standing::Unreachable { why });
    }

    /// Nobody gives a usable answer. One failure more or less says nothing of a chain that was followed just now.
    fn unreachable(&self, why: String) {
        let rounds = self.unanswered.fetch_add(1, Ordering::Relaxed) + 1;
        let was_following = self.head.borrow().standing == Standing::Following;
        if rounds >= UNANSWERED_ROUNDS || !was_following {
            self.stand(Standing::Unreachable { why });
        }
    }

    fn stand_for(&self, error: &LightError) {
        let standing = standing_of(error);
        if let Standing::Unreachable { why } = standing {
            return self.unreachable(why);
        }
        self.stand(standing);
    }

    fn stand(&self, standing: Standing) {
        self.head.send_if_modified(|head| {
            let changed = head.standing != standing;
            head.standing = standing;
            changed
        });
    }
}

/// A head that was verified; its standing is for others to say.
fn head_of(verified: &VerifiedHeader, block_time: Option<Duration>) -> Head {
    let height = verified.height();
    Head {
        height,
        time: verified.time(),
        hash: verified.hash(),
        verified_height: height,
        proven_height: Height(height.0.saturating_sub(1)),
        block_time,
        standing: Standing::Following,
    }
}

fn height_of(status: &Status) -> Height {
    Height(u64::try_from(status.sync_info.latest_block_height).unwrap_or(0))
}

fn standing_of(error: &LightError) -> Standing {
    let why = hearth_base::failure::chain(error);
    match error {
        LightError::NoTrust { .. } => Standing::Unverified { why },
        LightError::Conflict { .. } => Standing::TrustConflict { why },
        LightError::Header(HeaderError::ClockBehind { behind, .. }) => {
            let behind_s = i64::try_from(behind.as_secs()).unwrap_or(i64::MAX);
            Standing::ClockSkew {
                ahead_s: -behind_s,
                why,
            }
        }
        LightError::Header(HeaderError::TrustExpired { .. }) => Standing::TrustExpired { why },
        LightError::Header(HeaderError::Forged { .. })
        | LightError::Rpc(_)
        | LightError::Db(_)
        | LightError::NotYet { .. }
        | LightError::TooOld { .. } => Standing::Unreachable { why },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, db::Db};

    #[tokio::test]
    async fn that_the_only_endpoint_lied_is_said_at_once_and_a_short_failure_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let store = hearth_store::Store::open(hearth_store::Config {
            path: folder.path().join("hearth.db"),
            chain_id: "test".into(),
            max_pages: None,
        })
        .await
        .unwrap();
        // Nobody listens on the discard port.
        let config = Config::new("test".into(), vec!["http://127.0.0.1:9".parse().unwrap()]);
        let pool = Pool::new(
            &config.endpoints,
            config.request_timeout,
            config.ban,
            clock.clone(),
        );
        let pool = Arc::new(pool.unwrap());
        let watcher = Watcher {
            chain_id: config.chain_id.clone(),
            pool: Arc::clone(&pool),
            endpoints: Endpoints::new(&config, Arc::clone(&pool), Db::new(&store), clock.clone()),
            light: Arc::new(Light::new(
                &config,
                Arc::clone(&pool),
                Db::new(&store),
                clock.clone(),
            )),
            clock,
            poll: config.poll,
            head: watch::Sender::new(Head {
                standing: Standing::Following,
                ..Head::nothing()
            }),
            seen: Mutex::default(),
            moved_at: Mutex::default(),
            unanswered: AtomicU32::new(0),
            too_slow: Mutex::default(),
        };
        watcher.round(true).await;
        assert_eq!(watcher.head.borrow().standing, Standing::Following);
        let only = pool.candidates().remove(0);
        pool.ban(&only, crate::rpc::Lie::new("its header is forged"));
        watcher.round(true).await;
        let standing = watcher.head.borrow().standing.clone();
        assert!(
            matches!(&standing, Standing::Unreachable { why } if why.contains("forged")),
            "{standing:?}"
        );
    }
}
