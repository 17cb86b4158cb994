//! The life of a download, as one pure step.
//!
//! ```text
//!  Wanted ──▶ Locating ──▶ Fetching ──▶ Checking ──▶ Ready
//!                │  ▲          │  ▲         │
//!                │  │ resume,  │  └─────────┘ damaged: the bad leaves are fetched again
//!                ▼  │ retry    ▼
//!              Failed ◀──────── any trouble       Paused ◀── pause, from all that run
//!                                                 Evicting ◀── cancel, from all but Ready
//! ```
//! [`step`] touches nothing: the driver writes the new state, then runs the effects, then reports what came of
//! them as further events. So a kill between any two lines loses no more than the last effect, which
//! [`effects_after_restart`] begins again.

use std::collections::BTreeMap;

use hearth_store::stored::Stored;
use serde::{Deserialize, Serialize};

use crate::refusal::Fact;

/// Where a download stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// Asked for; moved on at once.
    Wanted,
    /// Manifest and nodes are looked for; ends with all of them, or in `Failed`.
    Locating {
        /// Failures in a row.
        attempts: u32,
    },
    /// Leaves arrive.
    Fetching {
        /// Failures in a row without a new byte.
        attempts: u32,
        /// On disk for good.
        have_bytes: u64,
        /// All files.
        size_bytes: u64,
    },
    /// All leaves are there, and every byte is read back and hashed once more.
    Checking {
        /// All files.
        size_bytes: u64,
    },
    /// The end: the model can be opened.
    Ready {
        /// All files.
        size_bytes: u64,
    },
    /// Stopped by the owner; goes on by `Resume`.
    Paused {
        /// On disk for good.
        have_bytes: u64,
        /// All files; 0 while that is not known.
        size_bytes: u64,
    },
    /// Stopped by trouble. Goes on at `retry_at_ms`, or by `Resume`.
    Failed {
        /// What happened and what to do, in a sentence.
        why: String,
        /// The code of that fact, and its figures by name; programs before had none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        values: BTreeMap<String, String>,
        /// Failures in a row.
        attempts: u32,
        /// When it is tried again; `None`: never by itself.
        retry_at_ms: Option<i64>,
        /// On disk for good.
        have_bytes: u64,
        /// All files; 0 while that is not known.
        size_bytes: u64,
    },
    /// Given up by the owner; ends when its files are gone.
    Evicting,
}

impl Stored for State {
    const WHAT: &'static str = "the state of a download";
    const VERSION: u64 = 1;
}

impl State {
    /// The name of the state.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            State::Wanted => "wanted",
            State::Locating { .. } => "locating",
            State::Fetching { .. } => "fetching",
            State::Checking { .. } => "checking",
            State::Ready { .. } => "ready",
            State::Paused { .. } => "paused",
            State::Failed { .. } => "failed",
            State::Evicting => "evicting",
        }
    }

    /// Bytes on disk for good, and bytes of all files (0 while that is not known).
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        match self {
            State::Wanted | State::Locating { .. } | State::Evicting => (0, 0),
            State::Fetching {
                have_bytes,
                size_bytes,
                ..
            }
            | State::Paused {
                have_bytes,
                size_bytes,
            }
            | State::Failed {
                have_bytes,
                size_bytes,
                ..
            } => (*have_bytes, *size_bytes),
            State::Checking { size_bytes } | State::Ready { size_bytes } => (*size_bytes, *size_bytes),
        }
    }

    /// Whether an effect is at work.
    #[must_use]
    pub fn is_running(&self) -> bool {
        match self {
            State::Wanted | State::Locating { .. } | State::Fetching { .. } | State::Checking { .. } => true,
            State::Ready { .. } | State::Paused { .. } | State::Failed { .. } | State::Evicting => false,
        }
    }
}

/// What happens to a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The driver took it up.
    Begin,
    /// Manifest and nodes are here.
    Located { have_bytes: u64, size_bytes: u64 },
    /// Leaves were written and synced.
    Written { have_bytes: u64 },
    /// No leaf is missing.
    AllWritten,
    /// Read back, some leaves were wrong; they are missing again.
    Damaged { have_bytes: u64 },
    /// Read back and right; the files stand at their places and the model is recorded.
    Placed,
    /// An effect ended in trouble. Final trouble is not tried again by itself.
    JobFailed(JobFailure),
    /// The owner's wish.
    Pause,
    /// The owner's wish.
    Resume,
    /// The owner's wish.
    Cancel,
    /// Time has passed.
    Tick,
}

