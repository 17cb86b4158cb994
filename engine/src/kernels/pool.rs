//! Compute threads that take turns many thousand times a second.
//!
//! A step of decoding has about five barriers a layer, some microseconds apart. Waking a thread through the system takes
//! longer than many of them, so threads that have nothing to do spin for a moment before they sleep.
#![allow(
    unsafe_code,
    reason = "threads that outlive a call are lent what the call borrows, and it waits for all of them"
)]

use std::cell::UnsafeCell;
use std::io;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// How long a thread waits for work before it sleeps.
const SPIN: Duration = Duration::from_micros(60);

/// Looks at a flag before a thread offers its processor to others.
const SPINS: u32 = 128;
/// Ranges that each thread has to do, on average.
const RANGES: usize = 4;

/// What every thread is asked to do; it is given its number.
type Job<'a> = dyn Fn(usize) + Sync + 'a;

struct Shared {
    /// Serialises callers.
    turn: Mutex<()>,
    /// Counts jobs. It moves when the job is there.
    generation: AtomicU64,
    /// The job of this generation. Written only while no thread is at work.
    job: UnsafeCell<Option<&'static Job<'static>>>,
    /// Threads that are not done with it.
    left: AtomicUsize,
    panicked: AtomicBool,
    stopping: AtomicBool,
    /// Threads that sleep, or are about to.
    sleepers: Mutex<usize>,
    wake: Condvar,
}

// SAFETY: `job` is written by whoever holds `turn` while `left` is zero, and read between the new generation and the
// decrement of `left`, which order the accesses.
unsafe impl Sync for Shared {}

/// A fixed number of compute threads, the caller being one of them.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: usize,
    handles: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool of {}", self.threads)
    }
}

impl Pool {
    /// Starts the threads; the first is whoever calls.
    ///
    /// # Errors
    /// A system that gives no thread.
    pub(crate) fn new(threads: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            turn: Mutex::new(()),
            generation: AtomicU64::new(0),
            job: UnsafeCell::new(None),
            left: AtomicUsize::new(0),
            panicked: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
        });
        let mut pool = Self {
            shared,
            threads: threads.max(1),
            handles: Vec::new(),
        };
        for number in 1..pool.threads {
            let shared = Arc::clone(&pool.shared);
            let builder = std::thread::Builder::new().name(format!("engine-{number}"));
            pool.handles.push(builder.spawn(move || shared.work(number))?);
        }
        Ok(pool)
    }

    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Has every thread do `job` once, and waits for all.
    ///
    /// # Panics
    /// If the job panics, once all threads are done.
    pub(crate) fn run(&self, job: &Job<'_>) {
        if self.threads == 1 {
            return job(0);
        }
        let shared = &self.shared;
        let turn = shared.turn.lock();
        // SAFETY: the reference is used until `left` is zero, which is waited for below whatever happens; the job of
        // the last call is done, so nobody reads the cell.
        unsafe {
            *shared.job.get() = Some(std::mem::transmute::<&Job<'_>, &'static Job<'static>>(job));
        }
        shared.left.store(self.threads - 1, Ordering::Relaxed);
        shared.generation.fetch_add(1, Ordering::SeqCst);
        if *shared.sleepers.lock() > 0 {
            shared.wake.notify_all();
        }
        let own = catch_unwind(AssertUnwindSafe(|| job(0)));
        let mut spins = 0_u32;
        while shared.left.load(Ordering::Acquire) > 0 {
            spins += 1;
            if spins.is_multiple_of(SPINS) {
                // Whoever is not done may need this processor.
                std::thread::yield_now();
            } else {
                std::hint::spin_loop();
            }
        }
        let theirs = shared.panicked.swap(false, Ordering::Relaxed);
        drop(turn);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!theirs, "a compute thread panicked");
    }

    /// Does `f` for every number below `n`; threads take the next as they become free.
    pub(crate) fn each(&self, n: usize, f: impl Fn(usize) + Sync) {
        if n == 1 || self.threads == 1 {
            return (0..n).for_each(f);
        }
        let next = AtomicUsize::new(0);
        self.run(&|_| {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= n {
                    return;
                }
                f(index);
            }
        });
    }

    /// As [`Pool::each`], with something for each thread to use.
    pub(crate) fn each_with<T: Send>(&self, n: usize, own: &[Mutex<T>], f: impl Fn(usize, &mut T) + Sync) {
        let next = AtomicUsize::new(0);
        let work = |thread: usize| {
            let mut own = own[thread].lock();
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                if index >= n {
                    return;
                }
                f(index, &mut own);
            }
        };
        if n == 1 { work(0) } else { self.run(&work) }
    }

    /// Does `f` for ranges that make up all numbers below `n`: a few for each thread, which evens out those that the
    /// system holds up.
    pub(crate) fn ranges(&self, n: usize, f: impl Fn(Range<usize>) + Sync) {
        let len = match self.threads {
            1 => n.max(1),
            threads => n.div_ceil(threads * RANGES).max(1),
        };
        self.each(n.div_ceil(len), |index| f(index * len..n.min((index + 1) * len)));
    }

    /// Does `f` for every piece of `slice` of `len` elements, the last of which may be shorter.
    pub(crate) fn pieces<T: Send>(&self, slice: &mut [T], len: usize, f: impl Fn(usize, &mut [T]) + Sync) {
        let n = slice.len().div_ceil(len);
        let cut = Cut::new(slice, len);
        // SAFETY: every index comes once.
        self.each(n, |index| f(index, unsafe { cut.piece(index) }));
    }
}

