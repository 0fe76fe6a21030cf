//! Rights through every adapter: each operation by each kind of actor and role, as a server function call, as a form
//! and by GraphQL. The expected results come from the same table of rights that the service's own tests use.

use domain::{
    Operation, Owner, Role, Secret, ServiceAccountId, UserId, input::Input, operation::Confirmation, scope::SetScope,
};
use http::StatusCode;
use serde_json::{Value, json};
use service::{OwnerRef, testing::rights};

use crate::support::{PASSWORD, Stage, on_both};

mod reads;

macro_rules! operations_of {
    ($($input:ty => $function:ty),* $(,)?) => {
        [$(<$input as Input>::OPERATION),*]
    };
}

/// How a request reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adapter {
    Script,
    Form,
    GraphQl,
}

/// The arguments of an operation, as form fields and as GraphQL arguments.
type Arguments = (String, String);

/// The target of an operation.
struct Subject {
    is_there: bool,
    owner: Owner,
    /// The first is for the operations that don't revoke a key; each revocation takes one of the others.
    keys: Vec<String>,
}

/// Who sends a request.
struct Caller {
    who: &'static str,
    role: Role,
    cookie: String,
    token: String,
}

/// The server, its tenants and their members.
struct House {
    stage: Stage,
    tenant: String,
    /// The number of unique names handed out so far.
    names: u32,
    /// A member and an account that no test removes.
    member: UserId,
    account: ServiceAccountId,
    /// The same in another tenant.
    member_there: UserId,
    account_there: ServiceAccountId,
}

impl House {
    async fn set(stage: Stage) -> Self {
        stage.services.admin().create_tenant("Other", "other").await.unwrap();
        let cookie = stage.sign_in().await;
        let tenant = stage.selected_tenant(&cookie).await;
        let nobody: UserId = NOBODYS.parse().unwrap();
        let no_account: ServiceAccountId = NOBODYS.parse().unwrap();
        let mut house = Self {
            stage,
            tenant,
            names: 0,
            member: nobody,
            account: no_account,
            member_there: nobody,
            account_there: no_account,
        };
        house.member = house.person("member", "acme", Role::User).await;
        house.account = house.account("staying", "acme", Role::User).await;
        house.member_there = house.person("there", "other", Role::User).await;
        house.account_there = house.account("there", "other", Role::User).await;
        house
    }

    async fn person(&self, name: &str, tenant: &str, role: Role) -> UserId {
        let admin = self.stage.services.admin();
        let (email, password) = (format!("{name}@example.org"), Secret::new(PASSWORD));
        admin.create_user(&email, Some(name), tenant, role.as_str(), &password).await.unwrap()
    }

    async fn account(&self, name: &str, tenant: &str, role: Role) -> ServiceAccountId {
        self.stage.services.admin().create_service_account(tenant, name, Some(role.as_str())).await.unwrap()
    }

    /// Creates a key of an account or of the user with that name. Returns its id and its token.
    async fn key(&self, owner: Owner, name: &str, tenant: &str) -> (String, String) {
        let owner = match owner {
            Owner::User(_) => OwnerRef::User(format!("{name}@example.org")),
            Owner::ServiceAccount(id) => OwnerRef::ServiceAccount(id.to_string()),
        };
        let issued = self.stage.services.admin().create_key(tenant, owner, "key", None).await.unwrap();
        (issued.key.id.to_string(), issued.token.expose().to_owned())
    }

    async fn subject(&self, owner: Owner, name: &str, tenant: &str) -> Subject {
        let mut keys = Vec::new();
        // One for the operations that revoke none, and one for each request that may revoke a key.
        for _ in 0..8 {
            keys.push(self.key(owner, name, tenant).await.0);
        }
        Subject { is_there: tenant == "other", owner, keys }
    }

    fn next_name(&mut self) -> String {
        self.names += 1;
        format!("n{}", self.names)
    }
}

