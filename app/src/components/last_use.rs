//! A table cell with the last use of a key or a service account.

use chrono::{DateTime, Utc};
use domain::LastUse;
use leptos::{either::Either, prelude::*};

use super::time::Moment;
use crate::words::labels;

/// The time and the IP address; "Never" if it was never used.
#[component]
pub fn LastUsed(last: Option<LastUse>, now: DateTime<Utc>) -> impl IntoView {
    match last {
        None => Either::Left(view! { <span class="muted">{labels::never()}</span> }),
        Some(last) => {
            let address = last.address.map(|address| view! { <span class="sub">{address}</span> });
            Either::Right(view! {
                <Moment at=last.at now />
                {address}
            })
        }
    }
}
