//! What we learned about an endpoint, and how gladly it is asked: pure, but for the moments that it is told.

use std::time::{Duration, Instant};

use hearth_base::Height;
use time::OffsetDateTime;

use super::{
    error::{excerpt, seconds},
    wire::Status,
};
use crate::head::{Head, to_the_second};

/// After a failure an endpoint is asked last for this long, doubled with each further one.
const BACKOFF: Duration = Duration::from_millis(250);
/// The longest pause: half of a devnet's patience, a quarter of a real block.
const MAX_BACKOFF: Duration = Duration::from_secs(15);
/// From so many failures in a row on it is left alone in its pauses, so that nobody waits for it.
const GIVEN_UP: u32 = 3;
/// The pause of an endpoint that takes no more questions and does not say for how long, doubled with each time.
const LIMITED: Duration = Duration::from_secs(5);
/// What an endpoint may ask for at most: else one answer would switch it off for ever.
const MAX_LIMITED: Duration = Duration::from_secs(600);
/// A lie is punished twice as long as the one before, up to this.
/// How long an endpoint that told of another chain is left alone: one of several servers behind an address may have.
const OTHER_CHAIN_FOR: Duration = Duration::from_secs(60);
const MAX_BAN: Duration = Duration::from_secs(24 * 3600);
/// An endpoint may be so many blocks behind the verified head before it is said.
const BEHIND_BLOCKS: u64 = 3;
/// So far an honest endpoint may be behind by nature.
const NATURALLY_BEHIND: u64 = 2;

/// What an endpoint is good for at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndpointState {
    /// Not asked yet.
    Unknown,
    /// Answered last time.
    Healthy,
    /// Answers, but is not where the chain is: behind the others, gone back, or standing still.
    Stale { why: String },
    /// Failed last time; asked again from time to time.
    Failing { why: String },
    /// Takes no more questions for a while; not asked until then.
    Limited { why: String },
    /// Gave a false answer; left alone for a while.
    Banned { why: String },
    /// Serves another chain; never asked again.
    OtherChain { found: String },
}

/// What the UI shows of an endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointStatus {
    /// What tells it from others: a part of the hash of its address, which may hold an access key.
    pub id: String,
    /// Host and port.
    pub name: String,
    /// Whether a person added it in the running program; else it is configured.
    pub is_added: bool,
    /// Whether it can be used, and why not.
    pub state: EndpointState,
    /// How gladly it is asked, of 100.
    pub score: u8,
    /// The newest height it reported; 0 before its first answer.
    pub height: Height,
    /// How long an answer takes, smoothed.
    pub latency: Option<Duration>,
    /// Of a thousand of the last questions, how many failed.
    pub failed_permille: u16,
    /// False answers that are known of it.
    pub lies: u32,
    /// What it was asked in this run.
    pub asked: u64,
    /// How long it is left alone from now.
    pub rests: Option<Duration>,
    /// The version of its CometBFT library.
    pub version: String,
}

/// The last false answer of a former run.
#[derive(Debug)]
pub(crate) struct Former<'a> {
    pub(crate) why: &'a str,
    /// How long ago it was given.
    pub(crate) age: Duration,
    /// How long the first ban lasts.
    pub(super) first_ban: Duration,
}

/// How long an endpoint is left alone after so many lies.
fn ban_after(lies: u32, first: Duration) -> Duration {
    let doublings = lies.saturating_sub(1).min(10);
    first.saturating_mul(1 << doublings).min(MAX_BAN)
}

#[derive(Debug)]
pub(super) struct Health {
    pub(super) state: EndpointState,
    pub(super) height: Height,
    /// When its newest block was made.
    block_time: OffsetDateTime,
    /// The height that it had reported before it went back, until it has it again.
    went_back_from: Option<Height>,
    catching_up: bool,
    pub(super) latency: Option<Duration>,
    pub(super) version: String,
    /// Failures in a row.
    failures: u32,
    /// When it last answered, or counted as failed.
    heard: Option<Instant>,
    /// The share of failures, smoothed over some thirty questions.
    failed: f32,
    /// How often in a row it took no more questions.
    limited: u32,
    pub(super) lies: u32,
    /// Until when it is asked last (failing) or not at all (limited, banned).
    rests_until: Option<Instant>,
}

impl Health {
    pub(super) fn new() -> Health {
        Health {
            state: EndpointState::Unknown,
            height: Height(0),
            block_time: OffsetDateTime::UNIX_EPOCH,
            went_back_from: None,
            catching_up: false,
            latency: None,
            version: String::new(),
            failures: 0,
            heard: None,
            failed: 0.0,
            limited: 0,
            lies: 0,
            rests_until: None,
        }
    }

