//! Settings: where they come from, which one counts, and what is said about invalid ones.

use std::process::Output;

use serde_json::Value;

use crate::{
    operator::{Logged, Place, json_lines, stderr, stdout},
    support::latchkey,
};

/// Runs `latchkey` with arguments and environment variables.
fn run(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    latchkey().args(arguments).envs(env.iter().copied()).output().unwrap()
}

/// Returns value and source of a setting, according to `config check`.
fn effective(arguments: &[&str], env: &[(&str, &str)], key: &str) -> (Value, String) {
    let output = run(&[&["config", "check", "--json"], arguments].concat(), env);
    assert!(output.status.success(), "{env:?}: {}", stderr(&output));
    let rows = json_lines(&stdout(&output));
    let row = rows.iter().find(|row| row["setting"] == key).unwrap_or_else(|| panic!("no {key}"));
    (row["value"].clone(), row["source"].as_str().unwrap().to_owned())
}

#[track_caller]
fn assert_invalid(output: &Output, messages: &[&str]) {
    let text = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    for message in messages {
        assert!(text.contains(message), "{message} isn't in: {text}");
    }
    assert!(!text.contains("panicked"), "{text}");
}

#[test]
fn a_flag_counts_more_than_a_variable_and_a_variable_more_than_the_file() {
    let place = Place::new();
    let file = place.write("latchkey.toml", "max_connections = 10\nlog_format = 'json'\n");
    let config = ["--config", &file];
    let variable = [("LATCHKEY_MAX_CONNECTIONS", "20")];
    assert_eq!(effective(&[], &[], "max_connections"), ("10000".into(), "default".into()));
    assert_eq!(effective(&config, &[], "max_connections"), ("10".into(), file.clone()));
    assert_eq!(effective(&config, &variable, "max_connections"), ("20".into(), "LATCHKEY_MAX_CONNECTIONS".into()));
    let flag = [&config[..], &["--max-connections", "30"]].concat();
    assert_eq!(effective(&flag, &variable, "max_connections"), ("30".into(), "command line".into()));
    // The file can also be named by a variable.
    let named = [("LATCHKEY_CONFIG", file.as_str())];
    assert_eq!(effective(&[], &named, "max_connections"), ("10".into(), file.clone()));
    assert_eq!(effective(&[], &named, "log_format").0, "json");
}

#[test]
fn a_variable_may_name_a_file_with_the_value() {
    let place = Place::new();
    let secret = place.write("smtp", "smtps://user:hidden@mail.example.org\n");
    let env = [
        ("LATCHKEY_SMTP_URL_FILE", secret.as_str()),
        ("LATCHKEY_MAIL_FROM", "keys@example.org"),
        ("LATCHKEY_PUBLIC_URL", "https://keys.example.org"),
    ];
    let (value, source) = effective(&[], &env, "smtp_url");
    assert_eq!(value, "smtps://***@mail.example.org");
    assert!(source.contains("LATCHKEY_SMTP_URL_FILE") && source.contains(&secret), "{source}");
    let both = [env[0], ("LATCHKEY_SMTP_URL", "smtps://mail.example.org")];
    assert_invalid(&run(&["config", "check"], &both), &["Set either LATCHKEY_SMTP_URL or LATCHKEY_SMTP_URL_FILE"]);
    let missing = [("LATCHKEY_SMTP_URL_FILE", "/nowhere/smtp")];
    assert_invalid(&run(&["config", "check"], &missing), &["/nowhere/smtp", "LATCHKEY_SMTP_URL_FILE"]);
    let empty = place.write("empty", " \n");
    assert_invalid(&run(&["config", "check"], &[("LATCHKEY_SMTP_URL_FILE", &empty)]), &["is empty"]);
    // In the configuration file too; the path is relative to it.
    let file = place.write("latchkey.toml", "database_url_file = 'url'\n");
    place.write("url", "postgres://latchkey:hidden@db.example.org/latchkey");
    let (value, source) = effective(&["--config", &file], &[], "database_url");
    assert_eq!(value, "postgres://***@db.example.org/latchkey");
    assert!(source.contains("database_url_file"), "{source}");
}

#[test]
fn switches_accept_every_usual_spelling_from_every_source() {
    let place = Place::new();
    assert!(place.run(&["migrate"]).status.success());
    let database = ["--database-url", place.database.as_str()];
    for (text, is_on) in [
        ("1", true),
        ("yes", true),
        ("True", true),
        ("ON", true),
        (" y ", true),
        ("0", false),
        ("No", false),
        ("off", false),
        ("", false),
        (" ", false),
    ] {
        let expected = if is_on {
            ["1", "yes", "True", "ON", "y", "true"].map(Value::from).to_vec()
        } else {
            ["0", "No", "off", "false"].map(Value::from).to_vec()
        };
        let (value, _) = effective(&database, &[("LATCHKEY_NO_MIGRATE", text)], "no_migrate");
        assert!(expected.contains(&value), "{text}: {value}");
    }
    let on = place.write("on.toml", "no_migrate = true\n");
    assert_eq!(effective(&[&database[..], &["--config", &on]].concat(), &[], "no_migrate").0, "true");
    assert_eq!(effective(&["--config", &on, "--no-migrate=false"], &[], "no_migrate").0, "false");
    assert_eq!(
        effective(&[&database[..], &["--no-migrate"]].concat(), &[("LATCHKEY_NO_MIGRATE", "0")], "no_migrate").0,
        "true"
    );
    for wrong in ["maybe", "2", "ja"] {
        let output = run(&["serve"], &[("LATCHKEY_NO_MIGRATE", wrong)]);
        assert_invalid(&output, &["--no-migrate", wrong, "LATCHKEY_NO_MIGRATE"]);
    }
}

