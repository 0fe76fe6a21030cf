//! Limits on queries, checked before parsing and before validation. async-graphql recurses on nested brackets until the
//! process dies, and expands a fragment again for every spread; a query of a few kilobytes would be enough.

use std::collections::{HashMap, HashSet};

use async_graphql::{
    Name, Positioned,
    parser::types::{ExecutableDocument, FragmentDefinition, OperationType, Selection, SelectionSet},
};

/// The maximum length of a query, in bytes.
pub const MAX_QUERY_BYTES: usize = 8 * 1_024;
/// The maximum length while the built-in backend for flow runs is on: its agents write the ids of runs into their queries.
pub const MAX_FLOW_QUERY_BYTES: usize = 32 * 1_024;
/// The maximum nesting depth of brackets, braces and parentheses.
pub const MAX_NESTING: usize = 24;
/// The maximum number of directives in a query.
pub const MAX_DIRECTIVES: usize = 16;
/// The maximum number of fields in a query, over all its operations, with fragments expanded.
pub const MAX_FIELDS: usize = 500;
/// The maximum number of top-level fields in an operation. Each may return a list of a thousand keys.
pub const MAX_TOP_FIELDS: u64 = 20;
/// The maximum number of mutations in an operation.
pub const MAX_MUTATIONS: u64 = 10;

/// Checks a query's text in one pass, without a parser. Skips strings and comments.
///
/// # Errors
/// A sentence that names the exceeded limit.
pub fn scan(query: &str) -> Result<(), &'static str> {
    scan_within(query, MAX_QUERY_BYTES)
}

/// Like [`scan`], with another maximum length: [`MAX_QUERY_BYTES`] or [`MAX_FLOW_QUERY_BYTES`].
///
/// # Errors
/// As [`scan`].
pub fn scan_within(query: &str, most: usize) -> Result<(), &'static str> {
    if query.len() > most {
        let is_longer = most > MAX_QUERY_BYTES;
        return Err(if is_longer { "The query is longer than 32 KiB." } else { "The query is longer than 8 KiB." });
    }
    let (mut nesting, mut directives) = (0_usize, 0_usize);
    let mut rest = query.as_bytes();
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'"' => rest = after_string(tail),
            b'#' => rest = tail.iter().position(|b| matches!(b, b'\n' | b'\r')).map_or(&[], |end| &tail[end..]),
            b'{' | b'[' | b'(' => nesting += 1,
            b'}' | b']' | b')' => nesting = nesting.saturating_sub(1),
            b'@' => directives += 1,
            _ => {}
        }
        if nesting > MAX_NESTING {
            return Err("The query nests brackets more than 24 levels deep.");
        }
        if directives > MAX_DIRECTIVES {
            return Err("The query has more than 16 directives.");
        }
    }
    Ok(())
}

/// Returns what follows a string whose opening quote was just read. A block string ends at `"""`, any other at `"` or
/// at the end of the line.
fn after_string(text: &[u8]) -> &[u8] {
    let is_block = text.starts_with(b"\"\"");
    let mut at = if is_block { 2 } else { 0 };
    while at < text.len() {
        let here = &text[at..];
        if is_block && here.starts_with(b"\\\"\"\"") {
            at += 4;
        } else if is_block && here.starts_with(b"\"\"\"") {
            return &here[3..];
        } else if !is_block && here[0] == b'\\' {
            at += 2;
        } else if !is_block && matches!(here[0], b'"' | b'\n' | b'\r') {
            return &here[1..];
        } else {
            at += 1;
        }
    }
    &[]
}

/// Checks the number of fields in a parsed query. Visits each fragment once.
///
/// # Errors
/// A sentence that names the exceeded limit.
pub fn count(document: &ExecutableDocument) -> Result<(), &'static str> {
    let mut counter =
        Counter { fragments: &document.fragments, known: HashMap::new(), tops: HashMap::new(), open: HashSet::new() };
    let mut fields = 0_u64;
    for (_, operation) in document.operations.iter() {
        let selections = &operation.node.selection_set.node;
        fields = fields.saturating_add(counter.fields(selections)?);
        let at_top = counter.top_level(selections);
        if operation.node.ty == OperationType::Mutation && at_top > MAX_MUTATIONS {
            return Err("The operation has more than 10 mutations.");
        }
        if operation.node.ty == OperationType::Mutation && !counter.are_keys_distinct(selections, &mut HashSet::new()) {
            // GraphQL merges such fields. async-graphql would execute the mutation twice.
            return Err("The operation selects a mutation twice. Give each one an alias of its own.");
        }
        if at_top > MAX_TOP_FIELDS {
            return Err("The operation has more than 20 top-level fields.");
        }
        if fields > MAX_FIELDS as u64 {
            return Err("The query selects more than 500 fields.");
        }
    }
    Ok(())
}

