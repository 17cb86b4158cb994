//! The façade: an engine that owns its threads, and handles to the models it has loaded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::command::Command;
use crate::config::{Config, StartError, check};
use crate::hardware::{Hardware, memory};
use crate::job::{EmbedJob, GenerateJob};
use crate::kernels::Compute;
use crate::load::{LoadError, ModelInfo, ModelSource};
use crate::model::{LoadSettings, Loaded, LoadedKind, load};
use crate::prepare::{Count, PrepareCommand, Preparers};
use crate::reply::{EmbedReply, QueueSlot, Reply, Ticket};
use crate::request::{
    EmbedRequest, EmbedSink, Event, GenerateError, GenerateRequest, Message, Prompt, Rendered, Sink,
};
use crate::worker::{Shared, Worker};
use parking_lot::Mutex;

/// The longest that loading waits for the worker to end a round.
const ROUND_PATIENCE: Duration = Duration::from_secs(10);

/// The engine: one worker thread, one pool of compute threads, any number of loaded models.
///
/// Clones share it; it stops when [`Engine::stop`] is called or the last clone is dropped.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    hardware: Hardware,
    /// Memory for weights and caches together.
    memory_bytes: u64,
    pool: Arc<rayon::ThreadPool>,
    link: Link,
    weight_bytes: Arc<AtomicU64>,
    cache_bytes: Arc<AtomicU64>,
    worker: Mutex<Option<JoinHandle<()>>>,
    preparers: Preparers,
}

/// What engine and handles share to reach the worker.
#[derive(Clone)]
struct Link {
    commands: Sender<Command>,
    errands: Sender<PrepareCommand>,
    queued: Arc<AtomicUsize>,
    stopping: Arc<AtomicBool>,
    max_queued: usize,
}

impl Engine {
    /// Checks `config`, probes the hardware and starts the threads.
    ///
    /// # Errors
    /// [`StartError`] if a figure is out of range or the system gives no threads.
    pub fn start(config: Config) -> Result<Self, StartError> {
        check(&config)?;
        let hardware = Hardware::probe();
        let threads = if config.threads == 0 {
            hardware.threads
        } else {
            config.threads
        };
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|index| format!("engine-{index}"))
            .build()
            .map_err(|source| StartError::Threads {
                reason: source.to_string(),
            })?;
        let pool = Arc::new(pool);
        let (commands, inbox) = std::sync::mpsc::channel();
        let stopping = Arc::default();
        let no_threads = |source: std::io::Error| StartError::Threads {
            reason: source.to_string(),
        };
        let preparers = Preparers::start(&commands, &stopping).map_err(no_threads)?;
        let link = Link {
            commands,
            errands: preparers.errands(),
            queued: Arc::default(),
            stopping,
            max_queued: config.max_queued,
        };
        let (weight_bytes, cache_bytes) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        // A tenth stays for the rest of the program and for what other programs ask for meanwhile.
        let memory_bytes = config
            .memory_limit_bytes
            .unwrap_or(hardware.available_bytes / 10 * 9);
        let shared = Shared {
            pool: Arc::clone(&pool),
            compute: Compute::new(threads).map_err(no_threads)?,
            stopping: Arc::clone(&link.stopping),
            weight_bytes: Arc::clone(&weight_bytes),
            cache_bytes: Arc::clone(&cache_bytes),
            memory_bytes,
        };
        let worker = Worker::new(config.clone(), inbox, shared);
        let worker = std::thread::Builder::new()
            .name("engine-worker".to_owned())
            .spawn(move || worker.run())
            .map_err(no_threads)?;
        let worker = Mutex::new(Some(worker));
        let inner = Inner {
            config,
            hardware,
            memory_bytes,
            pool,
            link,
            weight_bytes,
            cache_bytes,
            worker,
            preparers,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Says what the machine can compute with, as probed at the start.
    pub fn hardware(&self) -> &Hardware {
        &self.inner.hardware
    }

    /// Says how many requests run or wait.
    pub fn load_level(&self) -> usize {
        self.inner.link.queued.load(Ordering::Relaxed)
    }

    /// Loads a model. Blocks while files are read: seconds for large ones.
    ///
    /// # Errors
    /// [`LoadError`] says which file is at fault and why.
    pub fn load(&self, source: &ModelSource) -> Result<ModelHandle, LoadError> {
        if self.inner.link.stopping.load(Ordering::Relaxed) {
            return Err(LoadError::Stopped);
        }
        let free_bytes = self.free_bytes();
        let loaded = match self.try_load(source, free_bytes) {
            // Caches of ended conversations are kept for convenience; a model that somebody asks for is worth more.
            Err(LoadError::TooLarge { .. }) if self.drop_kept_caches() && self.free_bytes() > free_bytes => {
                self.try_load(source, self.free_bytes())?
            }
            result => result?,
        };
        tracing::info!(model = %loaded.info.name, architecture = %loaded.info.architecture,
            bytes = loaded.info.weight_bytes, context = loaded.info.context_tokens, "model loaded");
        let reservation = MemoryReservation::take(&self.inner, loaded.info.weight_bytes);
        Ok(ModelHandle {
            loaded: Arc::new(loaded),
            link: self.inner.link.clone(),
            _reservation: Arc::new(reservation),
        })
    }

    /// Tells the worker to stop: what runs and waits fails with [`GenerateError::Stopped`].
    pub fn stop(&self) {
        self.inner.stop();
    }

    /// Waits until the worker has stopped.
    pub fn join(&self) {
        self.inner.join();
    }

    fn try_load(&self, source: &ModelSource, free_bytes: u64) -> Result<Loaded, LoadError> {
        let settings = LoadSettings {
            free_bytes,
            precision: self.inner.config.precision,
            unix_now: self.inner.config.unix_now,
        };
        self.inner.pool.install(|| load(source, &settings))
    }

    /// Has the worker drop what it keeps for later and count what runs; says whether it did.
    fn drop_kept_caches(&self) -> bool {
        let (sender, answer) = std::sync::mpsc::channel();
        let sent = self.inner.link.commands.send(Command::DropKept(sender));
        sent.is_ok() && answer.recv_timeout(ROUND_PATIENCE).is_ok()
    }

    fn free_bytes(&self) -> u64 {
        let taken =
            self.inner.weight_bytes.load(Ordering::Relaxed) + self.inner.cache_bytes.load(Ordering::Relaxed);
        let room = self.inner.memory_bytes.saturating_sub(taken);
        match self.inner.config.memory_limit_bytes {
            Some(_) => room,
            None => room.min(memory().1 / 10 * 9),
        }
    }
}

impl Inner {
    fn stop(&self) {
        self.link.stopping.store(true, Ordering::Relaxed);
        // A send fails only if the worker has ended, which is what is wanted.
        let _ = self.link.commands.send(Command::Wake);
        self.preparers.stop();
    }

