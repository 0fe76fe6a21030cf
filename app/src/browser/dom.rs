//! Short forms of the DOM functions that the other modules use.

use std::pin::Pin;

use leptos::prelude::{document, window};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement};

/// The first element of the page that matches a selector.
pub fn first<T: JsCast>(selector: &str) -> Option<T> {
    document().query_selector(selector).ok().flatten()?.dyn_into().ok()
}

/// The first descendant of `root` that matches a selector.
pub fn find<T: JsCast>(root: &Element, selector: &str) -> Option<T> {
    root.query_selector(selector).ok().flatten()?.dyn_into().ok()
}

/// All descendants of `root` that match a selector.
pub fn all(root: &Element, selector: &str) -> Vec<Element> {
    let Ok(found) = root.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}

/// The element itself or its nearest ancestor that matches a selector.
pub fn closest<T: JsCast>(element: &Element, selector: &str) -> Option<T> {
    element.closest(selector).ok().flatten()?.dyn_into().ok()
}

/// The element of the page with an id.
pub fn by_id(id: &str) -> Option<Element> {
    document().get_element_by_id(id)
}

/// The target of an event, if it is a `T`.
pub fn target<T: JsCast>(event: &Event) -> Option<T> {
    event.target()?.dyn_into().ok()
}

/// An attribute's value; empty when the element doesn't have it.
pub fn attribute(element: &Element, name: &str) -> String {
    element.get_attribute(name).unwrap_or_default()
}

/// Sets an attribute.
pub fn set(element: &Element, name: &str, value: &str) {
    element.set_attribute(name, value).ok();
}

/// Removes an attribute.
pub fn unset(element: &Element, name: &str) {
    element.remove_attribute(name).ok();
}

/// Creates an element with a class and a text.
pub fn create(tag: &str, class: &str, text: &str) -> Option<Element> {
    let element = document().create_element(tag).ok()?;
    element.set_class_name(class);
    element.set_text_content(Some(text));
    Some(element)
}

/// Focuses an element. Returns whether it has the focus now: a hidden one can't.
pub fn focus(element: &Element) -> bool {
    element.dyn_ref::<HtmlElement>().is_some_and(|element| element.focus().is_ok())
        && document().active_element().as_ref() == Some(element)
}

/// The path of the current page.
pub fn path() -> String {
    window().location().pathname().unwrap_or_default()
}

/// Runs a future until it ends. Its type is erased: the executor's code for each type of future would be a tenth of what
/// the browser downloads.
pub fn spawn_local(future: impl Future<Output = ()> + 'static) {
    spawn(Box::pin(future));
}

fn spawn(future: Pin<Box<dyn Future<Output = ()>>>) {
    wasm_bindgen_futures::spawn_local(future);
}
