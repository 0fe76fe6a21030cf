//! Lists of many keys. Whether a list is read by a filter's own index or in sort order, it contains what a plain filter
//! over all keys finds, in the same order.

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    ApiKey, Direction, InventoryFilter, InventoryQuery, KeyFilter, KeyQuery, KeySort, PageRequest,
    api_key::input::SetKeyPolicy, page::MAX_LIMIT,
};

use crate::{
    Actor,
    testing::{Crowd, fill},
    tests::stage::*,
};

/// So many keys that each filter matches more of them than are read by its own index.
const CROWD: Crowd = Crowd { accounts: 20, keys: 2_300 };

async fn list(stage: &Stage, by: &Actor, query: &KeyQuery, inventory: InventoryQuery) -> Vec<ApiKey> {
    let (mut all, mut query) = (Vec::new(), query.clone());
    // Short pages, for each of which only the first matches of the search are read.
    let limit = if query.search == "zebra" { 20 } else { MAX_LIMIT };
    query.page = PageRequest { limit, ..PageRequest::default() };
    loop {
        let page = stage.services.inventory().list(by, &query, inventory).await.unwrap();
        all.extend(page.items);
        let Some(next) = page.next else {
            if let Some(total) = page.total {
                let is_right =
                    if total.is_exact { total.count as usize == all.len() } else { total.count as usize <= all.len() };
                assert!(is_right, "{total:?}, but {} keys: {query:?} {inventory:?}", all.len());
            }
            return all;
        };
        query.page.after = Some(next);
    }
}

fn is_in(key: &ApiKey, query: &KeyQuery, filter: InventoryFilter, now: DateTime<Utc>) -> bool {
    let state = key.state(now);
    let in_state = match query.filter {
        KeyFilter::Active => state.is_valid(),
        KeyFilter::ExpiringSoon => state.as_str() == "expiring_soon",
        KeyFilter::Expired => state.as_str() == "expired",
        KeyFilter::Suspended => state.as_str() == "suspended",
        KeyFilter::Revoked => state.as_str() == "revoked",
        KeyFilter::All => true,
    };
    let long_ago = now - TimeDelta::days(90);
    let is_shown = match filter {
        InventoryFilter::All => true,
        // The only policy of this test requires an expiry.
        InventoryFilter::NeverExpires | InventoryFilter::ViolatesKeyPolicy => key.expires_at.is_none(),
        InventoryFilter::Unused => {
            key.created_at < long_ago && key.last_used.as_ref().is_none_or(|last| last.at < long_ago)
        }
        InventoryFilter::OwnerGone | InventoryFilter::Exposed => false,
    };
    in_state && is_shown && key.name.as_str().contains(&query.search)
}

/// Returns the ids of the keys that a list must contain, in its order.
fn expected(keys: &[ApiKey], query: &KeyQuery, filter: InventoryFilter, now: DateTime<Utc>) -> Vec<String> {
    let mut left: Vec<&ApiKey> = keys.iter().filter(|key| is_in(key, query, filter, now)).collect();
    let number = |at: Option<DateTime<Utc>>, none: i64| at.map_or(none, |at| at.timestamp_micros());
    left.sort_by(|a, b| {
        let order = match query.sort {
            KeySort::Name => a.name.as_str().cmp(b.name.as_str()),
            KeySort::Created => a.created_at.cmp(&b.created_at),
            KeySort::Expires => number(a.expires_at, i64::MAX).cmp(&number(b.expires_at, i64::MAX)),
            KeySort::LastUsed => {
                let used = |key: &ApiKey| number(key.last_used.as_ref().map(|last| last.at), 0);
                used(a).cmp(&used(b))
            }
        };
        let order = order.then_with(|| a.id.0.cmp(&b.id.0));
        if query.direction == Direction::Desc { order.reverse() } else { order }
    });
    left.iter().map(|key| key.id.to_string()).collect()
}

#[test]
fn a_list_of_many_keys_contains_what_a_plain_filter_finds() {
    on_both(async |stage| {
        fill(&stage.services, "acme", CROWD).await.unwrap();
        let ada = stage.session(stage.admin).await;
        let policy = SetKeyPolicy { policy: "expiry_required".to_owned(), ..SetKeyPolicy::default() };
        stage.services.tenant_policies().set(&ada, &policy).await.unwrap();
        let now = stage.services.now();
        let all = list(&stage, &ada, &every_key(), InventoryQuery::default()).await;
        assert_eq!(all.len(), CROWD.keys as usize);
        let filters = [
            InventoryFilter::All,
            InventoryFilter::NeverExpires,
            InventoryFilter::Unused,
            InventoryFilter::ViolatesKeyPolicy,
        ];
        let mut lists = 0;
        for (n, sort) in KeySort::ALL.into_iter().enumerate() {
            for filter in KeyFilter::ALL {
                for (m, shown) in filters.into_iter().enumerate() {
                    // The filter for all states with every search term, the other filters with one term each.
                    let words = ["", "zebra", "berlin", "frankfurt", "00001", "rt 0000", "001", "000"];
                    let some = if filter == KeyFilter::All { &words[..] } else { &words[(n + m) % 5..=(n + m) % 5] };
                    for word in some {
                        let direction = if (n + m) % 2 == 0 { Direction::Asc } else { Direction::Desc };
                        let query =
                            KeyQuery { search: (*word).to_owned(), filter, sort, direction, ..KeyQuery::default() };
                        let inventory = InventoryQuery { filter: shown, ..InventoryQuery::default() };
                        let found = list(&stage, &ada, &query, inventory).await;
                        let found: Vec<String> = found.iter().map(|key| key.id.to_string()).collect();
                        assert_eq!(found, expected(&all, &query, shown, now), "{query:?} {shown:?}");
                        lists += usize::from(!found.is_empty());
                    }
                }
            }
        }
        assert!(lists > 80, "only {lists} lists contain keys");
    });
}
