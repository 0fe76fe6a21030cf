//! Whether a new key has been used yet, shown below its token.

use domain::LastUse;
use leptos::prelude::*;

use crate::{components::time::Second, words::keys as words};

/// The state of the key whose page of the first request is at `path`. While the key hasn't been used, the script
/// replaces the paragraph with the one of that page every few seconds.
pub fn first_request(path: &str, last: Option<&LastUse>) -> AnyView {
    let Some(last) = last else {
        return view! {
            <p id="first-request" class="first-request script-only" role="status" data-poll=path.to_owned()>
                {words::waiting_for_the_first_verification()}
            </p>
        }
        .into_any();
    };
    let time = view! { <Second at=last.at /> };
    let address = last.address.clone().map(|address| view! { <code>{address}</code> }.into_any());
    view! {
        <p id="first-request" class="first-request is-verified" role="status">
            {words::verified(time, address)}
        </p>
    }
    .into_any()
}

/// The path of the page with the state of a key. `base`: the path that precedes the key's id in the paths of its pages.
pub fn first_request_path(base: &str, key: &str) -> String {
    format!("{base}/{key}/first-request")
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};

    use super::*;

    #[test]
    fn a_used_key_is_no_longer_polled() {
        let path = first_request_path("/user/api-keys", "1");
        let waiting = first_request(&path, None).to_html();
        assert!(waiting.contains(r#"data-poll="/user/api-keys/1/first-request""#), "{waiting}");
        let at = DateTime::parse_from_rfc3339("2027-01-01T12:04:31Z").unwrap().with_timezone(&Utc);
        let last = LastUse { at, address: Some("203.0.113.7".to_owned()), user_agent: None };
        let verified = first_request(&path, Some(&last)).to_html();
        assert!(verified.contains("12:04:31 UTC") && verified.contains("203.0.113.7"), "{verified}");
        assert!(!verified.contains("data-poll"), "{verified}");
    }
}
