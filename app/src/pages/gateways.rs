//! The pages between Latchkey and the software behind a gateway. They are outside of the route table: most of them are shown
//! at the address of the gateway, where nothing is known of a session.

use leptos::prelude::*;

use super::{frame, problem};
use crate::words::{frame as words, gateways};

/// Where a page is shown.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The name of the gateway.
    pub gateway: &'a str,
    /// The address of the stylesheet.
    pub stylesheet: &'a str,
    /// The address of Latchkey.
    pub latchkey: &'a str,
}

/// Why a page isn't the one that a person wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Their role isn't enough.
    Role,
    /// Their role lacks a scope.
    Scopes,
    /// The address that leads from the sign-in was used, or belongs to another browser.
    UsedAddress,
    /// Something else, in a sentence.
    Other(String),
}

/// The page after the sign-in, which leads on to the gateway.
pub fn leads_on(place: Place<'_>, to: &str) -> String {
    let refresh = format!("0;url={to}");
    let label = gateways::continue_to(&place.gateway);
    let contents = view! {
        <p>
            <a class="button primary" href=to.to_owned()>
                {label}
            </a>
        </p>
    };
    document(place, place.gateway, Some(refresh), contents.into_any())
}

/// The page instead of the one that a person may not open.
pub fn refused(place: Place<'_>, refusal: Refusal) -> String {
    let is_used = refusal == Refusal::UsedAddress;
    let title = if is_used { words::this_link_doesnt_work() } else { words::you_dont_have_access() };
    let message = match refusal {
        Refusal::Role => gateways::role_isnt_enough(&place.gateway),
        Refusal::Scopes => gateways::scopes_are_missing(&place.gateway),
        Refusal::UsedAddress => gateways::address_was_used().to_owned(),
        Refusal::Other(message) => message,
    };
    let (href, label) = if is_used {
        ("/".to_owned(), gateways::open_again(&place.gateway))
    } else {
        (place.latchkey.to_owned(), gateways::go_to_latchkey().to_owned())
    };
    let message = view! { <p role="alert">{message}</p> }.into_any();
    document(place, title, None, problem::card(title, message, ().into_any(), (href, label)))
}

fn document(place: Place<'_>, title: &str, refresh: Option<String>, contents: AnyView) -> String {
    let contents = frame::plain_from(place.latchkey.to_owned(), contents);
    view! {
        <!DOCTYPE html>
        <html lang="en">
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <title>{format!("{title} · Latchkey")}</title>
                <link rel="stylesheet" href=place.stylesheet.to_owned() />
                {refresh.map(|refresh| view! { <meta http-equiv="refresh" content=refresh /> })}
            </head>
            <body>{contents}</body>
        </html>
    }
    .to_html()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place<'static> =
        Place { gateway: "wiki", stylesheet: "/.latchkey/pkg/a.css", latchkey: "https://keys.example.org" };

    #[test]
    fn what_is_shown_is_escaped_and_leads_where_it_should() {
        let page = leads_on(PLACE, "http://wiki/.latchkey/enter/wiki?code=a&next=\"><script>");
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("Continue to wiki"), "{page}");
        assert!(page.contains("http-equiv=\"refresh\"") && page.contains("0;url=http://wiki/"), "{page}");
        assert!(!page.contains("<script>") && page.contains("code=a&amp;next="), "{page}");
        let page = refused(PLACE, Refusal::Other("<b>".to_owned()));
        assert!(page.contains("&lt;b&gt;") && page.contains("href=\"https://keys.example.org\""), "{page}");
        assert!(!page.contains("http-equiv"), "{page}");
        assert!(refused(PLACE, Refusal::UsedAddress).contains("This link doesn't work"));
    }
}
