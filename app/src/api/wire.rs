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

/// Stands in a page for a secret that the page doesn't know yet: the script puts in what an act reveals. No secret holds it.
pub const SECRET_PLACEHOLDER: &str = "{secret}";

/// The header in which the script names the tenant that its page shows.
pub const TENANT_HEADER: &str = "x-latchkey-tenant";
