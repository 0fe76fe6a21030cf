//! The metrics: what they count, in which format, and that clients can't reach them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{
    operator::{Logged, Place},
    support::{admin, connect, fill, request, send},
};

/// Requests a path. Returns the status and the body.
pub async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    send(&mut connect(address).await, request(address, "GET", path, &[], String::new())).await.unwrap()
}

async fn verify(address: std::net::SocketAddr, token: &str) {
    let headers = [("content-type", "application/json".to_owned())];
    let body = json!({ "token": token }).to_string();
    let request = request(address, "POST", "/api/v1/verify", &headers, body);
    assert_eq!(send(&mut connect(address).await, request).await.unwrap().0, 200);
}

/// A line of the metrics.
struct Sample {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Sample {
    /// Reads a line such as `name{label="value"} 1`. Values may contain braces, commas and spaces, but no quotes.
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let mut rest = labels.strip_suffix('}').unwrap();
        let mut labels = BTreeMap::new();
        while let Some((label, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"').unwrap();
            labels.insert(label.trim_start_matches(',').to_owned(), value.to_owned());
            rest = after;
        }
        assert_eq!(rest, "", "{line}");
        Self { name: name.to_owned(), labels, value: value.parse().unwrap() }
    }
}

/// The samples of a scrape.
struct Metrics(Vec<Sample>);

impl Metrics {
    async fn read(address: std::net::SocketAddr) -> Self {
        let (status, text) = get(address, "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.ends_with("# EOF\n"), "{text}");
        check_format(&text);
        Self(text.lines().filter(|line| !line.starts_with('#')).map(Sample::parse).collect())
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has =
            |sample: &Sample, (label, value): &(&str, &str)| sample.labels.get(*label).is_some_and(|own| own == value);
        let found = self.0.iter().find(|sample| sample.name == name && labels.iter().all(|label| has(sample, label)));
        found.map(|sample| sample.value)
    }

    fn labels(&self, name: &str, label: &str) -> BTreeSet<String> {
        let samples = self.0.iter().filter(|sample| sample.name == name);
        samples.filter_map(|sample| sample.labels.get(label).cloned()).collect()
    }
}

/// Every sample belongs to a family with a type and a help text, no family occurs twice, and no series does.
fn check_format(text: &str) {
    let (mut types, mut helps, mut series) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} occurs twice");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            assert!(helps.insert(rest.split(' ').next().unwrap().to_owned()));
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            assert!(series.insert(sample.to_owned()), "{sample} occurs twice");
            let name = sample.split('{').next().unwrap();
            let suffixes = ["", "_total", "_bucket", "_sum", "_count", "_info"];
            let family = suffixes.iter().find_map(|suffix| types.get_key_value(name.strip_suffix(suffix)?));
            let (family, _) = family.unwrap_or_else(|| panic!("{name} has no type"));
            assert!(helps.contains(family), "{family} has no help text");
        }
    }
}