/// Why an effect ended without its goal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct JobFailure {
    pub(crate) why: String,
    pub(crate) fact: Option<Fact>,
    pub(crate) is_final: bool,
    /// No source wants to be asked before.
    pub(crate) not_before_ms: Option<i64>,
}

/// What the driver does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Get manifest and nodes, check the budget, make the files.
    Locate,
    /// Get the missing leaves.
    Fetch,
    /// Hash everything, move the files to their places, record the model.
    Check,
    /// End the effect at work.
    Halt,
    /// Come back with `Tick` then.
    WakeAt(i64),
    /// Delete files and records.
    Remove,
    /// Delete the record of the download; the model's own is there.
    Forget,
}

/// How failures are spaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// Before the second try; doubled for each further.
    pub first_ms: i64,
    /// The longest wait.
    pub longest_ms: i64,
}

impl Backoff {
    fn after(&self, attempts: u32) -> i64 {
        let factor = 1_i64 << attempts.min(30);
        self.first_ms.saturating_mul(factor).min(self.longest_ms)
    }
}

/// Moves a download on. Events that do not concern a state leave it as it is: they come late.
#[must_use]
pub(crate) fn step(state: &State, event: Event, now_ms: i64, backoff: Backoff) -> (State, Vec<Effect>) {
    match event {
        Event::Begin => match state {
            State::Wanted => (State::Locating { attempts: 0 }, vec![Effect::Locate]),
            State::Locating { .. }
            | State::Fetching { .. }
            | State::Checking { .. }
            | State::Ready { .. }
            | State::Paused { .. }
            | State::Failed { .. }
            | State::Evicting => stay(state),
        },
        Event::Pause => pause(state),
        Event::Resume => resume(state),
        Event::Cancel => cancel(state),
        Event::Tick => tick(state, now_ms),
        Event::JobFailed(met) => after_failure(state, met, now_ms, backoff),
        Event::Located {
            have_bytes,
            size_bytes,
        } => {
            let State::Locating { attempts } = *state else {
                return stay(state);
            };
            (
                State::Fetching {
                    attempts,
                    have_bytes,
                    size_bytes,
                },
                vec![Effect::Fetch],
            )
        }
        Event::Written { have_bytes: now_have } => {
            let State::Fetching {
                attempts,
                have_bytes,
                size_bytes,
            } = *state
            else {
                return stay(state);
            };
            let attempts = if now_have > have_bytes { 0 } else { attempts };
            (
                State::Fetching {
                    attempts,
                    have_bytes: now_have,
                    size_bytes,
                },
                Vec::new(),
            )
        }
        Event::AllWritten => {
            let State::Fetching { size_bytes, .. } = *state else {
                return stay(state);
            };
            (State::Checking { size_bytes }, vec![Effect::Check])
        }
        Event::Damaged { have_bytes } => {
            let State::Checking { size_bytes } = *state else {
                return stay(state);
            };
            (
                State::Fetching {
                    attempts: 0,
                    have_bytes,
                    size_bytes,
                },
                vec![Effect::Fetch],
            )
        }
        Event::Placed => {
            let State::Checking { size_bytes } = *state else {
                return stay(state);
            };
            (State::Ready { size_bytes }, vec![Effect::Forget])
        }
    }
}

fn stay(state: &State) -> (State, Vec<Effect>) {
    (state.clone(), Vec::new())
}

/// What must be done for a state that was read from the database. The driver sends `Begin` besides.
#[must_use]
pub(crate) fn effects_after_restart(state: &State) -> Vec<Effect> {
    match state {
        // Begun again from the records: what is there is not fetched again.
        State::Wanted => Vec::new(),
        State::Locating { .. } => vec![Effect::Locate],
        State::Fetching { .. } => vec![Effect::Fetch],
        State::Checking { .. } => vec![Effect::Check],
        State::Ready { .. } => vec![Effect::Forget],
        State::Failed {
            retry_at_ms: Some(at),
            ..
        } => vec![Effect::WakeAt(*at)],
        State::Failed {
            retry_at_ms: None, ..
        }
        | State::Paused { .. } => Vec::new(),
        State::Evicting => vec![Effect::Remove],
    }
}

