//! How server functions call the use cases of the acts on a key.

use domain::input::Input;

use crate::{access::Actor, error::Result};

/// A use case that takes the input of an act as a form fills it in, and returns what the act's server function returns.
pub trait Perform<I: Input> {
    /// Performs the act.
    ///
    /// # Errors
    /// The errors of the use case.
    fn perform(&self, actor: &Actor, input: &I) -> impl Future<Output = Result<I::Output>> + Send;
}

/// Implements [`Perform`] for `ApiKeys`, which must be in scope: for each input, the call of its use case.
macro_rules! performs {
    ($($input:ident: |$keys:ident, $actor:ident, $act:ident| $call:expr;)+) => {$(
        impl $crate::keys::perform::Perform<domain::api_key::act::$input> for ApiKeys<'_> {
            async fn perform(
                &self,
                $actor: &$crate::access::Actor,
                $act: &domain::api_key::act::$input,
            ) -> $crate::error::Result<<domain::api_key::act::$input as domain::input::Input>::Output> {
                let $keys = self;
                Ok($call.await?.into())
            }
        }
    )+};
}
pub(crate) use performs;
