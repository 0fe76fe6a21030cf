//! The row of a list that an act changes: at once, before the server has answered, and in its place, even when the
//! list's filter no longer matches it.

use domain::Operation;
use js_sys::encode_uri_component;
use leptos::prelude::window;
use web_sys::{Element, HtmlElement, HtmlInputElement};

use super::{
    dates,
    dom::{by_id, closest, find, path},
    fetch, fields, page,
};
use crate::{api::PREFIX, words::browser as words};

/// A row that was changed before the server has answered.
pub struct Change {
    row: Element,
    before: Element,
}

impl Change {
    /// Shows in its row what a form is about to do; `None` when that isn't certain, or when the page has no such row.
    pub fn ahead(action: &str, form: &Element) -> Option<Self> {
        // The operations on keys and on service accounts begin with the same verbs.
        let verb = action.strip_prefix(PREFIX)?.strip_prefix('/')?.split('_').next()?;
        let row = by_id(&id_of(form)?)?;
        let before = row.clone_node_with_deep(true).ok().map(wasm_bindgen::JsCast::unchecked_into)?;
        let cell = |name: &str| find::<Element>(&row, &format!("[data-cell={name}]"));
        match verb {
            "rename" => cell("name")?.set_text_content(Some(fields::value_of(form, "name").trim())),
            "suspend" => show_status(&cell("status")?, "chip chip-suspended", words::suspended()),
            "resume" => show_status(&cell("status")?, "chip chip-active", words::active()),
            _ => return None,
        }
        Some(Self { row, before })
    }

    /// Shows the row as it was, because the server rejected the change.
    pub fn take_back(&self) {
        self.row.replace_with_with_node_1(&self.before).ok();
    }
}

/// Shows in its row that a form has revoked or deleted something. The row is loaded again afterwards.
pub fn show_over(operation: Operation, id: &str) {
    let label = match operation {
        Operation::RevokeApiKey => words::revoked(),
        Operation::DeleteServiceAccount => words::deleted(),
        _ => return,
    };
    if let Some(row) = by_id(id) {
        row.class_list().add_1("row-over").ok();
        if let Some(cell) = find::<Element>(&row, "[data-cell=status]") {
            show_status(&cell, "chip chip-revoked", label);
        }
    }
}

/// The link to the page of the row in which something was pressed; `None` where a press does something else.
pub fn link_of(at: &Element) -> Option<HtmlElement> {
    let row = closest::<Element>(at, "tr[id^=row-]")?;
    let does_something = "a, button, input, label, summary, .menu, .actions, .choose, .against";
    let is_selecting = window().get_selection().ok().flatten().is_some_and(|selection| !selection.is_collapsed());
    if is_selecting || closest::<Element>(at, does_something).is_some() {
        return None;
    }
    find(&row, "a.name")
}

fn show_status(cell: &Element, class: &str, label: &str) {
    if let Some(chip) = find::<Element>(cell, ".chip") {
        chip.set_class_name(class);
        chip.set_text_content(Some(label));
    }
}

/// The id of the row with the key or the account that a form changes.
pub fn id_of(form: &Element) -> Option<String> {
    Some(format!("row-{}", find::<HtmlInputElement>(form, "[name=key], [name=account]")?.value()))
}

/// Loads the page again after an act on the thing in a row. If the list no longer contains the row, the row stays where
/// it is, in its new state.
pub async fn renew(id: &str) {
    let (Some(newest), old) = (page::newest().await, by_id(id)) else { return };
    if let (Some(old), None) = (old, find::<Element>(&newest, &format!("#{id}")))
        && let Some(changed) = changed(&old, id).await
        && !put_in_place(&newest, &old, &changed)
    {
        dates::localise(&changed);
        old.replace_with_with_node_1(&changed).ok();
        return;
    }
    page::put(&newest);
}

/// The row in its new state, from the list of all states.
async fn changed(old: &Element, id: &str) -> Option<Element> {
    let name = find::<Element>(old, "[data-cell=name]")?.text_content()?;
    let url = format!("{}?state=all&q={}", path(), encode_uri_component(&name));
    find(&fetch::page(&url).await?, &format!("#{id}"))
}

/// Puts the row into a list, next to the rows that were next to it. Returns `false` when the list has no rows.
fn put_in_place(newest: &Element, old: &Element, changed: &Element) -> bool {
    let same = |row: Option<Element>| find::<Element>(newest, &format!("#{}", row?.id()));
    let (next, previous) = (same(old.next_element_sibling()), same(old.previous_element_sibling()));
    match (next, previous) {
        (Some(next), _) => next.before_with_node_1(changed).is_ok(),
        (None, Some(previous)) => previous.after_with_node_1(changed).is_ok(),
        (None, None) => false,
    }
}
