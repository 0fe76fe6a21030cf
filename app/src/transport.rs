//! Requests of the browser, through gloo-net. Knows no function and no type of an answer.

use gloo_net::http::Request;
use js_sys::JSON;
use leptos::prelude::document;
use wasm_bindgen::JsValue;
use web_sys::UrlSearchParams;

/// The body of a form.
pub const FORM: &str = "application/x-www-form-urlencoded";
/// A body in JSON.
pub const JSON_TYPE: &str = "application/json";

/// An answer that came.
pub struct Answer {
    /// Whether its status is a success.
    pub is_success: bool,
    /// Its JSON; null, when it has none.
    pub value: JsValue,
}

/// Posts a body, and reads the answer's JSON, which the browser parses: a parser of our own would weigh more than all
/// functions together. `tenant_header`: names the tenant that the page shows. `None` when no answer came, or none that can be
/// read.
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

/// Fields as a form sends them.
pub fn urlencoded(fields: &[(&'static str, String)]) -> String {
    let Ok(encoded) = UrlSearchParams::new() else { return String::new() };
    for (name, value) in fields {
        encoded.append(name, value);
    }
    String::from(encoded.to_string())
}

/// The tenant that this page shows.
pub fn tenant() -> Option<String> {
    document().query_selector("#main[data-tenant]").ok()??.get_attribute("data-tenant")
}
