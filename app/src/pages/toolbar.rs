//! What surrounds a list: the search, the filters, the number of rows and the links to other pages.

use std::borrow::Cow;

use domain::{Cursor, Page, Total};
use leptos::prelude::*;

use crate::{
    components::icon::{Icon, Picture},
    list_url::{ListChoice, PAGE_SIZES},
    words::{labels, lists as words},
};

/// What a list contains, for its texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noun {
    /// API keys.
    Keys,
    /// Service accounts.
    ServiceAccounts,
    /// Members of the tenant.
    Members,
}

impl Noun {
    /// The label of the search field.
    fn search_label(self) -> &'static str {
        match self {
            Self::Keys => words::search_keys(),
            Self::ServiceAccounts => words::search_service_accounts(),
            Self::Members => words::search_members(),
        }
    }

    /// How many rows the list has on all pages, like "23 keys" or "1,000+ keys".
    fn count(self, total: Total) -> String {
        match self {
            Self::Keys => words::count_of_keys(total),
            Self::ServiceAccounts => words::count_of_accounts(total),
            Self::Members => words::count_of_members(total),
        }
    }
}

/// A list in its surroundings. With JavaScript, a search replaces its parts without reloading the page.
pub struct ListBoard {
    /// The parameters of the list.
    pub choice: ListChoice,
    /// What the list contains.
    pub noun: Noun,
    /// The code and the label of each state to filter by.
    pub states: Vec<(&'static str, &'static str)>,
    /// The menus of further filters; empty for none.
    pub filters: Vec<FilterMenu>,
    /// The button that creates a row.
    pub action: Option<AnyView>,
    /// Whether there is nothing to search or filter, in any state. The list then shows only `rows`.
    pub is_first_run: bool,
    /// The table, or what is shown instead of an empty one.
    pub rows: AnyView,
    /// The links to other pages.
    pub pages: Pages,
}

/// The position of a page in its list.
pub struct Pages {
    /// The number of rows on all pages.
    total: Option<Total>,
    /// The cursor of the previous page.
    previous: Option<Cursor>,
    /// The cursor of the next page.
    next: Option<Cursor>,
    /// Whether the page has no rows.
    is_empty: bool,
}

impl<T> From<&Page<T>> for Pages {
    fn from(page: &Page<T>) -> Self {
        let (previous, next) = (page.previous.clone(), page.next.clone());
        Self { total: page.total, previous, next, is_empty: page.items.is_empty() }
    }
}

impl ListBoard {
    /// The board.
    pub fn view(self) -> AnyView {
        if self.is_first_run {
            return view! { <div id="list">{self.rows}</div> }.into_any();
        }
        let count = self.pages.total.filter(|_| !self.pages.is_empty).map(|total| {
            view! {
                <p class="count" role="status">
                    {self.noun.count(total)}
                </p>
            }
        });
        let chips: Vec<_> = self.filters.iter().filter_map(|menu| menu.chip(&self.choice)).collect();
        let menus = self.filters.iter().map(|menu| menu.view(&self.choice)).collect_view();
        view! {
            <div class="board">
                {self.action}
                <div class="toolbar">
                    {search(&self.choice, self.noun.search_label())} <div id="list-filters" class="list-filters">
                        {states(&self.choice, &self.states)}
                        {menus}
                    </div>
                </div> <div id="list">
                    <div class="list-head">{count}{chips}</div>
                    <div class="table-place">{self.rows}</div>
                    {pager(&self.choice, &self.pages)}
                </div>
            </div>
        }
        .into_any()
    }
}

/// The search, as a form that keeps the other parameters.
fn search(choice: &ListChoice, label: &'static str) -> AnyView {
    let size = if choice.size == PAGE_SIZES[0] { String::new() } else { choice.size.to_string() };
    let kept = [
        ("state", choice.state.clone()),
        ("sort", choice.sort.clone()),
        ("dir", choice.direction.as_str().to_owned()),
        ("size", size),
    ];
    let kept = kept.into_iter().chain(choice.extra.iter().cloned()).filter(|(_, value)| !value.is_empty());
    let kept = kept.map(|(name, value)| view! { <input type="hidden" name=name value=value /> }).collect_view();
    view! {
        <form role="search" method="get" action=choice.path.clone() class="search" data-live="list-filters list">
            <label for="search" class="visually-hidden">
                {label}
            </label>
            <input
                id="search"
                name="q"
                type="search"
                value=choice.search.clone()
                placeholder=label
                autocomplete="off"
                maxlength="100"
                data-shortcut="/"
            />
            {kept}
            <button type="submit" class="icon-button without-script" aria-label=labels::search()>
                <Picture icon=Icon::Search />
            </button>
        </form>
    }
    .into_any()
}

