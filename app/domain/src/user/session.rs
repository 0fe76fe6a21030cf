//! Browser sessions, as shown to their user.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::SessionId;

/// A browser in which a user is signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserSession {
    /// The session's id. Not the secret in the cookie.
    pub id: SessionId,
    /// When the user signed in.
    pub signed_in_at: DateTime<Utc>,
    /// When the session was last used, to the minute.
    pub seen_at: DateTime<Utc>,
    /// The IP address that it was last used from, if known.
    pub address: Option<String>,
    /// The browser's `User-Agent`, if known.
    pub user_agent: Option<String>,
    /// Whether it is the session of this request.
    pub is_this: bool,
    /// The addresses of the open invitations that were created in it. Ending it from another session cancels them.
    pub invitations: Vec<String>,
    /// Whether the link of the user's expiry calendar was created in it. Ending it from another session turns that off.
    pub has_calendar_link: bool,
}

impl BrowserSession {
    /// Returns the browser and operating system according to the `User-Agent`, like "Firefox on Windows".
    pub fn browser(&self) -> String {
        let Some(agent) = self.user_agent.as_deref() else { return "Unknown browser".to_owned() };
        let find =
            |words: &[(&str, &'static str)]| words.iter().find(|(word, _)| agent.contains(word)).map(|(_, name)| *name);
        // The order matters: Edge also claims to be Chrome, Chrome to be Safari, and iPhones to be Mac OS.
        let browser = find(&[
            ("Edg/", "Edge"),
            ("OPR/", "Opera"),
            ("Firefox/", "Firefox"),
            ("Chrome/", "Chrome"),
            ("Safari/", "Safari"),
        ]);
        let system = find(&[
            ("Android", "Android"),
            ("iPhone", "iPhone"),
            ("iPad", "iPad"),
            ("Windows", "Windows"),
            ("Mac OS", "macOS"),
            ("Linux", "Linux"),
        ]);
        match (browser, system) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(browser), None) => browser.to_owned(),
            _ => agent.chars().take(60).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_by_its_user_agent() {
        let named = |agent: &str| {
            let at = DateTime::UNIX_EPOCH;
            let user_agent = Some(agent.to_owned());
            BrowserSession {
                id: SessionId::default(),
                signed_in_at: at,
                seen_at: at,
                address: None,
                user_agent,
                is_this: false,
                invitations: Vec::new(),
                has_calendar_link: false,
            }
            .browser()
        };
        assert_eq!(named("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"), "Firefox on Linux");
        assert_eq!(
            named("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0"),
            "Edge on Windows"
        );
        assert_eq!(named("curl/8.5.0"), "curl/8.5.0");
    }
}
