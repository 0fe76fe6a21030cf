//! Names that the server and the browser share, besides the operations and their arguments.

/// The names of the fields that every form sends in addition to its arguments.
pub mod field {
    /// The path of the page that shows the form.
    pub const PAGE: &str = "page";
    /// The path to go to after success.
    pub const THEN: &str = "then";
    /// The id of the tenant that was selected when the page was opened.
    pub const TENANT: &str = "in_tenant";
}

/// The fields that a form may post several times, as from checkboxes. Their texts are joined with spaces; of any other
/// field, the last one counts.
pub const LISTS: [&str; 1] = ["scopes"];

/// The placeholder in a page for a secret that doesn't exist yet. The script replaces it with the new token or link. No
/// secret contains these characters.
pub const SECRET_PLACEHOLDER: &str = "{secret}";

/// The placeholder in a page for the id of a key that doesn't exist yet, in the path that the page polls.
pub const KEY_PLACEHOLDER: &str = "{key}";

/// The path to which the script posts a confirmation of the person's identity before it calls a function.
pub const CONFIRM_PATH: &str = "/user/confirm";

/// The header with the id of the tenant that the script's page shows.
pub const TENANT_HEADER: &str = "x-latchkey-tenant";

/// The path of the search over everything.
pub const SEARCH: &str = "/search";
/// The id of the template with the search before anything is typed.
pub const SEARCH_CARD: &str = "search-card";
