//! The setup of a test: a new database, a fixed clock, a tenant, and clients of each kind.

use std::{future::Future, net::IpAddr};

use axum::body::Body;
use domain::{Secret, UserId};
use http::{Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use server::{
    Site,
    accept::Peer,
    assets::{Assets, Source},
    router::{self, WholeSite},
};
use service::{Clock, OwnerRef, SecretKeys, Services, Serving, Settings, create_secret_key_file};
use tower::ServiceExt;

/// The address that requests appear to come from.
pub const PEER: [u8; 4] = [192, 0, 2, 7];

pub const PASSWORD: &str = "seven lamps under the pier";

pub struct Stage {
    pub services: Services,
    pub clock: Clock,
    pub ada: UserId,
    router: WholeSite,
    folder: tempfile::TempDir,
    settings: Settings,
    /// The keys are kept in memory, as in a server.
    _serving: Serving,
}

/// A response with its complete body.
pub struct Answer {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub fn cookies(&self) -> Vec<String> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }
}

/// Runs a story on `SQLite` and, if `LATCHKEY_TEST_POSTGRES` names a server, on `PostgreSQL`.
pub fn on_both<F, Fut>(story: F)
where
    F: Fn(Stage) -> Fut,
    Fut: Future<Output = ()>,
{
    on_embedded("http://127.0.0.1:3000", &story);
    if let Ok(server) = std::env::var("LATCHKEY_TEST_POSTGRES") {
        runtime().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let story = async |url| story(Stage::set(url, folder, "http://127.0.0.1:3000").await).await;
            service::testing::with_postgres(&server, story).await;
        });
    }
}

/// Runs a story with an https public URL.
pub fn on_https<F, Fut>(story: F)
where
    F: Fn(Stage) -> Fut,
    Fut: Future<Output = ()>,
{
    on_embedded("https://keys.example.org", &story);
}

