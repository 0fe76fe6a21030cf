//! Stops `serve` when it is told to, in order and within a limit, or at once when it is told again.

use std::time::Duration;

use super::{announce, log};
use crate::accept::{DRAIN_TIMEOUT, Drain};

/// The maximum time to close the database after the last request.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// The exit code of a server that didn't finish its requests, or couldn't close its database.
const UNFINISHED: i32 = 1;

/// How the server is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    /// Ctrl+C.
    Interrupt,
    /// SIGTERM, from a supervisor.
    Terminate,
}

/// The signals, as they arrive from now on.
pub(super) fn listen() -> std::io::Result<Signals> {
    Signals::new()
}

/// Runs a part of the start, unless the server is told to stop before it has ended. Returns `None` then.
pub(super) async fn unless_told<T>(signals: &mut Signals, start: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        done = start => Some(done),
        _ = signals.next() => {
            tracing::info!("stopped before the start was finished");
            None
        }
    }
}

/// Begins the drain at the first signal. Ends the process at the second one, or when the limit has passed. `delay`: how
/// long connections are still accepted after SIGTERM. A person who presses Ctrl+C doesn't wait for load balancers.
pub(super) fn on_signals(mut signals: Signals, drain: Drain, delay: Duration) {
    tokio::spawn(async move {
        let delay = match signals.next().await {
            Signal::Interrupt => Duration::ZERO,
            Signal::Terminate => delay,
        };
        tracing::info!(seconds = delay.as_secs(), "stopping; readiness is denied, and connections are still accepted");
        announce::stopping();
        drain.begin(delay);
        let limit = delay + DRAIN_TIMEOUT + CLOSE_TIMEOUT;
        let reason = tokio::select! {
            _ = signals.next() => "a second signal".to_owned(),
            () = tokio::time::sleep(limit) => format!("{} seconds", limit.as_secs()),
        };
        tracing::error!("stopped after {reason}, before everything was finished");
        log::flush();
        std::process::exit(UNFINISHED);
    });
}

#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens from now on, so that no signal is missed.
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
        }
    }
}

#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Signal {
        if tokio::signal::ctrl_c().await.is_err() {
            // There is no way to be told.
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }
}
