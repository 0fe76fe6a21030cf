//! Decides which responses are compressed.

use axum::body::HttpBody;
use http::Response;
use tower_http::compression::predicate::{DefaultPredicate, Predicate};

/// Compresses what `tower-http` compresses by default, except responses marked as [`Uncompressed`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnlessMarked;

/// An extension that marks a response with a secret beside the client's input. Its compressed length would reveal how
/// similar the two are (BREACH).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Uncompressed;

impl Predicate for UnlessMarked {
    fn should_compress<B: HttpBody>(&self, response: &Response<B>) -> bool {
        response.extensions().get::<Uncompressed>().is_none() && DefaultPredicate::new().should_compress(response)
    }
}
