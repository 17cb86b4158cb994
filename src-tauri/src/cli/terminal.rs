//! The terminal of a node in the foreground: one changing line while it sets itself up, warnings above it.

use std::{
    io::{self, IsTerminal as _, Write},
    time::Duration,
};

use hearth_node::{
    control::{Setup, SetupState},
    logging::{self, BoxMakeWriter, Logging},
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::watch;

use super::{Exit, Out, Place};

/// How often the mark before the line turns.
const TURN_EVERY: Duration = Duration::from_millis(120);

/// Where the node in the foreground is looked at.
pub(super) struct Terminal {
    /// `None` where nobody looks: lines are then as for a file.
    line: Option<ProgressBar>,
}

impl Terminal {
    pub(super) fn of(out: &Out) -> Terminal {
        // With its output in a file, nobody would see the end of the line's changes there.
        let attended = !out.json && io::stdout().is_terminal() && console::user_attended_stderr();
        let line = attended.then(|| {
            let line = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("  {spinner} {wide_msg}") {
                line.set_style(style);
            }
            line
        });
        Terminal { line }
    }

    /// Starts the log; its warnings go above the line.
    pub(super) fn log(&self, place: &Place) -> Result<Logging, Exit> {
        let writer = match &self.line {
            None => BoxMakeWriter::new(io::stderr),
            Some(line) => {
                let line = line.clone();
                BoxMakeWriter::new(move || Above(line.clone()))
            }
        };
        start(place, self.line.is_some(), writer)
    }

    /// What is being done.
    pub(super) fn say(&self, what: &str) {
        if let Some(line) = &self.line {
            line.enable_steady_tick(TURN_EVERY);
            line.set_message(what.to_owned());
        }
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if let Some(line) = &self.line {
            line.finish_and_clear();
        }
    }

    /// Shows the set-up until it ends, however it ends. Where nobody looks it ends at once: the log tells it.
    pub(super) async fn follow(&self, mut setup: watch::Receiver<Setup>) {
        if self.line.is_none() {
            return;
        }
        let words = loop {
            let now = setup.borrow_and_update().clone();
            if !now.running {
                break ended(&now);
            }
            self.say(&running(&now));
            if setup.changed().await.is_err() {
                break None;
            }
        };
        self.clear();
        if let Some(words) = words {
            let _ = writeln!(io::stderr(), "{words}");
        }
    }
}

/// A log on the terminal line by line, for a node that shows itself elsewhere.
pub(crate) fn plain_log(place: &Place) -> Result<Logging, Exit> {
    start(place, false, BoxMakeWriter::new(io::stderr))
}

fn start(place: &Place, attended: bool, writer: BoxMakeWriter) -> Result<Logging, Exit> {
    let terminal = logging::Terminal {
        colour: console::colors_enabled_stderr(),
        attended,
        writer,
    };
    logging::start(&place.layered, &place.layout, terminal).map_err(|error| anyhow::Error::from(error).into())
}

/// `setting up 3 of 9: Get play money`
fn running(setup: &Setup) -> String {
    let of = setup.steps.len();
    let at = setup
        .steps
        .iter()
        .position(|step| step.state == SetupState::Running);
    at.and_then(|at| Some((at + 1, setup.steps.get(at)?)))
        .map_or_else(
            || "setting up".to_owned(),
            |(number, step)| format!("setting up {number} of {of}: {}", step.title),
        )
}

/// What is left to say when the set-up does not run any more.
fn ended(setup: &Setup) -> Option<String> {
    let failed = setup.steps.iter().find(|step| step.state == SetupState::Failed)?;
    Some(format!(
        "the set-up stopped at \"{}\": {}\n  → mend that, then: Earn, Set up again",
        failed.title,
        failed.error.as_deref().unwrap_or("no reason was given")
    ))
}

/// Writes above the line, which is drawn again below.
struct Above(ProgressBar);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use hearth_node::control::SetupStep;

    use super::*;

    #[test]
    fn the_set_up_is_one_line_at_a_time() {
        let step = |title: &str, state| SetupStep {
            id: title.to_owned(),
            title: title.to_owned(),
            state,
            fact: None,
            error: (state == SetupState::Failed).then(|| "no file".to_owned()),
        };
        let setup = |state| Setup {
            running: true,
            done: false,
            steps: vec![
                step("Check the model", SetupState::Done),
                step("Make a wallet", state),
            ],
        };
        assert_eq!(
            running(&setup(SetupState::Running)),
            "setting up 2 of 2: Make a wallet"
        );
        assert_eq!(running(&setup(SetupState::Waiting)), "setting up");
        assert_eq!(ended(&setup(SetupState::Done)), None);
        let words = ended(&setup(SetupState::Failed)).unwrap();
        assert!(
            words.contains("Make a wallet") && words.contains("no file"),
            "{words}"
        );
    }
}
