//! Layers around the handlers.

pub(crate) mod authenticate;
pub(crate) mod browsers;
pub(crate) mod dialogs;
pub(crate) mod draining;
pub(crate) mod faults;
pub(crate) mod forwarded;
pub(crate) mod heads;
pub(crate) mod limits;
pub(crate) mod origin;
pub(crate) mod security_headers;
pub(crate) mod sessions;
pub(crate) mod settled;
pub(crate) mod trace;