/// Returns the arguments of an operation on a subject, as form fields and as GraphQL arguments.
async fn arguments(house: &mut House, operation: Operation, subject: &mut Subject, may: bool) -> (String, String) {
    use Operation as O;
    let is_there = subject.is_there;
    let key = subject.keys[0].clone();
    let name = house.next_name();
    let member = if is_there { house.member_there } else { house.member };
    let account = if is_there { house.account_there } else { house.account };
    let of_key = |more: &str| (format!("key={key}{more}"), format!("(id: \"{key}\")"));
    match operation {
        O::SuspendApiKey | O::ResumeApiKey | O::FinishRoll | O::CancelRoll => of_key(""),
        O::RevokeApiKey => {
            let key = if may && subject.keys.len() > 1 { subject.keys.pop().unwrap() } else { key };
            (format!("key={key}"), format!("(input: {{key_id: \"{key}\"}})"))
        }
        O::RenameApiKey => (format!("key={key}&name={name}"), format!("(id: \"{key}\", name: \"{name}\")")),
        O::ChangeKeyScopes => (
            format!("key={key}&access=chosen&scopes=latchkey%3Aread"),
            format!("(id: \"{key}\", scopes: [\"latchkey:read\"])"),
        ),
        // Only a rate limit: a list of addresses could lock out the caller's own key.
        O::ChangeKeyLimits => (
            format!("key={key}&rate_limit=1000000&rate_window=second"),
            format!("(id: \"{key}\", rate_limit: {{requests: 1000000, seconds: 1}})"),
        ),
        O::SetScope => (
            format!("scope={name}%3Aread&description=Orders&least_role=USER"),
            format!("(input: {{scope: \"{name}:read\", description: \"Orders\", least_role: USER}})"),
        ),
        O::RemoveScope => {
            let (scope, description) = (format!("{name}:read"), "Orders".to_owned());
            let input = SetScope { scope, description, least_role: Some(Role::User), ..SetScope::default() };
            house.stage.services.admin().set_scope(&input).await.unwrap();
            (format!("scope={name}%3Aread"), format!("(scope: \"{name}:read\")"))
        }
        O::ExtendRoll => (format!("key={key}&overlap=7d"), format!("(id: \"{key}\", overlap: \"7d\")")),
        O::RollApiKey => (format!("key={key}&overlap=24h"), format!("(input: {{key_id: \"{key}\"}})")),
        O::CreateApiKey => {
            let owner = String::from(subject.owner).replace(':', "%3A");
            let id = match subject.owner {
                Owner::User(id) => id.to_string(),
                Owner::ServiceAccount(id) => id.to_string(),
            };
            (
                format!("owner={owner}&name={name}&expiry=never"),
                format!("(input: {{user_id: \"{id}\", name: \"{name}\"}})"),
            )
        }
        O::SuspendApiKeys | O::RevokeApiKeys => {
            let key = if may { house.key(Owner::ServiceAccount(house.account), "", "acme").await.0 } else { key };
            (format!("keys={key}"), format!("(key_ids: [\"{key}\"])"))
        }
        O::SetKeyPolicy => (
            "policy=suspend_unused&days=3650".to_owned(),
            "(input: {policy: \"suspend_unused\", days: 3650})".to_owned(),
        ),
        O::ClearKeyPolicy => ("policy=suspend_unused".to_owned(), "(policy: \"suspend_unused\")".to_owned()),
        O::CreateServiceAccount => {
            (format!("name={name}&role=USER"), format!("(input: {{name: \"{name}\", role: USER}})"))
        }
        O::RenameServiceAccount => {
            (format!("account={account}&name={name}"), format!("(id: \"{account}\", name: \"{name}\")"))
        }
        O::ChangeServiceAccountRole => {
            (format!("account={account}&role=USER"), format!("(id: \"{account}\", role: USER)"))
        }
        O::SuspendServiceAccount | O::ResumeServiceAccount => {
            (format!("account={account}"), format!("(id: \"{account}\")"))
        }
        O::DeleteServiceAccount => {
            let account = if may { house.account(&name, "acme", Role::User).await } else { account };
            (format!("account={account}"), format!("(id: \"{account}\")"))
        }
        O::ChangeMemberRole => (format!("user={member}&role=USER"), format!("(user_id: \"{member}\", role: USER)")),
        O::RemoveMember => {
            let member = if may { house.person(&name, "acme", Role::User).await } else { member };
            (format!("user={member}"), format!("(user_id: \"{member}\")"))
        }
        // The codes aren't locked: callers with the right get CONFLICT.
        O::UnlockSecondFactor => (format!("user={member}"), format!("(user_id: \"{member}\")")),
        O::InviteMember => {
            (format!("email={name}%40example.org&role=USER"), format!("(email: \"{name}@example.org\", role: USER)"))
        }
        O::CreateTenant => (format!("name={name}&slug={name}"), format!("(name: \"{name}\", slug: \"{name}\")")),
        O::RenameTenant | O::UpdateProfile => (format!("name={name}"), format!("(name: \"{name}\")")),
        O::SwitchTenant => (format!("tenant_id={}", house.tenant), format!("(tenant_id: \"{}\")", house.tenant)),
        // An id that doesn't exist: callers with the right get NOT_FOUND.
        O::EndSession => (format!("session={NOBODYS}"), format!("(id: \"{NOBODYS}\")")),
        O::CancelInvitation => (format!("invitation={NOBODYS}"), format!("(id: \"{NOBODYS}\")")),
        O::EndOtherSessions | O::CreateCalendarFeed | O::RevokeCalendarFeed => (String::new(), String::new()),
        other => panic!("no arguments for {other:?}"),
    }
}

