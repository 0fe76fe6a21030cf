//! Disks that are full, read-only or broken. Needs the right to mount a small file system in memory, or a C compiler;
//! without them, a test says that it was skipped.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    devices::{self, Devices},
    json_headers,
    support::{Connection, Server, connect, count, fill, latchkey, request, send, serve, start},
};

/// A file system in memory, which is unmounted when this is dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    /// Returns `None` if mounting isn't allowed.
    fn mount(size: &str) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(folder));
        }
        eprintln!("skipped: a file system can't be mounted here");
        None
    }

    fn database(&self) -> String {
        format!("sqlite:{}", self.0.path().join("test.db").display())
    }

    /// Writes a file until the disk is full.
    fn fill(&self) -> PathBuf {
        let path = self.0.path().join("filler");
        let mut file = fs::File::create(&path).unwrap();
        for size in [65_536, 4_096, 1] {
            while file.write(&vec![0; size]).is_ok_and(|written| written > 0) {}
        }
        path
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.0.path()).status().ok();
    }
}

/// Creates a key. Returns the error's code and message, or `None` after a success.
async fn create(server: &Server, connection: &mut Connection, token: &str, account: &str) -> Option<(String, String)> {
    let query = format!("mutation {{ create_api_key(input: {{user_id: \"{account}\", name: \"new\"}}) {{ id }} }}");
    let body = json!({ "query": query }).to_string();
    let request = request(server.address, "POST", "/graphql", &json_headers(token), body);
    let (_, text) = send(connection, request).await.expect("the server is running");
    let answer: Value = serde_json::from_str(&text).unwrap();
    let error = answer["errors"].get(0)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Some((text(&error["extensions"]["code"]), text(&error["message"])))
}

async fn readiness(server: &Server, connection: &mut Connection) -> u16 {
    let begun = Instant::now();
    let request = request(server.address, "GET", "/health/ready", &[], String::new());
    let (status, _) = send(connection, request).await.expect("the server is running");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    status
}

/// Waits until the readiness has a status. A result is used again for a second.
async fn await_readiness(server: &Server, connection: &mut Connection, wanted: u16) {
    let begun = Instant::now();
    while readiness(server, connection).await != wanted {
        assert!(begun.elapsed() < Duration::from_secs(10), "it stays at another status than {wanted}");
        tokio::task::yield_now().await;
    }
}

/// Creates keys while a fault begins and ends, and asserts that it is told and that the first moment without it works.
async fn assert_recovers(name: &str, server: &Server, (account, token): (String, String), fault: impl Fn(bool)) {
    let mut connection = connect(server.address).await;
    assert_eq!(create(server, &mut connection, &token, &account).await, None);
    await_readiness(server, &mut connection, 200).await;
    for _ in 0..3 {
        fault(true);
        let mut refused = None;
        // The write-ahead log may have some room left.
        for _ in 0..200 {
            refused = create(server, &mut connection, &token, &account).await;
            if refused.is_some() {
                break;
            }
        }
        assert!(create(server, &mut connection, &token, &account).await.is_some());
        let (code, message) = refused.expect("no change can be stored");
        assert_eq!(code, "UNAVAILABLE", "{message}");
        assert!(message.contains("disk of the database"), "{message}");
        await_readiness(server, &mut connection, 503).await;
        fault(false);
        count(&[(&format!("fault: {name}"), 1)]);
        assert_eq!(create(server, &mut connection, &token, &account).await, None, "the first moment works again");
        await_readiness(server, &mut connection, 200).await;
    }
}

fn run(story: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(story);
}

#[test]
fn a_full_disk_refuses_changes_and_the_first_moment_with_room_works_again() {
    let Some(disk) = Disk::mount("8m") else { return };
    let database = disk.database();
    run(async {
        let filled = fill(&database);
        let server = serve(&database);
        assert_recovers("full disk", &server, filled, |is_full| {
            if is_full {
                disk.fill();
            } else {
                fs::remove_file(disk.0.path().join("filler")).unwrap();
            }
        })
        .await;
    });
}

#[test]
fn a_database_that_cannot_be_written_is_refused_at_start_and_named() {
    let Some(disk) = Disk::mount("8m") else { return };
    let database = disk.database();
    fill(&database);
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(disk.0.path()).status().unwrap();
    assert!(remounted.success());
    let output = latchkey()
        .args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database])
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    count(&[("fault: read-only disk", 1)]);
    assert!(!output.status.success() && text.contains("test.db"), "{text}");
}

/// The commands that only read.
const READING: [&[&str]; 9] = [
    &["admin", "list-tenants"],
    &["admin", "list-users"],
    &["admin", "list-members", "--tenant", "bench"],
    &["admin", "list-invitations", "--tenant", "bench"],
    &["admin", "list-service-accounts", "--tenant", "bench"],
    &["admin", "list-keys", "--tenant", "bench"],
    &["admin", "list-scopes"],
    &["audit", "verify"],
    &["check"],
];

#[test]
fn commands_that_only_read_work_on_a_read_only_disk_and_create_no_ledger() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    fill(&url);
    let ledger = folder.path().join("test.db.revocations");
    fs::remove_file(&ledger).unwrap();
    let run = |words: &[&str], url: &str| {
        let output = latchkey().args(words).args(["--database-url", url]).output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    for words in READING {
        run(words, &url);
    }
    assert!(!ledger.exists());
    let Some(disk) = Disk::mount("8m") else { return };
    let copy = disk.database();
    fs::copy(folder.path().join("test.db"), disk.0.path().join("test.db")).unwrap();
    assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(disk.0.path()).status().unwrap().success());
    for words in READING {
        run(words, &copy);
    }
    let words = ["admin", "create-tenant", "--name", "Other", "--slug", "other", "--database-url", &copy];
    let refused = latchkey().args(words).output().unwrap();
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && text.contains("read-only"), "{text}");
}

#[cfg(unix)]
#[test]
fn the_files_of_a_database_are_private_whatever_the_umask_and_shared_ones_are_reported() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.db");
    let database = format!("sqlite:{}", path.display());
    let program = latchkey().get_program().to_owned();
    let mut server = Command::new("sh");
    server.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(program);
    let server = start(server.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database]));
    let files: Vec<PathBuf> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() >= 3, "{files:?}");
    for file in files {
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    drop(server);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let output = latchkey().args(["check", "--database-url", &database]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("other users") && text.contains("test.db"), "{text}");
}

#[test]
fn a_disk_that_fails_refuses_changes_and_the_first_moment_without_failures_works_again() {
    let Some(devices) = Devices::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    run(async {
        let filled = fill(&database);
        let mut command = latchkey();
        command.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &database]);
        let server = start(devices.attach(&mut command));
        assert_recovers("failing disk", &server, filled, |is_broken| {
            devices.break_disk(if is_broken { devices::FAILING } else { 0 });
        })
        .await;
    });
}
