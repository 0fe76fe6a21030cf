//! Widgets, one a file. Islands run in the browser too; everything else is HTML from the server.

pub mod accounts_board;
pub mod as_code;
pub mod create_key;
pub mod dialog;
pub mod expiry_field;
pub mod field;
pub mod icon;
pub mod key_table;
pub mod keys_board;
pub mod last_use;
pub mod reveal;
pub mod revoke_key;
pub mod role_field;
pub mod sort_header;
pub mod status;
pub mod time;
pub mod toast;
pub mod trash_link;
