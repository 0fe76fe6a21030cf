//! The file that `apply` reads: TOML with an array of tables for each kind of entry. Every value keeps its line, for
//! messages.

use std::ops::Range;

use domain::name::shown;
use service::apply::{
    Kind, Problem, Stated, StatedAccount, StatedConfiguration, StatedKey, StatedKeyPolicy, StatedOwner, StatedScope,
    StatedTenant, StatedToken,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::token_file;

/// What a document states, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) stated: StatedConfiguration,
    pub(super) problems: Vec<Problem>,
}

/// Reads a document. `folder`: where the paths in it begin.
pub(super) fn read(text: &str, folder: &std::path::Path) -> Document {
    let lines = Lines::new(text);
    let mut document = Document::default();
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        // What follows such an error may be read otherwise than it was meant, so its values aren't checked.
        document.problems = errors.iter().map(|error| syntax_problem(error, &lines)).collect();
        document.problems.sort_by_key(|problem| problem.line);
        document.problems.dedup();
        document.stated.unreadable.extend(Kind::ALL);
        return document;
    }
    let table = table.into_inner();
    for (key, value) in &table {
        let line = lines.at(&key.span());
        let problem = |message: String| Problem { line, subject: String::new(), message };
        let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.as_str() == key.get_ref()) else {
            let kinds = Kind::ALL.map(|kind| format!("[[{}]]", kind.as_str())).join(", ");
            let name = shown(key.get_ref());
            document.stated.unreadable.extend(Kind::ALL);
            document.problems.push(problem(format!("{name} isn't known here. The entries are {kinds}.")));
            continue;
        };
        let entries: Option<Vec<_>> = value.get_ref().as_array().map(|array| array.iter().collect());
        let tables = entries.unwrap_or_default().into_iter().map(|one| Some((one.span(), one.get_ref().as_table()?)));
        match tables.collect::<Option<Vec<_>>>() {
            Some(tables) if value.get_ref().is_array() => {
                for (span, table) in tables {
                    let entry = Entry::new(kind, lines.at(&span), table, &lines);
                    document.add(entry, folder);
                }
            }
            _ => {
                document.stated.unreadable.insert(kind);
                document.problems.push(problem(format!("Each entry begins with a line [[{}]].", kind.as_str())));
            }
        }
    }
    document.problems.sort_by_key(|problem| problem.line);
    document
}

/// Names only the position, because the line may contain a token.
fn syntax_problem(error: &toml::de::Error, lines: &Lines) -> Problem {
    let line = error.span().map_or(1, |span| lines.at(&span));
    Problem { line, subject: String::new(), message: shown(error.message()) }
}

impl Document {
    fn add(&mut self, mut entry: Entry<'_>, folder: &std::path::Path) {
        let (line, stated) = (entry.line, &mut self.stated);
        match entry.kind {
            Kind::Scope => {
                let found = scope(&mut entry);
                stated.scopes.extend(found.map(|entry| Stated { line, entry }));
            }
            Kind::Tenant => {
                let found = tenant(&mut entry);
                stated.tenants.extend(found.map(|entry| Stated { line, entry }));
            }
            Kind::ServiceAccount => {
                let found = account(&mut entry);
                stated.accounts.extend(found.map(|entry| Stated { line, entry }));
            }
            Kind::KeyPolicy => {
                let found = policy(&mut entry);
                stated.policies.extend(found.map(|entry| Stated { line, entry }));
            }
            Kind::Key => {
                let found = key(&mut entry, folder);
                stated.keys.extend(found.map(|entry| Stated { line, entry }));
            }
        }
        entry.refuse_others();
        if !entry.problems.is_empty() {
            self.stated.unreadable.insert(entry.kind);
        }
        self.problems.extend(entry.problems);
    }
}

fn scope(entry: &mut Entry<'_>) -> Option<StatedScope> {
    let (scope, description) = (entry.required("scope"), entry.required("description"));
    let (least_role, deprecated_since) = (entry.required("least_role"), entry.time("deprecated_since"));
    Some(StatedScope { scope: scope?, description: description?, least_role: least_role?, deprecated_since })
}

fn tenant(entry: &mut Entry<'_>) -> Option<StatedTenant> {
    let (slug, name) = (entry.required("slug"), entry.required("name"));
    Some(StatedTenant { slug: slug?, name: name? })
}

fn account(entry: &mut Entry<'_>) -> Option<StatedAccount> {
    let (tenant, name, role) = (entry.required("tenant"), entry.required("name"), entry.text("role"));
    Some(StatedAccount { tenant: tenant?, name: name?, role })
}

fn policy(entry: &mut Entry<'_>) -> Option<StatedKeyPolicy> {
    let (tenant, policy) = (entry.required("tenant"), entry.required("policy"));
    let (days, limit) = (entry.number("days"), entry.number("limit"));
    let (on_exposure, scopes, from) = (entry.text("on_exposure"), entry.list("scopes"), entry.time("from"));
    Some(StatedKeyPolicy { tenant: tenant?, policy: policy?, days, limit, on_exposure, scopes, from })
}

