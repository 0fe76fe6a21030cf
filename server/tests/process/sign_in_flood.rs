//! Many sign-ins at once: the memory for hashing passwords is bounded and returns to the system, and whoever signed in
//! before still gets in.
//!
//! `LATCHKEY_FLOOD_WAVES` sets how many floods follow each other: 3 by default, more in `make soak`.

use std::time::Duration;

use http::header;
use tokio::task::JoinSet;

use crate::{
    number,
    support::{EMAIL, PASSWORD, Server, connect, count, fill, request, serve},
};

/// How many people sign in at once.
const AT_ONCE: usize = 600;
/// The most that the flood may add to the resident memory at any moment, and afterwards, in KiB.
const MOST_DURING: u64 = 128 * 1_024;
const MOST_AFTER: u64 = 64 * 1_024;
/// How long the memory may take to return.
const RETURNED_WITHIN: Duration = Duration::from_secs(10);

/// Returns a value of `/proc/…/status` in KiB, such as `VmRSS` or `VmHWM`.
fn memory(server: &Server, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Signs in, in a connection of its own. Returns the status, and the cookie of the remembered browser.
async fn sign_in(server: std::net::SocketAddr, email: &str, password: &str, cookie: &str) -> (u16, Option<String>) {
    let body = serde_urlencoded::to_string([("email", email), ("password", password)]).unwrap();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("origin", format!("http://{server}")),
        ("cookie", cookie.to_owned()),
    ];
    let mut connection = connect(server).await;
    let answer = connection.send_request(request(server, "POST", "/sign-in", &headers, body)).await.unwrap();
    let cookies = answer.headers().get_all(header::SET_COOKIE).iter().filter_map(|cookie| cookie.to_str().ok());
    let browser = cookies.filter_map(|cookie| cookie.split(';').next()).find(|cookie| cookie.contains("-browser="));
    (answer.status().as_u16(), browser.map(str::to_owned))
}

/// Signs in many times at once. Returns how many attempts were checked, and how many were sent away.
async fn flood(server: std::net::SocketAddr, wave: usize) -> (usize, usize) {
    let mut tasks = JoinSet::new();
    for n in 0..AT_ONCE {
        let email = format!("stranger{n}of{wave}@example.org");
        tasks.spawn(async move { sign_in(server, &email, "not the right password", "").await.0 });
    }
    let statuses = tasks.join_all().await;
    let with = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    // A busy database sends people away too.
    (with(401), with(429) + with(503))
}

#[test]
fn a_flood_of_sign_ins_uses_little_memory_and_gives_it_back() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let database = format!("sqlite:{}", folder.path().join("test.db").display());
        fill(&database);
        let server = serve(&database);
        let address = server.address;
        let (status, browser) = sign_in(address, EMAIL, PASSWORD, "").await;
        assert_eq!(status, 303);
        let browser = browser.expect("the browser is remembered");
        let before = memory(&server, "VmRSS");
        for wave in 0..number("LATCHKEY_FLOOD_WAVES", 3) {
            let (checked, sent_away) = flood(address, wave).await;
            assert_eq!(checked + sent_away, AT_ONCE);
            count(&[("requests", AT_ONCE), ("fault: sign-in of a flood", AT_ONCE)]);
            assert!(checked > 0, "some were checked");
        }
        let during = memory(&server, "VmHWM").saturating_sub(before);
        // The network has used up its attempts; the browser has its own.
        assert_eq!(sign_in(address, EMAIL, PASSWORD, &browser).await.0, 303);
        let begun = std::time::Instant::now();
        let mut after = memory(&server, "VmRSS").saturating_sub(before);
        while after > MOST_AFTER && begun.elapsed() < RETURNED_WITHIN {
            tokio::time::sleep(Duration::from_millis(100)).await;
            after = memory(&server, "VmRSS").saturating_sub(before);
        }
        eprintln!("resident memory: {before} KiB before, {during} KiB more during, {after} KiB more after the flood");
        assert!(during < MOST_DURING && after < MOST_AFTER, "{before} KiB, then {during} more, then {after} more");
    });
}
