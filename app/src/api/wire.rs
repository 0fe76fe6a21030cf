//! Names that both sides of the browser's API agree on, beside the operations and their arguments.

/// The names of the fields that a form sends beside the arguments.
pub mod field {
    /// The path of the page that shows the form.
    pub const PAGE: &str = "page";
    /// Where a success leads.
    pub const THEN: &str = "then";
    /// The tenant that was selected when the page was opened.
    pub const TENANT: &str = "in_tenant";
}

/// A page's placeholder for a secret that isn't known yet: the script replaces it with what an act reveals. No secret contains
/// these characters.
pub const SECRET_PLACEHOLDER: &str = "{secret}";

/// Where the script confirms who is signed in, before it calls a function.
pub const CONFIRM_PATH: &str = "/user/confirm";

/// The header in which the script names the tenant that its page shows.
pub const TENANT_HEADER: &str = "x-latchkey-tenant";