#[test]
fn white_space_around_a_value_does_not_count_and_an_empty_value_counts_as_none() {
    let place = Place::new();
    let env = [("LATCHKEY_LISTEN", " 127.0.0.1:4000\n"), ("LATCHKEY_TRUSTED_PROXY", " 10.0.0.1, 10.1.0.0/16 ")];
    assert_eq!(effective(&[], &env, "listen").0, "127.0.0.1:4000");
    assert!(effective(&[], &env, "trusted_proxy").0.as_str().unwrap().contains("10.1.0.0/16"));
    let file = place.write(
        "latchkey.toml",
        "listen = '127.0.0.1:5000'\npublic_url = ''\ntrusted_proxy = ['10.0.0.1', 'fd00::/8']\n",
    );
    let config = ["--config", file.as_str()];
    assert_eq!(effective(&config, &[("LATCHKEY_LISTEN", "")], "listen"), ("127.0.0.1:5000".into(), file.clone()));
    assert_eq!(effective(&config, &[], "public_url"), (Value::Null, "default".into()));
    assert_eq!(effective(&config, &[], "trusted_proxy").0, "10.0.0.1,fd00::/8");
}

#[test]
fn a_value_out_of_range_is_refused_from_every_source_with_the_range_and_the_source() {
    let place = Place::new();
    for (key, wrong, range) in [
        ("max_connections", "0", "1..=1000000"),
        ("confirm_after", "601", "1..=600"),
        ("max_connections", "x", "digit"),
    ] {
        let flag = format!("--{}", key.replace('_', "-"));
        let variable = format!("LATCHKEY_{}", key.to_uppercase());
        assert_invalid(&run(&["serve", &flag, wrong], &[]), &[&flag, range]);
        assert_invalid(&run(&["serve"], &[(&variable, wrong)]), &[&flag, range, &format!("from {variable}")]);
        let file = place.write("latchkey.toml", &format!("{key} = '{wrong}'\n"));
        assert_invalid(&run(&["serve", "--config", &file], &[]), &[&flag, range, &file]);
        assert_invalid(&run(&["config", "check", "--config", &file], &[]), &[&flag, range, &file]);
    }
}

#[test]
fn what_is_no_setting_is_named() {
    let place = Place::new();
    for (text, messages) in [
        ("max_conections = 5\n", &["unknown setting max_conections", "max_connections"][..]),
        ("[network]\nlisten = '127.0.0.1:1'\n", &["unknown setting network"]),
        ("config = 'other.toml'\n", &["unknown setting config"]),
        ("listen = 1.5\n", &["listen must be a string"]),
        ("\nsmtp_url = 'smtps://user:hidden@host\n", &["line 2"]),
    ] {
        let file = place.write("latchkey.toml", text);
        for command in [&["serve"][..], &["config", "check"], &["admin", "list-tenants"]] {
            let output = run(&[command, &["--config", &file]].concat(), &[]);
            assert_invalid(&output, messages);
            assert!(!stderr(&output).contains("hidden"), "{}", stderr(&output));
        }
    }
    assert_invalid(
        &run(&["serve", "--config", "/nowhere/latchkey.toml"], &[]),
        &["/nowhere/latchkey.toml can't be read"],
    );
    let output = run(&["config", "check"], &[("LATCHKEY_LISTN", "127.0.0.1:1"), ("LATCHKEY_LISTEN_FILE", "")]);
    assert!(output.status.success());
    assert!(stderr(&output).contains("ignored: LATCHKEY_LISTN"), "{}", stderr(&output));
}

#[test]
fn a_public_url_or_a_database_that_serve_would_refuse_is_refused_by_the_check_too() {
    for env in
        [("LATCHKEY_PUBLIC_URL", "http://keys.example.org"), ("LATCHKEY_PUBLIC_URL", "https://keys.example.org/path")]
    {
        assert_invalid(&run(&["config", "check"], &[env]), &["--public-url"]);
    }
    assert_invalid(&run(&["check", "--database-url", "mysql://host/db"], &[]), &["sqlite: or postgres:"]);
    assert_invalid(&run(&["serve"], &[("LATCHKEY_LOG", "info,=x=y")]), &["--log", "LATCHKEY_LOG"]);
}

