//! The dashboard. The crate is built twice: for the server (`ssr`), which renders the pages, and for the browser
//! (`hydrate`), which runs the only island.
//!
//! Every page and every action works with plain links and forms. With JavaScript the island shows the same pages in a
//! dialog and sends the same forms without leaving the page, so each action is implemented only once.

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
pub mod guides;
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
#[cfg(any(feature = "ssr", feature = "hydrate"))]
mod time_form;
#[cfg(feature = "hydrate")]
mod transport;
#[cfg(any(feature = "ssr", feature = "hydrate"))]
mod words;

#[cfg(feature = "ssr")]
pub use pages::shell;