/// An id that doesn't exist.
const NOBODYS: &str = "00000000-0000-7000-8000-000000000000";

/// Sends a request. Returns the error code of a refusal, or `None` if it wasn't refused.
async fn refusal(
    house: &House,
    caller: &Caller,
    adapter: Adapter,
    operation: Operation,
    (fields, graphql): (String, String),
) -> Option<String> {
    let word = operation.as_str();
    let path = format!("/fn/{word}");
    match adapter {
        Adapter::Script => {
            let answer = house.stage.call_in(&house.tenant, &path, &caller.cookie, &fields).await;
            (answer.status != StatusCode::OK).then(|| answer.json()["code"].as_str().unwrap_or_default().to_owned())
        }
        Adapter::Form => {
            let place = "/user/api-keys";
            let body = format!("page={place}&then={place}&in_tenant={}&{fields}", house.tenant);
            let answer = house.stage.post_form(&path, &caller.cookie, &body).await;
            match answer.status {
                StatusCode::FORBIDDEN => Some("FORBIDDEN".to_owned()),
                StatusCode::NOT_FOUND => Some("NOT_FOUND".to_owned()),
                status if status.is_server_error() => panic!("{operation:?}: {}", answer.text),
                _ => None,
            }
        }
        Adapter::GraphQl => {
            let text = mutation(word, &graphql);
            let answer = if caller.who == "session" {
                let body = json!({"query": text}).to_string();
                let request = http::Request::post("/graphql")
                    .header("content-type", "application/json")
                    .header("sec-fetch-site", "same-origin")
                    .header("cookie", &caller.cookie);
                house.stage.send(request.body(body.into()).unwrap()).await
            } else {
                house.stage.graphql(&caller.token, &text, Value::Null).await
            };
            let answer = answer.json();
            let code = &answer["errors"][0]["extensions"]["code"];
            assert_ne!(code, "GRAPHQL_VALIDATION_FAILED", "{text}: {answer}");
            if answer["data"][word]["success"] == json!(false) {
                // What older clients expect for a key that doesn't exist.
                return Some("NOT_FOUND".to_owned());
            }
            code.as_str().map(str::to_owned)
        }
    }
}

/// Returns a mutation with the smallest selection that its type allows.
fn mutation(word: &str, arguments: &str) -> String {
    format!(
        "mutation {{ {word}{arguments} {{ __typename{} }} }}",
        if word == "delete_api_key" { " success" } else { "" }
    )
}

fn is_refused(code: Option<&str>) -> bool {
    matches!(code, Some("FORBIDDEN" | "NOT_FOUND" | "UNAUTHENTICATED"))
}

fn is_of_keys(operation: Operation) -> bool {
    use Operation as O;
    matches!(
        operation,
        O::CreateApiKey
            | O::RenameApiKey
            | O::ChangeKeyScopes
            | O::ChangeKeyLimits
            | O::SuspendApiKey
            | O::ResumeApiKey
            | O::RollApiKey
            | O::ExtendRoll
            | O::FinishRoll
            | O::CancelRoll
            | O::RevokeApiKey
    )
}

/// Whether an operation targets a record that could belong to another tenant.
fn is_of_one(operation: Operation) -> bool {
    use Operation as O;
    is_of_keys(operation)
        || matches!(
            operation,
            O::RenameServiceAccount
                | O::ChangeServiceAccountRole
                | O::SuspendServiceAccount
                | O::ResumeServiceAccount
                | O::DeleteServiceAccount
                | O::ChangeMemberRole
                | O::RemoveMember
                | O::UnlockSecondFactor
        )
}

