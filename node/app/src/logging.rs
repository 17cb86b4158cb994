//! Structured logs: to the terminal for people or as JSON lines, and to a file a day in `logs/`.
//!
//! No part logs a key, a seed, a password or a prompt; fields are counts, ids and heights.

use hearth_base::Kind;
use tracing_appender::{non_blocking::WorkerGuard, rolling};
use tracing_subscriber::{
    EnvFilter, Layer as _, fmt, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::{
    config::{LogFormat, LogSettings},
    data_dir::Layout,
};

/// Days of log files that are kept.
const KEEP_FILES: usize = 14;

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

/// Starts logging for the whole process. A second call in one process changes nothing.
///
/// A `logs/` folder that cannot be written leaves the terminal alone: logs must not keep the node from running.
///
/// # Errors
/// A filter that is none.
pub fn start(settings: &LogSettings, layout: &Layout) -> Result<Logging, LoggingError> {
    let filter = || {
        EnvFilter::try_new(&settings.filter).map_err(|_| LoggingError::Filter {
            filter: settings.filter.clone(),
            kind: Kind::Stop,
        })
    };
    let (file_layer, guard) = match file(layout) {
        Some((writer, guard)) => {
            let layer = fmt::layer().json().with_writer(writer).with_filter(filter()?);
            (Some(layer), Some(guard))
        }
        None => (None, None),
    };
    let terminal = match settings.format {
        LogFormat::Text => fmt::layer()
            .with_target(false)
            .with_writer(std::io::stderr)
            .with_filter(filter()?)
            .boxed(),
        LogFormat::Json => fmt::layer()
            .json()
            .with_writer(std::io::stderr)
            .with_filter(filter()?)
            .boxed(),
    };
    // `Err` says that the process logs already, as when a window starts its node a second time.
    let _ = tracing_subscriber::registry()
        .with(terminal)
        .with(file_layer)
        .try_init();
    Ok(Logging { _file: guard })
}

fn file(layout: &Layout) -> Option<(tracing_appender::non_blocking::NonBlocking, WorkerGuard)> {
    std::fs::create_dir_all(layout.logs()).ok()?;
    let appender = rolling::Builder::new()
        .rotation(rolling::Rotation::DAILY)
        .filename_prefix("hearth")
        .filename_suffix("log")
        .max_log_files(KEEP_FILES)
        .build(layout.logs())
        .ok()?;
    Some(tracing_appender::non_blocking(appender))
}
