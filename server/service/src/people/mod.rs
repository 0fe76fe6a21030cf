//! Users: signing in, their own accounts, memberships and invitations.

pub(crate) mod invitations;
pub(crate) mod members;
pub(crate) mod passwords;
pub(crate) mod second_factor;
pub(crate) mod sign_in;
pub(crate) mod throttle;
pub(crate) mod users;