    pub(super) fn note_success(&mut self, took: Duration, now: Instant) {
        self.heard = Some(now);
        self.failures = 0;
        self.limited = 0;
        self.failed *= 0.97;
        self.latency = Some(self.latency.map_or(took, |before| (before * 3 + took) / 4));
        match self.state {
            EndpointState::Unknown | EndpointState::Failing { .. } | EndpointState::Limited { .. } => {
                self.state = EndpointState::Healthy;
                self.rests_until = None;
            }
            EndpointState::Healthy
            | EndpointState::Stale { .. }
            | EndpointState::Banned { .. }
            | EndpointState::OtherChain { .. } => {}
        }
    }

    /// No answer after this long, and another endpoint is asked meanwhile.
    pub(super) fn note_slow(&mut self, after: Duration) {
        self.latency = Some(
            self.latency
                .map_or(after, |before| before.max((before * 3 + after * 2) / 4)),
        );
    }

    /// A question that was put at `began` failed. It puts the endpoint to rest only where nothing else was heard of it
    /// meanwhile: whoever answers all but one question is still of use, and questions that fail together are one failure.
    pub(super) fn note_failure(&mut self, why: &str, began: Instant, now: Instant) {
        self.failed = self.failed.mul_add(0.97, 0.03);
        if self.heard.is_some_and(|heard| heard > began) {
            return;
        }
        self.heard = Some(now);
        self.failures = self.failures.saturating_add(1);
        let rest = BACKOFF
            .saturating_mul(1 << self.failures.min(10))
            .min(MAX_BACKOFF);
        match self.state {
            EndpointState::Unknown
            | EndpointState::Healthy
            | EndpointState::Stale { .. }
            | EndpointState::Failing { .. } => {
                self.state = EndpointState::Failing { why: excerpt(why) };
                self.rests_until = Some(now + rest);
            }
            EndpointState::Limited { .. }
            | EndpointState::Banned { .. }
            | EndpointState::OtherChain { .. } => {}
        }
    }

    /// Takes no more questions, for as long as it says or a growing while. Gives the pause.
    pub(super) fn note_limited(&mut self, asked_for: Option<Duration>, now: Instant) -> Duration {
        let grown = LIMITED.saturating_mul(1 << self.limited.min(7));
        let pause = asked_for
            .unwrap_or(grown)
            .clamp(Duration::from_secs(1), MAX_LIMITED);
        self.limited = self.limited.saturating_add(1);
        if !matches!(
            self.state,
            EndpointState::Banned { .. } | EndpointState::OtherChain { .. }
        ) {
            let why = format!("it takes no more questions for {}", seconds(pause));
            self.state = EndpointState::Limited { why };
            self.rests_until = Some(now + pause);
        }
        pause
    }

    /// Shortens the pause of an endpoint that takes no more questions.
    pub(super) fn shorten_limited(&mut self, most: Duration, now: Instant) {
        if !matches!(self.state, EndpointState::Limited { .. }) {
            return;
        }
        let until = now + most;
        if self.rests_until.is_some_and(|rests| rests > until) {
            let why = format!("it takes no more questions for {}", seconds(most));
            self.state = EndpointState::Limited { why };
            self.rests_until = Some(until);
        }
    }

    pub(super) fn note_status(&mut self, status: &Status) {
        let height = Height(u64::try_from(status.sync_info.latest_block_height).unwrap_or(0));
        let before = self.went_back_from.unwrap_or(self.height).max(self.height);
        self.went_back_from = (height < before).then_some(before);
        self.height = height;
        self.block_time = status.sync_info.latest_block_time;
        self.catching_up = status.sync_info.catching_up;
        excerpt(&status.node_info.version).clone_into(&mut self.version);
    }

    /// Gave a false answer. `most` bounds the pause of the last endpoint that is left.
    pub(super) fn ban(&mut self, why: &str, first: Duration, most: Option<Duration>, now: Instant) {
        self.lies = self.lies.saturating_add(1);
        self.leave_alone(why, ban_after(self.lies, first), most, now);
    }

    /// Gave so many false answers in former runs, the last of them so long ago: what is left of its pause goes on.
    pub(super) fn remember(&mut self, lies: u32, last: &Former<'_>, most: Option<Duration>, now: Instant) {
        self.lies = self.lies.max(lies);
        let whole = ban_after(lies, last.first_ban);
        let left = most
            .map_or(whole, |most| whole.min(most))
            .saturating_sub(last.age);
        if !left.is_zero() {
            self.leave_alone(last.why, left, None, now);
        }
    }

