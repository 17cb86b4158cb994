//! Structured logs: to the terminal for people or as JSON lines, and as JSON lines to files in `logs/`.
//!
//! No part logs a key, a seed, a password or a prompt; fields are counts, ids and heights.

mod rotating;

use std::sync::OnceLock;

use hearth_base::Kind;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
pub use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::{
    EnvFilter, Layer as _, filter::FilterExt as _, fmt, layer::SubscriberExt as _, reload,
    util::SubscriberInitExt as _,
};

use rotating::Rotating;
pub use rotating::log_files;

use crate::{
    config::{Layered, LogFormat},
    data_dir::Layout,
};

/// Lines that wait for the disk; each is well under a kilobyte, and what is beyond is left out of the file.
const WAITING_LINES: usize = 8192;

/// The terminal as the log sees it.
pub struct Terminal {
    /// Whether it understands colours.
    pub colour: bool,
    /// Somebody looks at it: warnings only, since the rest stands in the file.
    pub attended: bool,
    /// Where lines go.
    pub writer: BoxMakeWriter,
}

/// Writes out what is still buffered when dropped.
#[must_use = "dropping it ends the log file"]
pub struct Logging {
    _file: Option<WorkerGuard>,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum LoggingError {
    #[error("log.filter \"{filter}\" is not of the form `info,hearth_miner=debug`")]
    Filter { filter: String, kind: Kind },
}

/// What changes the filters of a log that runs.
type SetFilter = Box<dyn Fn(&EnvFilter) + Send + Sync>;

/// The log is the process's, and so are its filters.
static SET_FILTER: OnceLock<SetFilter> = OnceLock::new();

fn filter_of(filter: &str) -> Result<EnvFilter, LoggingError> {
    EnvFilter::try_new(filter).map_err(|_| LoggingError::Filter {
        filter: filter.to_owned(),
        kind: Kind::Stop,
    })
}

/// Whether a text is a filter.
///
/// # Errors
/// It is none.
pub(crate) fn check_filter(filter: &str) -> Result<(), LoggingError> {
    filter_of(filter).map(drop)
}

/// Filters a log that runs from now on; where none runs, nothing happens.
///
/// # Errors
/// A filter that is none.
pub(crate) fn set_filter(filter: &str) -> Result<(), LoggingError> {
    let filter = filter_of(filter)?;
    if let Some(set) = SET_FILTER.get() {
        set(&filter);
    }
    Ok(())
}

/// Starts logging for the whole process. A second call in one process changes nothing.
///
/// A `logs/` folder that cannot be written leaves the terminal alone: logs must not keep the node from running.
///
/// # Errors
/// A filter that is none.
pub fn start(layered: &Layered, layout: &Layout, terminal: Terminal) -> Result<Logging, LoggingError> {
    let settings = &layered.settings.log;
    let (file_filter, of_file) = reload::Layer::new(filter_of(&settings.filter)?);
    let (terminal_filter, of_terminal) = reload::Layer::new(filter_of(&settings.filter)?);
    let (file_layer, guard) = match file(layout) {
        Some((writer, guard)) => {
            let layer = fmt::layer()
                .json()
                .log_internal_errors(false)
                .with_writer(writer)
                .with_filter(file_filter);
            (Some(layer), Some(guard))
        }
        None => (None, None),
    };
    // Whoever says what is logged wants to see it.
    let is_chosen = ["log.filter", "log.format"].iter().any(|key| {
        layered
            .origins
            .get(*key)
            .is_some_and(|(_, origin)| origin != "built-in")
    });
    let most = if terminal.attended && guard.is_some() && !is_chosen {
        LevelFilter::WARN
    } else {
        LevelFilter::TRACE
    };
    let filter = terminal_filter.and(most);
    // An error of writing is told on stderr by default, which panics if it is stderr that nobody reads any more.
    let layer = fmt::layer()
        .log_internal_errors(false)
        .with_writer(terminal.writer);
    let terminal = match settings.format {
        LogFormat::Text => layer
            .with_target(false)
            .with_ansi(terminal.colour)
            .with_filter(filter)
            .boxed(),
        LogFormat::Json => layer.json().with_filter(filter).boxed(),
    };
    // `Err` says that the process logs already, as when a window starts its node a second time.
    let begun = tracing_subscriber::registry()
        .with(terminal)
        .with(file_layer)
        .try_init();
    if begun.is_ok() {
        let _ = SET_FILTER.set(Box::new(move |filter| {
            // An error says that the log has ended.
            let _ = of_file.reload(filter.clone());
            let _ = of_terminal.reload(filter.clone());
        }));
    }
    Ok(Logging { _file: guard })
}

fn file(layout: &Layout) -> Option<(NonBlocking, WorkerGuard)> {
    let files = Rotating::open(layout).ok()?;
    Some(
        NonBlockingBuilder::default()
            .buffered_lines_limit(WAITING_LINES)
            .finish(files),
    )
}
