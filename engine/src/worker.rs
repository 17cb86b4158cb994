//! The worker thread: takes requests, admits them, and computes round after round while any runs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};

use rayon::prelude::*;

use crate::command::Command;
use crate::config::Config;
use crate::constraint::Guide;
use crate::job::{EmbedJob, GenerateJob};
use crate::kernels::Compute;
use crate::model::{Bert, Decoder, Loaded, LoadedKind, Piece, TextModel, WORKING_BYTES, Workspace};
use crate::prefix::PrefixCache;
use crate::request::{EmbedRequest, Embeddings, FinishReason, GenerateError, Priority};
use crate::scheduler::{
    Admission, CacheUse, Eviction, InUse, Limits, Share, Waiting, admit, outgrown, paid_takes_part, plan,
    room,
};
use crate::sequence::{Prepared, Sequence, Step};

/// What the worker shares with the façade.
pub(crate) struct Shared {
    /// For what the tensor library computes, and what is prepared beside a round.
    pub(crate) pool: Arc<rayon::ThreadPool>,
    pub(crate) compute: Compute,
    pub(crate) stopping: Arc<AtomicBool>,
    /// Bytes of weights loaded.
    pub(crate) weight_bytes: Arc<AtomicU64>,
    /// Bytes of caches that run, were promised or are kept.
    pub(crate) cache_bytes: Arc<AtomicU64>,
    /// Memory for weights and caches together.
    pub(crate) memory_bytes: u64,
}

/// The worker's state; it lives on its thread.
pub(crate) struct Worker {
    config: Config,
    inbox: Receiver<Command>,
    shared: Shared,
    space: Workspace,
    waiting: Vec<Prepared>,
    running: Vec<Sequence>,
    embedding: Vec<Embedding>,
    /// Caches of ended conversations.
    kept: PrefixCache,
    round: u64,
}

/// An embedding request in progress: one input per round.
struct Embedding {
    job: EmbedJob,
    done: Embeddings,
}

