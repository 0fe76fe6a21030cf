//! Layers around the handlers.

pub(crate) mod authenticate;
pub(crate) mod dialogs;
pub(crate) mod forwarded;
pub(crate) mod limits;
pub(crate) mod origin;
pub(crate) mod security_headers;
pub(crate) mod sessions;
pub(crate) mod trace;
