//! The log of the process: what it contains, and its format. It goes to standard error.

use std::io::{IsTerminal, stderr};

use clap::{Args, ValueEnum};
use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};

/// The settings of the log.
#[derive(Args, Debug)]
pub(super) struct Log {
    /// What is logged: a level, such as warn, or levels of modules, such as info,access=debug
    #[arg(long, global = true, env = "LATCHKEY_LOG", default_value = "info", value_name = "FILTER",
          value_parser = filter, help_heading = "Logs")]
    log: String,
    /// Format of the log
    #[arg(long, global = true, env = "LATCHKEY_LOG_FORMAT", default_value = "text", value_enum, help_heading = "Logs")]
    log_format: LogFormat,
}

/// The format of a log.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogFormat {
    /// Lines for people, in color on a terminal
    Text,
    /// One JSON object per line
    Json,
}

fn filter(text: &str) -> Result<String, String> {
    EnvFilter::builder().parse(text).map(|_| text.to_owned()).map_err(|error| error.to_string())
}

impl Log {
    /// Starts the log. An entry that can't be written, because the disk is full or the reader is gone, is dropped.
    pub(super) fn start(&self) {
        let filter = EnvFilter::builder().parse_lossy(&self.log);
        let log = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_writer(stderr)
            .with_span_events(FmtSpan::NONE)
            .log_internal_errors(false)
            .with_ansi(wants_color());
        match self.log_format {
            LogFormat::Text => log.init(),
            LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(true).init(),
        }
    }
}

/// Whether the log is read on a terminal whose user hasn't asked for plain text, see <https://no-color.org>.
fn wants_color() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
