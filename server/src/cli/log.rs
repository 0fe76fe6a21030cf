//! The log of the process: what it contains, and its format. It goes to standard error.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{IsTerminal, stderr},
    panic::PanicHookInfo,
    time::Duration,
};

use clap::{Args, ValueEnum};
use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{
    EnvFilter, Layer, fmt,
    fmt::{MakeWriter, writer::BoxMakeWriter},
    layer::SubscriberExt,
    registry::LookupSpan,
    util::SubscriberInitExt,
};

use crate::{
    log_queue::{self, LogQueue},
    traces::{self, Traces},
};

/// How long a process that ends waits for its log to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

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
    /// Starts the log of a command, which waits for whoever reads it.
    pub(super) fn start(&self) {
        self.init(BoxMakeWriter::new(stderr), None);
    }

    /// Starts the log of a server, which waits for nobody: an entry that can't be written, because the disk is full or
    /// the reader is slow or gone, is dropped. Panics are logged too. `traces` are sent besides.
    pub(super) fn start_in_background(&self, traces: Option<&Traces>) {
        match LogQueue::start() {
            Ok(queue) => {
                self.init(BoxMakeWriter::new(move || queue.clone()), traces);
                std::panic::set_hook(Box::new(log_panic));
            }
            Err(_) => self.init(BoxMakeWriter::new(stderr), traces),
        }
    }

    fn init(&self, out: BoxMakeWriter, traces: Option<&Traces>) {
        let log = self.layer(out).with_filter(self.filter());
        let registry = tracing_subscriber::registry().with(log);
        // An absent layer would count as one that wants every span.
        match traces {
            Some(traces) => registry.with(traces.layer()).init(),
            None => registry.init(),
        }
    }

    /// Returns what is logged. The spans of traces are for the traces only.
    fn filter(&self) -> EnvFilter {
        let filter = EnvFilter::builder().parse_lossy(&self.log);
        // A browser with the cookie of an ended session isn't worth a warning, and anybody can send one.
        let quiet = [format!("{}={}", traces::TARGET, LevelFilter::OFF), "tower_sessions_core=error".to_owned()];
        quiet.iter().filter_map(|text| text.parse().ok()).fold(filter, EnvFilter::add_directive)
    }

    fn layer<S, W>(&self, out: W) -> Box<dyn Layer<S> + Send + Sync>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
        W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
    {
        let log = fmt::layer().with_writer(out).log_internal_errors(false).with_ansi(wants_color());
        match self.log_format {
            LogFormat::Text => log.boxed(),
            LogFormat::Json => log.json().flatten_event(true).with_current_span(false).with_span_list(true).boxed(),
        }
    }
}

/// Waits until the log has been written, but no longer than a second.
pub(super) fn flush() {
    log_queue::flush(FLUSH_TIMEOUT);
}

/// The module in the log of a panic.
pub const PANIC_TARGET: &str = "panic";

/// Logs a panic. The standard library would print it, and wait for the reader.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("no message");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(target: PANIC_TARGET, location, backtrace, "{message}");
}

/// Whether the log is read on a terminal whose user hasn't asked for plain text, see <https://no-color.org>.
fn wants_color() -> bool {
    stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