/// The callers, a user and a service account for each role, and the subjects that the operations target.
struct Cast {
    callers: Vec<Caller>,
    persons: Vec<Subject>,
    bots: Vec<Subject>,
    other: Subject,
    other_bot: Subject,
    there: Subject,
}

async fn cast(house: &House) -> Cast {
    let admin = house.stage.key_of_ada().await;
    let (mut callers, mut persons, mut bots) = (Vec::new(), Vec::new(), Vec::new());
    for role in rights::ROLES {
        let name = role.as_str().to_lowercase();
        // A read-only user can't be given keys, so the role is set afterwards.
        let id = house.person(&name, "acme", Role::User).await;
        let owner = Owner::User(id);
        persons.push(house.subject(owner, &name, "acme").await);
        let (_, token) = house.key(owner, &name, "acme").await;
        let change = format!("(user_id: \"{id}\", role: {})", role.as_str());
        let changed = house.stage.graphql(&admin, &mutation("change_member_role", &change), Value::Null).await;
        assert!(changed.json()["errors"].is_null(), "{}", changed.text);
        let typed = format!("email={name}%40example.org&password={}", PASSWORD.replace(' ', "+"));
        let signed_in = house.stage.post_form("/sign-in", "", &typed).await;
        let cookie = signed_in.cookies()[0].split(';').next().unwrap().to_owned();
        for who in ["session", "key"] {
            callers.push(Caller { who, role, cookie: cookie.clone(), token: token.clone() });
        }
        let owner = Owner::ServiceAccount(house.account(&format!("bot {name}"), "acme", role).await);
        bots.push(house.subject(owner, "", "acme").await);
        let (_, token) = house.key(owner, "", "acme").await;
        callers.push(Caller { who: "bot", role, cookie: String::new(), token });
    }
    let other = Owner::User(house.person("other", "acme", Role::User).await);
    Cast {
        callers,
        persons,
        bots,
        other: house.subject(other, "other", "acme").await,
        other_bot: house.subject(Owner::ServiceAccount(house.account), "", "acme").await,
        there: house.subject(Owner::User(house.member_there), "there", "other").await,
    }
}

impl Cast {
    /// Returns the subject that a column of the table means for a caller.
    fn subject(&mut self, caller: usize, column: &str) -> &mut Subject {
        let Caller { who, role, .. } = self.callers[caller];
        let place = rights::ROLES.iter().position(|other| *other == role).unwrap();
        match column {
            "ME" if who != "bot" => &mut self.persons[place],
            "BOT" if who == "bot" => &mut self.bots[place],
            "BOT" => self.bots.last_mut().unwrap(),
            "OTHER_BOT" => &mut self.other_bot,
            "THERE" => &mut self.there,
            // A bot isn't a user, so any other user will do.
            _ => &mut self.other,
        }
    }
}

#[test]
fn every_operation_has_the_rights_of_the_table_through_every_adapter() {
    on_both(async |stage: Stage| {
        let mut house = House::set(stage).await;
        let mut cast = cast(&house).await;
        let mut cells = 0;
        for operation in app::with_acts!(operations_of) {
            let mut columns: Vec<&str> =
                if is_of_keys(operation) { rights::COLUMNS[1..].to_vec() } else { vec!["tenant"] };
            if is_of_one(operation) {
                columns.push("THERE");
            }
            for caller in 0..cast.callers.len() {
                for column in &columns {
                    let Caller { who, role, .. } = cast.callers[caller];
                    let adapters: &[Adapter] = match who {
                        "session" => &[Adapter::Script, Adapter::Form, Adapter::GraphQl],
                        _ => &[Adapter::GraphQl],
                    };
                    let may = *column != "THERE" && rights::allows(operation, who, column, role);
                    for adapter in adapters {
                        let arguments = arguments(&mut house, operation, cast.subject(caller, column), may).await;
                        let code = refusal(&house, &cast.callers[caller], *adapter, operation, arguments).await;
                        let is_nobodys = matches!(operation, Operation::EndSession | Operation::CancelInvitation);
                        let cell = format!("{operation:?} of {column} by {who} as {role:?}, {adapter:?}: {code:?}");
                        match (may, is_nobodys) {
                            (true, true) => assert_eq!(code.as_deref(), Some("NOT_FOUND"), "{cell}"),
                            (true, false) => assert!(!is_refused(code.as_deref()), "{cell}"),
                            (false, true) => assert_eq!(code.as_deref(), Some("FORBIDDEN"), "{cell}"),
                            (false, false) => assert!(is_refused(code.as_deref()), "{cell}"),
                        }
                        cells += 1;
                    }
                }
            }
        }
        assert!(cells > 1_000, "{cells}");
    });
}