fn pause(state: &State) -> (State, Vec<Effect>) {
    let (have_bytes, size_bytes) = state.progress();
    match state {
        State::Wanted | State::Locating { .. } | State::Fetching { .. } | State::Failed { .. } => (
            State::Paused {
                have_bytes,
                size_bytes,
            },
            vec![Effect::Halt],
        ),
        // Seconds from its end, and nothing is gained by stopping.
        State::Checking { .. } | State::Ready { .. } | State::Paused { .. } | State::Evicting => stay(state),
    }
}

fn resume(state: &State) -> (State, Vec<Effect>) {
    match state {
        State::Paused { .. } | State::Failed { .. } => {
            (State::Locating { attempts: 0 }, vec![Effect::Locate])
        }
        State::Wanted
        | State::Locating { .. }
        | State::Fetching { .. }
        | State::Checking { .. }
        | State::Ready { .. }
        | State::Evicting => stay(state),
    }
}

fn cancel(state: &State) -> (State, Vec<Effect>) {
    match state {
        State::Ready { .. } | State::Evicting => stay(state),
        State::Wanted
        | State::Locating { .. }
        | State::Fetching { .. }
        | State::Checking { .. }
        | State::Paused { .. }
        | State::Failed { .. } => (State::Evicting, vec![Effect::Halt, Effect::Remove]),
    }
}

fn tick(state: &State, now_ms: i64) -> (State, Vec<Effect>) {
    match state {
        State::Failed {
            retry_at_ms: Some(at),
            attempts,
            ..
        } if *at <= now_ms => (State::Locating { attempts: *attempts }, vec![Effect::Locate]),
        State::Failed {
            retry_at_ms: Some(at),
            ..
        } => (state.clone(), vec![Effect::WakeAt(*at)]),
        State::Failed {
            retry_at_ms: None, ..
        }
        | State::Wanted
        | State::Locating { .. }
        | State::Fetching { .. }
        | State::Checking { .. }
        | State::Ready { .. }
        | State::Paused { .. }
        | State::Evicting => stay(state),
    }
}

