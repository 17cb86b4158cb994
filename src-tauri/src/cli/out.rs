//! What goes to the terminal: one place that prints, in the look of the design's terminal pages.
//!
//! At most 80 columns; glyph, label, fact, dim detail in fixed columns. Without colour (pipes, `NO_COLOR`, dumb
//! terminals) the glyphs are `*` and `-`.

use std::{
    borrow::Cow,
    io::{ErrorKind, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use console::{Style, StyledObject};
use hearth_node::control::{ErrorBody, ErrorDetail, Reason};
use serde::Serialize;

/// The most letters that one text of an error may have: what others wrote may be of any length.
const MAX_TOLD: usize = 2_000;

/// The terminal.
pub(crate) struct Out {
    /// Programs read it: JSON only.
    pub(crate) json: bool,
    /// Goes on when nobody reads any more, as a daemon does.
    stays: bool,
    /// The data directory that this command was told: the next one has to be told it, too.
    data_dir: Option<PathBuf>,
}

/// What a line's glyph says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Glyph {
    /// Earning now.
    Ember,
    Ok,
    Hollow,
}

impl Out {
    pub(crate) fn new(json: bool, stays: bool, data_dir: Option<PathBuf>) -> Out {
        Out {
            json,
            stays,
            data_dir,
        }
    }

    /// A text whose commands can be typed as they stand.
    pub(crate) fn typed<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let Some(folder) = &self.data_dir else {
            return text.into();
        };
        let folder = word(folder);
        let mut parts = text.split('`');
        let mut out = parts.next().unwrap_or_default().to_owned();
        for (part, is_command) in parts.zip([true, false].into_iter().cycle()) {
            out.push('`');
            out.push_str(part);
            if is_command && part.starts_with("hearth ") && !part.contains("--data-dir") {
                out.push_str(" --data-dir ");
                out.push_str(&folder);
            }
        }
        out.into()
    }

    /// One line of text.
    pub(crate) fn line(&self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// Text without a line end, at once.
    pub(crate) fn stream(&self, text: &str) {
        self.write(text);
    }

    fn write(&self, text: &str) {
        let mut stdout = std::io::stdout();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        let Err(error) = written else { return };
        if self.stays {
            return;
        }
        // Rust programs do not get SIGPIPE. A reader that has seen enough is no failure, and nothing is left to do.
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        // Whoever keeps what was said, recovery words among it, must not believe that it is there.
        self.error(&format!("the output cannot be written: {error}"));
        std::process::exit(1);
    }

    /// A value as JSON.
    pub(crate) fn value(&self, value: &impl Serialize) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(&text),
            Err(error) => self.error(&format!("the answer cannot be written as JSON: {error}")),
        }
    }

    /// An error, on the other channel.
    pub(crate) fn error(&self, text: &str) {
        let label = Style::new().for_stderr().red().apply_to("error");
        let _ = writeln!(std::io::stderr(), "{label}: {text}");
    }

    /// What went wrong: for people on the other channel, for programs as the one JSON document.
    pub(crate) fn fault(&self, detail: &ErrorDetail) {
        if self.json {
            self.value(&ErrorBody {
                error: detail.clone(),
            });
            return;
        }
        self.error(&told(&self.typed(&detail.message)));
        let dim = Style::new().for_stderr().dim();
        let mut stderr = std::io::stderr();
        if let Some(meaning) = &detail.meaning {
            let _ = writeln!(stderr, "  {}", dim.apply_to(told(&self.typed(meaning))));
        }
        if let Some(remedy) = &detail.remedy {
            let _ = writeln!(stderr, "  → {}", told(&self.typed(remedy)));
        }
        if let Some(details) = &detail.details {
            let _ = writeln!(stderr, "  {}", dim.apply_to(told(&format!("details: {details}"))));
        }
    }

    /// A word for people only, on the other channel.
    pub(crate) fn hint(&self, text: &str) {
        self.elsewhere(&self.typed(text));
    }

    /// The same about another node or none: its commands are not told this one's data directory.
    pub(crate) fn elsewhere(&self, text: &str) {
        let text = Style::new().for_stderr().dim().apply_to(told(text));
        let _ = writeln!(std::io::stderr(), "{text}");
    }

    /// `● Label     fact                                   detail`
    pub(crate) fn fact(&self, glyph: Glyph, label: &str, fact: &str, detail: &str) {
        self.line(&format!(
            "  {} {label:<9} {:<37} {}",
            mark(glyph),
            fit(fact, 37),
            dim(&fit(detail, 26))
        ));
    }

    /// What stands in the way or is worth knowing, with what to do about it.
    pub(crate) fn reason(&self, reason: &Reason) {
        let fact = reason.fact.as_ref().map(|fact| format!(" ({})", told(fact)));
        let fact = fact.unwrap_or_default();
        self.line(&format!(
            "    {} {}{fact}",
            reason.code,
            dim(&told(&reason.meaning))
        ));
        if let Some(remedy) = &reason.remedy {
            self.line(&format!("      → {}", told(&self.typed(remedy))));
        }
    }

    /// Whether somebody says yes; `None` where nobody sits there.
    pub(crate) fn agrees(&self, question: &str) -> Option<bool> {
        let answer = self.ask(question)?;
        Some(matches!(answer.to_lowercase().as_str(), "y" | "yes" | "j" | "ja"))
    }

    /// Asks on the terminal; `None` where nobody sits there.
    pub(crate) fn ask(&self, question: &str) -> Option<String> {
        if !std::io::stdin().is_terminal() {
            return None;
        }
        self.stream(question);
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer).ok()?;
        Some(answer.trim().to_owned())
    }
}

