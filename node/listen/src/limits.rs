//! What a listener allows.

use std::time::Duration;

/// What a listener allows. Loopback has places of its own, so that neither can lock the other out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections from other computers at once.
    pub connections: usize,
    /// Of these, so many from one IPv4 address or one IPv6 network of 64 bits.
    pub per_address: usize,
    /// Connections from this computer at once.
    pub loopback: usize,
    /// How long a client may take to send a head, and how long a connection may be open without a request.
    pub read_within: Duration,
    /// How long a connection may be busy without a new request: an answer and its reader take that long at most.
    /// `None` where streams stay open as long as somebody listens.
    pub busy_within: Option<Duration>,
    /// How long answers in progress may go on after a stop.
    pub drain: Duration,
    /// The most headers of a request, and the most bytes of their names and values.
    pub headers: usize,
    pub head_bytes: usize,
    /// The most bytes of one body.
    pub body_bytes: usize,
    /// The most bytes of all bodies that are in memory at once.
    pub memory_bytes: usize,
    /// How many requests one address may make that turn out not to be worth their work.
    pub rate: Option<Rate>,
}

/// A bucket of tokens: so many may come at once, and so many a minute in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub per_minute: u32,
    pub burst: u32,
}

impl Rate {
    /// The bucket of this computer, behind which others may stand (a proxy), in comparison to that of one address.
    const LOOPBACK_FACTOR: u32 = 20;

    pub(crate) fn of_loopback(self) -> Rate {
        Rate {
            per_minute: self.per_minute.saturating_mul(Rate::LOOPBACK_FACTOR),
            burst: self.burst.saturating_mul(Rate::LOOPBACK_FACTOR),
        }
    }
}

impl Limits {
    /// Fewer connections where the system gives this process few files: a third of them for each listener, the rest
    /// for databases, models, and questions to others.
    #[must_use]
    pub fn fitting(mut self, open_files: Option<u64>) -> Limits {
        let Some(files) = open_files.and_then(|files| usize::try_from(files).ok()) else {
            return self;
        };
        let most = (files / 3).max(16);
        let wanted = self.connections + self.loopback;
        if wanted > most {
            self.connections = (self.connections * most / wanted).max(8);
            self.loopback = (self.loopback * most / wanted).max(8);
            self.per_address = self.per_address.min(self.connections);
        }
        self
    }
}
