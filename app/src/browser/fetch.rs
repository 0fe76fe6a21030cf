//! Loads pages from the server, and sends plain forms to it.

use gloo_net::http::{Request, Response};
use wasm_bindgen::JsValue;
use web_sys::{DomParser, Element, SupportedType};

use crate::transport::FORM;

/// The request header for a response that is shown in a dialog. The server then sends [`TO`] instead of a redirect, so
/// that the target page isn't loaded twice.
const FOR_DIALOG: &str = "x-latchkey-dialog";
/// The response header with the path to go to after success.
const TO: &str = "x-latchkey-to";

/// The response to a form.
pub enum Answer {
    /// Success, with the path to go to.
    Done(String),
    /// A page: the form with its errors, or what was created.
    Page(Element),
}

/// Loads a page of the site, and returns its root element; `None` when that fails.
pub async fn page(path: &str) -> Option<Element> {
    read(Request::get(path).send().await.ok()?).await
}

/// Sends a form's urlencoded fields; `None` without a readable response.
pub async fn send(path: &str, fields: &str) -> Option<Answer> {
    let request = Request::post(path)
        .header("content-type", FORM)
        .header(FOR_DIALOG, "1")
        .body(JsValue::from_str(fields))
        .ok()?;
    let response = request.send().await.ok()?;
    match response.headers().get(TO) {
        Some(path) => Some(Answer::Done(path)),
        None => read(response).await.map(Answer::Page),
    }
}

/// Parses a page, without running its scripts.
async fn read(response: Response) -> Option<Element> {
    let text = response.text().await.ok()?;
    DomParser::new().ok()?.parse_from_string(&text, SupportedType::TextHtml).ok()?.document_element()
}