/// Text of others without what would move the cursor, colour the terminal, turn the direction of letters or hide.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if is_odd(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Commands of terminals, and letters that nobody sees.
fn is_odd(letter: char) -> bool {
    letter.is_control() || hearth_base::is_unseen(letter)
}

/// Text of an error as the terminal takes it: plain, and of a bounded length. Its further lines are indented, so that none of
/// them passes for a line of this program.
pub(crate) fn told(text: &str) -> String {
    let mut letters = text.trim_end().chars();
    let mut text: String = letters.by_ref().take(MAX_TOLD).collect();
    if letters.next().is_some() {
        text.push('…');
    }
    let lines: Vec<String> = text.lines().map(|line| plain(&line.replace('\t', " "))).collect();
    lines.join("\n  ")
}

/// A path as a word of a command that can be typed.
pub(crate) fn word(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/\\:._-+~".contains(c);
    if path.chars().all(is_plain) {
        path
    } else {
        format!("\"{path}\"")
    }
}

/// Bold text.
pub(crate) fn bold(text: &str) -> StyledObject<&str> {
    Style::new().bold().apply_to(text)
}

/// An aside.
pub(crate) fn dim(text: &str) -> StyledObject<&str> {
    Style::new().dim().apply_to(text)
}

/// The ember of the design: colour 208.
pub(crate) fn ember(text: &str) -> StyledObject<&str> {
    Style::new().color256(208).apply_to(text)
}

/// All is well.
pub(crate) fn green(text: &str) -> StyledObject<&str> {
    Style::new().green().apply_to(text)
}

/// Needs somebody soon.
pub(crate) fn yellow(text: &str) -> StyledObject<&str> {
    Style::new().yellow().apply_to(text)
}

/// Failed.
pub(crate) fn red(text: &str) -> StyledObject<&str> {
    Style::new().red().apply_to(text)
}

pub(crate) fn mark(glyph: Glyph) -> String {
    let colours = console::colors_enabled();
    match glyph {
        Glyph::Ember if colours => ember("●").to_string(),
        Glyph::Ok if colours => green("●").to_string(),
        Glyph::Hollow if colours => "○".to_owned(),
        Glyph::Ember | Glyph::Ok => "*".to_owned(),
        Glyph::Hollow => "-".to_owned(),
    }
}

/// Cuts text to a column. What would move the cursor or colour the terminal is shown as a mark.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= columns {
        return text;
    }
    text.chars()
        .take(columns.saturating_sub(1))
        .chain(['…'])
        .collect()
}

