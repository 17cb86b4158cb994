//! `hearth-bench-engine`: the engine beside llama.cpp on the same file, taking turns burst by burst.
//!
//! Prints ratios above 1 where this engine is faster. On a computer that others load, figures are marked: a rival whose
//! threads spin loses more by that than it should.

#![allow(clippy::print_stdout, reason = "a program that prints figures")]

mod files;
mod ours;
mod theirs;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use ours::Ours;
use theirs::Theirs;

/// Below this share of the processors that it asked for, a burst was disturbed.
const ALONE: f64 = 0.9;

struct Settings {
    rounds: usize,
    threads: usize,
    /// The Python that has `llama_cpp`; without it only this engine is measured.
    python: Option<PathBuf>,
    models: PathBuf,
    /// `0.5B-Q4_K_M`, or paths.
    files: Vec<String>,
}

fn settings() -> Result<Settings> {
    let mut settings = Settings {
        rounds: 5,
        threads: 2,
        python: std::env::var_os("RIVAL_PYTHON").map(PathBuf::from),
        models: std::env::temp_dir().join("hearth-bench-models"),
        files: Vec::new(),
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("{word} needs a value"));
        match word.as_str() {
            "--rounds" => settings.rounds = value()?.parse()?,
            "--threads" => settings.threads = value()?.parse()?,
            "--models" => settings.models = value()?.into(),
            "--rival" => settings.python = Some(value()?.into()),
            _ if word.starts_with("--") => bail!("{word}: --rounds, --threads, --models, --rival or files"),
            _ => settings.files.push(word),
        }
    }
    if settings.files.is_empty() {
        settings.files = ["0.5B-Q4_K_M", "1.5B-Q4_K_M", "1.5B-Q8_0", "1.5B-F16"]
            .map(String::from)
            .to_vec();
    }
    Ok(settings)
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Burst {
    /// Reads so many tokens.
    Prefill(usize),
    /// Makes so many tokens after so many.
    Decode(usize, usize),
    /// Makes tokens in so many sequences at once.
    Many(usize, usize),
}

impl Burst {
    fn name(self) -> String {
        match self {
            Self::Prefill(n) => format!("prefill {n}"),
            Self::Decode(_, depth) => format!("decode at {depth}"),
            Self::Many(n, _) => format!("{n} together"),
        }
    }

    fn tokens(self) -> usize {
        match self {
            Self::Prefill(n) | Self::Decode(n, _) => n,
            Self::Many(sequences, n) => sequences * n,
        }
    }
}

const BURSTS: [Burst; 5] = [
    Burst::Decode(24, 16),
    Burst::Prefill(512),
    Burst::Decode(24, 2048),
    Burst::Many(4, 16),
    Burst::Many(8, 16),
];

fn main() -> Result<()> {
    let settings = settings()?;
    for name in &settings.files {
        let path = match files::SHAPES.iter().find_map(|shape| {
            let mixture = name.strip_prefix(shape.name)?.strip_prefix('-')?;
            Some((*shape, mixture))
        }) {
            Some((shape, mixture)) => files::make(&settings.models, shape, mixture)?,
            None => PathBuf::from(name),
        };
        let ours = Ours::load(&path, settings.threads)?;
        let mut rivals = Vec::new();
        if let Some(python) = &settings.python {
            for (name, repack) in [("llama.cpp", true), ("llama.cpp --repack 0", false)] {
                rivals.push((name, Theirs::load(python, &path, settings.threads, repack)?));
            }
        }
        println!("\n{name}, {} threads", settings.threads);
        println!(
            "  load {:.2} s, {} MB resident after it",
            ours.load_s,
            ours.resident >> 20
        );
        for (name, rival) in &rivals {
            println!(
                "  {name}: load {:.2} s, {} MB",
                rival.load_s,
                rival.resident >> 20
            );
        }
        for burst in BURSTS {
            measure(burst, &settings, &ours, &mut rivals)?;
        }
    }
    Ok(())
}

fn measure(burst: Burst, settings: &Settings, ours: &Ours, rivals: &mut [(&str, Theirs)]) -> Result<()> {
    let mut own = Vec::new();
    let mut theirs: Vec<Vec<f64>> = vec![Vec::new(); rivals.len()];
    let mut shares = Vec::new();
    for _ in 0..settings.rounds {
        let (seconds, processors) = ours.measure(burst)?;
        own.push(seconds);
        shares.push(processors / settings.threads as f64);
        for ((_, rival), times) in rivals.iter_mut().zip(&mut theirs) {
            times.push(rival.measure(burst)?);
        }
    }
    let per_second = burst.tokens() as f64 / median(&mut own.clone());
    print!("  {:16} {per_second:9.1} tokens/s", burst.name());
    for ((name, _), times) in rivals.iter().zip(&theirs) {
        let mut ratios: Vec<f64> = own.iter().zip(times).map(|(own, theirs)| theirs / own).collect();
        print!("   {name} × {:.2}", median(&mut ratios));
    }
    let share = median(&mut shares);
    println!(
        "{}",
        if share < ALONE {
            format!("   (got {share:.2} of its processors)")
        } else {
            String::new()
        }
    );
    Ok(())
}

fn median(of: &mut [f64]) -> f64 {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied().unwrap_or(f64::NAN)
}