fn key(entry: &mut Entry<'_>, folder: &std::path::Path) -> Option<StatedKey> {
    let (tenant, name) = (entry.required("tenant"), entry.required("name"));
    let user = entry.text("user").map(StatedOwner::User);
    let account = entry.text("service_account").map(StatedOwner::ServiceAccount);
    let owner = entry.either("user", user, "service_account", account);
    let sha256 = entry.text("sha256").map(StatedToken::Sha256);
    let token = match entry.text("token_file") {
        Some(path) => match token_file::read(&folder.join(path)) {
            Ok(token) => Some(StatedToken::Token(token)),
            Err(message) => {
                entry.wrong("token_file", message);
                None
            }
        },
        None => None,
    };
    let token = entry.either("token_file", token, "sha256", sha256);
    let (scopes, expires_at) = (entry.list("scopes"), entry.time("expires_at"));
    let (allowed_addresses, rate_limit) = (entry.list("allowed_addresses"), entry.text("rate_limit"));
    Some(StatedKey {
        tenant: tenant?,
        owner: owner?,
        name: name?,
        token: token?,
        scopes,
        expires_at,
        allowed_addresses,
        rate_limit,
    })
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    /// Returns the number of the line on which something begins.
    fn at(&self, span: &Range<usize>) -> usize {
        self.0.partition_point(|begin| *begin <= span.start) + 1
    }
}

