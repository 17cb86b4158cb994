//! The connections of a listener: how many there are from where, and which one makes way.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

use crate::{
    activity::{Activity, Phase, Signal},
    limits::Limits,
    origin::{Origin, TokenBucket},
};

/// Origins that are remembered for their buckets. Beyond them, those without a connection are forgotten: some 100
/// bytes each.
const MAX_ORIGINS: usize = 8192;
/// How long a connection may take to end by itself once it was told to.
const FINISH_WITHIN: Duration = Duration::from_secs(1);

pub(crate) struct Table {
    limits: Limits,
    epoch: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    next: u64,
    connections: BTreeMap<u64, Connection>,
    origins: BTreeMap<Origin, OriginState>,
    n_loopback: usize,
}

struct Connection {
    origin: Origin,
    activity: Arc<Activity>,
    /// When it was told to finish.
    finishing: Option<Instant>,
}

struct OriginState {
    n_connections: usize,
    bucket: Arc<TokenBucket>,
}

/// The slot of a connection, until dropped.
pub(crate) struct Slot {
    number: u64,
    table: Arc<Table>,
    pub(crate) activity: Arc<Activity>,
    pub(crate) bucket: Arc<TokenBucket>,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.table.state.lock().remove(self.number);
    }
}

impl Table {
    pub(crate) fn new(limits: Limits) -> Table {
        Table {
            limits,
            epoch: Instant::now(),
            state: Mutex::default(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The time as the buckets see it.
    pub(crate) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state.lock().connections.is_empty()
    }

    /// A slot for a connection from `address`. Where there is none, the connection that has waited longest for its
    /// client makes way: of the same address if that has its share, else of its kind; of any kind where files are
    /// scarce. `None` where nobody waits.
    pub(crate) fn admit(self: &Arc<Table>, address: IpAddr, files_are_scarce: bool) -> Option<Slot> {
        let origin = Origin::of(address);
        let mut state = self.state.lock();
        let of_origin = state.origins.get(&origin).map_or(0, |known| known.n_connections);
        let n_loopback = state.n_loopback;
        let (of_kind, most, most_of_origin) = if origin.is_loopback() {
            (n_loopback, self.limits.loopback, self.limits.loopback)
        } else {
            let remote = state.connections.len() - n_loopback;
            (remote, self.limits.connections, self.limits.per_address)
        };
        if of_origin >= most_of_origin {
            state.make_way(|other| other == origin)?;
        } else if of_kind >= most {
            state.make_way(|other| other.is_loopback() == origin.is_loopback())?;
        } else if files_are_scarce {
            state.make_way(|_| true)?;
        }
        Some(self.slot(&mut state, origin))
    }

    fn slot(self: &Arc<Table>, state: &mut State, origin: Origin) -> Slot {
        if state.origins.len() >= MAX_ORIGINS {
            state.forget(|_| true);
        }
        let known = state.origins.entry(origin).or_insert_with(|| {
            let rate = self.limits.rate;
            let rate = if origin.is_loopback() {
                rate.map(|rate| rate.of_loopback())
            } else {
                rate
            };
            OriginState {
                n_connections: 0,
                bucket: Arc::new(TokenBucket::new(rate)),
            }
        });
        known.n_connections += 1;
        let bucket = Arc::clone(&known.bucket);
        let activity = Arc::new(Activity::new(self.epoch));
        let number = state.next;
        state.next += 1;
        state.n_loopback += usize::from(origin.is_loopback());
        let connection = Connection {
            origin,
            activity: Arc::clone(&activity),
            finishing: None,
        };
        state.connections.insert(number, connection);
        Slot {
            number,
            table: Arc::clone(self),
            activity,
            bucket,
        }
    }

    /// Ends what takes too long; `stopping_for` says how long ago the listener was stopped.
    pub(crate) fn sweep(&self, stopping_for: Option<Duration>) {
        let mut state = self.state.lock();
        for connection in state.connections.values_mut() {
            let signal = match connection.finishing {
                Some(told) => self.after_finishing(connection.activity.phase(), told.elapsed(), stopping_for),
                None => self.judge(connection.activity.phase(), stopping_for),
            };
            if signal == Signal::Drain && connection.finishing.is_none() {
                connection.finishing = Some(Instant::now());
            }
            connection.activity.signal(signal);
        }
        let now = self.now();
        state.forget(|bucket| bucket.is_full(now));
    }

    fn judge(&self, phase: Phase, stopping_for: Option<Duration>) -> Signal {
        let busy_within = self.limits.busy_within.unwrap_or(Duration::MAX);
        let is_over = match phase {
            Phase::Idle(time) => time >= self.limits.read_within,
            // The body has a deadline of its own.
            Phase::Reading(_) => false,
            Phase::Writing(time) | Phase::Busy(time) => time >= busy_within,
        };
        if is_over || stopping_for.is_some() {
            Signal::Drain
        } else {
            Signal::Continue
        }
    }

    /// Who was told to finish gets a moment for that, and at a stop as long as answers may take.
    fn after_finishing(&self, phase: Phase, told: Duration, stopping_for: Option<Duration>) -> Signal {
        let is_over = match (phase, stopping_for) {
            (Phase::Idle(_) | Phase::Reading(_), _) => told >= FINISH_WITHIN,
            (Phase::Writing(_) | Phase::Busy(_), Some(stopping)) => stopping >= self.limits.drain,
            (Phase::Writing(time) | Phase::Busy(time), None) => {
                time >= self.limits.busy_within.unwrap_or(Duration::MAX) + FINISH_WITHIN
            }
        };
        if is_over { Signal::Close } else { Signal::Drain }
    }
}

impl Table {
    /// Ends the connection whose body has been waited for longest, if that is a good part of what it may take.
    pub(crate) fn end_longest_body(&self) {
        let slow = self.limits.read_within / 6;
        let state = self.state.lock();
        let sending = state
            .connections
            .values()
            .filter_map(|connection| match connection.activity.phase() {
                Phase::Reading(time) if time >= slow => {
                    Some((connection.activity.is_known(), time, &connection.activity))
                }
                Phase::Reading(_) | Phase::Idle(_) | Phase::Writing(_) | Phase::Busy(_) => None,
            });
        let longest = sending.max_by_key(|(is_known, time, _)| (!is_known, *time));
        if let Some((_, _, activity)) = longest {
            activity.signal(Signal::Close);
        }
    }
}

impl State {
    /// Ends the connection that has waited longest for its client, among those of some origins; one for which somebody
    /// vouched after all others.
    fn make_way(&mut self, of: impl Fn(Origin) -> bool) -> Option<()> {
        let waits = |(number, connection): (&u64, &Connection)| {
            let time = connection.activity.phase().waits()?;
            of(connection.origin).then_some((!connection.activity.is_known(), time, *number))
        };
        // Of two that wait equally long, the older one.
        let longest = self.connections.iter().filter_map(waits);
        let (_, _, number) =
            longest.max_by_key(|(is_unknown, time, number)| (*is_unknown, *time, u64::MAX - number))?;
        let connection = self.remove(number)?;
        connection.activity.signal(Signal::Close);
        Some(())
    }

    fn remove(&mut self, number: u64) -> Option<Connection> {
        let connection = self.connections.remove(&number)?;
        self.n_loopback -= usize::from(connection.origin.is_loopback());
        if let Some(known) = self.origins.get_mut(&connection.origin) {
            known.n_connections -= 1;
        }
        Some(connection)
    }

    /// Forgets origins without a connection.
    fn forget(&mut self, of: impl Fn(&TokenBucket) -> bool) {
        self.origins
            .retain(|_, known| known.n_connections > 0 || !of(&known.bucket));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activity::RequestGuard;

    fn limits() -> Limits {
        Limits {
            connections: 4,
            per_address: 2,
            loopback: 3,
            read_within: Duration::from_secs(30),
            busy_within: None,
            drain: Duration::from_secs(10),
            headers: 256,
            head_bytes: 32 << 10,
            body_bytes: 1 << 20,
            memory_bytes: 1 << 20,
            rate: None,
        }
    }

    fn cut(slot: &Slot) -> bool {
        use futures::FutureExt as _;
        slot.activity.signalled(Signal::Continue).now_or_never() == Some(Signal::Close)
    }

    #[test]
    fn an_address_has_its_share_and_the_one_that_waits_longest_makes_way() {
        let table = Arc::new(Table::new(limits()));
        let admit = |address: &str| table.admit(address.parse().unwrap(), false);
        let (first, second) = (admit("10.0.0.1").unwrap(), admit("10.0.0.1").unwrap());
        let third = admit("10.0.0.1").unwrap();
        assert_eq!([&first, &second, &third].map(cut), [true, false, false]);
        // What is answered does not make way.
        let _busy = [
            RequestGuard::begin(&second.activity),
            RequestGuard::begin(&third.activity),
        ];
        assert!(admit("10.0.0.1").is_none());
        // Others have places still, and loopback its own.
        let others = [admit("10.0.0.2").unwrap(), admit("10.0.0.3").unwrap()];
        let own = [(); 3].map(|()| admit("127.0.0.1").unwrap());
        let _another = admit("10.0.0.4").unwrap();
        assert_eq!(others.each_ref().map(cut), [true, false]);
        assert!(!own.iter().any(cut), "others do not take loopback's places");
        let _own_another = admit("127.0.0.1").unwrap();
        assert_eq!(own.each_ref().map(cut), [true, false, false]);
    }

    #[test]
    fn who_was_worth_it_makes_way_last() {
        let table = Arc::new(Table::new(limits()));
        let admit = || table.admit("127.0.0.1".parse().unwrap(), false).unwrap();
        let places = [admit(), admit(), admit()];
        places[0].activity.vouch();
        let fourth = admit();
        assert_eq!(places.each_ref().map(cut), [false, true, false]);
        fourth.activity.vouch();
        places[2].activity.vouch();
        let _fifth = admit();
        assert!(
            cut(&places[0]),
            "of those that were worth it, the one that waits longest"
        );
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let table = Arc::new(Table::new(limits()));
        let admit = |address: &str| table.admit(address.parse().unwrap(), false).unwrap();
        let places = ["2001:db8::1", "2001:db8::2", "2001:db8::3"].map(admit);
        assert_eq!(places.each_ref().map(cut), [true, false, false]);
    }

    #[test]
    fn scarce_files_are_given_back_before_a_new_one_is_taken() {
        let table = Arc::new(Table::new(limits()));
        let address = "10.0.0.1".parse().unwrap();
        assert!(table.admit(address, true).is_none(), "nobody waits");
        let slot = table.admit(address, false).unwrap();
        let _next = table.admit("10.0.0.2".parse().unwrap(), true).unwrap();
        assert!(cut(&slot));
    }

    #[test]
    fn a_bucket_outlives_the_connections_of_its_address() {
        let rate = Some(crate::Rate {
            per_minute: 1,
            burst: 1,
        });
        let table = Arc::new(Table::new(Limits { rate, ..limits() }));
        let address = "10.0.0.1".parse().unwrap();
        let slot = table.admit(address, false).unwrap();
        slot.bucket.take(table.now()).unwrap();
        drop(slot);
        table.sweep(None);
        let slot = table.admit(address, false).unwrap();
        assert!(slot.bucket.take(table.now()).is_err());
    }

    #[test]
    fn a_stop_ends_who_waits_soon_and_who_is_answered_after_the_drain() {
        let table = Table::new(limits());
        let (long, short) = (Duration::from_secs(11), Duration::from_millis(10));
        for phase in [
            Phase::Idle(short),
            Phase::Reading(short),
            Phase::Busy(long),
            Phase::Writing(long),
        ] {
            assert_eq!(table.judge(phase, Some(short)), Signal::Drain);
        }
        let after = |phase, told, stopping| table.after_finishing(phase, told, Some(stopping));
        assert_eq!(
            after(Phase::Idle(short), FINISH_WITHIN, FINISH_WITHIN),
            Signal::Close
        );
        assert_eq!(
            after(Phase::Reading(short), FINISH_WITHIN, FINISH_WITHIN),
            Signal::Close
        );
        assert_eq!(
            after(Phase::Busy(long), FINISH_WITHIN, FINISH_WITHIN),
            Signal::Drain
        );
        assert_eq!(after(Phase::Busy(long), long, long), Signal::Close);
        assert_eq!(after(Phase::Writing(long), long, long), Signal::Close);
    }
}
