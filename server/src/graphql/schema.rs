//! Builds the schema from Latchkey's own operations and those of existing Prefect clients.

use async_graphql::{EmptySubscription, MergedObject, SDLExportOptions, Schema};
use service::Services;

use super::{clients, context::PublicUrl, guard, mutation, query};

/// The maximum nesting depth of selections. The introspection queries of GraphQL clients nest 15 deep.
const MAX_DEPTH: usize = 16;

/// All queries.
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Query")]
pub struct Query(query::ProductQuery, clients::ClientQuery);

/// All mutations.
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Mutation")]
pub struct Mutation(mutation::ProductMutation, clients::ClientMutation);

/// The executable schema.
pub type ApiSchema = Schema<Query, Mutation, EmptySubscription>;

/// Builds the schema. `public_url`: the site's scheme and host, for links in responses.
pub fn build(services: Services, public_url: String) -> ApiSchema {
    Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .data(services)
        .data(PublicUrl(public_url))
        .limit_depth(MAX_DEPTH)
        .limit_complexity(guard::MAX_FIELDS)
        .disable_suggestions()
        .finish()
}

/// Returns the schema's definition, as committed in `server/schema.graphql`.
pub fn sdl() -> String {
    let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription).finish();
    let text = schema.sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_arguments());
    format!("{}\n", text.trim_end())
}
