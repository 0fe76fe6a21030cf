//! Every text of the pages, as functions: a text without arguments is a `&'static str`, one with arguments a `String`,
//! and one around an element (a link, a time) an [`AnyView`](leptos::prelude::AnyView). The functions contain whole
//! sentences and every plural, so that a second language is a second set of the same functions.
//!
//! The domain contains the texts that other interfaces show too: labels of states and roles, notices, errors, and
//! the sentences of the audit log. `end2end/bin/words` fails if a page or a component contains a text of its own.

/// Writes the functions of plain texts: `name = "Text";` and `name(argument) = "Text with {argument}";`.
macro_rules! words {
    (@ $name:ident $text:literal) => {
        #[doc = concat!("`", $text, "`")]
        pub const fn $name() -> &'static str {
            $text
        }
    };
    (@ $name:ident ($($argument:ident),+) $text:literal) => {
        #[doc = concat!("`", $text, "`")]
        pub fn $name($($argument: &dyn ::std::fmt::Display),+) -> String {
            format!($text)
        }
    };
    ($($name:ident $(($($argument:ident),+))? = $text:literal;)+) => {
        $(words!(@ $name $(($($argument),+))? $text);)+
    };
}

#[cfg(feature = "ssr")]
pub mod accounts;
#[cfg(feature = "ssr")]
pub mod audit;
#[cfg(feature = "hydrate")]
pub mod browser;
#[cfg(feature = "ssr")]
pub mod charts;
#[cfg(feature = "ssr")]
pub mod entry;
#[cfg(feature = "ssr")]
pub mod exposure;
#[cfg(feature = "ssr")]
pub mod flow_runs;
#[cfg(feature = "ssr")]
pub mod frame;
#[cfg(feature = "ssr")]
pub mod gateways;
#[cfg(feature = "ssr")]
pub mod imported;
#[cfg(feature = "ssr")]
pub mod key_acts;
#[cfg(feature = "ssr")]
pub mod key_details;
#[cfg(feature = "ssr")]
pub mod keys;
#[cfg(feature = "ssr")]
pub mod labels;
#[cfg(feature = "ssr")]
pub mod limits;
#[cfg(feature = "ssr")]
pub mod lists;
#[cfg(feature = "ssr")]
pub mod members;
#[cfg(feature = "ssr")]
pub mod policies;
#[cfg(feature = "ssr")]
pub mod profile;
#[cfg(feature = "ssr")]
pub mod scopes;
pub mod session;
#[cfg(feature = "ssr")]
pub mod sessions;
#[cfg(feature = "ssr")]
pub mod tenants;
#[cfg(feature = "ssr")]
pub mod titles;
#[cfg(feature = "ssr")]
pub mod usage;
#[cfg(feature = "ssr")]
pub mod verifiers;
