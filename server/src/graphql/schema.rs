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
pub struct Query(query::ProductQuery, clients::ClientQuery, clients::FlowQuery);

/// All mutations. Each field is nullable: if one fails, the results of the others aren't lost (decision 0020).
#[derive(Clone, Copy, Debug, Default, MergedObject)]
#[graphql(name = "Mutation")]
pub struct Mutation(mutation::ProductMutation, clients::ClientMutation, clients::FlowMutation);

/// The executable schema, with the types of its inputs.
#[derive(Clone)]
pub struct ApiSchema {
    schema: Schema<Query, Mutation, EmptySubscription>,
    inputs: Arc<Inputs>,
    has_flow_runs: bool,
}

impl ApiSchema {
    /// Executes a request whose arguments and variables were checked.
    pub(super) async fn execute(&self, request: Request) -> Response {
        self.schema.execute(request).await
    }

    /// Whether the built-in backend for flow runs is on, whose clients send longer requests.
    pub(super) fn has_flow_runs(&self) -> bool {
        self.has_flow_runs
    }

    /// Returns the types of arguments and variables.
    pub(super) fn inputs(&self) -> &Inputs {
        &self.inputs
    }
}

/// Builds the schema. `public_url`: the site's scheme and host, for links in responses.
pub fn build(services: Services, public_url: String) -> ApiSchema {
    let has_flow_runs = services.flows().is_on();
    let schema = Schema::build(Query::default(), Mutation::default(), EmptySubscription)
        .data(services)
        .data(PublicUrl(public_url))
        .limit_depth(MAX_DEPTH)
        .limit_complexity(guard::MAX_FIELDS)
        .disable_suggestions()
        .finish();
    ApiSchema { schema, inputs: Arc::new(inputs()), has_flow_runs }
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