#[test]
fn verifications_keys_requests_and_the_process_are_counted() {
    let place = Place::new();
    let (_, token) = fill(&place.database);
    let create = ["create-key", "--tenant", "bench", "--service-account", "Bench", "--name"];
    let day = 86_400;
    let now = std::process::Command::new("date").arg("+%s").output().unwrap();
    let now: i64 = String::from_utf8(now.stdout).unwrap().trim().parse().unwrap();
    let expiry = |days: i64| chrono::DateTime::from_timestamp(now + days * day, 0).unwrap().to_rfc3339();
    let soon = admin(&place.database, &[&create[..], &["soon", "--expires-at", &expiry(10)]].concat(), "");
    admin(&place.database, &[&create[..], &["later", "--expires-at", &expiry(60)]].concat(), "");
    let stopped = admin(&place.database, &[&create[..], &["stopped"]].concat(), "");
    let keys = admin(&place.database, &["list-keys", "--tenant", "bench"], "");
    let id = |name: &str| {
        let row = keys.lines().find(|line| line.split('\t').nth(3) == Some(name)).unwrap();
        row.split('\t').next().unwrap().to_owned()
    };
    admin(&place.database, &["revoke-key", &id("stopped"), "--tenant", "bench"], "");

    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut command = place.command(&["serve", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
        let server = Logged::start(&mut command, &place.path("log"));
        let (public, metrics) = (server.address("listening"), server.address("metrics"));
        for token in [&token, &token, &soon, &stopped, &stopped, &format!("lks_{}", "a".repeat(38)), "secret"] {
            verify(public, token).await;
        }
        // A well-formed token of another server.
        verify(public, &fill(&Place::new().database).1).await;
        for number in 0..20 {
            get(public, &format!("/invitations/nothing-{number}")).await;
            get(public, &format!("/nothing/{number}?token={token}")).await;
        }
        let odd = request(public, "BREW", "/health/live", &[], String::new());
        send(&mut connect(public).await, odd).await.unwrap();

        let read = Metrics::read(metrics).await;
        for (outcome, count) in [
            ("accepted", 3.0),
            ("revoked", 2.0),
            ("malformed", 2.0),
            ("unknown", 1.0),
            ("expired", 0.0),
            ("failed", 0.0),
        ] {
            let labels = [("api", "rest"), ("outcome", outcome)];
            assert_eq!(read.value("latchkey_verifications_total", &labels), Some(count), "{outcome}");
        }
        for (state, count) in [("active", 3.0), ("revoked", 1.0), ("suspended", 0.0), ("expired", 0.0)] {
            assert_eq!(read.value("latchkey_keys", &[("state", state)]), Some(count), "{state}");
        }
        let expiries = "latchkey_key_expiry_timestamp_seconds";
        assert_eq!(read.labels(expiries, "key_id"), BTreeSet::from([id("soon")]));
        let at = read.value(expiries, &[("tenant", "bench")]).unwrap();
        let expected = f64::from(u32::try_from(now + 10 * day).unwrap());
        assert!((at - expected).abs() < 1.0, "{at}");

        let requests = "http_server_request_duration_seconds_count";
        let verifications =
            [("http_request_method", "POST"), ("http_route", "/api/v1/verify"), ("http_response_status_code", "200")];
        assert_eq!(read.value(requests, &verifications), Some(8.0));
        // A client can't add labels: routes are templates, and the names of methods are fixed.
        let routes = read.labels(requests, "http_route");
        assert!(routes.contains("/invitations/{token}"), "{routes:?}");
        assert!(!routes.iter().any(|route| route.contains("nothing") || route.contains("lks_")), "{routes:?}");
        assert!(read.labels(requests, "http_request_method").contains("_OTHER"));
        assert_eq!(read.value("http_server_active_requests", &[]), Some(0.0));
        assert_eq!(read.value("latchkey_database_up", &[]), Some(1.0));
        assert_eq!(read.value("latchkey_build_info", &[("version", env!("CARGO_PKG_VERSION"))]), Some(1.0));
        if cfg!(target_os = "linux") {
            assert!(read.value("process_resident_memory_bytes", &[]).unwrap() > 1e6);
            assert!(read.value("process_cpu_seconds_total", &[]).unwrap() > 0.0);
            assert!(read.value("process_open_fds", &[]).unwrap() < read.value("process_max_fds", &[]).unwrap());
        }
        let (status, text) = get(public, "/metrics").await;
        assert!(status == 404 && !text.contains("latchkey_keys"), "{status}: {text}");
        assert_eq!(get(metrics, "/").await.0, 404);
        server.stop();
    });
}

#[test]
fn a_server_without_the_setting_has_no_second_listener() {
    let place = Place::new();
    let server = Logged::start(&mut place.command(&["serve", "--listen", "127.0.0.1:0"]), &place.path("log"));
    assert!(!server.lines.iter().any(|line| line.contains("metrics")), "{:?}", server.lines);
}
