//! The GraphQL door: guard, transport, schema. Snake case throughout, as the clients expect.

mod clients;
mod error;
pub mod guard;
mod mutation;
mod query;
mod transport;
mod types;
mod viewer;

use async_graphql::{EmptySubscription, MergedObject, Schema};
use service::Services;
pub(crate) use transport::serve;

/// How deep a query's selections may nest: the introspection that clients send goes 15 deep.
const MOST_DEPTH: usize = 16;

/// What can be asked.
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Query")]
pub struct Query(query::ProductQuery, clients::ClientQuery);

/// What can be changed.
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Mutation")]
pub struct Mutation(mutation::ProductMutation, clients::ClientMutation);

/// Scheme and host of the site, for links in answers.
pub(super) struct PublicUrl(pub(super) String);

/// The schema, with its services.
pub fn schema(services: Services, public_url: String) -> Schema<Query, Mutation, EmptySubscription> {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .data(services)
        .data(PublicUrl(public_url))
        .limit_depth(MOST_DEPTH)
        .limit_complexity(guard::MOST_FIELDS)
        .disable_suggestions()
        .finish()
}

/// The schema as text, as it is committed.
pub fn sdl() -> String {
    let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription).finish();
    let text = schema.sdl_with_options(async_graphql::SDLExportOptions::new().sorted_fields().sorted_arguments());
    format!("{}\n", text.trim_end())
}
