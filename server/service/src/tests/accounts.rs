//! Service accounts and their keys.

use domain::{
    AccountFilter, AccountQuery, Direction, ErrorCode, Owner, PageRequest, Role, service_account::input::CreateAccount,
};

use crate::{Error, tests::stage::*};

#[test]
fn deleting_an_account_revokes_all_its_keys_and_keeps_its_record() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let id = stage.add_account(&ada, "deployer").await;
        let keys = [
            stage.add_key(&ada, Owner::ServiceAccount(id), "a").await,
            stage.add_key(&ada, Owner::ServiceAccount(id), "b").await,
        ];
        assert!(stage.is_valid(&keys[0]).await && stage.is_valid(&keys[1]).await);
        assert_eq!(stage.services.service_accounts().get(&ada, id).await.unwrap().active_keys, 2);

        let deleted = stage.services.service_accounts().delete(&ada, id).await.unwrap();
        assert_eq!((deleted.active_keys, deleted.all_keys), (0, 2));
        assert!(!stage.is_valid(&keys[0]).await && !stage.is_valid(&keys[1]).await);
        let usage = stage.services.api_keys().usage(&ada, keys[0].key.id).await.unwrap();
        assert_eq!(usage.hours.iter().map(|hour| (hour.use_count, hour.refusals)).collect::<Vec<_>>(), [(1, 1)]);
        assert_eq!(code(stage.services.service_accounts().delete(&ada, id).await), ErrorCode::Conflict);
        assert_eq!(
            code(stage.services.api_keys().create(&ada, &new_key(Owner::ServiceAccount(id), "late")).await),
            ErrorCode::NotFound
        );
        let history = AccountQuery { filter: AccountFilter::Deleted, ..AccountQuery::default() };
        assert_eq!(stage.services.service_accounts().list(&ada, &history).await.unwrap().items.len(), 1);
        stage.add_account(&ada, "deployer").await;
    });
}

#[test]
fn an_account_is_an_administrator_by_default_and_its_key_sees_all_account_keys() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let bot = stage.add_account(&ada, "bot").await;
        let other = stage.add_account(&ada, "other").await;
        let key = stage.add_key(&ada, Owner::ServiceAccount(bot), "main").await;
        stage.add_key(&ada, Owner::ServiceAccount(other), "theirs").await;
        stage.add_key(&ada, own(&ada), "a person's").await;
        let actor = stage.by_key(&key).await;
        assert_eq!((actor.role(), own(&actor)), (Role::TenantAdmin, Owner::ServiceAccount(bot)));
        let mut names: Vec<_> = stage
            .services
            .api_keys()
            .visible(&actor, None)
            .await
            .unwrap()
            .keys
            .into_iter()
            .map(|key| key.name.to_string())
            .collect();
        names.sort();
        assert_eq!(names, ["main", "theirs"]);
    });
}

#[test]
fn names_of_existing_accounts_are_unique_and_submitting_a_form_twice_creates_one_account() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let accounts = stage.services.service_accounts();
        let form = Some(uuid::Uuid::from_u128(3).to_string());
        let input = CreateAccount { name: "one".to_owned(), role: Some(Role::User), idempotency_key: form };
        let first = accounts.create(&ada, &input).await.unwrap();
        assert_eq!(accounts.create(&ada, &input).await.unwrap().id, first.id);
        let Err(Error::Api(refusal)) = accounts.create(&ada, &CreateAccount { idempotency_key: None, ..input }).await
        else {
            panic!("two accounts have the same name")
        };
        assert!(refusal.at("name").is_some());
        let odd = stage.services.admin().create_service_account("acme", "two", Some("KING")).await;
        let Err(Error::Api(refusal)) = odd else { panic!("the role was accepted") };
        assert!(refusal.at("role").is_some());
    });
}

#[test]
fn submitting_a_form_concurrently_creates_one_account() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let form = Some(uuid::Uuid::from_u128(7).to_string());
        let made = at_once(8, |_| {
            let (services, ada) = (stage.services.clone(), ada.clone());
            let input =
                CreateAccount { name: "bot".to_owned(), idempotency_key: form.clone(), ..CreateAccount::default() };
            async move { services.service_accounts().create(&ada, &input).await.unwrap().id }
        })
        .await;
        assert!(made.iter().all(|id| *id == made[0]));
    });
}

#[test]
fn only_administrators_manage_accounts_and_other_tenants_find_nothing() {
    on_both(async |stage| {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let bob = stage.add_user("bob@example.org", "acme", Role::User).await;
        let eve = stage.add_user("eve@example.org", "other", Role::TenantAdmin).await;
        let (ada, bob, eve) = (stage.session(stage.admin).await, stage.session(bob).await, stage.session(eve).await);
        let id = stage.add_account(&ada, "bot").await;
        let accounts = stage.services.service_accounts();
        assert_eq!(code(accounts.list(&bob, &AccountQuery::default()).await), ErrorCode::Forbidden);
        assert_eq!(code(accounts.delete(&bob, id).await), ErrorCode::Forbidden);
        assert_eq!(code(accounts.get(&eve, id).await), ErrorCode::NotFound);
        assert_eq!(code(accounts.delete(&eve, id).await), ErrorCode::NotFound);
        assert!(accounts.list(&eve, &AccountQuery::default()).await.unwrap().items.is_empty());
        let foreign = stage.services.api_keys().create(&eve, &new_key(Owner::ServiceAccount(id), "x")).await;
        assert_eq!(code(foreign), ErrorCode::NotFound);
    });
}

