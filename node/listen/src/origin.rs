//! Where connections come from, and the bucket of each origin.

use std::{
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use crate::limits::Rate;

/// Who counts as one: this computer, an IPv4 address, an IPv6 network of 64 bits (what a home or a rented server has).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Loopback,
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Origin {
    pub(crate) fn of(address: IpAddr) -> Origin {
        match address.to_canonical() {
            address if address.is_loopback() => Origin::Loopback,
            IpAddr::V4(address) => Origin::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Origin::V6([a, b, c, d])
            }
        }
    }

    pub(crate) fn is_loopback(self) -> bool {
        self == Origin::Loopback
    }
}

/// A bucket of tokens in one number: the microsecond at which it would be full again (the generic cell rate algorithm
/// of ATM networks).
#[derive(Debug)]
pub(crate) struct TokenBucket {
    full_at: AtomicU64,
    /// Microseconds in which a token grows; 0 for a bucket without an end.
    per_token: u64,
    /// Microseconds in which an empty bucket fills.
    all: u64,
}

impl TokenBucket {
    pub(crate) fn new(rate: Option<Rate>) -> TokenBucket {
        let per_token = rate.map_or(0, |rate| 60_000_000 / u64::from(rate.per_minute.max(1)));
        TokenBucket {
            full_at: AtomicU64::new(0),
            per_token,
            all: per_token * rate.map_or(0, |rate| u64::from(rate.burst.max(1))),
        }
    }

    /// Takes a token, or says how long until there is one.
    pub(crate) fn take(&self, now: Duration) -> Result<(), Duration> {
        if self.per_token == 0 {
            return Ok(());
        }
        let now = micros(now);
        let taken = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
                let after = full_at.max(now) + self.per_token;
                (after - now <= self.all).then_some(after)
            });
        taken.map(drop).map_err(|full_at| {
            let lacks = (full_at + self.per_token).saturating_sub(now + self.all);
            Duration::from_micros(lacks)
        })
    }

    /// Puts a token back.
    pub(crate) fn give_back(&self) {
        let back = |full_at: u64| Some(full_at.saturating_sub(self.per_token));
        // It always has a result.
        let _ = self
            .full_at
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, back);
    }

    pub(crate) fn is_full(&self, now: Duration) -> bool {
        self.full_at.load(Ordering::Relaxed) <= micros(now)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_network_is_one_origin_and_a_mapped_address_is_its_ipv4_one() {
        let origin = |text: &str| Origin::of(text.parse().unwrap());
        assert_eq!(origin("2001:db8:1:2::1"), origin("2001:db8:1:2:ffff::9"));
        assert_ne!(origin("2001:db8:1:2::1"), origin("2001:db8:1:3::1"));
        assert_eq!(origin("::ffff:10.0.0.7"), origin("10.0.0.7"));
        assert_ne!(origin("10.0.0.7"), origin("10.0.0.8"));
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(origin(address).is_loopback(), "{address}");
        }
    }

    #[test]
    fn a_bucket_gives_its_burst_then_its_rate() {
        let bucket = TokenBucket::new(Some(Rate {
            per_minute: 600,
            burst: 3,
        }));
        let at = Duration::from_millis;
        for _ in 0..3 {
            assert_eq!(bucket.take(at(1_000)), Ok(()));
        }
        assert_eq!(bucket.take(at(1_000)), Err(at(100)));
        assert_eq!(bucket.take(at(1_040)), Err(at(60)));
        assert_eq!(bucket.take(at(1_100)), Ok(()));
        assert!(bucket.take(at(1_100)).is_err());
        bucket.give_back();
        assert_eq!(bucket.take(at(1_100)), Ok(()));
        assert!(!bucket.is_full(at(1_399)) && bucket.is_full(at(1_400)));
        // A pause fills it no further than its burst.
        for _ in 0..3 {
            assert_eq!(bucket.take(at(60_000)), Ok(()));
        }
        assert!(bucket.take(at(60_000)).is_err());
    }
}
