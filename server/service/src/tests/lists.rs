//! Lists of keys: filters, search, sort order and pagination.

use chrono::TimeDelta;
use domain::{Direction, KeyFilter, KeyQuery, KeySort, PageRequest, api_key::input::CreateKey};

use crate::{Actor, tests::stage::*};

async fn fill(stage: &Stage, actor: &Actor) {
    let in_days = |days: i64| Some((stage.services.now() + TimeDelta::days(days)).to_rfc3339());
    for (name, expires_at) in
        [("alpha", None), ("Beta", in_days(400)), ("gamma_1", in_days(10)), ("delta", in_days(2)), ("%odd%", None)]
    {
        let input = CreateKey { expires_at, ..new_key(own(actor), name) };
        let key = stage.services.api_keys().create(actor, &input).await.unwrap();
        if name == "%odd%" {
            stage.services.api_keys().revoke(actor, key.key.id).await.unwrap();
        }
        stage.advance(TimeDelta::seconds(1));
    }
}

async fn names(stage: &Stage, actor: &Actor, query: &KeyQuery) -> Vec<String> {
    stage.walk(actor, own(actor), query).await.into_iter().map(|key| key.name.to_string()).collect()
}

#[test]
fn each_filter_lists_the_keys_in_its_state() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        fill(&stage, &ada).await;
        stage.advance(TimeDelta::days(3));
        let now = stage.services.now();
        let all = stage.walk(&ada, own(&ada), &every_key()).await;
        assert_eq!(all.len(), 5);
        for filter in KeyFilter::ALL {
            let listed = stage.walk(&ada, own(&ada), &KeyQuery { filter, ..KeyQuery::default() }).await;
            let expected: Vec<_> = all
                .iter()
                .filter(|key| {
                    let state = key.state(now);
                    match filter {
                        KeyFilter::All => true,
                        KeyFilter::Active => state.is_valid(),
                        other => state.as_str() == other.as_str(),
                    }
                })
                .collect();
            assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{filter:?}");
        }
    });
}

#[test]
fn every_sort_order_pages_through_all_rows_once_in_both_directions() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        fill(&stage, &ada).await;
        for sort in KeySort::ALL {
            for direction in [Direction::Asc, Direction::Desc] {
                let page = PageRequest { limit: 2, ..PageRequest::default() };
                let query = KeyQuery { filter: KeyFilter::All, sort, direction, page, ..KeyQuery::default() };
                let whole = names(&stage, &ada, &KeyQuery { page: PageRequest::default(), ..query.clone() }).await;
                assert_eq!(names(&stage, &ada, &query).await, whole, "{sort:?} {direction:?}");
                let first = stage.services.api_keys().list(&ada, own(&ada), &query).await.unwrap();
                assert!(first.previous.is_none());
                let second =
                    KeyQuery { page: PageRequest { after: first.next.clone(), ..query.page.clone() }, ..query.clone() };
                let second = stage.services.api_keys().list(&ada, own(&ada), &second).await.unwrap();
                let back =
                    KeyQuery { page: PageRequest { before: second.previous, limit: 2, after: None }, ..query.clone() };
                let back = stage.services.api_keys().list(&ada, own(&ada), &back).await.unwrap();
                assert_eq!(back.items, first.items, "{sort:?} {direction:?}");
                assert!(back.previous.is_none() && back.next.is_some());
            }
        }
    });
}

#[test]
fn keys_are_sorted_by_name_creation_and_expiry() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        fill(&stage, &ada).await;
        let ordered = async |sort, direction| {
            names(&stage, &ada, &KeyQuery { filter: KeyFilter::All, sort, direction, ..KeyQuery::default() }).await
        };
        assert_eq!(ordered(KeySort::Name, Direction::Asc).await, ["%odd%", "alpha", "Beta", "delta", "gamma_1"]);
        assert_eq!(ordered(KeySort::Created, Direction::Desc).await, ["%odd%", "delta", "gamma_1", "Beta", "alpha"]);
        assert_eq!(ordered(KeySort::Expires, Direction::Asc).await[..3], ["delta", "gamma_1", "Beta"]);
    });
}

#[test]
fn search_matches_parts_of_names_and_prefixes_of_hints_and_treats_wildcards_literally() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        fill(&stage, &ada).await;
        let search = async |text: &str| names(&stage, &ada, &KeyQuery { search: text.to_owned(), ..every_key() }).await;
        assert_eq!(search("BET").await, ["Beta"]);
        assert_eq!(search("a_1").await, ["gamma_1"]);
        assert_eq!(search("%").await, ["%odd%"]);
        assert_eq!(search("nothing").await, Vec::<String>::new());
        let key = stage.walk(&ada, own(&ada), &every_key()).await.remove(0);
        assert_eq!(search(&key.hint).await, [key.name.to_string()]);
    });
}
