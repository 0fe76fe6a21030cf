//! Builds the schema from Latchkey's own operations and those of existing Prefect clients.

use std::sync::Arc;

use async_graphql::{EmptySubscription, MergedObject, Request, Response, SDLExportOptions, Schema};
use service::Services;

use super::{clients, context::PublicUrl, guard, inputs::Inputs, mutation, query};

/// The maximum nesting depth of selections. The introspection queries of GraphQL clients nest 15 deep.
const MAX_DEPTH: usize = 16;

/// All queries. Each field is nullable: if one fails, the others keep their values (decision 0020).
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Query")]
pub struct Query(query::ProductQuery, clients::ClientQuery);

/// All mutations. Each field is nullable: if one fails, the results of the others aren't lost (decision 0020).
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Mutation")]
pub struct Mutation(mutation::ProductMutation, clients::ClientMutation);

/// The executable schema, with the types of its inputs.
#[derive(Clone)]
pub struct ApiSchema {
    schema: Schema<Query, Mutation, EmptySubscription>,
    inputs: Arc<Inputs>,
}

impl ApiSchema {
    /// Executes a request whose arguments and variables were checked.
    pub(super) async fn execute(&self, request: Request) -> Response {
        self.schema.execute(request).await
    }

    /// Returns the types of arguments and variables.
    pub(super) fn inputs(&self) -> &Inputs {
        &self.inputs
    }
}

/// Builds the schema. `public_url`: the site's scheme and host, for links in responses.
pub fn build(services: Services, public_url: String) -> ApiSchema {
    let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .data(services)
        .data(PublicUrl(public_url))
        .limit_depth(MAX_DEPTH)
        .limit_complexity(guard::MAX_FIELDS)
        .disable_suggestions()
        .finish();
    ApiSchema { schema, inputs: Arc::new(inputs()) }
}

/// Returns the schema's definition, as committed in `server/schema.graphql`.
pub fn sdl() -> String {
    let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription).finish();
    let text = schema.sdl_with_options(SDLExportOptions::new().sorted_fields().sorted_arguments());
    format!("{}\n", text.trim_end())
}

fn inputs() -> Inputs {
    let schema = async_graphql::parser::parse_schema(sdl()).expect("the schema exports itself as valid GraphQL");
    Inputs::of(&schema)
}
