//! The driver of one download: writes each state, then runs its effects, then takes what comes of them.

use std::{
    collections::BTreeSet,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use hearth_store::stored;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Download, DriverCommand, Shared, check, fetch,
    job::{Job, JobError},
    locate,
    state::{Effect, Event, State, effects_after_restart, step},
};
use crate::{disk, manifest::Manifest, records::DownloadRecord};

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(250);

/// How a job ended: an event, or `None` when it was stopped.
type Running = Pin<Box<dyn Future<Output = Ended> + Send>>;

struct Ended {
    event: Option<Event>,
    /// The manifest, where the job got it.
    manifest: Option<Manifest>,
}

pub(super) struct Driver {
    shared: Arc<Shared>,
    record: DownloadRecord,
    state: State,
    wishes: mpsc::Receiver<DriverCommand>,
    seen: watch::Sender<Download>,
    job: Option<(CancellationToken, Running)>,
    /// Reports of the job at work.
    reports: (mpsc::Sender<Event>, mpsc::Receiver<Event>),
    arrived_bytes: Arc<AtomicU64>,
    wake_at_ms: Option<i64>,
    speed: Speed,
    is_over: bool,
}

/// Bytes and time of the last show, for the rate.
struct Speed {
    at: Instant,
    arrived_bytes: u64,
    per_second: u64,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        record: DownloadRecord,
        state: State,
        wishes: mpsc::Receiver<DriverCommand>,
        seen: watch::Sender<Download>,
    ) -> Driver {
        let arrived_bytes = state.progress().0;
        Driver {
            shared,
            record,
            state,
            wishes,
            seen,
            job: None,
            reports: mpsc::channel(8),
            arrived_bytes: Arc::new(AtomicU64::new(arrived_bytes)),
            wake_at_ms: None,
            speed: Speed {
                at: Instant::now(),
                arrived_bytes,
                per_second: 0,
            },
            is_over: false,
        }
    }

    /// Runs until the download is over or the node stops.
    pub(super) async fn run(mut self) {
        let stopped = self.shared.tasks.token();
        let restart = effects_after_restart(&self.state);
        self.run_effects(restart).await;
        self.take(Event::Begin).await;
        while !self.is_over {
            let next = tokio::select! {
                biased;
                () = stopped.cancelled() => break,
                wish = self.wishes.recv() => match wish {
                    Some(DriverCommand::Event(event)) => Some(event),
                    Some(DriverCommand::AddSources(sources)) => {
                        self.add_sources(sources).await;
                        None
                    }
                    None => break,
                },
                report = self.reports.1.recv() => report,
                ended = end_of(&mut self.job) => {
                    self.job = None;
                    self.drain_reports().await;
                    if let Some(manifest) = ended.manifest {
                        self.record.manifest = Some(manifest);
                    }
                    ended.event
                }
                () = sleep_until(&self.shared, self.wake_at_ms) => {
                    self.wake_at_ms = None;
                    Some(Event::Tick)
                }
                () = tokio::time::sleep(SHOW_EVERY), if self.job.is_some() => None,
            };
            match next {
                Some(event) => self.take(event).await,
                None => self.show(),
            }
        }
        self.halt().await;
    }

    async fn take(&mut self, event: Event) {
        let (next, effects) = step(
            &self.state,
            event,
            self.shared.clock.now_ms(),
            self.shared.rules.backoff,
        );
        if next != self.state {
            tracing::info!(cid = %self.record.cid, from = self.state.code(), to = next.code(), "download moves on");
            self.state = next;
            if !self.write().await {
                return;
            }
        }
        self.show();
        self.run_effects(effects).await;
    }

    /// Writes the state. Without a database nothing can go on: the job ends, and a restart takes it up.
    async fn write(&mut self) -> bool {
        let written = match stored::write(&self.state) {
            Ok(state) => {
                self.record.state = state;
                let records = &self.shared.records;
                records.put_download(&self.record, self.state.code()).await
            }
            Err(error) => Err(error.into()),
        };
        if let Err(error) = written {
            let why = hearth_base::failure::chain(&error);
            tracing::error!(cid = %self.record.cid, error = why, "the state of a download cannot be written");
            if let Some((token, running)) = self.job.take() {
                token.cancel();
                running.await;
            }
            let (have_bytes, size_bytes) = self.state.progress();
            let (code, values) = error.fact().into_stored();
            let retry_at_ms = self
                .shared
                .clock
                .now_ms()
                .saturating_add(self.shared.rules.backoff.longest_ms);
            self.state = State::Failed {
                why,
                code: Some(code),
                values,
                attempts: 1,
                retry_at_ms: Some(retry_at_ms),
                have_bytes,
                size_bytes,
            };
            self.wake_at_ms = Some(retry_at_ms);
            self.show();
            return false;
        }
        true
    }

    async fn run_effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Locate => self.begin(locate_job),
                Effect::Fetch => self.begin(fetch_job),
                Effect::Check => self.begin(check_job),
                Effect::Halt => self.halt().await,
                Effect::WakeAt(at_ms) => self.wake_at_ms = Some(at_ms),
                Effect::Remove => self.remove().await,
                Effect::Forget => {
                    if let Err(error) = self.shared.records.delete_download(&self.record.cid).await {
                        tracing::warn!(%error, "the record of a finished download stays until the next start");
                    }
                    self.is_over = true;
                }
            }
        }
    }

    fn begin<F>(&mut self, work: fn(Job, mpsc::Sender<Event>, i64) -> F)
    where
        F: Future<Output = Ended> + Send + 'static,
    {
        let token = self.shared.tasks.token().child_token();
        let job = Job {
            cid: self.record.cid,
            rules: self.shared.rules.clone(),
            records: self.shared.records.clone(),
            manifest: self.record.manifest.clone(),
            sources: Job::sources(&self.record.sources, &self.shared.rules),
            token: token.clone(),
            arrived_bytes: Arc::clone(&self.arrived_bytes),
            busy: Arc::clone(&self.shared.busy),
        };
        self.wake_at_ms = None;
        let running = work(job, self.reports.0.clone(), self.shared.clock.now_ms());
        self.job = Some((token, Box::pin(running)));
    }

    /// Ends the job at work; it notes what it has.
    async fn halt(&mut self) {
        self.wake_at_ms = None;
        if let Some((token, running)) = self.job.take() {
            token.cancel();
            running.await;
            self.drain_reports().await;
        }
    }

    /// Reports of a job that ended are about the past; what they say is in the records.
    async fn drain_reports(&mut self) {
        let mut last = None;
        while let Ok(report) = self.reports.1.try_recv() {
            last = Some(report);
        }
        if let Some(Event::Written { have_bytes }) = last
            && let State::Fetching { .. } = self.state
        {
            let event = Event::Written { have_bytes };
            let (next, _) = step(
                &self.state,
                event,
                self.shared.clock.now_ms(),
                self.shared.rules.backoff,
            );
            self.state = next;
        }
        if let State::Paused { have_bytes, .. } = &mut self.state {
            *have_bytes = (*have_bytes).max(self.arrived_bytes.load(Ordering::Relaxed));
            self.write().await;
        }
    }

    async fn remove(&mut self) {
        let folder = self
            .shared
            .rules
            .folder
            .join(super::job::model_folder(&self.record.cid));
        let removed = super::job::blocking(move || disk::remove_folder(&folder)).await;
        let forgotten = self.shared.records.delete_model(&self.record.cid).await;
        match (removed, forgotten) {
            (Ok(()), Ok(())) => {
                self.shared.drop_download(&self.record.cid);
                self.is_over = true;
            }
            (removed, forgotten) => {
                // It stays `Evicting`, and the next start tries again.
                tracing::warn!(
                    ?removed,
                    ?forgotten,
                    "a download that was given up cannot be deleted now"
                );
                self.is_over = true;
            }
        }
    }

    async fn add_sources(&mut self, sources: Vec<String>) {
        let known: BTreeSet<String> = self.record.sources.iter().cloned().collect();
        // What the owner named last is asked first.
        let mut all: Vec<String> = sources
            .into_iter()
            .filter(|source| !known.contains(source))
            .collect();
        if all.is_empty() {
            return;
        }
        all.append(&mut self.record.sources);
        all.truncate(super::MAX_SOURCES);
        self.record.sources = all;
        self.write().await;
    }

    fn show(&mut self) {
        let arrived_bytes = self.arrived_bytes.load(Ordering::Relaxed);
        let elapsed = self.speed.at.elapsed();
        if elapsed >= Duration::from_secs(1) {
            let gained = arrived_bytes.saturating_sub(self.speed.arrived_bytes);
            let rate = (gained as f64 / elapsed.as_secs_f64()) as u64;
            self.speed = Speed {
                at: Instant::now(),
                arrived_bytes,
                per_second: rate,
            };
        }
        let rate = if self.state.is_running() {
            self.speed.per_second
        } else {
            0
        };
        let shown = match &self.state {
            // Before the files are known there is nothing to count.
            State::Fetching { .. } => arrived_bytes,
            State::Wanted
            | State::Locating { .. }
            | State::Checking { .. }
            | State::Ready { .. }
            | State::Paused { .. }
            | State::Failed { .. }
            | State::Evicting => 0,
        };
        let view = self.shared.view(&self.record, &self.state, shown, rate);
        self.shared.show(&view);
        self.seen.send_if_modified(|seen| {
            let is_new = *seen != view;
            *seen = view;
            is_new
        });
    }
}

