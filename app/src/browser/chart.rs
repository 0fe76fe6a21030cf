//! The arrow keys in a chart: they select a bar, whose sentence is shown and announced.

use web_sys::Element;

use super::dom::{all, closest, find, set, unset};

/// The attribute of the selected bar.
const CURRENT: &str = "data-current";

/// Selects another bar if `at` is a chart. Returns whether it is one.
pub fn select(at: &Element, key: &str) -> bool {
    let columns = if at.matches(".bars").unwrap_or_default() { all(at, ".column") } else { Vec::new() };
    let Some(last) = columns.len().checked_sub(1) else { return false };
    let here = columns.iter().position(|column| column.has_attribute(CURRENT));
    let next = match (key, here) {
        ("Home", _) => 0,
        ("ArrowLeft", Some(here)) => here.saturating_sub(1),
        ("ArrowRight", Some(here)) if here < last => here + 1,
        _ => last,
    };
    if let Some(here) = here {
        unset(&columns[here], CURRENT);
    }
    set(&columns[next], CURRENT, "");
    let sentence = find::<Element>(&columns[next], ".readout").and_then(|text| text.text_content());
    let status = closest::<Element>(at, "figure").and_then(|figure| find::<Element>(&figure, "[data-readout]"));
    if let Some(status) = status {
        status.set_text_content(sentence.as_deref());
    }
    true
}
