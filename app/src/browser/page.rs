//! The page under the dialog: reloading its contents, and leaving it for another one.

use std::cell::RefCell;

use leptos::prelude::{document, window};
use wasm_bindgen::JsValue;
use web_sys::{Element, HtmlFormElement};

use super::{
    dates,
    dom::{all, attribute, closest, find, first, focus as focus_on, path, set, spawn_local, unset},
    fetch, focus, selection, toasts,
};

thread_local! {
    /// The path and the query of what the page shows.
    static SHOWN: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Loads this page again and replaces its contents; `None` when that fails.
pub async fn renew() -> Option<()> {
    put(&newest().await?);
    Some(())
}

/// Does the same as [`renew`], and returns the notice that came with the page.
pub async fn renew_with_notice() -> Option<String> {
    let newest = newest().await?;
    put(&newest);
    find::<Element>(&newest, "#toast .toast p")?.text_content()
}

/// This page, as the server renders it now.
pub async fn newest() -> Option<Element> {
    fetch::page(&window().location().href().ok()?).await
}

/// Replaces the contents of this page by those of another.
pub fn put(newest: &Element) {
    // The rail and the bar contain the names of the tenant and the person, which may have changed.
    if let Some(title) = find::<Element>(newest, "title").and_then(|title| title.text_content()) {
        document().set_title(&title);
    }
    for part in ["#page", "#rail", "#bar"] {
        if let (Some(old), Some(new)) = (first::<Element>(part), find::<Element>(newest, part)) {
            dates::localise(&new);
            old.replace_with_with_node_1(&new).ok();
        }
    }
    selection::show_count();
    focus::give_back();
}

/// Shows the same page with other parameters, such as another order of its list, in place of this one: the focus stays,
/// and so does the part of the page that is in sight. `link`: what was pressed.
pub fn follow(link: Element) {
    let href = attribute(&link, "href");
    let (is_pager, pager) = (closest::<Element>(&link, ".pager").is_some(), ".pager a");
    let list = closest::<Element>(&link, "#list").or_else(|| first("#list")).or_else(|| first("#page"));
    if let Some(list) = &list {
        set(list, "aria-busy", "true");
    }
    focus::remember(link);
    spawn_local(async move {
        let Some(came) = fetch::page(&href).await else {
            if let Some(list) = list {
                unset(&list, "aria-busy");
            }
            return toasts::show_unreachable();
        };
        // Another page, such as that for the sign-in, isn't shown under this page's path.
        if !is_of_this_person(&came) || !is_of_this_tenant(&came) {
            return leave_for(&href);
        }
        if let Ok(history) = window().history() {
            history.push_state_with_url(&JsValue::NULL, "", Some(&href)).ok();
        }
        SHOWN.set(address());
        selection::keep_over(|| put(&came));
        if is_pager {
            if let Some(link) = first::<Element>(pager) {
                focus_on(&link);
            }
            window().scroll_to_with_x_and_y(0.0, 0.0);
        }
    });
}

/// Whether a link leads to this page with other parameters.
pub fn is_same_page(link: &Element) -> bool {
    let href = attribute(link, "href");
    let is_plain = !link.has_attribute("download") && !link.has_attribute("target");
    is_plain && href.split_once('?').is_some_and(|(place, _)| place == path())
}

/// Shows the page of the address, to which the person went back or forward.
pub fn moved() {
    let here = address();
    // The part after `#` says only what to scroll to.
    if SHOWN.replace(here.clone()) != here {
        spawn_local(async {
            renew().await;
        });
    }
}

/// Remembers the address that the page shows.
pub fn remember_address() {
    SHOWN.set(address());
}

/// The path and the query of the page.
fn address() -> String {
    format!("{}{}", path(), window().location().search().unwrap_or_default())
}

/// Whether this page is the list of all keys. It shows the effect of an act itself, so the form's target page isn't
/// opened.
pub fn is_over_inventory() -> bool {
    path() == "/team/keys"
}

/// Navigates to another page.
pub fn leave_for(path: &str) {
    window().location().set_href(path).ok();
}

/// Whether another page belongs to the tenant that this page shows; another tenant may have been selected in another
/// window. A page without a tenant, such as the sign-in page, belongs to every tenant.
pub fn is_of_this_tenant(other: &Element) -> bool {
    const MAIN: &str = "#main[data-tenant]";
    let tenant = |main: Option<Element>| main.map(|main| attribute(&main, "data-tenant"));
    tenant(find(other, MAIN)).is_none_or(|theirs| tenant(first(MAIN)).is_none_or(|ours| ours == theirs))
}

/// Whether another page was made for the same person as this one.
pub fn is_of_this_person(other: &Element) -> bool {
    const MAIN: &str = "#main[data-person]";
    let person = |main: Option<Element>| main.map(|main| attribute(&main, "data-person"));
    let theirs = person(find(other, MAIN));
    theirs.is_some() && theirs == person(first(MAIN))
}

/// Loads this page again.
pub fn reload() {
    window().location().reload().ok();
}

/// Whether `to` is the path of this page or of a page above it.
pub fn is_here(to: &str) -> bool {
    path().strip_prefix(to).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The path to which the form with the colour themes is sent.
pub const THEMES: &str = "/preferences/theme";

/// Shows a colour theme, and stores it in the background. `button`: the button of the theme.
pub fn set_theme(form: &HtmlFormElement, button: &Element) {
    let theme = attribute(button, "value");
    if let Some(root) = document().document_element() {
        if theme == "system" {
            unset(&root, "data-theme");
        } else {
            set(&root, "data-theme", &theme);
        }
    }
    for other in all(form, "[aria-pressed]") {
        set(&other, "aria-pressed", if &other == button { "true" } else { "false" });
    }
    spawn_local(async move { drop(fetch::send(THEMES, &format!("theme={theme}")).await) });
}
