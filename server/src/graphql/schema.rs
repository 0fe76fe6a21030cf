//! The schema, put together from the product's operations and those of existing clients.

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, Schema};
use service::Services;

use super::{clients, context::PublicUrl, guard, mutation, query};

/// How deep selections may nest. Clients' introspection queries nest 15 deep.
const MAX_DEPTH: usize = 16;

/// All queries.
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Query")]
pub struct Query(query::ProductQuery, clients::ClientQuery);

/// All mutations.
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Mutation")]
pub struct Mutation(mutation::ProductMutation, clients::ClientMutation);

/// The schema with its services, as the transport executes it.
pub type ApiSchema = Schema<Query, Mutation, EmptySubscription>;

/// The schema over the services of a site.
pub fn build(services: Services, public_url: String) -> ApiSchema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .data(services)
        .data(PublicUrl(public_url))
        .limit_depth(MAX_DEPTH)
        .limit_complexity(guard::MOST_FIELDS)
        .disable_suggestions()
        .finish()
}

/// The schema's definition, as it is committed.
pub fn sdl() -> String {
    let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription).finish();
    let text = schema.sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_arguments());
    format!("{}\n", text.trim_end())
}