    fn join(&self) {
        let worker = self.worker.lock().take();
        if let Some(worker) = worker
            && worker.thread().id() != std::thread::current().id()
            && worker.join().is_err()
        {
            tracing::error!("the engine's worker thread panicked");
        }
        self.preparers.join();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
        self.join();
    }
}

/// Counts a model's bytes as taken until its last handle is dropped.
struct MemoryReservation {
    total: Arc<AtomicU64>,
    bytes: u64,
    commands: Sender<Command>,
}

impl MemoryReservation {
    fn take(engine: &Inner, bytes: u64) -> Self {
        engine.weight_bytes.fetch_add(bytes, Ordering::Relaxed);
        Self {
            total: Arc::clone(&engine.weight_bytes),
            bytes,
            commands: engine.link.commands.clone(),
        }
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.total.fetch_sub(self.bytes, Ordering::Relaxed);
        // The worker drops the caches it kept for the model. It may have ended, which drops them as well.
        let _ = self.commands.send(Command::Wake);
    }
}

/// A loaded model. Clones share it; the last one dropped unloads it once running requests have ended.
#[derive(Clone)]
pub struct ModelHandle {
    loaded: Arc<Loaded>,
    link: Link,
    _reservation: Arc<MemoryReservation>,
}

impl ModelHandle {
    /// Describes the model.
    pub fn info(&self) -> &ModelInfo {
        &self.loaded.info
    }

    /// Whether requests can still run on it: its files are what they were, and no defect was met. Costs one system
    /// call for each file.
    pub fn is_usable(&self) -> bool {
        self.loaded.check().is_ok()
    }

    /// Queues a request and returns at once; everything else, refusals too, goes to `sink`.
    pub fn generate(&self, request: GenerateRequest, mut sink: Sink) -> Ticket {
        let ticket = Ticket::default();
        let place = match self.admit() {
            Ok(place) => place,
            Err(error) => {
                let _ = sink(Event::Failed(error));
                return ticket;
            }
        };
        let job = GenerateJob {
            model: Arc::clone(&self.loaded),
            request,
            reply: Reply::new(sink, place),
            ticket: ticket.clone(),
            since: Instant::now(),
        };
        let job = Box::new(job);
        // A constraint is compiled where conversations are rendered: both take long where somebody means ill.
        let takes_long =
            matches!(job.request.prompt, Prompt::Chat { .. }) || job.request.constraint.is_some();
        let rejected = if takes_long {
            let sent = self.link.errands.send(PrepareCommand::Prepare(job));
            sent.err().and_then(|rejected| match rejected.0 {
                PrepareCommand::Prepare(job) => Some(job),
                PrepareCommand::Count(_) | PrepareCommand::End => None,
            })
        } else {
            let sent = self.link.commands.send(Command::Generate(job));
            sent.err().and_then(|rejected| match rejected.0 {
                Command::Generate(job) => Some(job),
                Command::Ready(_) | Command::Embed(_) | Command::DropKept(_) | Command::Wake => None,
            })
        };
        if let Some(mut job) = rejected {
            job.reply.fail(GenerateError::Stopped);
        }
        ticket
    }