fn after_failure(state: &State, met: JobFailure, now_ms: i64, backoff: Backoff) -> (State, Vec<Effect>) {
    let before = match state {
        State::Wanted | State::Checking { .. } => 0,
        State::Locating { attempts } | State::Fetching { attempts, .. } => *attempts,
        State::Ready { .. } | State::Paused { .. } | State::Failed { .. } | State::Evicting => {
            return stay(state);
        }
    };
    let (have_bytes, size_bytes) = state.progress();
    // A pause that a source asks for holds, however short the usual one would be.
    let usual = now_ms.saturating_add(backoff.after(before));
    let retry_at_ms = (!met.is_final).then(|| usual.max(met.not_before_ms.unwrap_or(usual)));
    let (code, values) = met.fact.map(Fact::into_stored).unzip();
    let failed = State::Failed {
        why: met.why,
        code,
        values: values.unwrap_or_default(),
        attempts: before.saturating_add(1),
        retry_at_ms,
        have_bytes,
        size_bytes,
    };
    (failed, retry_at_ms.map(Effect::WakeAt).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BACKOFF: Backoff = Backoff {
        first_ms: 1000,
        longest_ms: 60_000,
    };

    fn run(state: State, events: &[Event]) -> (State, Vec<Effect>) {
        events.iter().fold((state, Vec::new()), |(state, _), event| {
            step(&state, event.clone(), 5, BACKOFF)
        })
    }

    fn job_failed() -> Event {
        Event::JobFailed(JobFailure {
            why: "the line is cut".to_owned(),
            ..JobFailure::default()
        })
    }

    #[test]
    fn the_straight_way() {
        let events = [
            Event::Begin,
            Event::Located {
                have_bytes: 0,
                size_bytes: 9,
            },
            Event::Written { have_bytes: 9 },
            Event::AllWritten,
            Event::Placed,
        ];
        assert_eq!(
            run(State::Wanted, &events),
            (State::Ready { size_bytes: 9 }, vec![Effect::Forget])
        );
    }

    #[test]
    fn trouble_waits_longer_each_time_until_bytes_arrive() {
        let mut state = State::Locating { attempts: 0 };
        let mut waits = Vec::new();
        for _ in 0..9 {
            let (failed, effects) = step(&state, job_failed(), 0, BACKOFF);
            let [Effect::WakeAt(at)] = effects[..] else {
                panic!("{effects:?}")
            };
            waits.push(at);
            assert_eq!(step(&failed, Event::Tick, at - 1, BACKOFF).0, failed);
            state = step(&failed, Event::Tick, at, BACKOFF).0;
        }
        assert_eq!(
            waits,
            [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]
        );
        let events = [
            Event::Located {
                have_bytes: 3,
                size_bytes: 9,
            },
            Event::Written { have_bytes: 4 },
        ];
        assert_eq!(
            run(state, &events).0,
            State::Fetching {
                attempts: 0,
                have_bytes: 4,
                size_bytes: 9
            }
        );
    }

    #[test]
    fn a_source_that_asks_to_be_left_alone_is_left_alone() {
        let asked = |not_before_ms| {
            Event::JobFailed(JobFailure {
                not_before_ms: Some(not_before_ms),
                ..JobFailure::default()
            })
        };
        let fetching = State::Fetching {
            attempts: 0,
            have_bytes: 1,
            size_bytes: 9,
        };
        let (_, effects) = step(&fetching, asked(3_600_000), 0, BACKOFF);
        assert_eq!(effects, [Effect::WakeAt(3_600_000)]);
        let (_, effects) = step(&fetching, asked(1), 0, BACKOFF);
        assert_eq!(effects, [Effect::WakeAt(1000)]);
    }

    #[test]
    fn what_ended_takes_no_late_events() {
        let late = [
            Event::Written { have_bytes: 1 },
            Event::AllWritten,
            Event::Placed,
            job_failed(),
            Event::Tick,
        ];
        for state in [
            State::Paused {
                have_bytes: 1,
                size_bytes: 2,
            },
            State::Ready { size_bytes: 2 },
            State::Evicting,
        ] {
            assert_eq!(run(state.clone(), &late), (state, Vec::new()));
        }
    }

    fn any_event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Begin),
            (0..9_u64).prop_map(|have_bytes| Event::Located {
                have_bytes,
                size_bytes: 9
            }),
            (0..9_u64).prop_map(|have_bytes| Event::Written { have_bytes }),
            Just(Event::AllWritten),
            (0..9_u64).prop_map(|have_bytes| Event::Damaged { have_bytes }),
            Just(Event::Placed),
            any::<bool>().prop_map(|is_final| {
                Event::JobFailed(JobFailure {
                    is_final,
                    ..JobFailure::default()
                })
            }),
            Just(Event::Pause),
            Just(Event::Resume),
            Just(Event::Cancel),
            Just(Event::Tick),
        ]
    }

    proptest! {
        #[test]
        fn a_running_state_always_has_an_effect_at_work(events in proptest::collection::vec(any_event(), 0..40)) {
            let mut state = State::Wanted;
            let mut at_work = true;
            for (now_ms, event) in events.into_iter().enumerate() {
                let is_report = !matches!(event, Event::Begin | Event::Pause | Event::Resume | Event::Cancel | Event::Tick | Event::Written { .. });
                let (next, effects) = step(&state, event, now_ms as i64 * 500, BACKOFF);
                if is_report && next != state {
                    at_work = false;
                }
                for effect in effects {
                    match effect {
                        Effect::Locate | Effect::Fetch | Effect::Check => {
                            // Wanted is taken up by its first effect.
                            prop_assert!(!at_work || state == State::Wanted, "two effects at once");
                            at_work = true;
                        }
                        Effect::Halt => at_work = false,
                        Effect::WakeAt(_) | Effect::Remove | Effect::Forget => {}
                    }
                }
                state = next;
                prop_assert_eq!(state.is_running(), at_work, "{:?}", state);
                let json = serde_json::to_string(&state).map_err(|error| TestCaseError::fail(error.to_string()))?;
                prop_assert_eq!(serde_json::from_str::<State>(&json).ok(), Some(state.clone()));
            }
        }
    }
}
