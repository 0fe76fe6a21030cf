//! Returns the focus to where it was before a dialog was opened, even when its row has been replaced or has gone.

use std::cell::RefCell;

use leptos::prelude::document;
use web_sys::Element;

use super::dom::{attribute, closest, find, first, focus};

thread_local! {
    /// What opened the dialog.
    static OPENER: RefCell<Option<Element>> = const { RefCell::new(None) };
    /// Selectors of the elements to focus when the opener can't be, in this order.
    static SUBSTITUTES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Remembers where the focus has to return to: `opener`, or what is near to it.
pub fn remember(opener: Element) {
    let mut selectors = vec![format!("#page [href='{}']", attribute(&opener, "href"))];
    if let Some(row) = closest::<Element>(&opener, "tr") {
        let rows = [Some(row.clone()), row.next_element_sibling(), row.previous_element_sibling()];
        selectors.extend(rows.into_iter().flatten().map(|row| format!("#{} .name", row.id())));
    }
    selectors.push("#main".to_owned());
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
    // A link in a menu is hidden with its menu.
    let toggle = opener.as_ref().and_then(|opener| find(&closest::<Element>(opener, ".menu")?, "[popovertarget]"));
    if [opener, toggle].iter().flatten().any(focus) {
        return;
    }
    SUBSTITUTES.with_borrow(|selectors| {
        selectors.iter().any(|selector| first::<Element>(selector).is_some_and(|element| focus(&element)))
    });
}
