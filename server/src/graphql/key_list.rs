//! Lists of all keys, however many: read from the database in steps and, if there is more than one step, written to the
//! response step by step.

use std::{borrow::Cow, marker::PhantomData};

use async_graphql::{
    Context, ContextSelectionSet, OutputType, Positioned, Result, ServerError, ServerResult, Value,
    parser::types::Field, registry::Registry, resolver_utils::resolve_list,
};
use chrono::{DateTime, Utc};
use domain::KeyId;
use service::{Actor, KeyStep, Services};

use super::{
    clients::types::ApiToken,
    context::{actor, services},
    error::refuse,
    streaming::Pages,
    types::ApiKey,
};

/// The queries that return such a list.
pub(super) const FIELDS: [&str; 3] = ["auth_api_key", "api_token", "created_api_keys"];

/// How many elements are converted at once. async-graphql keeps a future for each field of each.
const RESOLVED_AT_ONCE: usize = 100;

/// An element of the list.
pub trait Row: OutputType {
    /// Converts a key as of `now`.
    fn of(key: domain::ApiKey, now: DateTime<Utc>) -> Self;
}

impl Row for ApiKey {
    fn of(key: domain::ApiKey, now: DateTime<Utc>) -> Self {
        Self::at(key, now)
    }
}

impl Row for ApiToken {
    fn of(key: domain::ApiKey, _: DateTime<Utc>) -> Self {
        Self { id: key.id.into(), name: key.name.to_string() }
    }
}

/// Which keys a list contains.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// Those that the caller can see.
    Visible,
    /// Those that were created with a key.
    CreatedWith(KeyId),
}

impl Source {
    async fn read(
        self,
        services: &Services,
        actor: &Actor,
        after: Option<service::KeyPosition>,
    ) -> service::Result<KeyStep> {
        match self {
            Self::Visible => services.api_keys().visible(actor, after).await,
            Self::CreatedWith(key) => services.api_keys().created_by(actor, key, after).await,
        }
    }
}

/// A list of keys whose first step was read.
#[derive(Debug)]
pub struct KeyList<T> {
    source: Source,
    first: KeyStep,
    rows: PhantomData<fn() -> T>,
}

impl<T: Row> KeyList<T> {
    /// Reads the first step of a list.
    pub(super) async fn read(context: &Context<'_>, source: Source) -> Result<Self> {
        let first = source.read(services(context)?, actor(context)?, None).await.map_err(refuse)?;
        Ok(Self { source, first, rows: PhantomData })
    }

    /// Writes the list to the response. The steps after the first are read when the client has taken the previous ones.
    async fn write(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>, pages: &Pages) -> Result<()> {
        let (services, actor) = (context.data::<Services>()?, context.data::<Actor>()?);
        let mut list = pages.begin(&field.node.response_key().node).await?;
        let (mut keys, mut next) = (self.first.keys.clone(), self.first.next);
        loop {
            let now = services.now();
            for keys in keys.chunks(RESOLVED_AT_ONCE) {
                let rows = keys.iter().cloned().map(|key| T::of(key, now));
                list.write(&resolve_list(context, field, rows, None).await.map_err(|error| error.message)?).await?;
            }
            let Some(after) = next else { break };
            let step = self.source.read(services, actor, Some(after)).await.map_err(refuse)?;
            (keys, next) = (step.keys, step.next);
        }
        list.end().await
    }
}

impl<T: Row> OutputType for KeyList<T> {
    fn type_name() -> Cow<'static, str> {
        Vec::<T>::type_name()
    }

    fn qualified_type_name() -> String {
        Vec::<T>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Vec::<T>::create_type_info(registry)
    }

    async fn resolve(&self, context: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
        let pages = context.data_opt::<Pages>();
        if self.first.next.is_some() && pages.is_none() {
            let error = async_graphql::Error::new("This field isn't among those that return long lists.");
            return Err(context.set_error_path(error.into_server_error(field.pos)));
        }
        let Some(pages) = pages.filter(|_| self.first.next.is_some()) else {
            let services = context.data::<Services>().map_err(|error| error.into_server_error(field.pos))?;
            let now = services.now();
            let rows = self.first.keys.iter().cloned().map(|key| T::of(key, now));
            return resolve_list(context, field, rows, Some(self.first.keys.len())).await;
        };
        let written = self.write(context, field, pages).await;
        let error =
            |error: async_graphql::Error| -> ServerError { context.set_error_path(error.into_server_error(field.pos)) };
        written.map(|()| Value::List(Vec::new())).map_err(error)
    }
}
