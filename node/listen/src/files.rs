//! Open files: every connection is one, and the program needs some for itself.

/// Files that are kept for the program: databases, evidence, models, questions to others.
#[cfg(unix)]
const KEPT: u64 = 64;
/// Nobody needs more, and some systems name a limit of a thousand million.
#[cfg(unix)]
const ENOUGH: u64 = 1 << 16;

/// Raises the soft limit of open files to the hard one. Says what it is then; `None` where there is none.
#[cfg(unix)]
pub fn raise_limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = limit.maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if limit.current.is_some_and(|current| current < wanted) {
        let before = limit.current;
        limit.current = Some(wanted);
        if setrlimit(Resource::Nofile, limit).is_err() {
            limit.current = before;
        }
    }
    limit.current
}

/// Raises the soft limit of open files to the hard one. Says what it is then; `None` where there is none.
#[cfg(not(unix))]
pub fn raise_limit() -> Option<u64> {
    None
}

/// The limit of open files, if there is one.
#[must_use]
pub fn limit() -> Option<u64> {
    #[cfg(unix)]
    {
        rustix::process::getrlimit(rustix::process::Resource::Nofile).current
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// Whether so many files are open that the rest is for the program. Systems give the lowest free number, so the number
/// of a file that was just opened says how many there are.
#[cfg(unix)]
pub(crate) fn are_scarce(newest: &impl std::os::fd::AsRawFd, limit: Option<u64>) -> bool {
    let number = u64::try_from(newest.as_raw_fd()).unwrap_or(0);
    limit.is_some_and(|limit| number + KEPT >= limit)
}

#[cfg(not(unix))]
pub(crate) fn are_scarce<T>(_newest: &T, _limit: Option<u64>) -> bool {
    false
}