/// A table of the document, which is read member by member.
struct Entry<'a> {
    kind: Kind,
    line: usize,
    table: &'a DeTable<'a>,
    lines: &'a Lines,
    /// What the entry is about, as far as it is readable.
    subject: String,
    /// The members that the kind has.
    known: Vec<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Entry<'a> {
    fn new(kind: Kind, line: usize, table: &'a DeTable<'a>, lines: &'a Lines) -> Self {
        let member = match kind {
            Kind::Scope => "scope",
            Kind::Tenant => "slug",
            Kind::ServiceAccount | Kind::Key => "name",
            Kind::KeyPolicy => "policy",
        };
        let name =
            table.get(member).and_then(|value| value.get_ref().as_str()).map(|name| format!(" “{}”", shown(name)));
        let subject = format!("[[{}]]{}", kind.as_str(), name.unwrap_or_default());
        Self { kind, line, table, lines, subject, known: Vec::new(), problems: Vec::new() }
    }

    fn find(&mut self, member: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known.push(member);
        self.table.get(member)
    }

    /// Records a problem with a member, on the member's line.
    fn wrong(&mut self, member: &str, message: impl std::fmt::Display) {
        let line = self.table.get(member).map_or(self.line, |value| self.lines.at(&value.span()));
        self.problem(line, format!("{member}: {message}"));
    }

    fn problem(&mut self, line: usize, message: String) {
        self.problems.push(Problem { line, subject: self.subject.clone(), message });
    }

    fn text(&mut self, member: &'static str) -> Option<String> {
        let value = self.find(member)?.get_ref();
        if value.as_str().is_none() {
            self.wrong(member, "This must be a text in quotes.");
        }
        value.as_str().map(str::to_owned)
    }

    fn required(&mut self, member: &'static str) -> Option<String> {
        if !self.table.contains_key(member) {
            self.known.push(member);
            self.problem(self.line, format!("{member} is missing."));
            return None;
        }
        self.text(member)
    }

    /// Returns a date or an instant as text. TOML can have both without quotes.
    fn time(&mut self, member: &'static str) -> Option<String> {
        if let Some(time) = self.table.get(member).and_then(|value| value.get_ref().as_datetime()) {
            self.known.push(member);
            return Some(time.to_string());
        }
        self.text(member)
    }

    fn number(&mut self, member: &'static str) -> Option<i64> {
        let value = self.find(member)?.get_ref();
        let number = value.as_integer().and_then(|number| i64::from_str_radix(number.as_str(), number.radix()).ok());
        if number.is_none() {
            self.wrong(member, "This must be a whole number without quotes.");
        }
        number
    }

    fn list(&mut self, member: &'static str) -> Option<Vec<String>> {
        let value = self.find(member)?.get_ref();
        let texts = |array: &[Spanned<DeValue<'_>>]| {
            array.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        };
        let list = value.as_array().and_then(|array| texts(array));
        if list.is_none() {
            self.wrong(member, "This must be a list of texts in quotes, such as [\"orders:read\"].");
        }
        list
    }

    /// Returns the one of two members that the entry has. Each is `None` if it is missing or wrong.
    fn either<T>(&mut self, one: &str, first: Option<T>, other: &str, second: Option<T>) -> Option<T> {
        match (self.table.contains_key(one), self.table.contains_key(other)) {
            (true, true) => self.problem(self.line, format!("State either {one} or {other}, not both.")),
            (false, false) => self.problem(self.line, format!("State {one} or {other}.")),
            _ => return first.or(second),
        }
        None
    }

    /// Refuses the members that weren't read.
    fn refuse_others(&mut self) {
        let others: Vec<_> =
            self.table.iter().filter(|(key, _)| !self.known.iter().any(|known| known == key.get_ref())).collect();
        for (key, _) in others {
            let (line, name) = (self.lines.at(&key.span()), shown(key.get_ref()));
            let message = if name == "token" {
                "A token doesn't belong into this file. Write it to a file of its own, and name that with token_file."
                    .to_owned()
            } else {
                format!("{name} isn't known here. The members are {}.", self.known.join(", "))
            };
            self.problem(line, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    fn problems(text: &str) -> Vec<String> {
        read(text, std::path::Path::new("")).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_member_of_every_kind_is_read() {
        let text = "\
            key = []\n[[scope]]\nscope = 'a:b'\ndescription = 'A'\nleast_role = 'USER'\ndeprecated_since = 2027-01-31\n\
            [[tenant]]\nslug = 'acme'\nname = 'Acme'\n\
            [[service_account]]\ntenant = 'acme'\nname = 'Robot'\nrole = 'USER'\n\
            [[key_policy]]\ntenant = 'acme'\npolicy = 'max_keys'\ndays = 0x10\nlimit = 1_000\non_exposure = 'keep'\n\
            scopes = ['a:b']\nfrom = 2027-01-31T09:00:00+01:00\n";
        let document = read(text, std::path::Path::new(""));
        assert_eq!(document.problems, Vec::new());
        let stated = document.stated;
        assert_eq!((stated.scopes[0].line, stated.tenants[0].line, stated.accounts[0].line), (2, 7, 10));
        assert_eq!(stated.scopes[0].entry.deprecated_since.as_deref(), Some("2027-01-31"));
        let policy = &stated.policies[0];
        assert_eq!((policy.line, policy.entry.days, policy.entry.limit), (14, Some(16), Some(1_000)));
        assert_eq!(policy.entry.from.as_deref(), Some("2027-01-31T09:00:00+01:00"));
        assert!(stated.keys.is_empty());
        let key = "[[key]]\r\ntenant = 'acme'\r\nuser = 'a@b.example'\r\nname = '''x'''\r\nsha256 = 'y'\r\nscopes = []\r\n\
            expires_at = '2027-01-31T00:00:00Z'\r\nallowed_addresses = ['::1']\r\nrate_limit = '5/60'\r\n";
        let document = read(key, std::path::Path::new(""));
        assert_eq!(document.problems, Vec::new());
        let key = &document.stated.keys[0].entry;
        assert_eq!(key.owner, StatedOwner::User("a@b.example".to_owned()));
        assert_eq!((key.scopes.as_deref(), key.rate_limit.as_deref()), (Some(&[][..]), Some("5/60")));
    }

    #[test]
    fn a_problem_names_the_line_of_the_member() {
        let text = "# é\n[[tenant]]\nslug = 'a'\nname = \"\"\"\n\n\"\"\"\ncolor = 'red'\n[[tenant]]\nslug = 1\n";
        assert_eq!(
            problems(text),
            [
                "line 7, [[tenant]] “a”: color isn't known here. The members are slug, name.",
                "line 8, [[tenant]]: name is missing.",
                "line 9, [[tenant]]: slug: This must be a text in quotes.",
            ]
        );
        let broken = "[[tenant]]\nslug = \nname = 'A'\n[[tenant]]\nslug = 'b'\nname = B\n[[tenant]\n";
        let found = problems(broken);
        for line in ["line 2: ", "line 6: ", "line 7: "] {
            assert!(found.iter().any(|problem| problem.starts_with(line)), "{line}: {found:?}");
        }
        assert_eq!(problems("x.y = 1").len(), 1);
        assert_eq!(problems("").len(), 0);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(
            parts in proptest::collection::vec(
                select(vec![
                    "[[key]]\n", "[[tenant]]\n", "[key]\n", "tenant = 'x'\n", "name = ", "'é'\n", "scopes = [", "]", "1", "\n", "{",
                    "}", "\"", "'", "= ", ".", "days = 99999999999999999999\n", "key = ", "2027-01-31", "\u{1b}", "\r", "#",
                ]),
                0..30,
            ),
        ) {
            let text = parts.concat();
            for problem in read(&text, std::path::Path::new("")).problems {
                prop_assert!(problem.line >= 1 && problem.line <= text.matches('\n').count() + 1);
                prop_assert!(!problem.to_string().contains(['\u{1b}', '\n']), "{}", problem);
            }
        }
    }
}