fn states(choice: &ListChoice, states: &[(&'static str, &'static str)]) -> AnyView {
    let links = states.iter().map(|(code, label)| {
        let here = *code == choice.state;
        view! {
            <li>
                <a href=choice.with_state(code) aria-current=here.then_some("true")>
                    {*label}
                </a>
            </li>
        }
    });
    view! {
        <nav aria-label=words::filter_by_state() class="states">
            <ul>{links.collect_view()}</ul>
        </nav>
    }
    .into_any()
}

/// A filter besides the state: a menu with one link for each value.
pub struct FilterMenu {
    /// The name of the URL parameter.
    pub name: &'static str,
    /// What is filtered, like "Owner".
    pub label: &'static str,
    /// The code and the label of each value. The first one, with an empty code, filters nothing.
    pub values: Vec<(Cow<'static, str>, Cow<'static, str>)>,
}

impl FilterMenu {
    /// Creates a menu whose values are always the same.
    pub fn of(name: &'static str, label: &'static str, values: &[(&'static str, &'static str)]) -> Self {
        let values = values.iter().map(|(code, label)| (Cow::Borrowed(*code), Cow::Borrowed(*label))).collect();
        Self { name, label, values }
    }

    fn chosen(&self, choice: &ListChoice) -> Option<&(Cow<'static, str>, Cow<'static, str>)> {
        let value = choice.extra.iter().find(|(name, _)| *name == self.name).map_or("", |(_, value)| value.as_str());
        self.values.iter().find(|(code, _)| *code == value && !code.is_empty())
    }

    fn view(&self, choice: &ListChoice) -> AnyView {
        let chosen = self.chosen(choice).map_or("", |(code, _)| code.as_ref());
        let items = self.values.iter().map(|(code, label)| {
            view! {
                <li>
                    <a href=choice.with_other(self.name, code) aria-current=(*code == chosen).then_some("true")>
                        {label.clone()}
                    </a>
                </li>
            }
        });
        view! {
            <details class="menu filter-menu" name="menu">
                <summary class="button small">{self.label}<span aria-hidden="true">" ▾"</span></summary>
                <ul>{items.collect_view()}</ul>
            </details>
        }
        .into_any()
    }

    /// The chosen value as a link that removes the filter.
    fn chip(&self, choice: &ListChoice) -> Option<AnyView> {
        let (_, label) = self.chosen(choice)?;
        let text = format!("{}: {label}", self.label);
        let remove = words::remove_filter(&text);
        let chip = view! {
            <a class="chip-filter" href=choice.with_other(self.name, "") aria-label=remove>
                {text}
                <span aria-hidden="true">" ×"</span>
            </a>
        };
        Some(chip.into_any())
    }
}

/// The links to the previous and the next page, and to pages with more rows; nothing if one short page is all.
fn pager(choice: &ListChoice, pages: &Pages) -> AnyView {
    let is_long = pages.previous.is_some() || pages.next.is_some();
    if !is_long && choice.size == PAGE_SIZES[0] {
        return ().into_any();
    }
    let link = |name: &'static str, cursor: &Option<Cursor>, label: &'static str| {
        cursor.as_ref().map(|cursor| {
            view! {
                <a class="button" href=choice.with_page(name, cursor)>
                    {label}
                </a>
            }
        })
    };
    let sizes = PAGE_SIZES.map(|size| {
        let here = size == choice.size;
        view! {
            <li>
                <a href=choice.with_size(size) aria-current=here.then_some("true") aria-label=words::rows_a_page(&size)>
                    {size}
                </a>
            </li>
        }
    });
    view! {
        <nav class="pager" aria-label=labels::pages()>
            {link("before", &pages.previous, words::previous())}
            {link("after", &pages.next, words::next())}
            <div class="states page-sizes">
                <span class="muted" aria-hidden="true">
                    {words::rows()}
                </span>
                <ul>{sizes.into_iter().collect_view()}</ul>
            </div>
        </nav>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_says_whether_it_is_exact() {
        let count = |noun: Noun, count, is_exact| noun.count(Total { count, is_exact });
        assert_eq!(count(Noun::Keys, 1, true), "1 key");
        assert_eq!(count(Noun::Keys, 23, true), "23 keys");
        assert_eq!(count(Noun::Keys, 1_000, false), "1,000+ keys");
        assert_eq!(count(Noun::Members, 1_234_567, true), "1,234,567 members");
    }
}
