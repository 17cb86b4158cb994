//! The engine on the demo model: tokens per second, beside what the memory of this machine allows.
//!
//! Decoding reads every weight once per token, so bandwidth divided by the bytes of the weights bounds it; the
//! bandwidth is measured in the same run, by comparing large buffers on as many threads.

use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hearth_engine::{
    Config, Constraint, Engine, Event, GenerateRequest, ModelHandle, ModelSource, Priority, Prompt, Sampling,
    Timings, Usage,
};

use crate::table::{as_f64, figure, median, section};

const MODEL: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
/// Each buffer of the bandwidth test: beyond any cache of a home computer.
const BUFFER_BYTES: usize = 128 << 20;
const ROUNDS: usize = 3;

pub(crate) fn run() -> anyhow::Result<()> {
    let engine = Engine::start(Config::default())?;
    let threads = engine.hardware().threads;
    section(&format!("engine (SmolLM2-135M Q4_1, {threads} threads)"));
    let path = crate::models()?.join(MODEL);
    anyhow::ensure!(
        path.is_file(),
        "{} is missing: `make run` fetches it",
        path.display()
    );
    let began = Instant::now();
    let model = engine.load(&ModelSource::at("smollm2-135m-instruct", &path)?)?;
    figure(
        "load from a warm disk cache",
        &format!("{:.0} ms", began.elapsed().as_secs_f64() * 1e3),
        "",
    );
    let bandwidth = bandwidth(threads)?;
    let weight_bytes = as_f64(usize::try_from(model.info().weight_bytes)?);
    figure(
        "memory bandwidth",
        &format!("{:.1} GB/s", bandwidth / 1e9),
        "reading, measured now",
    );
    prefill(&model)?;
    let limit = bandwidth / weight_bytes;
    let alone = together(&model, 1, 64)?;
    let share = |rate: f64| {
        format!(
            "{:.0} % of the {limit:.0}/s that memory allows",
            rate / limit * 100.0
        )
    };
    figure("decode, after 64 tokens", &rate_text(alone), &share(alone));
    let deep = together(&model, 1, 1024)?;
    figure("decode, after 1,024 tokens", &rate_text(deep), &share(deep));
    let four = together(&model, 4, 64)?;
    figure(
        "decode, 4 answers together",
        &rate_text(four),
        &format!("{:.2} times one alone", four / alone),
    );
    schema(&model)?;
    engine.stop();
    engine.join();
    Ok(())
}

/// What keeping to a JSON schema costs for each token, beside the same number of free tokens in the same run.
fn schema(model: &ModelHandle) -> anyhow::Result<()> {
    const TOKENS: u32 = 96;
    let person = serde_json::json!({
        "type": "object", "required": ["name", "age", "tags"], "additionalProperties": false,
        "properties": {
            "name": {"type": "string", "maxLength": 24}, "age": {"type": "integer", "minimum": 0, "maximum": 120},
            "tags": {"type": "array", "items": {"enum": ["new", "known", "gone"]}, "maxItems": 3},
        },
    });
    let list = Constraint::JsonSchema(serde_json::json!({"type": "array", "items": person, "minItems": 50}));
    let (mut free, mut kept) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        for (constraint, times) in [(None, &mut free), (Some(list.clone()), &mut kept)] {
            let request = GenerateRequest {
                constraint,
                ..request(64, TOKENS)
            };
            let (timings, usage) = wait(&send(model, request))?;
            times.push(timings.decode.as_secs_f64() / f64::from(usage.completion_tokens - 1));
        }
    }
    let (free, kept) = (median(free), median(kept));
    figure(
        "a JSON schema, for each token",
        &format!("{:+.0} us", (kept - free) * 1e6),
        &format!("{:.2} times the time of a free token", kept / free),
    );
    Ok(())
}

fn rate_text(rate: f64) -> String {
    format!("{rate:.1} tokens/s")
}

fn prefill(model: &ModelHandle) -> anyhow::Result<()> {
    let parameters = as_f64(usize::try_from(model.info().parameters)?);
    for n_tokens in [64_u32, 512] {
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            let (timings, usage) = wait(&start(model, n_tokens, 1))?;
            rates.push(f64::from(usage.prompt_tokens) / timings.prefill.as_secs_f64());
        }
        let rate = median(rates);
        let operations = format!("{:.0} billion multiply-adds/s", rate * parameters / 1e9);
        figure(
            &format!("prefill, {n_tokens} tokens"),
            &rate_text(rate),
            &operations,
        );
    }
    Ok(())
}

/// Tokens per second of `n` answers decoded at once, each after a prompt of `n_prompt` tokens.
fn together(model: &ModelHandle, n: usize, n_prompt: u32) -> anyhow::Result<f64> {
    const TOKENS: u32 = 96;
    let mut rates = Vec::new();
    for _ in 0..ROUNDS {
        let streams: Vec<_> = (0..n).map(|_| start(model, n_prompt, TOKENS)).collect();
        let mut slowest = Duration::ZERO;
        for stream in &streams {
            slowest = slowest.max(wait(stream)?.0.decode);
        }
        rates.push(as_f64(n) * f64::from(TOKENS - 1) / slowest.as_secs_f64());
    }
    Ok(median(rates))
}

fn start(model: &ModelHandle, n_prompt: u32, n_tokens: u32) -> Receiver<Event> {
    send(model, request(n_prompt, n_tokens))
}

fn request(n_prompt: u32, n_tokens: u32) -> GenerateRequest {
    // Any tokens will do; special ones, at the beginning of the vocabulary, are left out.
    let prompt = (0..n_prompt).map(|index| 1000 + index * 37 % 4000).collect();
    GenerateRequest {
        max_tokens: Some(n_tokens),
        ignore_end: true,
        sampling: Sampling::greedy(),
        // Paid requests never go on from what an earlier one has computed.
        priority: Priority::Paid,
        ..GenerateRequest::new(Prompt::Tokens(prompt))
    }
}

fn send(model: &ModelHandle, request: GenerateRequest) -> Receiver<Event> {
    let (sender, events) = channel();
    model.generate(
        request,
        Box::new(move |event| match sender.send(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }),
    );
    events
}

fn wait(events: &Receiver<Event>) -> anyhow::Result<(Timings, Usage)> {
    loop {
        match events.recv().context("the engine ended")? {
            Event::Finished { usage, timings, .. } => return Ok((timings, usage)),
            Event::Failed(error) => return Err(error.into()),
            Event::Started { .. } | Event::Prompt { .. } | Event::Token { .. } => {}
        }
    }
}

/// Bytes read per second by all threads together, the best of three rounds. Comparing two equal buffers reads
/// both to the end, in the system library's fastest way.
fn bandwidth(threads: usize) -> anyhow::Result<f64> {
    let buffers: Vec<(Vec<u8>, Vec<u8>)> = (0..threads)
        .map(|_| (vec![1; BUFFER_BYTES], vec![1; BUFFER_BYTES]))
        .collect();
    let mut best = 0.0_f64;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let equal = std::thread::scope(|scope| {
            let readers: Vec<_> = buffers.iter().map(|(a, b)| scope.spawn(move || a == b)).collect();
            readers.into_iter().all(|reader| reader.join().unwrap_or(false))
        });
        anyhow::ensure!(equal, "memory changed under the measurement");
        best = best.max(as_f64(2 * BUFFER_BYTES * threads) / began.elapsed().as_secs_f64());
    }
    Ok(best)
}