/// Returns whether a request was refused because the sign-in is too old.
async fn asks(house: &House, caller: &Caller, adapter: Adapter, operation: Operation, arguments: Arguments) -> bool {
    let path = format!("/fn/{}", operation.as_str());
    if adapter != Adapter::Form {
        return refusal(house, caller, adapter, operation, arguments).await.as_deref() == Some("CONFIRMATION_REQUIRED");
    }
    let place = "/user/api-keys/new";
    let body = format!("page={place}&then={place}&in_tenant={}&{}", house.tenant, arguments.0);
    let answer = house.stage.post_form(&path, &caller.cookie, &body).await;
    answer.status == StatusCode::FORBIDDEN && answer.text.contains("class=\"confirm\"")
}

#[test]
fn every_operation_asks_for_a_confirmation_as_its_table_says_through_every_adapter() {
    on_both(async |stage: Stage| {
        let mut house = House::set(stage).await;
        let mut subject = house.subject(Owner::ServiceAccount(house.account), "", "acme").await;
        let cookie = house.stage.sign_in().await;
        let caller = Caller { who: "session", role: Role::TenantAdmin, cookie, token: String::new() };
        let (mut asked, later) = (0, house.stage.services.now() + chrono::TimeDelta::minutes(11));
        house.stage.clock.set(later);
        for operation in app::with_acts!(operations_of) {
            // These don't widen anything with the arguments of this test: the role stays, and so does the policy.
            let expected = operation.confirmation() == Confirmation::Always;
            for adapter in [Adapter::Script, Adapter::Form, Adapter::GraphQl] {
                let arguments = arguments(&mut house, operation, &mut subject, true).await;
                let asks = asks(&house, &caller, adapter, operation, arguments).await;
                assert_eq!(asks, expected, "{operation:?}, {adapter:?}");
                asked += u32::from(asks);
            }
        }
        assert!(asked > 30, "{asked}");
    });
}

#[test]
fn what_only_sometimes_widens_is_asked_only_then_through_every_adapter() {
    on_both(async |stage: Stage| {
        let house = House::set(stage).await;
        let cookie = house.stage.sign_in().await;
        let caller = Caller { who: "session", role: Role::TenantAdmin, cookie, token: String::new() };
        house.stage.clock.set(house.stage.services.now() + chrono::TimeDelta::minutes(11));
        let (member, account) = (house.member, house.account);
        let role = |role: &str| {
            [
                (
                    Operation::ChangeMemberRole,
                    format!("user={member}&role={role}"),
                    format!("(user_id: \"{member}\", role: {role})"),
                ),
                (
                    Operation::ChangeServiceAccountRole,
                    format!("account={account}&role={role}"),
                    format!("(id: \"{account}\", role: {role})"),
                ),
            ]
        };
        let policy = |days: u32| {
            let fields = format!("policy=max_lifetime&days={days}");
            (Operation::SetKeyPolicy, fields, format!("(input: {{policy: max_lifetime, days: {days}}})"))
        };
        let mut rows: Vec<_> = role("TENANT_ADMIN").into_iter().map(|row| (row, true)).collect();
        rows.extend(role("USER").into_iter().map(|row| (row, false)));
        rows.extend([(policy(30), false), (policy(31), true), (policy(29), false), (policy(30), true)]);
        for ((operation, fields, graphql), expected) in rows {
            assert_eq!(operation.confirmation(), Confirmation::WhenWidening);
            for adapter in [Adapter::Script, Adapter::Form, Adapter::GraphQl] {
                let arguments = (fields.clone(), graphql.clone());
                let asks = asks(&house, &caller, adapter, operation, arguments).await;
                assert_eq!(asks, expected, "{operation:?} {fields}, {adapter:?}");
            }
        }
    });
}