#[test]
fn every_command_takes_its_settings_from_the_file() {
    let place = Place::new();
    let file = place.write("latchkey.toml", &format!("database_url = '{}'\nlisten = '127.0.0.1:1'\n", place.database));
    assert!(run(&["migrate", "--config", &file], &[]).status.success());
    assert!(place.path("test.db").exists());
    let create = ["admin", "create-tenant", "--name", "Acme", "--slug", "acme"];
    assert!(run(&create, &[("LATCHKEY_CONFIG", &file)]).status.success());
    let tenants = run(&["--config", &file, "admin", "list-tenants"], &[]);
    assert!(stdout(&tenants).starts_with("acme\t"), "{}", stderr(&tenants));
}

/// Creates a named pipe, to which nobody writes.
fn pipe(place: &Place) -> String {
    let path = place.path("pipe").display().to_string();
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

#[test]
fn the_check_and_the_start_refuse_the_same_settings_with_the_same_message() {
    let place = Place::new();
    let (pipe, folder) = (pipe(&place), place.path("").display().to_string());
    let (in_folder, in_pipe) = (format!("sqlite:{folder}"), format!("sqlite:{pipe}"));
    let gateways = "a=127.0.0.1:9001=http://127.0.0.1:1,b=127.0.0.1:9001=http://127.0.0.1:2";
    for (arguments, message) in [
        (&["--database-url", "mysql://host/db"][..], "must begin with sqlite: or postgres:"),
        (&["--database-url", "latchkey.db"], "must begin with sqlite: or postgres:"),
        (&["--database-url", "sqlite:/nowhere/at/all/latchkey.db"], "/nowhere/at/all/latchkey.db can't be created"),
        (&["--database-url", &in_folder], "isn't an SQLite database"),
        (&["--database-url", &in_pipe], "isn't an SQLite database"),
        (&["--database-url", "postgres://host:port/db"], "Can't open the database"),
        (&["--database-url", &place.database, "--no-migrate"], "No database at"),
        (
            &["--database-url", &place.database, "--metrics-listen", "127.0.0.1:3000"],
            "--metrics-listen (127.0.0.1:3000)",
        ),
        (&["--database-url", &place.database, "--grpc-listen", "0.0.0.0:3000"], "need different addresses"),
        (&["--database-url", &place.database, "--gateway", gateways], "gateway b (127.0.0.1:9001)"),
        (&["--database-url", &place.database, "--secret-key", "x"], "LATCHKEY_SECRET_KEY is invalid"),
        (&["--database-url", &place.database, "--secret-key-file", "/nowhere/key"], "no secret key file /nowhere/key"),
        (&["--database-url", &place.database, "--secret-key-file", &pipe], "not a regular file"),
        (&["--database-url", &place.database, "--revocation-ledger", "/nowhere/x"], "ledger /nowhere/x can't be used"),
        (&["--database-url", &place.database, "--revocation-ledger", &pipe], "not a regular file"),
        (&["--database-url", &place.database, "--leak-report-keys", &pipe], "not a regular file"),
        (&["--database-url", &place.database, "--config", &pipe], "not a regular file"),
        (&["--database-url", &place.database, "--key-header", "Cookie"], "has a meaning of its own"),
        (&["--database-url", &place.database, "--trusted-proxy", "10.0.0.1/8"], "the network 10.0.0.0/8"),
        (&["--database-url", &place.database, "--operator-tenant", "A B"], "--operator-tenant"),
        (&["--database-url", &place.database, "--public-url", "http://keys.example.org"], "may use http only for"),
    ] {
        let messages = [&["config", "check"][..], &["serve"]].map(|command| {
            let output = run(&[command, arguments].concat(), &[]);
            assert!(stderr(&output).contains(message), "{message} isn't in: {}", stderr(&output));
            assert!(matches!(output.status.code(), Some(1 | 2)), "{:?}", output.status);
            assert!(command == ["serve"] || output.status.code() == Some(2), "{message}");
            // The help text of clap names the command.
            stderr(&output).lines().filter(|line| !line.starts_with("Usage: ")).collect::<Vec<_>>().join("\n")
        });
        assert_eq!(messages[0], messages[1]);
    }
    assert!(!place.path("test.db").exists(), "nothing was created");
}

#[test]
fn trusting_every_proxy_is_warned_about() {
    let output = run(&["config", "check", "--trusted-proxy", "0.0.0.0/0,::/0"], &[]);
    let text = stderr(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("0.0.0.0/0 trusts every client") && text.contains("::/0 trusts every client"), "{text}");
    assert!(!text.contains("No problems found") && text.contains("Only the start shows"), "{text}");
}

#[test]
fn the_operators_tenant_must_exist_once_there_are_tenants() {
    let place = Place::new();
    assert!(place.run(&["migrate"]).status.success());
    let log = place.path("first.log");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--operator-tenant", "acme"];
    Logged::start(&mut place.command(&arguments), &log).stop();
    assert!(std::fs::read_to_string(&log).unwrap().contains("there is no tenant yet"));
    let create = ["admin", "create-tenant", "--name", "Other", "--slug", "other"];
    assert!(place.run(&create).status.success());
    assert_invalid(&place.run(&arguments), &["--operator-tenant: there is no tenant with the slug acme."]);
}
