//! What a person sees. Built twice: for the server (`ssr`), where pages are rendered, and for the browser (`hydrate`),
//! where only the islands run.

#![expect(missing_docs, reason = "the component macro writes structs and fields that can't be documented")]
// The `view!` macro nests one type for each element.
#![recursion_limit = "256"]

pub mod api;
pub mod as_code;
pub mod browser;
pub mod components;
pub mod error;
pub mod expiry_choice;
pub mod list_url;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod request;

#[cfg(feature = "ssr")]
pub use pages::shell;
