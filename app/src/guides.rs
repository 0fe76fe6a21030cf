//! The guides: documentation for people who use keys. They are Markdown files in `server/docs/guide`, which can be read
//! there too; this module renders them as HTML.

use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// The address of the server in the files. The pages contain the real one.
const HOST: &str = "https://keys.example.com";
const HOST_NAME: &str = "keys.example.com";
/// The host's port, where a configuration names it apart.
const PORT: &str = "keys.example.com, port_value: 443";
/// The tenant in the files. The pages for a person contain the selected one.
const TENANT: &str = "acme";
/// The token in the files. The pages for a person with a key contain the beginning of that key's token.
const TOKEN: &str = "lku_EXAMPLE";
/// The button that copies a block of code. The script copies the element after it.
const COPY_BUTTON: &str = "<button type=\"button\" class=\"button small script-only\" data-copy=\"\" aria-label=\"Copy this code\">Copy</button>";

/// One guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guide {
    /// The last part of its path.
    pub slug: &'static str,
    /// What it is about, in one sentence.
    pub summary: &'static str,
    /// The Markdown, which begins with the title as its only heading of the first level.
    source: &'static str,
}

macro_rules! guides {
    ($($slug:literal $summary:literal)*) => {
        /// All guides, in the order in which to read them.
        pub const GUIDES: &[Guide] = &[$(
            Guide {
                slug: $slug,
                summary: $summary,
                source: include_str!(concat!("../../server/docs/guide/", $slug, ".md")),
            },
        )*];
    };
}

guides! {
    "get-started" "Create a key, verify it, and accept it in your API."
    "verify" "What your API sends, what it gets back, and code in four languages."
    "rotate" "Replace a key without failed requests."
    "service-accounts-and-agents" "Keys for automation that keep working when people leave."
    "graphql" "Do everything that the dashboard does from a script."
    "forward-auth" "Let nginx, Caddy or Traefik check keys in front of your service."
    "gateway" "Run Latchkey as a gateway in front of software that has no keys."
}

/// What a guide shows about its reader.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    /// The base URL of the server.
    pub public_url: String,
    /// The beginning of the token of one of the person's keys.
    pub hint: Option<String>,
    /// The slug of the person's tenant.
    pub tenant: Option<String>,
}

impl Reader {
    fn filled(&self, text: &str) -> String {
        // Some configurations name the host alone, beside its port.
        let host = self.public_url.split_once("://").map_or("", |(_, host)| host);
        let port = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let default = if self.public_url.starts_with("http://") { "80" } else { "443" };
        let (name, port) = port.unwrap_or((host, default));
        let text = text
            .replace(HOST, &self.public_url)
            .replace(PORT, &format!("{name}, port_value: {port}"))
            .replace(HOST_NAME, name);
        let text = match &self.hint {
            Some(hint) => text.replace(TOKEN, &format!("{hint}…")),
            None => text,
        };
        match &self.tenant {
            Some(slug) => text
                .replace(&format!("tenant = \"{TENANT}\""), &format!("tenant = \"{slug}\""))
                .replace(&format!("--tenant {TENANT} "), &format!("--tenant {slug} ")),
            None => text,
        }
    }
}

impl Guide {
    /// The guide with this slug.
    pub fn find(slug: &str) -> Option<Self> {
        GUIDES.iter().copied().find(|guide| guide.slug == slug)
    }

    /// The title.
    pub fn title(self) -> &'static str {
        self.source.lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// The path of its page.
    pub fn path(self) -> String {
        format!("/docs/{}", self.slug)
    }

    /// Whether it contains the token that [`Reader::hint`] replaces.
    pub fn has_token(self) -> bool {
        self.source.contains(TOKEN)
    }

    /// The HTML of everything below the title.
    pub fn html(self, reader: &Reader) -> String {
        let mut events = Vec::new();
        let mut heading = None;
        for event in Parser::new_ext(self.source, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => {
                    heading = Some(events.len());
                    events.push(event);
                }
                Event::End(TagEnd::Heading(HeadingLevel::H1)) => events.clear(),
                Event::End(TagEnd::Heading(level)) => {
                    if let Some(at) = heading.take() {
                        let id = anchor(&plain_text(&events[at..]));
                        events[at] = heading_with(level, id);
                    }
                    events.push(event);
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    let language = language(&kind);
                    let head = format!("<div class=\"copied-text\"><p class=\"hint\">{language}</p>{COPY_BUTTON}");
                    events.push(Event::Html(head.into()));
                    events.push(Event::Start(Tag::CodeBlock(kind)));
                }
                Event::End(TagEnd::CodeBlock) => {
                    // Without the last line break, a pasted command isn't run before it has been read.
                    if let Some(Event::Text(code)) = events.last_mut() {
                        *code = code.trim_end().to_owned().into();
                    }
                    events.push(event);
                    events.push(Event::Html("</div>".into()));
                }
                Event::Start(Tag::Table(columns)) => {
                    events.push(Event::Html("<div class=\"wide\">".into()));
                    events.push(Event::Start(Tag::Table(columns)));
                }
                Event::End(TagEnd::Table) => {
                    events.push(event);
                    events.push(Event::Html("</div>".into()));
                }
                Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
                    events.push(Event::Start(Tag::Link { link_type, dest_url: target(&dest_url), title, id }));
                }
                Event::Text(text) => events.push(Event::Text(reader.filled(&text).into())),
                Event::Code(text) => events.push(Event::Code(reader.filled(&text).into())),
                // Comments for those who edit the guide.
                Event::Html(html) if html.starts_with("<!--") => {}
                other => events.push(other),
            }
        }
        let mut page = String::new();
        html::push_html(&mut page, events.into_iter());
        page
    }
}

