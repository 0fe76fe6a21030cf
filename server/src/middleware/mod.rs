//! What happens to every request before and after its handler.

pub(crate) mod authenticate;
pub(crate) mod forwarded;

pub(crate) mod limits;
pub(crate) mod origin;
pub(crate) mod security_headers;
pub(crate) mod sessions;