/// A slice in pieces, which several threads write.
pub(crate) struct Cut<T> {
    start: *mut T,
    all: usize,
    len: usize,
}

// SAFETY: pieces are disjoint, and each is used by one thread.
unsafe impl<T: Send> Sync for Cut<T> {}

impl<T> Cut<T> {
    /// Cuts a slice. It is borrowed as long as the call that uses it lasts, which is up to the caller.
    pub(crate) fn new(slice: &mut [T], len: usize) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            all: slice.len(),
            len,
        }
    }

    /// Gives some elements of a piece.
    ///
    /// # Safety
    /// The slice is still borrowed, and nobody else has these elements.
    #[allow(clippy::mut_from_ref, reason = "each element has one user")]
    pub(crate) unsafe fn part_of(&self, index: usize, first: usize, len: usize) -> &mut [T] {
        let start = index * self.len + first;
        assert!(start + len <= self.all, "a part beyond the slice");
        // SAFETY: within the slice; the caller has it alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }

    /// Gives a piece.
    ///
    /// # Safety
    /// The slice is still borrowed, and nobody else has this piece.
    #[allow(clippy::mut_from_ref, reason = "each piece has one user")]
    pub(crate) unsafe fn piece(&self, index: usize) -> &mut [T] {
        let first = (index * self.len).min(self.all);
        let len = self.len.min(self.all - first);
        // SAFETY: within the slice; the caller has it alone.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(first), len) }
    }
}

impl Shared {
    /// What a thread does until the pool ends.
    fn work(&self, number: usize) {
        let mut seen = 0;
        loop {
            seen = self.next(seen);
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            // SAFETY: it was written before the generation moved, and stays until `left` is zero.
            let job = unsafe { *self.job.get() };
            if let Some(job) = job
                && catch_unwind(AssertUnwindSafe(|| job(number))).is_err()
            {
                self.panicked.store(true, Ordering::Relaxed);
            }
            self.left.fetch_sub(1, Ordering::Release);
        }
    }

    /// Waits for a generation after `seen`.
    fn next(&self, seen: u64) -> u64 {
        let began = Instant::now();
        loop {
            for _ in 0..SPINS {
                let now = self.generation.load(Ordering::Acquire);
                if now != seen {
                    return now;
                }
                std::hint::spin_loop();
            }
            if began.elapsed() > SPIN {
                break;
            }
            // On a computer that is busy the one that would give work may wait for this processor.
            std::thread::yield_now();
        }
        let mut sleepers = self.sleepers.lock();
        *sleepers += 1;
        // Whoever moves the generation looks at the sleepers afterwards, so one of both sees the other.
        while self.generation.load(Ordering::SeqCst) == seen {
            self.wake.wait(&mut sleepers);
        }
        *sleepers -= 1;
        self.generation.load(Ordering::Acquire)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.shared.generation.fetch_add(1, Ordering::SeqCst);
        let sleepers = self.shared.sleepers.lock();
        self.shared.wake.notify_all();
        drop(sleepers);
        for handle in self.handles.drain(..) {
            // A thread ends by itself; one that panicked did so in a job, which was told.
            let _ = handle.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_piece_is_done_once_also_after_a_sleep() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads).unwrap();
            for round in 0..200 {
                let mut all = vec![0_u32; 103];
                pool.pieces(&mut all, 10, |index, piece| {
                    for x in piece {
                        *x += index as u32 + 1;
                    }
                });
                let wanted: Vec<u32> = (0..103).map(|i| i / 10 + 1).collect();
                assert_eq!(all, wanted);
                if round % 50 == 0 {
                    std::thread::sleep(2 * SPIN);
                }
            }
        }
    }

    #[test]
    fn every_thread_has_its_number() {
        let pool = Pool::new(3).unwrap();
        let counts = [const { AtomicUsize::new(0) }; 3];
        for _ in 0..100 {
            pool.run(&|thread| {
                counts[thread].fetch_add(1, Ordering::Relaxed);
            });
        }
        assert_eq!(counts.map(AtomicUsize::into_inner), [100; 3]);
    }

    #[test]
    fn a_panic_comes_to_whoever_called_and_the_pool_goes_on() {
        let pool = Pool::new(3).unwrap();
        for bad in 0..3 {
            let caught = catch_unwind(AssertUnwindSafe(|| {
                pool.run(&|thread| assert_ne!(thread, bad));
            }));
            assert!(caught.is_err());
        }
        let done = AtomicUsize::new(0);
        pool.run(&|_| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), 3);
    }
}
