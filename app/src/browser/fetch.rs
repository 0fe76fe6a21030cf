//! Asking the server for pages, and sending it forms.

use gloo_net::http::{Request, Response};
use wasm_bindgen::JsValue;
use web_sys::{Document, DomParser, SupportedType};

/// Says that the answer is for a dialog: a redirect comes as [`TO`] instead, so that its page is asked for once.
const FOR_DIALOG: &str = "x-latchkey-dialog";
/// Where a form leads.
const TO: &str = "x-latchkey-to";

/// What a form's answer is.
pub enum Answer {
    /// It is done; this is the path to go on with.
    Done(String),
    /// A page: what is wrong, or what was made.
    Page(Document),
}

/// Another page of the site; `None` when it didn't come, or isn't one.
pub async fn page(path: &str) -> Option<Document> {
    read(Request::get(path).send().await.ok()?).await
}

/// Sends a form's fields; `None` when no answer came, or none that can be read.
pub async fn send(path: &str, fields: &str) -> Option<Answer> {
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header(FOR_DIALOG, "1")
        .body(JsValue::from_str(fields))
        .ok()?;
    let response = request.send().await.ok()?;
    match response.headers().get(TO) {
        Some(path) => Some(Answer::Done(path)),
        None => read(response).await.map(Answer::Page),
    }
}

/// Parses a page. Nothing in it runs.
async fn read(response: Response) -> Option<Document> {
    let text = response.text().await.ok()?;
    DomParser::new().ok()?.parse_from_string(&text, SupportedType::TextHtml).ok()
}