/// A number with its thousands grouped: `871,209`.
pub(crate) fn grouped(number: u128) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An amount in POKT with six decimals: `1,284.615888`.
pub(crate) fn pokt(amount: hearth_base::Amount) -> String {
    let per = hearth_base::Amount::UPOKT_PER_POKT;
    format!("{}.{:06}", grouped(amount.upokt() / per), amount.upokt() % per)
}

/// An address or CID, shortened in the middle: first nine, last four.
pub(crate) fn short(text: &str) -> String {
    if text.len() <= 16 || !text.is_ascii() {
        return text.to_owned();
    }
    format!("{}…{}", &text[..9], &text[text.len() - 4..])
}

/// Bytes in decimal units: `8.99 GB`, `98 MB`.
pub(crate) fn bytes(bytes: u64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "three digits are shown")]
    let value = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.0} kB", value / 1e3),
        1_000_000..1_000_000_000 => format!("{:.0} MB", value / 1e6),
        1_000_000_000.. => format!("{:.2} GB", value / 1e9),
    }
}

/// A span of time: `1.2 s`, `1 min 51 s`, `3 d 4 h`.
pub(crate) fn span(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..10 => format!("{}.{} s", seconds, ms % 1000 / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        86_400.. => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_name_the_data_directory_that_was_named() {
        let typed = |folder: Option<&str>, text: &str| {
            let out = Out::new(false, false, folder.map(PathBuf::from));
            out.typed(text).into_owned()
        };
        let text = "`hearth doctor` says why, `make run` starts it, or name another --data-dir";
        assert_eq!(typed(None, text), text);
        assert_eq!(
            typed(Some("/srv/a b"), text),
            "`hearth doctor --data-dir \"/srv/a b\"` says why, `make run` starts it, or name another --data-dir"
        );
        assert_eq!(
            typed(Some("/d"), "stop it, `hearth logs`"),
            "stop it, `hearth logs --data-dir /d`"
        );
    }

    #[test]
    fn what_others_wrote_commands_no_terminal_and_hides_nothing() {
        assert_eq!(
            plain("a\u{1b}[31mb\u{7}\u{9b}c"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}c"
        );
        let unseen = "\u{61c}\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{2028}\u{2029}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}\u{feff}";
        assert!(plain(unseen).chars().all(|letter| letter == '\u{fffd}'));
        let seen = "Größe 10 µs — “ja” …\u{202f}€ 日本";
        assert_eq!(plain(seen), seen);
    }

    #[test]
    fn a_text_of_an_error_is_bounded_and_keeps_its_lines() {
        assert_eq!(
            told("cannot be read\u{1b}]0;x\u{7}"),
            "cannot be read\u{fffd}]0;x\u{fffd}"
        );
        assert_eq!(told("line 1\r\n\tline\r2\n"), "line 1\n   line\u{fffd}2");
        let long = told(&"x".repeat(1_000_000));
        assert_eq!(long.chars().count(), MAX_TOLD + 1);
        assert!(long.ends_with("x…"));
        assert_eq!(told(&"ä".repeat(MAX_TOLD)), "ä".repeat(MAX_TOLD));
    }

    #[test]
    fn a_path_is_one_word() {
        assert_eq!(word(Path::new("a/unsigned.json")), "a/unsigned.json");
        assert_eq!(word(Path::new("my file")), "\"my file\"");
    }

    #[test]
    fn figures_look_like_the_design() {
        assert_eq!(
            pokt(hearth_base::Amount::from_upokt(1_284_615_888)),
            "1,284.615888"
        );
        assert_eq!(grouped(871_209), "871,209");
        assert_eq!(grouped(12), "12");
        assert_eq!(bytes(8_990_000_000), "8.99 GB");
        assert_eq!(bytes(98_362_432), "98 MB");
        assert_eq!(span(111_000), "1 min 51 s");
        assert_eq!(span(1_234), "1.2 s");
        assert_eq!(short("bafybeifqabcdefghijklmnop2sd"), "bafybeifq…p2sd");
        assert_eq!(fit("abcdef", 4), "abc…");
    }
}
