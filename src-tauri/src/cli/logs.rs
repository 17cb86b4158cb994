//! `hearth logs`: the log file of a data directory, for people or as it is.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufRead as _, BufReader, ErrorKind, Seek as _, SeekFrom},
    path::Path,
    time::Duration,
};

use hearth_node::logging::log_files;
use serde_json::Value;

use super::{
    Done, Exit, Fault, Out, Place,
    args::{Args, LogsArgs},
    out::{dim, red, yellow},
    place::closed,
};

/// How often a followed file is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// The most lines that are kept while the last ones are looked for.
const MAX_LINES: usize = 1_000_000;

pub(super) async fn run(logs: &LogsArgs, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let files = log_files(&place.layout);
    let wanted = logs.lines.min(MAX_LINES);
    let mut last: VecDeque<String> = VecDeque::new();
    let mut seen = None;
    // The newest file first; older ones only as far as they are needed.
    for path in &files {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(&place, path, &error)),
        };
        let end = file.metadata().map_or(0, |metadata| metadata.len());
        let mut lines: VecDeque<String> = VecDeque::new();
        for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
            if lines.len() + last.len() >= wanted && lines.pop_front().is_none() {
                break;
            }
            lines.push_back(String::from_utf8_lossy(&line).into_owned());
        }
        seen.get_or_insert((path.clone(), end));
        lines.append(&mut last);
        last = lines;
        if last.len() >= wanted {
            break;
        }
    }
    let Some((newest, mut end)) = seen else {
        return Err(Fault::not_ready(
            "no_log",
            format!("there is no log in {}", place.layout.logs().display()),
        )
        .remedy("start Hearth, or name the right --data-dir")
        .into());
    };
    for line in last.iter().skip(last.len().saturating_sub(wanted)) {
        show(out, line);
    }
    if !logs.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        end = follow(out, &newest, end);
    }
}

/// Shows the whole lines after `from` and gives where they end. A shorter file is a new one.
fn follow(out: &Out, path: &Path, from: u64) -> u64 {
    let Ok(mut file) = File::open(path) else {
        return from;
    };
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    let mut at = if length < from { 0 } else { from };
    if file.seek(SeekFrom::Start(at)).is_err() {
        return from;
    }
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) && line.ends_with(b"\n") {
        at += line.len() as u64;
        show(out, String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
    at
}

fn unreadable(place: &Place, path: &Path, error: &std::io::Error) -> Exit {
    if error.kind() == ErrorKind::PermissionDenied {
        return closed(place.layout.root()).into();
    }
    Fault::failed("unreadable", format!("{} cannot be read", path.display()))
        .details(error.to_string())
        .into()
}

fn show(out: &Out, line: &str) {
    let parsed: Option<Value> = serde_json::from_str(line).ok().filter(Value::is_object);
    match parsed {
        Some(entry) if !out.json => out.line(&for_people(&entry)),
        Some(_) | None => out.line(line),
    }
}

/// `2026-11-29 14:10:01  WARN  what happened  key=value`
fn for_people(entry: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let time = text(&entry["timestamp"]);
    let time = time.get(..19).unwrap_or(&time).replace('T', " ");
    let level = format!("{:<5}", text(&entry["level"]));
    let level = match level.trim() {
        "ERROR" => red(&level).to_string(),
        "WARN" => yellow(&level).to_string(),
        _ => level,
    };
    let fields = entry["fields"].as_object();
    let message = fields
        .and_then(|fields| fields.get("message"))
        .map(text)
        .unwrap_or_default();
    let rest: Vec<String> = fields
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "message")
        .map(|(name, value)| format!("{name}={}", text(value)))
        .collect();
    format!("{}  {level}  {message}  {}", dim(&time), dim(&rest.join(" ")))
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line_for_people() {
        let entry = serde_json::json!({
            "timestamp": "2026-11-29T14:10:01.123Z",
            "level": "WARN",
            "fields": { "message": "the disk is nearly full", "free": 7, "path": "x" },
        });
        let line = console::strip_ansi_codes(&for_people(&entry)).into_owned();
        assert_eq!(
            line,
            "2026-11-29 14:10:01  WARN   the disk is nearly full  free=7 path=x"
        );
    }
}