    fn leave_alone(&mut self, why: &str, pause: Duration, most: Option<Duration>, now: Instant) {
        self.state = EndpointState::Banned { why: excerpt(why) };
        self.rests_until = Some(now + most.map_or(pause, |most| pause.min(most)));
    }

    pub(super) fn refuse_chain(&mut self, found: &str, now: Instant) {
        self.state = EndpointState::OtherChain {
            found: excerpt(found),
        };
        self.rests_until = Some(now + OTHER_CHAIN_FOR);
    }

    pub(super) fn rests(&self, now: Instant) -> Option<Duration> {
        self.rests_until
            .and_then(|until| until.checked_duration_since(now))
            .filter(|rest| !rest.is_zero())
    }

    /// How gladly it is asked, of 100: it loses up to 40 for slowness, for failures and for lagging behind each, and 30 for
    /// every lie.
    pub(super) fn score(&self, best: Height) -> u8 {
        let millis = self.latency.map_or(0, |latency| latency.as_millis());
        let slow = u32::try_from(millis / 50).unwrap_or(u32::MAX).min(40);
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 40"
        )]
        let failing = (self.failed * 40.0) as u32;
        let behind = best.since(self.height).saturating_sub(NATURALLY_BEHIND);
        let lagging = u32::try_from(behind.saturating_mul(4))
            .unwrap_or(u32::MAX)
            .min(40);
        let lied = self.lies.saturating_mul(30);
        let lost = slow
            .saturating_add(failing)
            .saturating_add(lagging)
            .saturating_add(lied);
        u8::try_from(100_u32.saturating_sub(lost)).unwrap_or(0)
    }

    pub(super) fn failed_permille(&self) -> u16 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 1000"
        )]
        let permille = (self.failed * 1000.0) as u16;
        permille
    }

    /// How gladly it is asked: smaller is better, `None` is not at all.
    pub(super) fn rank(&mut self, best: Height, now: Instant) -> Option<u64> {
        let rests = self.rests(now).is_some();
        match &self.state {
            EndpointState::OtherChain { .. }
            | EndpointState::Banned { .. }
            | EndpointState::Limited { .. }
                if rests =>
            {
                return None;
            }
            // Served its time: one more chance.
            EndpointState::OtherChain { .. }
            | EndpointState::Banned { .. }
            | EndpointState::Limited { .. } => {
                self.state = EndpointState::Unknown;
            }
            EndpointState::Failing { .. } if rests && self.failures >= GIVEN_UP => return None,
            EndpointState::Unknown
            | EndpointState::Healthy
            | EndpointState::Stale { .. }
            | EndpointState::Failing { .. } => {}
        }
        let behind = best.since(self.height).saturating_sub(NATURALLY_BEHIND).min(1000);
        let resting = if rests {
            1_000_000 + u64::from(self.failures.min(1000)) * 1000
        } else {
            0
        };
        // Steps of four points, which are 200 ms, so that equals do not change places at every call.
        let lost = u64::from(100 - self.score(best)) / 4;
        Some(resting + behind * 100 + lost)
    }

    /// Why an endpoint that answers is not where the chain is.
    pub(super) fn staleness(&self, verified: &Head, now: OffsetDateTime) -> Option<String> {
        if self.height.0 == 0 {
            return None;
        }
        if let Some(before) = self.went_back_from {
            return Some(format!(
                "it went back from block {before} to {}: it was reset, or shows an old state",
                self.height
            ));
        }
        let behind = verified.verified_height.since(self.height);
        if behind > BEHIND_BLOCKS {
            return Some(format!(
                "it is {behind} blocks behind the verified block {}",
                verified.verified_height
            ));
        }
        if self.catching_up {
            return Some("it is still catching up with the chain".to_owned());
        }
        let age = Duration::try_from(now - self.block_time).unwrap_or_default();
        (age > verified.stale_after()).then(|| {
            let (made_at, minutes) = (to_the_second(self.block_time), age.as_secs().div_ceil(60));
            format!(
                "its newest block {} is of {made_at}, {minutes} min ago",
                self.height
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEST: Height = Height(100);

    fn at(height: u64, millis: u64) -> Health {
        let mut health = Health::new();
        health.height = Height(height);
        health.note_success(Duration::from_millis(millis), Instant::now());
        health
    }

    #[test]
    fn slowness_failures_lag_and_lies_cost_points_and_places() {
        let now = Instant::now();
        let mut best = at(100, 20);
        assert_eq!(best.score(BEST), 100);
        let mut slow = at(100, 1200);
        let mut behind = at(90, 20);
        let mut liar = at(100, 20);
        liar.ban("false", Duration::ZERO, None, now);
        let mut failing = at(100, 20);
        for _ in 0..2 {
            failing.note_failure("reset", Instant::now(), now);
        }
        for worse in [&mut slow, &mut behind, &mut liar, &mut failing] {
            assert!(worse.rank(BEST, now) > best.rank(BEST, now), "{worse:?}");
            assert!(worse.score(BEST) < 100, "{worse:?}");
        }
        // Who fails is asked last, and from the third time on not at all for a while.
        assert!(failing.rank(BEST, now) > behind.rank(BEST, now));
        failing.note_failure("reset", Instant::now(), now);
        assert_eq!(failing.rank(BEST, now), None);
        assert!(failing.rank(BEST, now + MAX_BACKOFF).is_some());
    }

    #[test]
    fn a_question_that_fails_alone_or_with_others_is_no_end() {
        let start = Instant::now();
        let second = |n| start + Duration::from_secs(n);
        let mut health = at(100, 20);
        // One method hangs, asked several times at once, while the others answer.
        health.note_success(Duration::from_millis(20), second(5));
        for _ in 0..5 {
            health.note_failure("no answer", second(1), second(11));
        }
        assert_eq!(health.state, EndpointState::Healthy);
        assert!(health.score(BEST) < 100, "it is not as good as others");
        // Nothing answers any more: what fails together is one failure, and only a third one in a row ends it.
        for round in [20, 40] {
            for _ in 0..5 {
                health.note_failure("no answer", second(round), second(round + 10));
            }
            assert!(health.rank(BEST, second(round + 10)).is_some());
        }
        health.note_failure("no answer", second(60), second(70));
        assert_eq!(health.rank(BEST, second(70)), None);
    }

    #[test]
    fn pauses_grow_and_end() {
        let now = Instant::now();
        let mut health = at(100, 20);
        assert_eq!(
            health.note_limited(Some(Duration::from_secs(7)), now),
            Duration::from_secs(7)
        );
        assert_eq!(health.rank(BEST, now + Duration::from_secs(6)), None);
        assert!(health.rank(BEST, now + Duration::from_secs(8)).is_some());
        let pauses = [(); 9].map(|()| health.note_limited(None, now).as_secs());
        assert!(
            pauses.is_sorted() && pauses[0] >= 5 && pauses[8] == 600,
            "{pauses:?}"
        );
        // A restart ends no ban.
        let mut known = at(100, 20);
        let last = |minutes: u64| Former {
            why: "false",
            age: Duration::from_secs(minutes * 60),
            first_ban: Duration::from_secs(600),
        };
        known.remember(2, &last(25), None, now);
        assert_eq!(
            (known.lies, known.rests(now)),
            (2, None),
            "its 20 minutes are over"
        );
        known.remember(2, &last(5), None, now);
        assert_eq!(known.rests(now), Some(Duration::from_secs(15 * 60)));
        assert_eq!(known.rank(BEST, now), None);
        // The last one that is left is not punished again.
        let mut only = at(100, 20);
        only.remember(2, &last(5), Some(Duration::from_secs(20)), now);
        assert_eq!(only.rests(now), None);
        only.remember(2, &last(0), Some(Duration::from_secs(20)), now);
        assert_eq!(only.rests(now), Some(Duration::from_secs(20)));
        // A server behind one address that is of another chain is not all of them for ever.
        let mut other = at(100, 20);
        other.refuse_chain("pocket", now);
        assert_eq!(other.rank(BEST, now), None);
        assert!(other.rank(BEST, now + OTHER_CHAIN_FOR).is_some());
        // What it asks for is bounded.
        assert_eq!(health.note_limited(Some(Duration::MAX), now), MAX_LIMITED);
        let mut liar = at(100, 20);
        let mut bans = Vec::new();
        for _ in 0..12 {
            liar.ban("false", Duration::from_secs(600), None, now);
            bans.extend(liar.rests(now));
        }
        assert!(
            bans.is_sorted() && bans[0].as_secs() == 600 && bans[11] == MAX_BAN,
            "{bans:?}"
        );
        liar.ban(
            "false",
            Duration::from_secs(600),
            Some(Duration::from_secs(20)),
            now,
        );
        assert!(liar.rests(now).unwrap() <= Duration::from_secs(20));
    }
}