fn heading_with<'a>(level: HeadingLevel, id: String) -> Event<'a> {
    Event::Start(Tag::Heading { level, id: Some(id.into()), classes: Vec::new(), attrs: Vec::new() })
}

fn plain_text(events: &[Event]) -> String {
    let texts = events.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
        _ => None,
    });
    texts.collect()
}

/// The name of a block's language.
fn language(kind: &CodeBlockKind) -> &'static str {
    let CodeBlockKind::Fenced(code) = kind else { return "" };
    let names = [
        ("sh", "Shell"),
        ("json", "JSON"),
        ("http", "HTTP"),
        ("js", "JavaScript"),
        ("python", "Python"),
        ("go", "Go"),
        ("rust", "Rust"),
        ("graphql", "GraphQL"),
        ("ini", "INI"),
        ("nginx", "nginx"),
        ("caddy", "Caddyfile"),
        ("haproxy", "HAProxy"),
        ("toml", "TOML"),
        ("yaml", "YAML"),
    ];
    names.into_iter().find(|(name, _)| *name == code.as_ref()).map_or("", |(_, label)| label)
}

/// The id of a heading, as GitHub makes it, so that links work in both places.
fn anchor(heading: &str) -> String {
    let heading = heading.to_lowercase().replace(' ', "-");
    heading.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect()
}

/// The target of a link: a page of this server, a heading, or another site.
fn target<'a>(link: &CowStr<'a>) -> CowStr<'a> {
    if let Some(path) = link.strip_prefix(HOST) {
        return path.to_owned().into();
    }
    match link.split_once(".md") {
        Some((slug, fragment)) if Guide::find(slug).is_some() => format!("/docs/{slug}{fragment}").into(),
        _ => link.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn reader() -> Reader {
        Reader {
            public_url: "https://latchkey.acme.example".to_owned(),
            hint: Some("lku_3fA9".to_owned()),
            tenant: Some("bolt-works".to_owned()),
        }
    }

    /// The values of an attribute.
    fn values<'a>(html: &'a str, attribute: &str) -> Vec<&'a str> {
        html.split(attribute).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn every_guide_has_one_title_and_headings_with_unique_ids() {
        for guide in GUIDES {
            let html = guide.html(&reader());
            assert!(!guide.title().is_empty() && !html.contains("<h1"), "{}: the page shows the title", guide.slug);
            let ids = values(&html, " id=\"");
            assert!(ids.len() > 1 && ids.iter().all(|id| !id.is_empty()), "{}", guide.slug);
            assert_eq!(ids.iter().collect::<HashSet<_>>().len(), ids.len(), "{ids:?}");
            assert_eq!(html.matches("<pre>").count(), html.matches("data-copy").count(), "{}", guide.slug);
            assert!(!html.contains("<p class=\"hint\"></p>"), "{}: code in a language without a name", guide.slug);
        }
    }

    #[test]
    fn a_page_contains_the_readers_host_and_key() {
        for guide in GUIDES {
            let html = guide.html(&reader());
            assert!(!html.contains("keys.example.com") && !html.contains(TOKEN), "{}", guide.slug);
            assert_eq!(html.contains("lku_3fA9…"), guide.has_token(), "{}", guide.slug);
        }
        let signed_out = GUIDES[0].html(&Reader { hint: None, ..reader() });
        assert!(signed_out.contains("TOKEN=lku_EXAMPLE"), "{signed_out}");
    }

    #[test]
    fn a_configuration_contains_the_readers_port_and_tenant() {
        let html = |slug: &str, reader: &Reader| Guide::find(slug).unwrap().html(reader);
        let local = Reader { public_url: "http://127.0.0.1:3000".to_owned(), ..reader() };
        assert!(html("forward-auth", &local).contains("address: 127.0.0.1, port_value: 3000"));
        assert!(html("forward-auth", &reader()).contains("address: latchkey.acme.example, port_value: 443"));
        let gateway = html("gateway", &reader());
        assert!(gateway.contains("tenant = &quot;bolt-works&quot;") || gateway.contains("tenant = \"bolt-works\""));
        assert!(gateway.contains("--tenant bolt-works ") && !gateway.contains(TENANT), "{gateway}");
    }

    #[test]
    fn a_host_is_never_read_as_markup() {
        let html = GUIDES[0].html(&Reader { public_url: "https://a.example/<b>*x*".to_owned(), ..Reader::default() });
        assert!(html.contains("https://a.example/&lt;b&gt;*x*"), "{html}");
    }

    #[test]
    fn every_link_to_a_guide_leads_to_a_guide_and_a_heading() {
        for guide in GUIDES {
            for link in values(&guide.html(&reader()), "href=\"") {
                assert!(!link.contains(".md"), "{}: {link}", guide.slug);
                let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
                let linked = match path.strip_prefix("/docs/") {
                    Some(slug) => Guide::find(slug).unwrap_or_else(|| panic!("{}: no guide {slug}", guide.slug)),
                    None if path.is_empty() => *guide,
                    None => continue,
                };
                let id = format!(" id=\"{fragment}\"");
                assert!(fragment.is_empty() || linked.html(&reader()).contains(&id), "{}: {link}", guide.slug);
            }
        }
    }

    #[test]
    fn a_copied_command_does_not_end_with_a_line_break() {
        for guide in GUIDES {
            assert!(!guide.html(&reader()).contains("\n</code></pre>"), "{}", guide.slug);
        }
    }
}
