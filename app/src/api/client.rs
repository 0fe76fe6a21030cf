//! The browser's half of the protocol: typed arguments and results, sent through [`crate::transport`].

use std::pin::Pin;

use js_sys::JSON;
use send_wrapper::SendWrapper;
use serde::{Serialize, de::DeserializeOwned};
use wasm_bindgen::JsValue;

use super::{
    error::AppError,
    json,
    wire::{CONFIRM_PATH, TENANT_HEADER},
};
use crate::transport;

/// The JSON of a successful response.
pub struct Received(SendWrapper<JsValue>);

impl Received {
    /// Deserializes the value.
    ///
    /// # Errors
    /// [`AppError::Transport`] when the JSON doesn't match the type.
    pub fn value<O: DeserializeOwned>(&self) -> Result<O, AppError> {
        json::read(&self.0).ok_or(AppError::Transport)
    }
}

/// A pending response. Server functions require `Send` futures; the browser's futures stay in their thread, so they are
/// wrapped.
pub type Answer = Pin<Box<dyn Future<Output = Result<Received, AppError>> + Send>>;

/// Calls a function that changes something, with the fields of its form.
pub fn act(path: &str, fields: &[(&'static str, String)]) -> Answer {
    post(path, transport::FORM, transport::urlencoded(fields))
}

/// Calls a function that reads, with its input as JSON.
pub fn read<I: Serialize>(path: &str, input: &I) -> Answer {
    let body = serde_wasm_bindgen::to_value(input).ok().and_then(|input| JSON::stringify(&input).ok());
    post(path, transport::JSON_TYPE, body.map(String::from).unwrap_or_default())
}

/// Confirms the person's identity. `fields`: the urlencoded fields of the confirmation; they are sent as a plain form
/// because they are secrets.
///
/// # Errors
/// The error from the service, or [`AppError::Transport`] without a response.
pub async fn confirm(fields: &str) -> Result<(), AppError> {
    post(CONFIRM_PATH, transport::FORM, fields.to_owned()).await.map(drop)
}

fn post(path: &str, kind: &'static str, body: String) -> Answer {
    let path = path.to_owned();
    Box::pin(SendWrapper::new(async move {
        let answer = transport::post(&path, kind, &body, TENANT_HEADER).await.ok_or(AppError::Transport)?;
        if answer.is_success {
            return Ok(Received(SendWrapper::new(answer.value)));
        }
        Err(json::read(&answer.value).map_or(AppError::Transport, AppError::Api))
    }))
}
