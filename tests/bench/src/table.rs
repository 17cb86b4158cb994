//! How figures are printed, and how they are taken.

use std::time::{Duration, Instant};

/// Prints the head of a section.
#[allow(clippy::print_stdout, reason = "the program's output")]
pub(crate) fn section(title: &str) {
    println!("\n{title}");
}

/// Prints a figure with what it is compared with.
#[allow(clippy::print_stdout, reason = "the program's output")]
pub(crate) fn figure(name: &str, value: &str, beside: &str) {
    println!("  {name:<44} {value:>18}   {beside}");
}

/// Operations per second of `work`, which does `n` operations a call: the median of five rounds of a fifth of a
/// second or more each, after one call to warm up.
pub(crate) fn rate(n: usize, mut work: impl FnMut()) -> f64 {
    work();
    let rounds = (0..5).map(|_| {
        let began = Instant::now();
        let mut calls = 0_u32;
        while began.elapsed() < Duration::from_millis(200) {
            work();
            calls += 1;
        }
        f64::from(calls) * as_f64(n) / began.elapsed().as_secs_f64()
    });
    median(rounds.collect())
}

/// The middle of some figures.
pub(crate) fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A count as a floating-point number; counts here are far below 2^53.
#[allow(clippy::cast_precision_loss, reason = "below 2^53")]
pub(crate) fn as_f64(n: usize) -> f64 {
    n as f64
}

/// `12,345/s`.
pub(crate) fn per_second(rate: f64) -> String {
    format!("{}/s", grouped(rate))
}

/// A whole number with its thousands grouped.
pub(crate) fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// CPU time that this process has used, user and system, in seconds. Linux only; elsewhere `None`.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Fields after the name in brackets: the 12th and 13th are user and system time in ticks of a hundredth second.
    let after = stat.rsplit_once(')')?.1;
    let mut fields = after.split_whitespace().skip(11);
    let ticks: u64 = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(as_f64(usize::try_from(ticks).ok()?) / 100.0)
}
