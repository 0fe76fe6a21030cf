//! Maps a form's path to the server function behind it, for the script.

use chrono::{DateTime, Utc};
use domain::{Outcome, input::Act};
use leptos::server_fn::ServerFn;

use super::{
    AppError,
    client::{self, Received},
};

/// A server function with checked arguments, ready to be called.
pub struct Call {
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    read: fn(Received) -> Result<Outcome, AppError>,
}

impl Call {
    /// Calls the function. It does what [`ServerFn::run_on_client`] does, but with one future type for all functions
    /// instead of three for each, which keeps the WASM small.
    ///
    /// # Errors
    /// The error from the service, or [`AppError::Transport`] without a readable response.
    pub async fn make(self) -> Result<Outcome, AppError> {
        (self.read)(client::act(self.path, &self.fields).await?)
    }
}

/// Returns the value of a field; `None` when the form doesn't have it.
type Get<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A server function that takes forms.
struct Function {
    path: &'static str,
    fields: &'static [&'static str],
    check: fn(Get, DateTime<Utc>) -> Result<(), AppError>,
    read: fn(Received) -> Result<Outcome, AppError>,
}

impl Function {
    const fn of<F, I>() -> Self
    where
        I: Act,
        F: ServerFn<Output = I::Output, Error = AppError> + From<I>,
    {
        Self {
            path: F::PATH,
            fields: I::FIELDS,
            check: |get, now| Ok(I::from_fields(get).ok_or(AppError::Transport)?.check(now)?),
            read: |received| received.value().map(|value| I::outcome(&value)),
        }
    }
}

macro_rules! functions {
    ($($input:ty => $function:ty),* $(,)?) => {
        const FUNCTIONS: &[Function] = &[$(Function::of::<$function, $input>()),*];
    };
}

with_acts!(functions);

/// Parses and checks a form's fields, and returns the call of its server function; `None` when `action`, the form's
/// path, belongs to no server function. The fields are sent as the form has them: the function parses them in the same
/// way.
pub fn prepare(action: &str, get: Get, now: DateTime<Utc>) -> Option<Result<Call, AppError>> {
    let &Function { path, fields, check, read } = FUNCTIONS.iter().find(|function| function.path == action)?;
    Some(check(get, now).map(|()| {
        let filled = |name: &'static str| Some((name, get(name).filter(|text| !text.is_empty())?));
        Call { path, fields: fields.iter().copied().filter_map(filled).collect(), read }
    }))
}
