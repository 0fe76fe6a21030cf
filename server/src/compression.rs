//! Which answers are compressed.

use axum::body::HttpBody;
use http::Response;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

/// Compresses what `tower-http` compresses by default, except what is marked as [`Uncompressed`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnlessMarked;

/// An extension of an answer that shows a secret beside what the client sent: compressed, its length would tell whether the
/// two are alike (BREACH).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uncompressed;

impl Predicate for UnlessMarked {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        response.extensions().get::<Uncompressed>().is_none() && DefaultPredicate::new().should_compress(response)
    }
}