struct Counter<'d> {
    fragments: &'d HashMap<Name, Positioned<FragmentDefinition>>,
    known: HashMap<&'d Name, u64>,
    tops: HashMap<&'d Name, u64>,
    open: HashSet<&'d Name>,
}

impl<'d> Counter<'d> {
    fn fields(&mut self, selections: &'d SelectionSet) -> Result<u64, &'static str> {
        let mut sum = 0_u64;
        for selection in &selections.items {
            let more = match &selection.node {
                Selection::Field(field) => 1 + self.fields(&field.node.selection_set.node)?,
                Selection::InlineFragment(fragment) => self.fields(&fragment.node.selection_set.node)?,
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name.node)?,
            };
            sum = sum.saturating_add(more);
        }
        Ok(sum)
    }

    fn fragment(&mut self, name: &'d Name) -> Result<u64, &'static str> {
        if let Some(count) = self.known.get(name) {
            return Ok(*count);
        }
        // Validation reports unknown fragments.
        let Some(fragment) = self.fragments.get(name) else { return Ok(0) };
        if !self.open.insert(name) {
            return Err("A fragment contains itself.");
        }
        let count = self.fields(&fragment.node.selection_set.node)?;
        self.open.remove(name);
        self.known.insert(name, count);
        Ok(count)
    }

    /// Counts top-level fields, through fragments, each visited once. [`Counter::fields`] has already rejected cycles.
    fn top_level(&mut self, selections: &'d SelectionSet) -> u64 {
        let mut sum = 0_u64;
        for selection in &selections.items {
            let more = match &selection.node {
                Selection::Field(_) => 1,
                Selection::InlineFragment(fragment) => self.top_level(&fragment.node.selection_set.node),
                Selection::FragmentSpread(spread) => self.top_of_fragment(&spread.node.fragment_name.node),
            };
            sum = sum.saturating_add(more);
        }
        sum
    }

    /// Returns whether all top-level fields have different response keys. Fragments are expanded: the number of their
    /// fields was checked.
    fn are_keys_distinct(&self, selections: &'d SelectionSet, known: &mut HashSet<&'d str>) -> bool {
        selections.items.iter().all(|selection| match &selection.node {
            Selection::Field(field) => known.insert(field.node.response_key().node.as_str()),
            Selection::InlineFragment(fragment) => self.are_keys_distinct(&fragment.node.selection_set.node, known),
            Selection::FragmentSpread(spread) => {
                let fragment = self.fragments.get(&spread.node.fragment_name.node);
                fragment.is_none_or(|fragment| self.are_keys_distinct(&fragment.node.selection_set.node, known))
            }
        })
    }

    fn top_of_fragment(&mut self, name: &'d Name) -> u64 {
        if let Some(count) = self.tops.get(name) {
            return *count;
        }
        let Some(fragment) = self.fragments.get(name) else { return 0 };
        let count = self.top_level(&fragment.node.selection_set.node);
        self.tops.insert(name, count);
        count
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::{Value, parser::parse_query};
    use proptest::prelude::*;

    use super::*;

    fn joined(count: usize, piece: impl Fn(usize) -> String) -> String {
        (0..count).map(piece).collect::<Vec<_>>().concat()
    }

    #[test]
    fn nesting_and_directives_are_counted_outside_strings_and_comments() {
        assert!(scan(&format!("{}{}", "{a".repeat(24), "}".repeat(24))).is_ok());
        assert!(scan(&"[".repeat(25)).is_err());
        assert!(scan(&"@a ".repeat(17)).is_err());
        assert!(scan(&format!("{{ a(b: \"{}\") }} # {}", "[".repeat(99), "{".repeat(99))).is_ok());
        assert!(scan(&format!("{{ a(b: \"\"\"{}\"\"\") }}", "[\" ".repeat(99))).is_ok());
        assert!(scan(&format!("{{ a(b: \"\\\"{}\") }}", "[".repeat(99))).is_ok());
        assert!(scan(&format!("\"{}", "[".repeat(99))).is_ok(), "an unclosed string ends with the text");
        assert!(scan(&format!("\"\n{}", "[".repeat(99))).is_err(), "a plain string ends with its line");
    }

    #[test]
    fn fragments_are_counted_once_and_circles_are_refused() {
        let chain = joined(30, |n| format!("fragment f{n} on Query {{ ...f{} ...f{} }} ", n + 1, n + 1));
        let bomb = format!("{{ ...f0 }} {chain} fragment f30 on Query {{ hello }}");
        assert!(count(&parse_query(bomb).unwrap()).is_err());
        let circle = "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }";
        assert!(count(&parse_query(circle).unwrap()).is_err());
        assert!(count(&parse_query("{ viewer { id tenants { id } } }").unwrap()).is_ok());
    }

    /// Returns how deep the brackets of a parsed query are nested: selections, arguments, lists and objects.
    fn nesting(document: &ExecutableDocument) -> usize {
        fn deep(value: &Value) -> usize {
            match value {
                Value::List(items) => 1 + items.iter().map(deep).max().unwrap_or(0),
                Value::Object(fields) => 1 + fields.values().map(deep).max().unwrap_or(0),
                _ => 0,
            }
        }
        fn selections(set: &SelectionSet) -> usize {
            let deepest = set.items.iter().map(|selection| match &selection.node {
                Selection::Field(field) => {
                    let arguments = &field.node.arguments;
                    let deepest = arguments
                        .iter()
                        .map(|(_, argument)| 1 + argument.node.clone().into_const().as_ref().map_or(0, deep))
                        .max()
                        .unwrap_or(0);
                    deepest.max(selections(&field.node.selection_set.node))
                }
                Selection::InlineFragment(fragment) => selections(&fragment.node.selection_set.node),
                Selection::FragmentSpread(_) => 0,
            });
            if set.items.is_empty() { 0 } else { 1 + deepest.max().unwrap_or(0) }
        }
        let operations =
            document.operations.iter().map(|(_, operation)| selections(&operation.node.selection_set.node));
        let fragments = document.fragments.values().map(|fragment| selections(&fragment.node.selection_set.node));
        operations.chain(fragments).max().unwrap_or(0)
    }

    /// Expands every spread, like a validator without a cache; `None` for a cycle.
    fn expanded(spreads: &[Vec<usize>], fields: &[u64], at: usize, open: &mut Vec<usize>) -> Option<u64> {
        if open.contains(&at) {
            return None;
        }
        open.push(at);
        let below = spreads[at].iter().map(|next| expanded(spreads, fields, *next, open)).sum::<Option<u64>>();
        open.pop();
        below.map(|below| below + fields[at])
    }

    /// Generates valid and broken GraphQL with every bracket, quote, comment and escape that the scan must handle.
    fn soup() -> impl Strategy<Value = String> {
        const PIECES: [&str; 26] = [
            "{",
            "}",
            "[",
            "]",
            "(",
            ")",
            "\"",
            "\"\"\"",
            "\\",
            "\\\"",
            "#",
            "\n",
            "\r",
            "@skip(if: true) ",
            "@a",
            "a",
            "b: ",
            "a(b: ",
            "...f ",
            "... on Query { ",
            "fragment f on Query { ",
            "query ",
            "$v: [Int] = ",
            "\u{feff}",
            ", ",
            "{ a ",
        ];
        proptest::collection::vec(0..PIECES.len(), 0..400)
            .prop_map(|pieces| pieces.into_iter().map(|piece| PIECES[piece]).collect())
    }

    /// Generates GraphQL that nests values and selections about to the limit, with brackets in strings and comments.
    fn nested() -> impl Strategy<Value = String> {
        let text = "(\"[^\"\\\\\n\r]{0,8}\"|\"\"\"[\\[{(}\\n a]{0,8}\"\"\")";
        let wraps = |kinds: usize| proptest::collection::vec(0..kinds, 0..20);
        (text, wraps(3), wraps(4)).prop_map(|(text, values, fields)| {
            let value = values.into_iter().fold(text, |inner, kind| match kind {
                0 => format!("[{inner}]"),
                1 => format!("[1, {inner}, 2]"),
                _ => format!("{{k: {inner}}}"),
            });
            let field = fields.into_iter().fold(format!("a(b: {value})"), |inner, kind| match kind {
                0 => format!("a {{ {inner} }}"),
                1 => format!("... on Query {{ {inner} }} # {{\n"),
                2 => format!("x: a(c: \"{{\") {{ {inner} }}"),
                _ => format!("x: a {{ b }} y: a {{ {inner} }}"),
            });
            format!("{{ {field} }}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_the_scan_lets_through_is_parsed_shallowly(query in prop_oneof![soup(), nested()]) {
            if scan(&query).is_ok()
                && let Ok(document) = parse_query(&query)
            {
                prop_assert!(nesting(&document) <= MAX_NESTING);
                count(&document).ok();
            }
        }

        #[test]
        fn the_scan_refuses_no_query_that_nests_little(query in nested()) {
            let document = parse_query(&query).expect("the generator writes GraphQL");
            if query.len() <= MAX_QUERY_BYTES && nesting(&document) <= MAX_NESTING {
                prop_assert_eq!(scan(&query), Ok(()));
            }
        }

        #[test]
        fn fragments_count_as_if_each_spread_were_expanded(
            spreads in proptest::collection::vec(proptest::collection::vec(0..5_usize, 0..4), 5),
            fields in proptest::collection::vec(1..4_u64, 5),
        ) {
            let body = |at: usize| {
                let fields = (0..fields[at]).map(|n| format!("a{n}: hello "));
                fields.chain(spreads[at].iter().map(|next| format!("...f{next} "))).collect::<String>()
            };
            let fragments = joined(5, |at| format!("fragment f{at} on Query {{ {} }} ", body(at)));
            let counted = count(&parse_query(format!("{{ a {{ ...f0 }} }} {fragments}")).unwrap());
            let expected = expanded(&spreads, &fields, 0, &mut Vec::new()).is_some_and(|sum| sum < MAX_FIELDS as u64);
            prop_assert_eq!(counted.is_ok(), expected);
        }
    }

    #[test]
    fn twenty_fields_fit_at_the_top_and_not_one_more_whatever_stands_below_them() {
        let aliases = |n: usize| joined(n, |n| format!("a{n}: viewer {{ id name }} "));
        assert!(count(&parse_query(format!("{{ {} }}", aliases(20))).unwrap()).is_ok());
        assert!(count(&parse_query(format!("{{ {} }}", aliases(21))).unwrap()).is_err());
        let spread = |n| format!("{{ ...f b: hello }} fragment f on Query {{ {} }}", aliases(n));
        assert!(count(&parse_query(spread(19)).unwrap()).is_ok());
        assert!(count(&parse_query(spread(20)).unwrap()).is_err());
    }

    #[test]
    fn ten_mutations_fit_and_eleven_do_not() {
        let mutations = |n: usize| {
            let fields = joined(n, |n| format!("m{n}: delete_api_key(input: {{key_id: \"x\"}}) {{ success }} "));
            parse_query(format!("mutation {{ {fields} }}")).unwrap()
        };
        assert!(count(&mutations(10)).is_ok());
        assert!(count(&mutations(11)).is_err());
    }

    #[test]
    fn a_mutation_is_selected_once_under_each_key() {
        let is_ok = |query: &str| count(&parse_query(query).unwrap()).is_ok();
        let fragment = "fragment f on Mutation { revoke_calendar_feed { success } }";
        assert!(is_ok("mutation { a: revoke_calendar_feed { success } b: revoke_calendar_feed { success } }"));
        assert!(is_ok(&format!("mutation {{ ...f b: revoke_calendar_feed {{ success }} }} {fragment}")));
        assert!(!is_ok("mutation { revoke_calendar_feed { success } revoke_calendar_feed { error } }"));
        assert!(!is_ok(&format!("mutation {{ ...f ...f }} {fragment}")));
        assert!(!is_ok(&format!("mutation {{ ...f ... {{ revoke_calendar_feed {{ error }} }} }} {fragment}")));
        assert!(is_ok("{ viewer { id } viewer { name } }"));
    }
}
