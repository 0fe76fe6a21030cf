//! Users: signing in, their own accounts, memberships and invitations.

mod argon2id;
pub(crate) mod gateway_passes;
pub(crate) mod invitations;
pub(crate) mod made_in_sessions;
pub(crate) mod members;
pub(crate) mod namesakes;
pub(crate) mod network;
pub(crate) mod one_time_codes;
pub(crate) mod passwords;
pub(crate) mod remembered_browsers;
pub(crate) mod second_factor;
pub(crate) mod second_factor_lock;
pub(crate) mod sign_in;
pub(crate) mod throttle;
pub(crate) mod users;
