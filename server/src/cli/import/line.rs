//! Reads a line of an import. An error names a member and never its value, which may be a token.

use std::fmt;

use domain::{AllowedAddresses, ApiError, ErrorCode, FieldError, api_key::input::CreateKey, name::shown};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::Value;
use service::{ImportLine, KnownToken, read_sha256};

use crate::cli::keys::rate;

/// The members that a line can have.
const MEMBERS: [&str; 9] =
    ["owner", "name", "sha256", "scopes", "expires_at", "hint", "allowed_addresses", "rate_limit", "tenant"];

/// The members of a JSON object, each of which occurs once.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collector)
    }
}

struct Collector;

impl<'de> Visitor<'de> for Collector {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members: Vec<(String, Value)> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let value = map.next_value()?;
            if members.iter().any(|(known, _)| *known == name) {
                return Err(A::Error::custom(format!("The member {} occurs twice", shown(&name))));
            }
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// The values that are read, and the wrong members found so far.
struct Reader {
    members: Vec<(String, Value)>,
    wrong: Vec<FieldError>,
}

impl Reader {
    fn refuse(&mut self, member: &str, message: impl Into<String>) {
        self.wrong.push(FieldError { field: member.to_owned(), message: message.into() });
    }

    /// Takes a value. `null` is none.
    fn take(&mut self, member: &str) -> Option<Value> {
        let place = self.members.iter().position(|(name, _)| name == member)?;
        Some(self.members.swap_remove(place).1).filter(|value| !value.is_null())
    }

    fn text(&mut self, member: &str) -> Option<String> {
        let value = self.take(member)?;
        let text = value.as_str().map(str::to_owned);
        if text.is_none() {
            self.refuse(member, "This must be a string.");
        }
        text
    }

    fn required(&mut self, member: &str) -> Option<String> {
        let count = self.wrong.len();
        let text = self.text(member);
        if text.is_none() && self.wrong.len() == count {
            self.refuse(member, "This is missing.");
        }
        text
    }

    fn list(&mut self, member: &str) -> Option<Vec<String>> {
        let value = self.take(member)?;
        let texts =
            value.as_array().and_then(|items| items.iter().map(|item| item.as_str().map(str::to_owned)).collect());
        if texts.is_none() {
            self.refuse(member, "This must be a list of strings.");
        }
        texts
    }

    /// Keeps a value, or the errors of its members.
    fn keep<T>(&mut self, read: Result<T, ApiError>) -> Option<T> {
        read.map_err(|error| self.wrong.extend(error.fields)).ok()
    }

    /// Returns the scopes as one text. An empty list gives none.
    fn scopes(&mut self) -> Option<String> {
        let scopes = self.list("scopes")?;
        if scopes.iter().any(|scope| scope.is_empty() || scope.contains([' ', ',', '\t', '\n', '\r'])) {
            self.refuse("scopes", "Each item must be one scope, such as orders:read.");
        }
        Some(scopes.join(" "))
    }
}

/// Returns the refusal of a whole line.
fn not_a_line(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadUserInput, message)
}