pub fn on_embedded<F, Fut>(public_url: &str, story: &F)
where
    F: Fn(Stage) -> Fut,
    Fut: Future<Output = ()>,
{
    runtime().block_on(async { story(Stage::embedded(public_url).await).await });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

impl Stage {
    /// Sets up a site on an embedded database.
    pub async fn embedded(public_url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        Self::set(url, folder, public_url).await
    }

    async fn set(database_url: String, folder: tempfile::TempDir, public_url: &str) -> Self {
        let clock = Clock::fixed("2027-01-01T00:00:00Z".parse().unwrap());
        let key_file = folder.path().join("secret.key");
        create_secret_key_file(&key_file).unwrap();
        let settings = Settings {
            secret_keys: SecretKeys::File(key_file),
            operator_tenant: Some("acme".to_owned()),
            ..Settings::new(database_url)
        };
        let services = Services::open(&settings, clock.clone()).await.unwrap();
        services.migrate().await.unwrap();
        services.admin().create_tenant("Acme", "acme").await.unwrap();
        let ada = services
            .admin()
            .create_user("ada@example.org", Some("Ada"), "acme", "TENANT_ADMIN", &Secret::new(PASSWORD))
            .await
            .unwrap();
        let site = Site::new(public_url, false, Assets::new(Source::Folder(folder.path().join("site")))).unwrap();
        let serving = services.begin_serving().unwrap();
        let router = router::build(services.clone(), site);
        Self { services, clock, ada, router, folder, settings, _serving: serving }
    }

    /// Returns the same site behind a trusted proxy.
    pub fn behind_proxy(self) -> Self {
        let assets = Assets::new(Source::Folder(self.folder.path().join("site")));
        let site = Site::new("http://127.0.0.1:3000", false, assets).unwrap().behind(vec![IpAddr::from(PEER).into()]);
        Self { router: router::build(self.services.clone(), site), ..self }
    }

    /// Returns the same site with other rules for leak reports.
    pub fn with_leak_reports(self, rules: server::config::LeakReportRules) -> Self {
        let assets = Assets::new(Source::Folder(self.folder.path().join("site")));
        let site = Site::new("http://127.0.0.1:3000", false, assets).unwrap().with_leak_reports(rules);
        let site = site.behind(vec![IpAddr::from(PEER).into()]);
        Self { router: router::build(self.services.clone(), site), ..self }
    }

    /// Returns the same site with the built-in backend for flow runs.
    pub async fn with_flow_runs(self) -> Self {
        let settings = Settings { flow_runs: true, ..self.settings.clone() };
        let services = Services::open(&settings, self.clock.clone()).await.unwrap();
        let assets = Assets::new(Source::Folder(self.folder.path().join("site")));
        let site = Site::new("http://127.0.0.1:3000", false, assets).unwrap();
        Self { router: router::build(services.clone(), site), services, settings, ..self }
    }

    /// Returns the folder of the stage's files.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub async fn key_of_ada(&self) -> String {
        let issued =
            self.services.admin().create_key("acme", OwnerRef::User("ada@example.org".to_owned()), "ada's", None).await;
        issued.unwrap().token.expose().to_owned()
    }

    pub async fn key_of_account(&self, name: &str) -> (String, String) {
        let id = self.services.admin().create_service_account("acme", name, None).await.unwrap().to_string();
        let issued = self.services.admin().create_key("acme", OwnerRef::ServiceAccount(id.clone()), "main", None).await;
        (id, issued.unwrap().token.expose().to_owned())
    }

    /// Sends a request and returns the response with a body that may not have ended.
    pub async fn open(&self, mut request: Request<Body>) -> Response<Body> {
        if request.extensions().get::<Peer>().is_none() {
            request.extensions_mut().insert(Peer(IpAddr::from(PEER)));
        }
        if !request.headers().contains_key(header::HOST) {
            request.headers_mut().insert(header::HOST, "127.0.0.1:3000".parse().unwrap());
        }
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.open(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status, headers: parts.headers, text: String::from_utf8_lossy(&bytes).into_owned() }
    }

    pub async fn graphql(&self, token: &str, query: &str, variables: Value) -> Answer {
        let body = json!({"query": query, "variables": variables}).to_string();
        let request = Request::post("/graphql").header("content-type", "application/json");
        let request =
            if token.is_empty() { request } else { request.header("authorization", format!("Bearer {token}")) };
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    pub async fn is_valid(&self, token: &str) -> bool {
        let request = Request::post("/api/v1/verify").header("content-type", "application/json");
        let answer = self.send(request.body(Body::from(json!({"token": token}).to_string())).unwrap()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.json()["valid"] == true
    }

    /// Submits the form of a page as a browser without JavaScript does, with its hidden fields. `typed`: the urlencoded
    /// values, which override the hidden ones.
    pub async fn submit(&self, page: &str, cookie: &str, typed: &str) -> Answer {
        let shown = self.get(page, cookie).await;
        let form = Form::all(&shown.text).into_iter().find(|form| form.action.starts_with("/fn/"));
        let form = form.unwrap_or_else(|| panic!("{page} shows no form: {}", shown.text));
        let hidden = serde_urlencoded::to_string(&form.hidden).unwrap();
        self.post_form(&form.action, cookie, &format!("{hidden}&{typed}")).await
    }

    /// Returns the id of the tenant that a session has selected, as its pages show it.
    pub async fn selected_tenant(&self, cookie: &str) -> String {
        let page = self.get("/user/profile", cookie).await.text;
        page.split("data-tenant=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    }

    /// Calls a server function as the dashboard's JavaScript does.
    pub async fn call(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let tenant = self.selected_tenant(cookie).await;
        self.call_in(&tenant, path, cookie, body).await
    }

    /// Like [`Stage::call`], from a page that was opened in a tenant.
    pub async fn call_in(&self, tenant: &str, path: &str, cookie: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("x-latchkey-tenant", tenant)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", cookie);
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Calls the server function of a read, as the script of a page of the tenant does.
    pub async fn ask(&self, tenant: &str, path: &str, cookie: &str, input: &Value) -> Answer {
        let request = Request::post(path)
            .header("x-latchkey-tenant", tenant)
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", cookie);
        self.send(request.body(Body::from(input.to_string())).unwrap()).await
    }

    /// Posts a form from a page of the same site. `cookie`: the browser's cookies.
    pub async fn post_form(&self, path: &str, cookie: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header("accept", "text/html,application/xhtml+xml")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .header("cookie", cookie);
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub async fn get(&self, path: &str, cookie: &str) -> Answer {
        self.send(Request::get(path).header("cookie", cookie).body(Body::empty()).unwrap()).await
    }

    /// Signs Ada in. Returns the session cookie.
    pub async fn sign_in(&self) -> String {
        let answer =
            self.post_form("/sign-in", "", "email=ada%40example.org&password=seven+lamps+under+the+pier").await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text);
        let cookies = answer.cookies();
        cookies[0].split(';').next().unwrap().to_owned()
    }
}

/// A form on a page.
#[derive(Clone, Debug)]
pub struct Form {
    pub action: String,
    /// Names and values of its hidden fields.
    pub hidden: Vec<(String, String)>,
    /// The names of all its fields.
    pub fields: Vec<String>,
}

impl Form {
    /// Returns the forms with method POST in a page's `<main>`.
    pub fn all(page: &str) -> Vec<Self> {
        Self::everywhere(page.split("<main").nth(1).unwrap_or_default())
    }

    /// Returns the forms with method POST in a page, including its header.
    pub fn everywhere(page: &str) -> Vec<Self> {
        page.split("<form ").skip(1).filter(|form| form.contains("method=\"post\"")).map(Self::read).collect()
    }

    fn read(text: &str) -> Self {
        let form = text.split("</form>").next().unwrap_or_default();
        let controls =
            form.split('<').filter(|tag| ["input ", "select ", "textarea "].iter().any(|name| tag.starts_with(name)));
        let controls: Vec<&str> = controls.collect();
        let named = controls.iter().filter_map(|tag| attribute(tag, "name"));
        let hidden = controls.iter().filter(|tag| tag.contains("type=\"hidden\""));
        Self {
            action: attribute(form, "action").unwrap_or_default(),
            hidden: hidden
                .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())))
                .collect(),
            fields: named.collect(),
        }
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    Some(
        value
            .replace("&quot;", "\"")
            .replace("&#x27;", "'")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

/// Returns the first token in a page or a response.
pub fn token_in(text: &str) -> Option<String> {
    let start = text.find("lku_").into_iter().chain(text.find("lks_")).find(|at| {
        let token = text.get(*at..*at + 42);
        token.is_some_and(|token| token[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()))
    })?;
    Some(text[start..start + 42].to_owned())
}
