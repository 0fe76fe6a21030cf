//! Returns the focus to where it was before a dialog was opened, even when its row has been replaced or has gone.

use std::cell::RefCell;

use leptos::prelude::document;
use web_sys::Element;

use super::dom::{attribute, closest, find, first, focus, set};

thread_local! {
    /// What opened the dialog.
    static OPENER: RefCell<Option<Element>> = const { RefCell::new(None) };
    /// Selectors of the elements to focus when the opener can't be, in this order.
    static SUBSTITUTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Remembers where the focus has to return to: `opener`, or what is near to it.
pub fn remember(opener: Element) {
    let mut selectors = Vec::new();
    if let Some(head) = closest::<Element>(&opener, "th[class]") {
        // The link of a column's header leads to the reverse order afterwards.
        selectors.push(format!("#page th[class='{}'] a", head.class_name()));
    }
    selectors.push(format!("#page [href='{}']", attribute(&opener, "href")));
    if let Some(toggle) = toggle_of(&opener) {
        selectors.push(format!("#page [popovertarget='{}']", attribute(&toggle, "popovertarget")));
    }
    if let Some(row) = closest::<Element>(&opener, "tr") {
        let rows = [Some(row.clone()), row.next_element_sibling(), row.previous_element_sibling()];
        selectors.extend(rows.into_iter().flatten().map(|row| format!("#{} .name", row.id())));
    }
    selectors.extend(["#bar [popovertarget=rail]", "#page h1", "#main"].map(str::to_owned));
    OPENER.set(Some(opener));
    SUBSTITUTES.set(selectors);
}

/// Returns the focus, if no element has it.
pub fn give_back() {
    let is_lost = |active: Element| active.matches("body, #main").unwrap_or_default();
    if !document().active_element().is_none_or(is_lost) {
        return;
    }
    let opener = OPENER.with_borrow(Clone::clone);
    let toggle = opener.as_ref().and_then(toggle_of);
    if [opener, toggle].iter().flatten().any(focus) {
        return;
    }
    SUBSTITUTES.with_borrow(|selectors| {
        selectors.iter().any(|selector| {
            let Some(element) = first::<Element>(selector) else { return false };
            if element.tag_name() == "H1" {
                set(&element, "tabindex", "-1");
            }
            focus(&element)
        })
    });
}

/// The button of the menu that contains an element, which is hidden with its menu.
fn toggle_of(element: &Element) -> Option<Element> {
    find(&closest::<Element>(element, ".menu")?, "[popovertarget]")
}
