//! Threads that turn conversations into tokens and constraints into grammars. Chat templates come with the models, and
//! constraints from whoever asks: one that takes all the time it may holds up neither the worker nor, but for that
//! time, the conversations of other models.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::chat_template::STACK_BYTES;
use crate::command::Command;
use crate::job::GenerateJob;
use crate::model::{Loaded, LoadedKind};
use crate::request::{GenerateError, Prompt};
use crate::sequence::Prepared;

/// Conversations that are prepared at once. A usual one takes milliseconds.
const THREADS: usize = 3;

/// What a thread is told.
pub(crate) enum PrepareCommand {
    Prepare(Box<GenerateJob>),
    Count(Box<Count>),
    End,
}

/// A prompt whose tokens are asked for, and nothing else.
pub(crate) struct Count {
    pub(crate) model: Arc<Loaded>,
    pub(crate) prompt: Prompt,
    pub(crate) answer: Sender<Result<Vec<u32>, GenerateError>>,
}

/// The threads, and the way to them.
pub(crate) struct Preparers {
    errands: Sender<PrepareCommand>,
    inbox: Arc<Mutex<Receiver<PrepareCommand>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Preparers {
    /// Starts the threads. What they prepare goes to `worker`.
    pub(crate) fn start(worker: &Sender<Command>, stopping: &Arc<AtomicBool>) -> std::io::Result<Self> {
        let (errands, inbox) = channel();
        let inbox = Arc::new(Mutex::new(inbox));
        let thread = |index| {
            let (inbox, worker, stopping) = (Arc::clone(&inbox), worker.clone(), Arc::clone(stopping));
            std::thread::Builder::new()
                .name(format!("engine-template-{index}"))
                .stack_size(STACK_BYTES)
                .spawn(move || run(&inbox, &worker, &stopping))
        };
        let threads = (0..THREADS).map(thread).collect::<Result<_, _>>()?;
        Ok(Self {
            errands,
            inbox,
            threads: Mutex::new(threads),
        })
    }

    pub(crate) fn errands(&self) -> Sender<PrepareCommand> {
        self.errands.clone()
    }

    /// Tells the threads to end after what they have at work.
    pub(crate) fn stop(&self) {
        for _ in 0..THREADS {
            // A send fails only if they have ended, which is what is wanted.
            let _ = self.errands.send(PrepareCommand::End);
        }
    }

    pub(crate) fn join(&self) {
        for thread in std::mem::take(&mut *self.threads.lock()) {
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread that prepares conversations panicked");
            }
        }
        // What came in behind the signal hears of it. The threads leave it: one of them would take another's signal.
        while let Ok(errand) = self.inbox.lock().try_recv() {
            if let PrepareCommand::Prepare(mut job) = errand {
                job.reply.fail(GenerateError::Stopped);
            }
        }
    }
}

fn run(inbox: &Mutex<Receiver<PrepareCommand>>, worker: &Sender<Command>, stopping: &AtomicBool) {
    loop {
        // Held while this thread waits, so that one errand wakes one thread.
        let errand = inbox.lock().recv();
        match errand {
            Ok(PrepareCommand::Prepare(job)) => prepare(*job, worker, stopping),
            Ok(PrepareCommand::Count(count)) => count.answer(),
            Ok(PrepareCommand::End) | Err(_) => return,
        }
    }
}

impl Count {
    fn answer(self) {
        let LoadedKind::Text(text) = &self.model.kind else {
            let model = self.model.info.name.clone();
            let _ = self.answer.send(Err(GenerateError::NotGenerative { model }));
            return;
        };
        let tokens = || text.tokens_of(&self.prompt, self.model.info.context_tokens);
        let tokens = catch_unwind(AssertUnwindSafe(tokens)).unwrap_or_else(|_| {
            Err(GenerateError::Internal {
                reason: "reading the prompt panicked".to_owned(),
            })
        });
        // Whoever asked may be gone.
        let _ = self.answer.send(tokens.map(|prompt| prompt.tokens));
    }
}

fn prepare(mut job: GenerateJob, worker: &Sender<Command>, stopping: &AtomicBool) {
    if stopping.load(Ordering::Relaxed) {
        job.reply.fail(GenerateError::Stopped);
        return;
    }
    let model = Arc::clone(&job.model);
    let LoadedKind::Text(text) = &model.kind else {
        job.reply.fail(GenerateError::NotGenerative {
            model: model.info.name.clone(),
        });
        return;
    };
    // A receiver that panics at its refusal must not take the thread along.
    let Ok(Some(prepared)) = catch_unwind(AssertUnwindSafe(|| Prepared::new(job, text))) else {
        return;
    };
    if let Err(rejected) = worker.send(Command::Ready(Box::new(prepared)))
        && let Command::Ready(prepared) = rejected.0
    {
        prepared.fail(GenerateError::Stopped);
    }
}