impl Worker {
    pub(crate) fn new(config: Config, inbox: Receiver<Command>, shared: Shared) -> Self {
        let (waiting, running, embedding) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            config,
            inbox,
            space: Workspace::new(&shared.compute),
            shared,
            waiting,
            running,
            embedding,
            kept: PrefixCache::default(),
            round: 0,
        }
    }

    /// Works until the engine stops.
    pub(crate) fn run(mut self) {
        while self.take_commands() {
            self.drop_cancelled();
            self.admit();
            self.tell_caches();
            self.decode_round();
            self.embed_round();
            self.kept.drop_orphans();
            self.tell_caches();
            self.round += 1;
        }
        self.fail_all();
    }

    /// Takes what has come in, waiting if there is nothing else to do. `false` if the engine stops.
    fn take_commands(&mut self) -> bool {
        let idle = self.waiting.is_empty() && self.running.is_empty() && self.embedding.is_empty();
        if idle {
            match self.inbox.recv() {
                Ok(command) => self.take(command),
                Err(_) => return false,
            }
        }
        loop {
            if self.shared.stopping.load(Ordering::Relaxed) {
                return false;
            }
            match self.inbox.try_recv() {
                Ok(command) => self.take(command),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return !idle,
            }
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Generate(job) => self.take_generate(*job),
            Command::Ready(prepared) => self.waiting.push(*prepared),
            Command::Embed(job) => self.take_embed(*job),
            Command::DropKept(answer) => {
                self.kept.drop_all();
                self.tell_caches();
                // Whoever asked may have lost patience.
                let _ = answer.send(());
            }
            Command::Wake => {}
        }
    }

    /// Tells the façade what caches take, which loading must leave free.
    fn tell_caches(&self) {
        let bytes = self.taken().cache_bytes;
        self.shared.cache_bytes.store(bytes, Ordering::Relaxed);
    }

    fn take_generate(&mut self, mut job: GenerateJob) {
        let model = Arc::clone(&job.model);
        match &model.kind {
            LoadedKind::Text(text) => self.waiting.extend(Prepared::new(job, text)),
            LoadedKind::Embedding(_) => {
                job.reply.fail(GenerateError::NotGenerative {
                    model: model.info.name.clone(),
                });
            }
        }
    }

    fn take_embed(&mut self, job: EmbedJob) {
        let refusal = match (&job.model.kind, job.model.check()) {
            (LoadedKind::Text(_), _) => Some(GenerateError::NotEmbedding {
                model: job.model.info.name.clone(),
            }),
            (LoadedKind::Embedding(_), Err(error)) => Some(error),
            (LoadedKind::Embedding(bert), Ok(())) => job
                .request
                .dimensions
                .and_then(|n| bert.check_dimensions(n).err()),
        };
        match refusal {
            Some(error) => {
                job.reply.answer(Err(error));
            }
            None => {
                let done = Embeddings {
                    vectors: Vec::new(),
                    prompt_tokens: 0,
                };
                self.embedding.push(Embedding { job, done });
            }
        }
    }

    fn drop_cancelled(&mut self) {
        for prepared in self
            .waiting
            .extract_if(.., |prepared| prepared.ticket.is_cancelled())
        {
            prepared.cancel();
        }
        for mut sequence in self.running.extract_if(.., |sequence| sequence.is_cancelled()) {
            sequence.finish(FinishReason::Cancelled, None);
        }
        for embedding in self
            .embedding
            .extract_if(.., |embedding| embedding.job.ticket.is_cancelled())
        {
            embedding.job.reply.answer(Err(GenerateError::Cancelled));
        }
    }

    fn admit(&mut self) {
        loop {
            let waiting: Vec<Waiting> = self
                .waiting
                .iter()
                .map(|one| Waiting {
                    priority: one.priority,
                    origin: one.origin,
                    cache_bytes: one.cache_bytes,
                })
                .collect();
            let limits = Limits {
                running: self.config.max_running,
                cache_bytes: self.cache_limit(),
            };
            match admit(&waiting, &self.taken(), limits) {
                // What is kept for convenience makes way for what is asked for.
                Admission::WaitForMemory(_) if self.kept.drop_oldest() => {}
                Admission::WaitForMemory(Priority::Local) if self.end_outgrown(limits.cache_bytes) => {}
                Admission::Wait | Admission::WaitForMemory(Priority::Local | Priority::Paid) => return,
                Admission::Refuse(index) => {
                    let prepared = self.waiting.remove(index);
                    let (tokens, need_bytes) = (prepared.cache_tokens, prepared.cache_bytes);
                    let limit_bytes = limits.cache_bytes;
                    prepared.fail(GenerateError::CacheTooLarge {
                        tokens,
                        need_bytes,
                        limit_bytes,
                    });
                }
                Admission::Admit(index) => {
                    let prepared = self.waiting.remove(index);
                    let model = Arc::clone(&prepared.model);
                    let text = text_of(&model);
                    self.running
                        .extend(text.and_then(|text| Sequence::start(prepared, text, &mut self.kept)));
                }
            }
        }
    }

    fn cache_limit(&self) -> u64 {
        self.shared
            .memory_bytes
            .saturating_sub(self.shared.weight_bytes.load(Ordering::Relaxed))
            .saturating_sub(WORKING_BYTES)
    }

    /// Gives what each running sequence holds, those in `shares` after the round.
    fn cache_uses(&self, shares: &[Share]) -> Vec<CacheUse> {
        let tokens = |index| {
            let share = shares.iter().find(|share| share.index == index);
            share.map_or(0, |share| share.tokens)
        };
        let of = |(index, one): (usize, &Sequence)| CacheUse {
            priority: one.standing().priority,
            bytes: one.cache_bytes_after(tokens(index)),
        };
        self.running.iter().enumerate().map(of).collect()
    }

    /// Breaks the youngest paid answer off if paid ones have taken what is the owner's.
    fn end_outgrown(&mut self, limit_bytes: u64) -> bool {
        let index = outgrown(&self.cache_uses(&[]), limit_bytes);
        if let Some(index) = index {
            self.break_off(index, limit_bytes);
        }
        index.is_some()
    }

    fn break_off(&mut self, index: usize, limit_bytes: u64) {
        tracing::warn!(
            limit_bytes,
            "an answer is broken off: the memory for caches is full"
        );
        self.running
            .remove(index)
            .fail(GenerateError::CachesFull { limit_bytes });
    }

    /// Plans the round and makes room for the pages it will take.
    fn plan_within_memory(&mut self) -> Vec<Share> {
        loop {
            let standing: Vec<_> = self.running.iter().map(Sequence::standing).collect();
            let shares = plan(&standing, self.round, self.config.prefill_tokens_per_round);
            let limit_bytes = self.cache_limit();
            match room(&self.cache_uses(&shares), self.kept.bytes(), limit_bytes) {
                Eviction::Enough => return shares,
                Eviction::DropKept => {
                    self.kept.drop_oldest();
                }
                Eviction::End(index) => self.break_off(index, limit_bytes),
            }
        }
    }

    fn taken(&self) -> InUse {
        let standing = self.running.iter().map(Sequence::standing);
        InUse {
            running: standing.map(|one| (one.priority, one.origin)).collect(),
            cache_bytes: self.running.iter().map(Sequence::cache_bytes).sum::<u64>() + self.kept.bytes(),
        }
    }

    /// Computes one round for every model that has work in it.
    fn decode_round(&mut self) {
        let mut shares = self.plan_within_memory();
        let mut done = Vec::new();
        while let Some(first) = shares.first() {
            let model = Arc::clone(&self.running[first.index].model);
            let same = |share: &Share| Arc::ptr_eq(&self.running[share.index].model, &model);
            let (group, rest): (Vec<Share>, Vec<Share>) = shares.iter().partition(|share| same(share));
            shares = rest;
            done.extend(self.model_round(&model, &group));
        }
        done.sort_unstable();
        for index in done.into_iter().rev() {
            self.running.remove(index).end(&mut self.kept);
        }
    }

    /// Computes one round of one model and gives the sequences that are done.
    fn model_round(&mut self, model: &Arc<Loaded>, group: &[Share]) -> Vec<usize> {
        let Some(text) = text_of(model) else {
            return group.iter().map(|share| share.index).collect();
        };
        let members = group.iter().map(|share| share.index);
        let (mut pieces, mut guides) = (Vec::new(), Vec::new());
        let mut shares = group.iter().peekable();
        for (index, sequence) in self.running.iter_mut().enumerate() {
            if let Some(share) = shares.next_if(|share| share.index == index) {
                let (piece, guide) = sequence.work(share.tokens);
                pieces.push(piece);
                guides.extend(guide);
            }
        }
        let rows: Vec<usize> = pieces.iter().map(Piece::wanted_rows).collect();
        let (shared, space) = (&self.shared, &mut self.space);
        let computed = catch_unwind(AssertUnwindSafe(|| {
            compute(shared, &text.decoder, space, &mut pieces, &mut guides)
        }));
        drop((pieces, guides));
        let Ok(logits) = computed else {
            tracing::error!(model = %model.info.name, "a round panicked; the model is given up");
            model.mark_broken();
            let reason = "a round of computing panicked".to_owned();
            for share in group {
                self.running[share.index].fail(GenerateError::Internal {
                    reason: reason.clone(),
                });
            }
            return members.collect();
        };
        let mut rest = logits.as_slice();
        let mut done = Vec::new();
        for (share, rows) in group.iter().zip(rows) {
            let (own, after) = rest.split_at(rows * text.tokenizer.vocabulary());
            rest = after;
            let sequence = &mut self.running[share.index];
            let step = catch_unwind(AssertUnwindSafe(|| sequence.advance(share.tokens, own, text)));
            match step {
                Ok(Step::Going) => {}
                Ok(Step::Done) => done.push(share.index),
                Err(_) => {
                    tracing::error!(model = %model.info.name, "the receiver of an answer panicked");
                    done.push(share.index);
                }
            }
        }
        done
    }

    /// Embeds one input of one of the most urgent requests, in turn. Paid ones make way for local answers as paid
    /// answers do.
    fn embed_round(&mut self) {
        let local_runs = self.taken().count(Priority::Local) > 0;
        let takes_part = |one: &Embedding| match one.job.request.priority {
            Priority::Local => true,
            Priority::Paid => paid_takes_part(local_runs, self.round),
        };
        let urgency = |(_, one): &(usize, &Embedding)| one.job.request.priority;
        let urgent = self.embedding.iter().enumerate();
        let Some((index, _)) = urgent.filter(|(_, one)| takes_part(one)).min_by_key(urgency) else {
            return;
        };
        // Behind the others, so that many texts of one do not hold up another's.
        let embedding = self.embedding.remove(index);
        self.embedding.push(embedding);
        let index = self.embedding.len() - 1;
        let embedding = &mut self.embedding[index];
        let model = Arc::clone(&embedding.job.model);
        let LoadedKind::Embedding(bert) = &model.kind else {
            return;
        };
        let pool = &self.shared.pool;
        let outcome = match catch_unwind(AssertUnwindSafe(|| pool.install(|| embedding.next(bert)))) {
            Ok(Ok(false)) => return,
            Ok(Ok(true)) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => {
                model.mark_broken();
                Some(GenerateError::Internal {
                    reason: "an embedding panicked".to_owned(),
                })
            }
        };
        let Embedding { job, done } = self.embedding.remove(index);
        job.reply.answer(outcome.map_or(Ok(done), Err));
    }

    fn fail_all(&mut self) {
        for prepared in self.waiting.drain(..) {
            prepared.fail(GenerateError::Stopped);
        }
        for mut sequence in self.running.drain(..) {
            sequence.fail(GenerateError::Stopped);
        }
        for embedding in self.embedding.drain(..) {
            embedding.job.reply.answer(Err(GenerateError::Stopped));
        }
        while let Ok(command) = self.inbox.try_recv() {
            match command {
                Command::Generate(mut job) => job.reply.fail(GenerateError::Stopped),
                Command::Ready(prepared) => prepared.fail(GenerateError::Stopped),
                Command::Embed(job) => job.reply.answer(Err(GenerateError::Stopped)),
                // Whoever asks hears that nothing comes any more.
                Command::DropKept(_) | Command::Wake => {}
            }
        }
    }
}

