//! What a browser remembers of a person's preferences.

use app::request::Theme;
use axum::response::{IntoResponse, Redirect, Response};

use crate::{
    form::{Fields, own_path},
    headers,
};

/// `POST /preferences/theme`. A cookie keeps the theme, so that the server sends the right colours in the first answer.
pub(crate) async fn set_theme(fields: Fields) -> Response {
    let theme = Theme::from_word(fields.get("theme"));
    let mut response = Redirect::to(own_path(fields.get("return_to"))).into_response();
    headers::set_theme(&mut response, theme.word());
    response
}
