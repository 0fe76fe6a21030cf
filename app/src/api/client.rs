//! The browser's half of the protocol: arguments and answers as types, sent through [`crate::transport`].

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

/// An answer's JSON.
pub struct Received(SendWrapper<JsValue>);

impl Received {
    /// The value in it.
    ///
    /// # Errors
    /// [`AppError::Transport`] when it isn't of its type.
    pub fn value<O: DeserializeOwned>(&self) -> Result<O, AppError> {
        json::read(&self.0).ok_or(AppError::Transport)
    }
}

/// An answer on its way. Server functions ask for futures that may be sent; the browser's stay in their thread.
pub type Answer = Pin<Box<dyn Future<Output = Result<Received, AppError>> + Send>>;

/// Calls an act with its fields.
pub fn act(path: &str, fields: &[(&'static str, String)]) -> Answer {
    post(path, transport::FORM, transport::urlencoded(fields))
}

/// Calls a function that reads.
pub fn read<I: Serialize>(path: &str, input: &I) -> Answer {
    let body = serde_wasm_bindgen::to_value(input).ok().and_then(|input| JSON::stringify(&input).ok());
    post(path, transport::JSON_TYPE, body.map(String::from).unwrap_or_default())
}

/// Confirms who is signed in, by the fields of the confirmation: a plain form, since they are secrets.
///
/// # Errors
/// The service's refusal; [`AppError::Transport`] when no answer came.
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
