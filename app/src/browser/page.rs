//! What is done to the page itself: times, copying, its newest state.

use chrono::{DateTime, Utc};
use domain::time::relative_text;
use leptos::prelude::{document, set_timeout, window};
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlDialogElement, HtmlElement, HtmlInputElement};

use super::{dates, fetch};

/// How long a word on what was done stays.
const TOAST_FOR: std::time::Duration = std::time::Duration::from_secs(8);

/// Gives every `<time datetime>` its exact time in the person's zone. The distance from now is as the server wrote it a
/// moment ago: nothing moves.
pub fn name_times() {
    for (time, at) in times() {
        time.set_attribute("title", &dates::local_text(at).unwrap_or_default()).ok();
    }
}

/// Writes the distance from now of every `<time datetime>` anew.
pub fn refresh_times() {
    let now = dates::now();
    for (time, at) in times() {
        time.set_text_content(Some(&relative_text(at, now)));
    }
}

fn times() -> Vec<(Element, DateTime<Utc>)> {
    let Ok(found) = document().query_selector_all("time[datetime]") else { return Vec::new() };
    let elements = (0..found.length()).filter_map(|index| found.item(index)?.dyn_into::<Element>().ok());
    elements.filter_map(|time| Some((time.clone(), dates::instant(&time.get_attribute("datetime")?)?))).collect()
}

/// Copies the text that a button names: of the field in `data-copy`, or of what follows the button.
pub fn copy_from(button: Element) {
    let field = named_field(&button, "data-copy");
    let text = match &field {
        Some(field) => field.value(),
        None => button.next_element_sibling().and_then(|text| text.text_content()).unwrap_or_default(),
    };
    spawn_local(async move {
        let word = if copy(&text).await {
            "Copied"
        } else {
            // Browsers have no clipboard beyond TLS and the own machine: the person takes it by hand.
            if let Some(field) = field {
                field.select();
            }
            "Select it"
        };
        button.set_text_content(Some(word));
    });
}

async fn copy(text: &str) -> bool {
    let navigator = window().navigator();
    let has_clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|found| !found.is_undefined());
    has_clipboard && wasm_bindgen_futures::JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Hides a secret that stands in a field, or shows it again.
pub fn hide_or_show(button: &Element) {
    let Some(field) = named_field(button, "data-hide") else { return };
    let hides = field.type_() == "text";
    field.set_type(if hides { "password" } else { "text" });
    button.set_text_content(Some(if hides { "Show" } else { "Hide" }));
}

fn named_field(button: &Element, attribute: &str) -> Option<HtmlInputElement> {
    let selector = button.get_attribute(attribute).filter(|selector| !selector.is_empty())?;
    document().query_selector(&selector).ok().flatten()?.dyn_into().ok()
}

/// Asks for this page again and shows its newest state in place; leaves all as it is when it doesn't come.
pub async fn renew() {
    renewed().await;
}

/// The same, and says what the page says about what was just done.
pub async fn renew_with_notice() {
    let Some(newest) = renewed().await else { return };
    if let Some(text) = by_id(&newest, "toast").and_then(|toast| toast.text_content()).filter(|text| !text.is_empty()) {
        toast(&text);
    }
}

async fn renewed() -> Option<Document> {
    let address = window().location().href().ok()?;
    let newest = fetch::page(&address).await?;
    // The rail names the tenant and the person, who may have another name now.
    for part in ["page", "rail"] {
        if let (Some(old), Some(new)) = (by_id(&document(), part), by_id(&newest, part)) {
            old.replace_with_with_node_1(&new).ok();
        }
    }
    name_times();
    Some(newest)
}

/// The elements below one that a selector finds.
pub fn all(root: &Element, selector: &str) -> Vec<Element> {
    let Ok(found) = root.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}

/// Opens a dialog that somebody closed meanwhile: what is revealed once must be seen.
pub fn ensure_open(dialog: &HtmlDialogElement) {
    if !dialog.open() {
        dialog.show_modal().ok();
    }
}

/// Whether the page is the list of all keys: what is done to one of them is seen there, wherever the form would lead.
pub fn is_over_inventory() -> bool {
    window().location().pathname().is_ok_and(|path| path == "/team/keys")
}

fn by_id(document: &Document, id: &str) -> Option<Element> {
    document.get_element_by_id(id)
}

/// Says what was done.
pub fn toast(word: &str) {
    let Some(place) = by_id(&document(), "toast") else { return };
    let Ok(text) = document().create_element("p") else { return };
    text.set_class_name("toast");
    text.set_text_content(Some(word));
    place.replace_children_with_node_1(&text);
    set_timeout(move || text.remove(), TOAST_FOR);
}

/// Puts the focus where the person was: the page, when that is gone.
pub fn focus() {
    let lost = document().active_element().is_none_or(|element| element.tag_name() == "BODY");
    if let Some(main) = by_id(&document(), "main").filter(|_| lost).and_then(|main| main.dyn_into::<HtmlElement>().ok())
    {
        main.focus().ok();
    }
}

/// Leaves for another page.
pub fn leave_for(path: &str) {
    window().location().set_href(path).ok();
}

/// Whether another page is of the tenant that this one shows: another window may have switched meanwhile. A page that is of
/// none, as the sign-in, is of this too.
pub fn is_of_this_tenant(other: &Document) -> bool {
    let tenant = |page: &Document| page.query_selector("#main[data-tenant]").ok()??.get_attribute("data-tenant");
    tenant(other).is_none_or(|theirs| tenant(&document()).is_none_or(|ours| ours == theirs))
}

/// Whether a path is this page's own, or of a list that this page lies below.
pub fn is_here(path: &str) -> bool {
    let here = window().location().pathname().unwrap_or_default();
    here.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Closes the menus that a click wasn't in.
pub fn close_menus(at: &Element) {
    let Ok(found) = document().query_selector_all(".menu[open]") else { return };
    for menu in (0..found.length()).filter_map(|index| found.item(index)?.dyn_into::<Element>().ok()) {
        if !menu.contains(Some(at)) || at.closest(".menu a").ok().flatten().is_some() {
            menu.remove_attribute("open").ok();
        }
    }
}
