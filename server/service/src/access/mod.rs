//! Actors and authorization: pure values and rules, without I/O.

mod actor;
mod authorization;
mod fresh_sign_in;
mod own_scopes;
mod permit;
#[cfg(any(test, feature = "testing"))]
pub mod rights;

pub(crate) use actor::OPERATOR;
pub use actor::{Actor, Client, Principal};
pub(crate) use authorization::{
    Inviter, check_exposed, check_grant, check_still_creates, inviter_may_still_invite, is_offered,
    may_resume_for_others,
};
pub use authorization::{Target, authorize, authorize_write, offers, offers_in};
pub use fresh_sign_in::CONFIRM_AFTER;
pub(crate) use fresh_sign_in::FreshSignIn;
pub(crate) use own_scopes::demanded;
pub use permit::{ReadPermit, WritePermit};
