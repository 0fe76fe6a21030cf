//! What a person sees. Built twice: for the server (`ssr`), where pages are rendered, and for the browser (`hydrate`),
//! where the one island runs that makes them quicker.
//!
//! Every page and every action works with plain links and forms. In the browser the same pages are shown in a dialog, and
//! the same forms are sent without leaving the page: one way for each action, with script and without.

#![cfg_attr(
    feature = "ssr",
    expect(missing_docs, reason = "the component macro writes structs and fields that can't be documented")
)]
// The `view!` macro nests one type for each element.
#![recursion_limit = "256"]

#[cfg(any(feature = "ssr", feature = "hydrate"))]
pub mod api;
#[cfg(feature = "ssr")]
pub mod as_code;
#[cfg(feature = "hydrate")]
mod browser;
#[cfg(feature = "ssr")]
pub mod components;
#[cfg(feature = "ssr")]
pub mod list_url;
pub mod live;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod request;
#[cfg(feature = "ssr")]
pub mod route;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "hydrate")]
mod transport;

#[cfg(feature = "ssr")]
pub use pages::shell;