/// Reads a line. `tenant`: the slug for a line that doesn't name one.
///
/// # Errors
/// If it isn't a JSON object, or a member is wrong. All wrong members of an object are named.
pub(super) fn read(number: usize, text: &[u8], tenant: Option<&str>) -> Result<ImportLine, ApiError> {
    // Otherwise an error would repeat the value.
    if !text.starts_with(b"{") {
        return Err(not_a_line("This isn't a JSON object."));
    }
    let Members(members) = serde_json::from_slice(text).map_err(|error| {
        let detail = if error.is_data() { error.to_string() } else { "This isn't a JSON object".to_owned() };
        let detail = detail.split(" at line ").next().unwrap_or_default();
        not_a_line(format!("{detail} (column {}).", error.column()))
    })?;
    let mut reader = Reader { members, wrong: Vec::new() };
    let (owner, name) = (reader.required("owner"), reader.required("name"));
    let digest = reader.required("sha256").and_then(|text| reader.keep(read_sha256(&text)));
    let hint = reader.text("hint");
    let token = digest.and_then(|digest| reader.keep(KnownToken::of_sha256(digest, hint.as_deref())));
    let scopes = reader.scopes();
    let expires_at = reader.text("expires_at");
    let addresses = reader.list("allowed_addresses");
    let allowed_addresses = addresses.and_then(|list| reader.keep(AllowedAddresses::text_of(&list)));
    let (rate_limit, rate_window) = rate(reader.text("rate_limit").as_deref()).unzip();
    let tenant = reader.text("tenant").or_else(|| tenant.map(str::to_owned));
    if tenant.is_none() && !reader.wrong.iter().any(|wrong| wrong.field == "tenant") {
        reader.refuse("tenant", "This is missing. Add it, or give the tenant of all lines with --tenant.");
    }
    for (name, _) in std::mem::take(&mut reader.members) {
        if !MEMBERS.contains(&name.as_str()) {
            reader.refuse(&shown(&name), format!("There is no such member. Known are {}.", MEMBERS.join(", ")));
        }
    }
    match (owner, name, token, tenant) {
        (Some(owner), Some(name), Some(token), Some(tenant)) if reader.wrong.is_empty() => {
            let key = CreateKey {
                name,
                expires_at,
                scopes,
                allowed_addresses,
                rate_limit,
                rate_window,
                ..CreateKey::default()
            };
            Ok(ImportLine { number, tenant, owner, token, key })
        }
        _ => Err(ApiError::fields(reader.wrong)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DIGEST: &str = "dW6fX8Y3nP0m2v5Jc1sQk7RzT4uLhE9aBiGoNxKwZyA";

    fn line(more: &str) -> String {
        format!(r#"{{"owner":"Deployer","name":"ci","sha256":"{DIGEST}"{more}}}"#)
    }

    fn wrong(text: &str) -> Vec<(String, String)> {
        let error = read(3, text.as_bytes(), Some("acme")).expect_err(text);
        if error.fields.is_empty() {
            return vec![(String::new(), error.message)];
        }
        error.fields.into_iter().map(|field| (field.field, field.message)).collect()
    }

    #[test]
    fn a_line_is_read_with_all_its_members() {
        let more = r#","scopes":["a:read","b:read"],"expires_at":"2027-01-31T00:00:00Z","hint":"sk_live_ab",
            "allowed_addresses":["10.0.0.0/8","::1"],"rate_limit":"100/60","tenant":"other""#;
        let read_line = read(7, line(more).as_bytes(), Some("acme")).unwrap();
        assert_eq!((read_line.number, read_line.tenant.as_str(), read_line.owner.as_str()), (7, "other", "Deployer"));
        let key = read_line.key;
        assert_eq!((key.name.as_str(), key.scopes.as_deref()), ("ci", Some("a:read b:read")));
        assert_eq!(key.expires_at.as_deref(), Some("2027-01-31T00:00:00Z"));
        assert_eq!(key.allowed_addresses.as_deref(), Some("10.0.0.0/8 ::1"));
        assert_eq!((key.rate_limit.as_deref(), key.rate_window.as_deref()), (Some("100"), Some("60")));
        assert!(read_line.token.is_imported());
    }

    #[test]
    fn missing_members_and_null_are_the_same_and_an_empty_list_of_scopes_is_not() {
        let null =
            r#","scopes":null,"expires_at":null,"hint":null,"allowed_addresses":null,"rate_limit":null,"tenant":null"#;
        for more in ["", null] {
            let key = read(1, line(more).as_bytes(), Some("acme")).unwrap().key;
            assert_eq!(key, CreateKey { name: "ci".to_owned(), ..CreateKey::default() });
        }
        assert_eq!(read(1, line(r#","scopes":[]"#).as_bytes(), Some("acme")).unwrap().key.scopes.as_deref(), Some(""));
        assert_eq!(read(1, line("").as_bytes(), None).unwrap_err().fields[0].field, "tenant");
    }

    #[test]
    fn errors_name_every_wrong_member() {
        for (text, members) in [
            ("{}".to_owned(), &["owner", "name", "sha256"][..]),
            (r#"{"owner":1,"name":["x"],"sha256":null}"#.to_owned(), &["owner", "name", "sha256"]),
            (line(r#","key":"x","":1"#), &["key", ""]),
            (line(r#","scopes":"a:read""#), &["scopes"]),
            (line(r#","scopes":["a:read b:read"]"#), &["scopes"]),
            (line(r#","scopes":["a:read",1]"#), &["scopes"]),
            (line(r#","hint":"much-too-long-for-a-hint","allowed_addresses":[]"#), &["hint", "allowed_addresses"]),
            (line(r#","rate_limit":100,"expires_at":1700000000,"tenant":{}"#), &["expires_at", "rate_limit", "tenant"]),
            (line("").replace(DIGEST, "sk_live_1234"), &["sha256"]),
            // The whole line.
            (line(r#","name":"again""#), &[""]),
            (r#""sk_live_1234""#.to_owned(), &[""]),
            (line("").replace('}', ""), &[""]),
            (line("") + "{}", &[""]),
        ] {
            let found = wrong(&text);
            let mut names: Vec<&str> = found.iter().map(|(member, _)| member.as_str()).collect();
            let mut members = members.to_vec();
            names.sort_unstable();
            members.sort_unstable();
            assert_eq!(names, members, "{text}");
            assert!(!format!("{found:?}").contains("sk_live_1234"), "the value is shown: {found:?}");
        }
        let token = format!("lks_{}", "7".repeat(38));
        for text in [format!(r#","{token}":1"#), format!(r#","{token}":1,"{token}":2"#)] {
            let found = format!("{:?}", wrong(&line(&text)));
            assert!(found.contains("lks_…") && !found.contains("lks_7"), "{found}");
        }
        let twice = wrong(&line(r#","name":"again""#)).swap_remove(0).1;
        assert!(twice.starts_with("The member name occurs twice (column "), "{twice}");
    }

    proptest! {
        #[test]
        fn no_line_makes_the_reader_panic(text in "\\PC{0,80}", more in "[{}\\[\\]\":,a-z0-9\\\\ ]{0,60}") {
            read(1, text.as_bytes(), None).ok();
            read(1, line(&more).as_bytes(), Some("acme")).ok();
        }
    }
}
