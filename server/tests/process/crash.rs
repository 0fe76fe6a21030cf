//! A server that is killed again and again while keys are created, rotated and revoked. Every acknowledged change holds,
//! and the audit log is intact.
//!
//! `LATCHKEY_CRASHES` sets how often each database's server is killed: 50 times by default, 500 times in `make soak`.

use std::time::{Duration, Instant};

use crate::{
    load::{Clients, Facts, assert_intact, count_losses},
    number, on_both,
    support::{Server, connect, count, fill, serve},
};

const WRITERS: usize = 8;
const READERS: usize = 2;

/// Creates a service account, because each may have a limited number of keys.
async fn account_of(server: &Server, token: &str) -> String {
    let clients = Clients::new(server.address, token, "");
    let created = clients.create_account(&mut connect(server.address).await).await;
    created.unwrap_or_else(|_| panic!("a server without faults answers"))
}

/// Lets a server work until it has acknowledged `most` changes, and kills it. Returns what it acknowledged.
async fn run_until_killed(server: Server, token: &str, most: usize) -> Facts {
    let account = account_of(&server, token).await;
    let clients = Clients::new(server.address, token, &account);
    let mut tasks = clients.start(WRITERS, READERS);
    assert!(clients.meet(|facts| facts.changes >= most, Duration::from_mins(1)).await, "changes are acknowledged");
    // SIGKILL, with changes of all writers in progress.
    drop(server);
    clients.end();
    while let Some(task) = tasks.join_next().await {
        task.unwrap();
    }
    std::mem::take(&mut clients.facts())
}

#[test]
fn a_server_that_is_killed_many_times_loses_nothing_that_it_acknowledged() {
    on_both(async |database| {
        let crashes = number("LATCHKEY_CRASHES", 50);
        let begun = Instant::now();
        let (_, token) = fill(&database);
        let (mut requests, mut changes, mut losses, mut late) = (0, 0, 0, 0);
        let mut last = Facts::default();
        for crash in 0..crashes {
            let server = serve(&database);
            losses += count_losses(server.address, &last).await;
            last = run_until_killed(server, &token, 1 + crash * 7_919 % 61).await;
            requests += last.requests;
            changes += last.changes;
            losses += last.losses;
            late += last.late_acceptances;
            if crash % 25 == 24 {
                assert_intact(&database);
            }
        }
        let server = serve(&database);
        losses += count_losses(server.address, &last).await;
        drop(server);
        assert_intact(&database);
        let kind = database.split(':').next().unwrap_or_default();
        println!(
            "{kind}: {changes} acknowledged changes, {crashes} SIGKILLs, {losses} losses, {late} late acceptances in {:?}",
            begun.elapsed()
        );
        count(&[
            ("requests", requests),
            ("changes acknowledged", changes),
            ("fault: SIGKILL", crashes),
            ("losses", losses),
            ("late acceptances", late),
        ]);
        assert_eq!((losses, late), (0, 0));
    });
}
