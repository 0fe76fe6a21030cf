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
    /// A call of the function `F`. It does what [`ServerFn::run_on_client`] does, but with one future type for all
    /// functions instead of three for each, which keeps the WASM small.
    fn of<F, I>(input: &I) -> Self
    where
        I: Act,
        F: ServerFn<Output = I::Output, Error = AppError> + From<I>,
    {
        Self {
            path: F::PATH,
            fields: input.to_fields(),
            read: |received| received.value().map(|value| I::outcome(&value)),
        }
    }

    /// Calls the function.
    ///
    /// # Errors
    /// The error from the service, or [`AppError::Transport`] without a readable response.
    pub async fn make(self) -> Result<Outcome, AppError> {
        (self.read)(client::act(self.path, &self.fields).await?)
    }
}

macro_rules! acts {
    ($($input:ty => $function:ty),* $(,)?) => {
        /// Parses and checks a form's fields, and returns the call of its server function; `None` when `action`, the
        /// form's path, belongs to no server function. `get`: returns the value of a field; `None` when the field is
        /// missing.
        pub fn prepare(
            action: &str,
            get: &dyn Fn(&str) -> Option<String>,
            now: DateTime<Utc>,
        ) -> Option<Result<Call, AppError>> {
            $(if action == <$function as ServerFn>::PATH {
                return Some(checked::<$input>(get, now).map(|input| Call::of::<$function, $input>(&input)));
            })*
            None
        }
    };
}

fn checked<I: Act>(get: &dyn Fn(&str) -> Option<String>, now: DateTime<Utc>) -> Result<I, AppError> {
    let input = I::from_fields(get).ok_or(AppError::Transport)?;
    input.check(now)?;
    Ok(input)
}

with_acts!(acts);
