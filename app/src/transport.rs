//! Requests from the browser, through gloo-net. This module knows nothing about server functions and the types of their
//! results.

use gloo_net::http::Request;
use js_sys::JSON;
use leptos::prelude::document;
use wasm_bindgen::JsValue;
use web_sys::UrlSearchParams;

/// The media type of a form's body.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// The media type of a JSON body.
pub const JSON_TYPE: &str = "application/json";

/// A response.
pub struct Answer {
    /// Whether its status is a success.
    pub is_success: bool,
    /// The parsed JSON; null when the body is empty.
    pub value: JsValue,
}

/// Posts a body and reads the response as JSON. The browser's parser is used because one in WASM would be larger than
/// all server functions together. `tenant_header`: the header in which the page's tenant is sent. Returns `None` when
/// there is no response, or when it isn't valid JSON.
pub async fn post(path: &str, kind: &str, body: &str, tenant_header: &str) -> Option<Answer> {
    let request = Request::post(path).header("content-type", kind).header("accept", JSON_TYPE);
    let request = match tenant() {
        Some(tenant) => request.header(tenant_header, &tenant),
        None => request,
    };
    let response = request.body(JsValue::from_str(body)).ok()?.send().await.ok()?;
    let text = response.text().await.ok()?;
    let value = if text.is_empty() { JsValue::NULL } else { JSON::parse(&text).ok()? };
    Some(Answer { is_success: response.ok(), value })
}

/// Encodes fields as a form's body.
pub fn urlencoded(fields: &[(&'static str, String)]) -> String {
    let Ok(encoded) = UrlSearchParams::new() else { return String::new() };
    for (name, value) in fields {
        encoded.append(name, value);
    }
    String::from(encoded.to_string())
}

/// The id of the tenant that this page shows; `None` on a page without a tenant.
pub fn tenant() -> Option<String> {
    document().query_selector("#main[data-tenant]").ok()??.get_attribute("data-tenant")
}
