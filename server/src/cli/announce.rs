//! What `serve` tells its supervisor, and whoever reads its standard output.

use std::fmt::Display;

use sd_notify::NotifyState;

use super::output;

/// Writes a line to standard output. A server also runs if nobody can read it.
pub(super) fn line(text: impl Display) {
    if let Err(error) = output::line(text) {
        tracing::warn!("{error}");
    }
}

/// Tells systemd that the server accepts connections. Does nothing without systemd.
pub(super) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Tells systemd that the server is about to stop.
pub(super) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "systemd could not be notified");
    }
}
