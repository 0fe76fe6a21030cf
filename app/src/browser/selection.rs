//! The checkboxes of a list: a range with Shift, all at once, and how many are selected.

use std::{cell::RefCell, time::Duration};

use leptos::prelude::set_timeout;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlInputElement};

use super::dom::{all, closest, find, first, focus};
use crate::words::browser as words;

/// The checkbox that selects the whole page of the list.
const ALL: &str = "[data-select-all]";

thread_local! {
    /// The checkbox that was clicked last.
    static LAST: RefCell<Option<HtmlInputElement>> = const { RefCell::new(None) };
}

fn boxes(table: &Element) -> Vec<HtmlInputElement> {
    all(table, "tbody input[type=checkbox]").into_iter().map(JsCast::unchecked_into).collect()
}

/// Handles a click on a checkbox of a list. `is_range`: whether Shift was held.
pub fn clicked(input: HtmlInputElement, is_range: bool) {
    let Some(table) = closest::<Element>(&input, "table") else { return };
    let boxes = boxes(&table);
    if input.matches(ALL).unwrap_or_default() {
        for one in boxes {
            one.set_checked(input.checked());
        }
        return show_count();
    }
    let place = |input: &HtmlInputElement| boxes.iter().position(|one| one == input);
    if let (true, Some(from), Some(to)) = (is_range, LAST.with_borrow(|last| place(last.as_ref()?)), place(&input)) {
        for one in &boxes[from.min(to)..=from.max(to)] {
            one.set_checked(input.checked());
        }
    }
    LAST.set(Some(input));
    show_count();
}

/// Handles that the button `reset` cleared the selection, and hid itself. The browser clears it after the click.
pub fn cleared(reset: &Element) {
    let Some(all) = closest::<Element>(reset, "form").and_then(|form| find::<Element>(&form, ALL)) else { return };
    set_timeout(
        move || {
            show_count();
            focus(&all);
        },
        Duration::ZERO,
    );
}

/// Does `change`, which replaces the list. What was selected before stays selected, as far as it is still there.
pub fn keep_over(change: impl FnOnce()) {
    let all_boxes = || first::<Element>("#page").map(|page| boxes(&page)).unwrap_or_default();
    let selected: Vec<String> = all_boxes().iter().filter(|one| one.checked()).map(HtmlInputElement::value).collect();
    change();
    for one in all_boxes().iter().filter(|one| selected.contains(&one.value())) {
        one.set_checked(true);
    }
    show_count();
}

/// Shows how many rows of the list are selected.
pub fn show_count() {
    let Some(place) = first::<Element>("[data-selected-count]") else { return };
    let Some(table) = first::<Element>("table:has(tbody input[type=checkbox])") else { return };
    let boxes = boxes(&table);
    let count = boxes.iter().filter(|one| one.checked()).count();
    place.set_text_content(Some(&words::selected(&count)));
    if let Some(all) = first::<HtmlInputElement>(ALL) {
        all.set_checked(count > 0 && count == boxes.len());
        all.set_indeterminate(count > 0 && count < boxes.len());
    }
}
