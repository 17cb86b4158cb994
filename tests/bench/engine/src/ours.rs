//! This engine, through its façade.

use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use hearth_engine::{
    Config, Engine, Event, GenerateRequest, ModelHandle, ModelSource, Priority, Prompt, Sampling, Timings,
};

use crate::Burst;

pub(crate) struct Ours {
    model: ModelHandle,
    _engine: Engine,
    pub(crate) load_s: f64,
    pub(crate) resident: u64,
    /// Makes every prompt another, so that nothing is found in the cache.
    turn: std::cell::Cell<u32>,
}

impl Ours {
    pub(crate) fn load(path: &Path, threads: usize) -> Result<Ours> {
        let engine = Engine::start(Config {
            threads,
            prefill_tokens_per_round: 512,
            ..Config::default()
        })?;
        let began = Instant::now();
        let model = engine.load(&ModelSource::at("bench", path)?)?;
        let load_s = began.elapsed().as_secs_f64();
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kb: u64 = line.context("no VmRSS")?.trim().trim_end_matches(" kB").parse()?;
        Ok(Ours {
            model,
            _engine: engine,
            load_s,
            resident: kb << 10,
            turn: 0.into(),
        })
    }

    /// Gives the seconds it took, and how many processors it had on average.
    pub(crate) fn measure(&self, burst: Burst) -> Result<(f64, f64)> {
        let (began, before) = (Instant::now(), processor_s()?);
        let seconds = match burst {
            Burst::Prefill(n) => self.finish(&self.send(n, 1)?)?.prefill.as_secs_f64(),
            Burst::Decode(n, depth) => self.finish(&self.send(depth, n + 1)?)?.decode.as_secs_f64(),
            Burst::Many(sequences, n) => {
                let all: Vec<_> = (0..sequences)
                    .map(|_| self.send(16, n + 1))
                    .collect::<Result<_>>()?;
                let timings: Vec<Timings> = all.iter().map(|one| self.finish(one)).collect::<Result<_>>()?;
                timings
                    .iter()
                    .map(|one| one.decode.as_secs_f64())
                    .fold(0.0, f64::max)
            }
        };
        let processors = (processor_s()? - before) / began.elapsed().as_secs_f64();
        Ok((seconds, processors))
    }

    fn send(&self, n_prompt: usize, n_new: usize) -> Result<Receiver<Event>> {
        let turn = self.turn.get() + 1;
        self.turn.set(turn);
        let vocabulary = self.model.info().vocabulary as u32;
        let prompt = (0..n_prompt as u32).map(|i| 100 + (i * 7 + turn * 13) % (vocabulary - 200));
        let request = GenerateRequest {
            max_tokens: Some(n_new as u32),
            sampling: Sampling::greedy(),
            ignore_end: true,
            // What is computed for money is not kept.
            priority: Priority::Paid,
            ..GenerateRequest::new(Prompt::Tokens(prompt.collect()))
        };
        let (sender, events) = channel();
        self.model.generate(
            request,
            Box::new(move |event| match sender.send(event) {
                Ok(()) => std::ops::ControlFlow::Continue(()),
                Err(_) => std::ops::ControlFlow::Break(()),
            }),
        );
        Ok(events)
    }

    fn finish(&self, events: &Receiver<Event>) -> Result<Timings> {
        loop {
            match events.recv().context("the engine ended")? {
                Event::Finished { timings, .. } => return Ok(timings),
                Event::Failed(error) => bail!(error),
                Event::Started { .. } | Event::Prompt { .. } | Event::Token { .. } => {}
            }
        }
    }
}

/// Seconds of processors that this process has used.
fn processor_s() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok());
    Ok((ticks(11).context("utime")? + ticks(12).context("stime")?) / 100.0)
}
