//! Preferences that the browser stores.

use app::request::Theme;
use axum::response::{IntoResponse, Redirect, Response};

use crate::{
    form::{Fields, own_path},
    headers,
};

/// `POST /preferences/theme`. The theme is in a cookie, so that the server's first response already uses it.
pub(crate) async fn set_theme(fields: Fields) -> Response {
    let theme = Theme::from_code(fields.get("theme"));
    let mut response = Redirect::to(own_path(fields.get("return_to"))).into_response();
    headers::set_theme(&mut response, theme.code());
    response
}
