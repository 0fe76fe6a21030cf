//! The outcome of a command.

/// Success, or what to print before the process exits with 1.
pub(super) type Outcome = Result<(), Box<dyn std::error::Error>>;
