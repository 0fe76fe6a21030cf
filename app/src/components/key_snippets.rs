//! Examples that contain a new key's token: how an API verifies it, and where a client keeps it.

use super::tabs::Tab;
use crate::words::keys as words;

/// The examples, the most important one first. `url`: the base URL of the API. `is_account`: whether the key belongs to
/// a service account, which agents can use.
pub fn key_snippets(token: &str, url: &str, is_account: bool) -> Vec<Tab> {
    let tab = |label, hint, text| Tab { label, hint, text };
    let agent = is_account.then(|| tab(words::agent(), words::agent_hint(), agent(token, url)));
    let tabs = vec![
        tab(words::verify(), words::verify_hint(), curl(token, url)),
        tab(words::header(), words::header_hint(), format!("Authorization: Bearer {token}")),
        tab("Node.js", words::node_hint(), node(token, url)),
        tab("Python", words::standard_library_hint(), python(token, url)),
        tab("Go", words::standard_library_hint(), go(token, url)),
        tab("Rust", words::rust_hint(), rust(token, url)),
        tab(".env", words::env_hint(), env(token, url)),
        tab("Kubernetes", words::kubernetes_hint(), kubernetes(token)),
    ];
    tabs.into_iter().chain(agent).collect()
}

fn curl(token: &str, url: &str) -> String {
    format!(
        r#"curl -X POST {url}/api/v1/verify \
  -H 'Content-Type: application/json' \
  -d '{{"token": "{token}"}}'"#
    )
}

fn node(token: &str, url: &str) -> String {
    format!(
        r"const response = await fetch('{url}/api/v1/verify', {{
  method: 'POST',
  headers: {{ 'Content-Type': 'application/json' }},
  body: JSON.stringify({{ token: '{token}' }}),
}});
console.log(await response.json());"
    )
}

fn python(token: &str, url: &str) -> String {
    format!(
        r#"import json, urllib.request

request = urllib.request.Request(
    "{url}/api/v1/verify",
    data=json.dumps({{"token": "{token}"}}).encode(),
    headers={{"Content-Type": "application/json"}},
)
print(json.load(urllib.request.urlopen(request)))"#
    )
}

fn go(token: &str, url: &str) -> String {
    format!(
        r#"package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
)

func main() {{
	body := strings.NewReader(`{{"token": "{token}"}}`)
	response, err := http.Post("{url}/api/v1/verify", "application/json", body)
	if err != nil {{
		log.Fatal(err)
	}}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {{
		log.Fatal(err)
	}}
	fmt.Println(string(answer))
}}"#
    )
}

fn rust(token: &str, url: &str) -> String {
    format!(
        r#"fn main() -> Result<(), reqwest::Error> {{
    let answer: serde_json::Value = reqwest::blocking::Client::new()
        .post("{url}/api/v1/verify")
        .json(&serde_json::json!({{ "token": "{token}" }}))
        .send()?
        .json()?;
    println!("{{answer}}");
    Ok(())
}}"#
    )
}

fn env(token: &str, url: &str) -> String {
    format!("LATCHKEY_API={url}\nLATCHKEY_API_KEY={token}")
}

fn kubernetes(token: &str) -> String {
    format!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: api-key\nstringData:\n  API_KEY: {token}")
}

fn agent(token: &str, url: &str) -> String {
    format!("export PREFECT__CLOUD__API={url}\nprefect agent local start --key {token}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_contains_the_token_and_the_first_verifies_it() {
        let tabs = key_snippets("lks_x", "https://keys.example.org", true);
        assert!(tabs.iter().all(|tab| tab.text.contains("lks_x")));
        assert_eq!(
            tabs[0].text,
            "curl -X POST https://keys.example.org/api/v1/verify \\\n  -H 'Content-Type: application/json' \\\n  -d '{\"token\": \"lks_x\"}'"
        );
    }

    #[test]
    fn only_the_keys_of_service_accounts_have_an_example_for_agents() {
        let labels =
            |is_account| key_snippets("x", "", is_account).into_iter().map(|tab| tab.label).collect::<Vec<_>>();
        assert!(labels(true).contains(&"Agent"));
        assert!(!labels(false).contains(&"Agent"));
    }
}
