//! Bundles `style/main.css` and the files it imports into one minified stylesheet.

use std::path::Path;

use crate::{Result, shown};

/// Reads a stylesheet, replaces its `@import "…"` and `@import "…" layer(x)` lines with the imported files, and removes
/// comments and unnecessary whitespace.
pub fn bundle(main: &Path) -> Result<String> {
    Ok(minify(&inline(main)?))
}

fn inline(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", shown(file)))?;
    let folder = file.parent().unwrap_or(Path::new("."));
    let mut whole = String::with_capacity(text.len());
    for line in text.lines() {
        match line.trim_start().strip_prefix("@import") {
            None => whole.push_str(line),
            Some(rest) => {
                let import = Import::parse(rest).ok_or_else(|| format!("{}: can't follow {line:?}", shown(file)))?;
                whole.push_str(&import.wrap(&inline(&folder.join(import.path))?));
            }
        }
        whole.push('\n');
    }
    Ok(whole)
}

struct Import<'a> {
    path: &'a str,
    layer: Option<&'a str>,
}

impl<'a> Import<'a> {
    /// Parses the part of a line after `@import`, such as `"path" layer(name);`.
    fn parse(rest: &'a str) -> Option<Self> {
        let (path, rest) = rest.trim().strip_prefix('"')?.split_once('"')?;
        let condition = rest.split_once(';')?.0.trim();
        let layer = match condition {
            "" => None,
            _ => Some(condition.strip_prefix("layer(")?.strip_suffix(')')?),
        };
        Some(Self { path, layer })
    }

    fn wrap(&self, content: &str) -> String {
        self.layer.map_or_else(|| content.to_owned(), |layer| format!("@layer {layer} {{\n{content}\n}}"))
    }
}

/// Removes comments, and whitespace where it has no meaning: around `{ } ; ,` and after `:`. Strings are kept, and so
/// are spaces before `:` (`a :hover` is not `a:hover`) and around operators (`calc(1px + 2px)`).
fn minify(text: &str) -> String {
    let mut small = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '/' if rest.peek() == Some(&'*') => {
                skip_comment(&mut rest);
                space(&mut small);
            }
            '"' | '\'' => {
                small.push(character);
                copy_string(character, &mut rest, &mut small);
            }
            '\\' => {
                small.push(character);
                small.extend(rest.next());
            }
            _ if character.is_whitespace() => space(&mut small),
            '{' | '}' | ';' | ',' => {
                close_up(&mut small, character);
                small.push(character);
            }
            _ => small.push(character),
        }
    }
    small.truncate(small.trim_end().len());
    small
}

/// Appends a space, unless the preceding character makes it unnecessary.
fn space(small: &mut String) {
    if !small.is_empty() && !small.ends_with([' ', '{', '}', ';', ',', ':']) {
        small.push(' ');
    }
}

/// Removes a space before a separator, and a semicolon before a closing brace.
fn close_up(small: &mut String, next: char) {
    if small.ends_with(' ') {
        small.pop();
    }
    if next == '}' && small.ends_with(';') {
        small.pop();
    }
}

fn skip_comment(rest: &mut impl Iterator<Item = char>) {
    let mut before = None;
    // The star that opens the comment must not be taken for the one that closes it.
    rest.next();
    for character in rest {
        if before == Some('*') && character == '/' {
            return;
        }
        before = Some(character);
    }
}

fn copy_string(quote: char, rest: &mut impl Iterator<Item = char>, small: &mut String) {
    while let Some(character) = rest.next() {
        small.push(character);
        if character == '\\' {
            small.extend(rest.next());
        } else if character == quote {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minifying_keeps_the_meaning() {
        for (text, small) in [
            ("a {\n  color : red ;\n  margin: 0 1px;\n}\n", "a{color :red;margin:0 1px}"),
            ("a :hover, a:hover { b: calc(1px + 2px) }", "a :hover,a:hover{b:calc(1px + 2px)}"),
            ("/* one */ a /**/ b { c: d } /* two */", "a b{c:d}"),
            ("a::before { content: \"  /* no */ \\\" ; \" }", "a::before{content:\"  /* no */ \\\" ; \"}"),
            ("@media (width < 40rem) and (hover) { a { b: c; } }", "@media (width < 40rem) and (hover){a{b:c}}"),
            (".a\\:b { c: d }", ".a\\:b{c:d}"),
        ] {
            assert_eq!(minify(text), small);
        }
    }

    #[test]
    fn an_import_may_name_a_layer() {
        let import = Import::parse(" \"tokens.css\" layer(tokens);").expect("is an import");
        assert_eq!((import.path, import.layer), ("tokens.css", Some("tokens")));
        assert_eq!(minify(&import.wrap("a { b: c }")), "@layer tokens{a{b:c}}");
        assert_eq!(Import::parse(" \"base.css\";").map(|import| import.layer), Some(None));
        assert!(Import::parse(" url(far.css);").is_none());
        assert!(Import::parse(" \"print.css\" print;").is_none());
    }
}
