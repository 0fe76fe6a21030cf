//! From a form's path to the typed function behind it, for the script.

use chrono::{DateTime, Utc};
use domain::{Outcome, input::Act};
use leptos::server_fn::ServerFn;

use super::{
    AppError,
    client::{self, Received},
};

/// A call that is ready to be made.
pub struct Call {
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    read: fn(Received) -> Result<Outcome, AppError>,
}

impl Call {
    /// A call of the function `F`, as [`ServerFn::run_on_client`] makes it; written so that one future serves all functions, where
    /// theirs would be three for each.
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

    /// Makes it.
    ///
    /// # Errors
    /// The service's refusal; [`AppError::Transport`] when no answer came that can be read.
    pub async fn make(self) -> Result<Outcome, AppError> {
        (self.read)(client::act(self.path, &self.fields).await?)
    }
}

macro_rules! acts {
    ($($input:ty => $function:ty),* $(,)?) => {
        /// Reads a form's fields, checks them with the domain's own rules, and gives the call of its function. `action`: the form's
        /// path; `None` for one that belongs to no function. `get`: the text of a field, empty when it isn't there.
        pub fn prepare(
            action: &str,
            get: &dyn Fn(&str) -> String,
            now: DateTime<Utc>,
        ) -> Option<Result<Call, AppError>> {
            $(if action == <$function as ServerFn>::PATH {
                return Some(checked::<$input>(get, now).map(|input| Call::of::<$function, $input>(&input)));
            })*
            None
        }
    };
}

fn checked<I: Act>(get: &dyn Fn(&str) -> String, now: DateTime<Utc>) -> Result<I, AppError> {
    let input = I::from_fields(get).ok_or(AppError::Transport)?;
    input.check(now)?;
    Ok(input)
}

with_acts!(acts);