impl Embedding {
    /// Embeds the next input; says whether that was the last.
    fn next(&mut self, bert: &Bert) -> Result<bool, GenerateError> {
        let EmbedRequest {
            inputs,
            truncate,
            dimensions,
            ..
        } = &self.job.request;
        let index = self.done.vectors.len();
        if let Some(input) = inputs.get(index) {
            let tokens = bert.tokens_of(input, index, *truncate)?;
            self.done.vectors.push(bert.embed(&tokens, *dimensions)?);
            self.done.prompt_tokens += tokens.len() as u32;
        }
        Ok(self.done.vectors.len() >= inputs.len())
    }
}

/// Computes logits, and beside them what each guide allows next.
fn compute(
    shared: &Shared,
    decoder: &Decoder,
    space: &mut Workspace,
    pieces: &mut [Piece<'_>],
    guides: &mut [&mut Guide],
) -> Vec<f32> {
    if guides.is_empty() {
        return decoder.forward(&shared.compute, space, pieces);
    }
    shared.pool.in_place_scope(|scope| {
        scope.spawn(|_| guides.par_iter_mut().for_each(|guide| guide.prepare()));
        decoder.forward(&shared.compute, space, pieces)
    })
}

fn text_of(model: &Loaded) -> Option<&TextModel> {
    match &model.kind {
        LoadedKind::Text(text) => Some(text),
        LoadedKind::Embedding(_) => None,
    }
}
