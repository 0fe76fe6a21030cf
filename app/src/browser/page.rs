//! Changes to the page itself: times, copying, reloading its contents, messages.

use chrono::{DateTime, Utc};
use domain::time::relative_text;
use leptos::prelude::{document, set_timeout, window};
use leptos::task::spawn_local;
use wasm_bindgen::JsCast;
use web_sys::{Document, Element, HtmlDialogElement, HtmlElement, HtmlInputElement};

use super::{dates, fetch};

/// How long a message is shown.
const TOAST_FOR: std::time::Duration = std::time::Duration::from_secs(8);

/// Sets the title of every `<time datetime>` to the exact time in the person's time zone. The relative times stay as
/// the server just wrote them, so that nothing moves.
pub fn set_time_titles() {
    for (time, at) in times() {
        time.set_attribute("title", &dates::local_text(at).unwrap_or_default()).ok();
    }
}

/// Updates the relative time in every `<time datetime>`.
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

/// Copies the value of the field whose selector is in the button's `data-copy` or, if that is empty, the text of the
/// element after the button. The button then says whether that worked.
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
            // Browsers have a clipboard only over TLS and on localhost. Otherwise the person copies the text manually.
            match field {
                Some(field) => {
                    field.select();
                    "Press Ctrl+C to copy"
                }
                None => "Select the text to copy",
            }
        };
        button.set_text_content(Some(word));
    });
}

async fn copy(text: &str) -> bool {
    let navigator = window().navigator();
    let has_clipboard = js_sys::Reflect::get(&navigator, &"clipboard".into()).is_ok_and(|found| !found.is_undefined());
    has_clipboard && wasm_bindgen_futures::JsFuture::from(navigator.clipboard().write_text(text)).await.is_ok()
}

/// Hides the secret in a field, or shows it again.
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

/// Loads this page again and replaces its contents. Does nothing when that fails.
pub async fn renew() {
    renewed().await;
}

/// Does the same as [`renew`], and shows the notice that came with the page.
pub async fn renew_with_notice() {
    let Some(newest) = renewed().await else { return };
    if let Some(text) = by_id(&newest, "toast").and_then(|toast| toast.text_content()).filter(|text| !text.is_empty()) {
        toast(&text);
    }
}

async fn renewed() -> Option<Document> {
    let address = window().location().href().ok()?;
    let newest = fetch::page(&address).await?;
    // The rail contains the names of the tenant and the person, which may have changed.
    for part in ["page", "rail"] {
        if let (Some(old), Some(new)) = (by_id(&document(), part), by_id(&newest, part)) {
            old.replace_with_with_node_1(&new).ok();
        }
    }
    set_time_titles();
    Some(newest)
}

/// The descendants of `root` that match a selector.
pub fn all(root: &Element, selector: &str) -> Vec<Element> {
    let Ok(found) = root.query_selector_all(selector) else { return Vec::new() };
    (0..found.length()).filter_map(|index| found.item(index)?.dyn_into().ok()).collect()
}

/// Opens a dialog again that was closed in the meantime, because a secret that is shown only once must not be missed.
pub fn ensure_open(dialog: &HtmlDialogElement) {
    if !dialog.open() {
        dialog.show_modal().ok();
    }
}

/// Whether this page is the list of all keys. It shows the effect of an act itself, so the form's target page isn't
/// opened.
pub fn is_over_inventory() -> bool {
    window().location().pathname().is_ok_and(|path| path == "/team/keys")
}

fn by_id(document: &Document, id: &str) -> Option<Element> {
    document.get_element_by_id(id)
}

/// Shows a message about what was just done.
pub fn toast(word: &str) {
    let Some(place) = by_id(&document(), "toast") else { return };
    let Ok(text) = document().create_element("p") else { return };
    text.set_class_name("toast");
    text.set_text_content(Some(word));
    place.replace_children_with_node_1(&text);
    set_timeout(move || text.remove(), TOAST_FOR);
}

/// Moves the focus to the page if the focused element is gone.
pub fn focus() {
    let lost = document().active_element().is_none_or(|element| element.tag_name() == "BODY");
    if let Some(main) = by_id(&document(), "main").filter(|_| lost).and_then(|main| main.dyn_into::<HtmlElement>().ok())
    {
        main.focus().ok();
    }
}

/// Navigates to another page.
pub fn leave_for(path: &str) {
    window().location().set_href(path).ok();
}

/// Whether another page belongs to the tenant that this page shows; another tenant may have been selected in another
/// window. A page without a tenant, such as the sign-in page, belongs to every tenant.
pub fn is_of_this_tenant(other: &Document) -> bool {
    let tenant = |page: &Document| page.query_selector("#main[data-tenant]").ok()??.get_attribute("data-tenant");
    tenant(other).is_none_or(|theirs| tenant(&document()).is_none_or(|ours| ours == theirs))
}

/// Whether `path` is the path of this page or of a page above it.
pub fn is_here(path: &str) -> bool {
    let here = window().location().pathname().unwrap_or_default();
    here.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Closes the open menus, except one that was clicked in; a click on one of its links closes it too.
pub fn close_menus(at: &Element) {
    let Ok(found) = document().query_selector_all(".menu[open]") else { return };
    for menu in (0..found.length()).filter_map(|index| found.item(index)?.dyn_into::<Element>().ok()) {
        if !menu.contains(Some(at)) || at.closest(".menu a").ok().flatten().is_some() {
            menu.remove_attribute("open").ok();
        }
    }
}