async fn end_of(job: &mut Option<(CancellationToken, Running)>) -> Ended {
    match job {
        Some((_, running)) => running.await,
        None => std::future::pending().await,
    }
}

async fn sleep_until(shared: &Shared, at_ms: Option<i64>) {
    match at_ms {
        Some(at_ms) => {
            let wait = u64::try_from(at_ms.saturating_sub(shared.clock.now_ms())).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait)).await;
        }
        None => std::future::pending().await,
    }
}

fn ended(result: Result<Event, JobError>, manifest: Option<Manifest>) -> Ended {
    let event = match result {
        Ok(event) => Some(event),
        Err(error) => error.into_event(),
    };
    Ended { event, manifest }
}

async fn locate_job(job: Job, _reports: mpsc::Sender<Event>, _now_ms: i64) -> Ended {
    match locate::manifest(&job).await {
        Ok(manifest) => ended(locate::files(&job, &manifest).await, Some(manifest)),
        Err(error) => ended(Err(error), None),
    }
}

/// Takes the files up again; where the records are not complete, they are located first.
async fn fetch_job(job: Job, reports: mpsc::Sender<Event>, _now_ms: i64) -> Ended {
    let fetching = async {
        let manifest = locate::manifest(&job).await?;
        if job.part_files(&manifest).await?.is_none() {
            locate::files(&job, &manifest).await?;
        }
        let parts = job.part_files(&manifest).await?.unwrap_or_default();
        // A report that finds no room is followed by the next.
        let noted = |have_bytes| {
            let _ = reports.try_send(Event::Written { have_bytes });
        };
        fetch::fetch(&job, parts, noted).await
    };
    ended(fetching.await, None)
}

async fn check_job(job: Job, _reports: mpsc::Sender<Event>, now_ms: i64) -> Ended {
    let checking = async {
        let manifest = locate::manifest(&job).await?;
        if job.part_files(&manifest).await?.is_none() {
            locate::files(&job, &manifest).await?;
        }
        let parts = job.part_files(&manifest).await?.unwrap_or_default();
        check::check(&job, &manifest, parts, now_ms).await
    };
    ended(checking.await, None)
}