    /// Queues an embedding request and returns at once; the ticket cancels it between two texts.
    pub fn embed(&self, request: EmbedRequest, sink: EmbedSink) -> Ticket {
        let ticket = Ticket::default();
        let place = match self.admit() {
            Ok(place) => place,
            Err(error) => {
                sink(Err(error));
                return ticket;
            }
        };
        let reply = EmbedReply::new(sink, place);
        let job = EmbedJob {
            model: Arc::clone(&self.loaded),
            request,
            reply,
            ticket: ticket.clone(),
        };
        if let Err(rejected) = self.link.commands.send(Command::Embed(Box::new(job)))
            && let Command::Embed(job) = rejected.0
        {
            job.reply.answer(Err(GenerateError::Stopped));
        }
        ticket
    }

    /// Splits plain text into tokens; special tokens spelled out in it are plain text. `add_special` adds those that
    /// the model puts around any text, as a prompt or an input gets them.
    ///
    /// Blocks while it works: for some milliseconds for each 100,000 bytes.
    ///
    /// # Errors
    /// [`GenerateError::PromptTooLong`] or [`GenerateError::TextTooLarge`] for a text that could not be read whole.
    pub fn tokenize(&self, text: &str, add_special: bool) -> Result<Vec<u32>, GenerateError> {
        match &self.loaded.kind {
            LoadedKind::Text(model) => {
                model.check_length(text.len(), self.loaded.info.context_tokens)?;
                Ok(if add_special {
                    model.tokenizer.encode_prompt(text)
                } else {
                    model.tokenizer.encode_text(text)
                })
            }
            LoadedKind::Embedding(model) => {
                model.check_length(0, text)?;
                model.tokenize(text, add_special)
            }
        }
    }

    /// Gives the tokens of a prompt as [`Self::generate`] would read it, conversations rendered; there may be more than
    /// the context window holds.
    ///
    /// Blocks until one of the threads that render conversations has done it: milliseconds, or seconds where they
    /// have much to do or the template is bad.
    ///
    /// # Errors
    /// What [`Self::generate`] refuses a prompt for, but for its number of tokens.
    pub fn tokens_of(&self, prompt: Prompt) -> Result<Vec<u32>, GenerateError> {
        let _place = self.admit()?;
        let (answer, tokens) = std::sync::mpsc::channel();
        let count = Box::new(Count {
            model: Arc::clone(&self.loaded),
            prompt,
            answer,
        });
        let sent = self.link.errands.send(PrepareCommand::Count(count));
        sent.map_err(|_| GenerateError::Stopped)?;
        tokens.recv().unwrap_or(Err(GenerateError::Stopped))
    }

    /// Splits text that a template wrote: special tokens spelled out in it are special.
    pub fn tokenize_special(&self, text: &str) -> Vec<u32> {
        match &self.loaded.kind {
            LoadedKind::Text(model) => model.tokenizer.encode(text, true),
            LoadedKind::Embedding(model) => model.tokenize(text, true).unwrap_or_default(),
        }
    }

    /// Gives the text of tokens, special ones spelled out if `special` and else left out; bytes that form no character
    /// become U+FFFD. Blocks for less than a microsecond for each token.
    ///
    /// # Errors
    /// [`GenerateError::UnknownToken`].
    pub fn detokenize(&self, tokens: &[u32], special: bool) -> Result<String, GenerateError> {
        match &self.loaded.kind {
            LoadedKind::Text(model) => {
                model.check_tokens(tokens)?;
                Ok(model.tokenizer.decode(tokens, special))
            }
            LoadedKind::Embedding(model) => model.detokenize(tokens, special),
        }
    }

    /// Gives the control token that is written so: answers hold it only where a request asks for it.
    pub fn control_token(&self, text: &str) -> Option<u32> {
        match &self.loaded.kind {
            LoadedKind::Text(model) => model.tokenizer.control_token(text),
            LoadedKind::Embedding(_) => None,
        }
    }

    /// Renders a conversation by the model's chat template, with the opening of an answer at its end.
    ///
    /// # Errors
    /// [`GenerateError::Template`], [`GenerateError::BadParameter`], [`GenerateError::NotGenerative`].
    pub fn render(
        &self,
        messages: &[Message],
        tools: Option<&serde_json::Value>,
        kwargs: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Rendered, GenerateError> {
        match &self.loaded.kind {
            LoadedKind::Text(model) => model.render(messages, tools, kwargs),
            LoadedKind::Embedding(_) => Err(GenerateError::NotGenerative {
                model: self.loaded.info.name.clone(),
            }),
        }
    }

    fn admit(&self) -> Result<QueueSlot, GenerateError> {
        if self.link.stopping.load(Ordering::Relaxed) {
            return Err(GenerateError::Stopped);
        }
        QueueSlot::take(&self.link.queued, self.link.max_queued)
    }
}