#[test]
fn accounts_are_listed_by_name_page_by_page() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        for name in ["Beta", "alpha", "delta", "Gamma", "épsilon"] {
            stage.add_account(&ada, name).await;
        }
        let page = PageRequest { limit: 2, ..PageRequest::default() };
        let mut query = AccountQuery { page, direction: Direction::Asc, ..AccountQuery::default() };
        let mut names = Vec::new();
        loop {
            let page = stage.services.service_accounts().list(&ada, &query).await.unwrap();
            names.extend(page.items.into_iter().map(|account| account.name.to_string()));
            let Some(next) = page.next else { break };
            query.page.after = Some(next);
        }
        assert_eq!(names, ["alpha", "Beta", "delta", "Gamma", "épsilon"]);
        let search = AccountQuery { search: "A".to_owned(), ..AccountQuery::default() };
        assert_eq!(stage.services.service_accounts().list(&ada, &search).await.unwrap().items.len(), 4);
    });
}

#[test]
fn no_active_key_outlives_its_account_when_creation_races_deletion() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let mut came_first = [0, 0];
        for n in 0..500 {
            let id = stage.add_account(&ada, &format!("racer {n}")).await;
            let (services, actor) = (stage.services.clone(), ada.clone());
            let create = tokio::spawn(async move {
                services.api_keys().create(&actor, &new_key(Owner::ServiceAccount(id), "k")).await
            });
            let (services, actor) = (stage.services.clone(), ada.clone());
            let delete = tokio::spawn(async move { services.service_accounts().delete(&actor, id).await });
            let (created, deleted) = (create.await.unwrap(), delete.await.unwrap());
            deleted.unwrap();
            came_first[usize::from(created.is_ok())] += 1;
            if let Ok(key) = created {
                assert!(!stage.is_valid(&key).await);
            }
        }
        assert!(came_first.iter().all(|count| *count > 0), "each came first at least once: {came_first:?}");
        assert_eq!(stage.services.admin().check().await.unwrap(), Vec::<String>::new());
    });
}

#[test]
fn an_account_and_its_key_are_created_together_or_not_at_all() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let input =
            |name: &str| CreateAccount { name: name.to_owned(), role: Some(Role::User), ..CreateAccount::default() };
        let issued = stage.services.service_accounts().create_with_key(&ada, &input("runner")).await.unwrap();
        assert!(stage.is_valid(&issued).await);
        assert_eq!(issued.key.owner_name, "runner");
        let again = stage.services.service_accounts().create_with_key(&ada, &input("runner")).await;
        assert_eq!(code(again), ErrorCode::BadUserInput);
        let reader = stage.add_user("ben@example.org", "acme", Role::User).await;
        let ben = stage.session(reader).await;
        let refused = stage.services.service_accounts().create_with_key(&ben, &input("mine")).await;
        assert_eq!(code(refused), ErrorCode::Forbidden);
        let accounts = stage.services.service_accounts().list(&ada, &AccountQuery::default()).await.unwrap().items;
        assert_eq!(accounts.iter().map(|account| account.all_keys).collect::<Vec<_>>(), [1]);
    });
}

#[test]
fn suspending_an_account_suspends_its_keys_and_a_role_change_applies_immediately() {
    on_both(async |stage| {
        let ada = stage.session(stage.admin).await;
        let id = stage.add_account(&ada, "bot").await;
        let owner = Owner::ServiceAccount(id);
        let (key, own) = (stage.add_key(&ada, owner, "main").await, stage.add_key(&ada, owner, "stopped").await);
        let (accounts, keys) = (stage.services.service_accounts(), stage.services.api_keys());
        keys.suspend(&ada, own.key.id).await.unwrap();
        assert_eq!(accounts.suspend(&ada, id).await.unwrap().active_keys, 0);
        assert!(!stage.is_valid(&key).await);
        assert_eq!(code(accounts.suspend(&ada, id).await), ErrorCode::Conflict);
        assert_eq!(code(keys.resume(&ada, key.key.id).await), ErrorCode::Conflict, "its account is suspended");
        assert_eq!(code(keys.suspend(&ada, key.key.id).await), ErrorCode::Conflict, "it is suspended with the account");
        let suspended = domain::KeyQuery { filter: domain::KeyFilter::Suspended, ..domain::KeyQuery::default() };
        assert_eq!(stage.walk(&ada, owner, &suspended).await.len(), 2);

        assert_eq!(accounts.resume(&ada, id).await.unwrap().active_keys, 1);
        assert!(stage.is_valid(&key).await && !stage.is_valid(&own).await);
        assert_eq!(code(accounts.resume(&ada, id).await), ErrorCode::Conflict);

        accounts.change_role(&ada, id, Role::User).await.unwrap();
        let actor = stage.by_key(&key).await;
        assert_eq!(actor.role(), Role::User);
        stage.add_account(&ada, "taken").await;
        assert_eq!(code(accounts.rename(&ada, id, "taken").await), ErrorCode::BadUserInput);
        assert_eq!(accounts.rename(&ada, id, "robot").await.unwrap().name.as_str(), "robot");
        accounts.delete(&ada, id).await.unwrap();
        assert_eq!(code(accounts.rename(&ada, id, "late").await), ErrorCode::Conflict);
    });
}
