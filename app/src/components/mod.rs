//! Widgets, one a file. Islands run in the browser too; everything else is HTML from the server.

pub mod account_table;
pub mod address;
pub mod as_code;
pub mod concerns;
pub mod confirm_fields;
pub mod delete_account;
pub mod expiry_field;
pub mod facts;
pub mod field;
pub mod icon;
pub mod key_form;
pub mod key_table;
pub mod last_use;
pub mod place;
pub mod reveal;
pub mod revealed_link;
pub mod revoke_key;
pub mod role_field;
pub mod row_menu;
pub mod sort_header;
pub mod status;
pub mod time;
pub mod toast;
pub mod trash_link;
pub mod usage;
