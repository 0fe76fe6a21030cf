//! CSV for spreadsheet programs, which run text that begins with certain characters as a formula (CWE-1236).

/// How a formula begins (OWASP, "CSV Injection"), also in full width, which Japanese and Chinese versions accept.
const OPERATORS: [char; 9] = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '﹣'];
/// What separates cells, whichever separator the program expects: it ignores the quotes that contain another one.
const SEPARATORS: [char; 7] = [';', ',', '|', '\t', '\r', '\n', '\u{85}'];

/// Marks a file as UTF-8 for programs that otherwise expect the encoding of their country.
pub(crate) const BYTE_ORDER_MARK: &[u8] = "\u{FEFF}".as_bytes();

/// Prefixes everything in a text that a program could run as a formula with an apostrophe, which makes it plain text: at
/// the beginning of the text, and of each part that would be a cell of its own with another separator.
pub(crate) fn without_formulas(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    let mut begins_cell = true;
    for c in text.chars() {
        let is_separator = SEPARATORS.contains(&c);
        // Programs skip white space and quotes before a formula.
        let is_skipped = c.is_whitespace() || matches!(c, '"' | '\'' | '\u{FEFF}' | '\u{200B}');
        if begins_cell && (OPERATORS.contains(&c) || (inert.is_empty() && matches!(c, '\t' | '\r'))) {
            inert.push('\'');
        }
        begins_cell = is_separator || (begins_cell && is_skipped);
        inert.push(c);
    }
    inert
}

/// Writes one row of CSV (RFC 4180).
pub(crate) fn row(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    // Writing to memory fails only for a row with a different number of columns than the first.
    write(&mut writer).ok();
    writer.into_inner().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_text_begins_as_a_formula() {
        for (text, inert) in [
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("＝1", "'＝1"),
            ("＋1", "'＋1"),
            ("－1", "'－1"),
            ("＠A1", "'＠A1"),
            ("\t=1", "'\t'=1"),
            ("\rx", "'\rx"),
            (" =1", " '=1"),
            ("\"=1", "\"'=1"),
            ("a;=1", "a;'=1"),
            ("a; ＝1;b", "a; '＝1;b"),
            ("a,+1|@b\n-c", "a,'+1|'@b\n'-c"),
            ("a=b;c-d", "a=b;c-d"),
            ("curl/8.5.0 (x86_64; en)", "curl/8.5.0 (x86_64; en)"),
        ] {
            assert_eq!(without_formulas(text), inert, "{text:?}");
        }
    }

    #[test]
    fn a_row_is_quoted() {
        let row =
            row(|writer| writer.serialize(("a, \"b\"", without_formulas("=HYPERLINK(\"https://evil.example\")"))));
        let text = String::from_utf8(row).unwrap();
        assert_eq!(text, "\"a, \"\"b\"\"\",\"'=HYPERLINK(\"\"https://evil.example\"\")\"\n");
    }
}
