//! Where a request carries a key.

use std::borrow::Cow;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderName, header};

/// Standard base64, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a request carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Credential<'a> {
    /// No key.
    None,
    /// What may be a key's token.
    Token(Cow<'a, str>),
    /// Two different ones, or one that can't be read.
    Unusable,
}

impl<'a> Credential<'a> {
    /// Finds the key in `Authorization: Bearer`, in the password of `Authorization: Basic`, or in the header `named`.
    /// Never in the query, which is logged. The same key in two places is one key.
    pub(crate) fn find(headers: &'a HeaderMap, named: &HeaderName) -> Self {
        let in_authorization = headers
            .get(header::AUTHORIZATION)
            .map_or(Self::None, |value| value.to_str().map_or(Self::Unusable, Self::of_authorization));
        let in_named = headers.get_all(named).iter().map(|value| match value.to_str().map(str::trim) {
            Ok("") => Self::None,
            Ok(token) => Self::Token(token.into()),
            Err(_) => Self::Unusable,
        });
        in_named.fold(in_authorization, Self::and)
    }

    /// Reads the value of `Authorization`. Another scheme carries no key.
    pub(super) fn of_authorization(value: &'a str) -> Self {
        let value = value.trim();
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("Bearer") {
            return if rest.is_empty() { Self::Unusable } else { Self::Token(rest.into()) };
        }
        if scheme.eq_ignore_ascii_case("Basic") {
            return Self::of_basic(rest);
        }
        Self::None
    }

    /// Like [`Credential::find`], for a caller who may also be nobody: what is there and can't be read is unusable, so that
    /// nobody is taken for an anonymous caller, who sees every tenant's keys, because of a typing error.
    pub(super) fn find_of_caller(headers: &'a HeaderMap, named: &HeaderName) -> Self {
        match Self::find(headers, named) {
            Self::None if headers.contains_key(header::AUTHORIZATION) || headers.contains_key(named) => Self::Unusable,
            found => found,
        }
    }

    /// The password or, if there is none, the user.
    fn of_basic(encoded: &str) -> Self {
        let decoded = BASE64.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(decoded) = decoded else { return Self::Unusable };
        let (user, password) = decoded.split_once(':').unwrap_or((decoded.as_str(), ""));
        match if password.is_empty() { user } else { password } {
            "" => Self::None,
            token => Self::Token(token.to_owned().into()),
        }
    }

    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, only) | (only, Self::None) => only,
            (one, other) if one == other => one,
            _ => Self::Unusable,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const NAMED: HeaderName = HeaderName::from_static("x-api-key");

    fn found(lines: &[(&'static str, &str)]) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        match Credential::find(&headers, &NAMED) {
            Credential::None => "none".to_owned(),
            Credential::Token(token) => token.into_owned(),
            Credential::Unusable => "unusable".to_owned(),
        }
    }

    #[test]
    fn a_key_is_found_wherever_clients_put_it() {
        for value in
            ["Bearer T", "bearer T", "BEARER  T ", "Basic OlQ=", "basic OlQ", "Basic VDo=", "Basic VA==", "Basic YTpU"]
        {
            assert_eq!(found(&[("authorization", value)]), "T", "{value}");
        }
        assert_eq!(found(&[("x-api-key", "T")]), "T");
        assert_eq!(found(&[("authorization", "Digest x"), ("x-api-key", "T")]), "T");
        assert_eq!(found(&[("authorization", "Bearer T"), ("x-api-key", " T ")]), "T", "the same twice");
    }

    #[test]
    fn a_caller_who_shows_something_unreadable_is_not_nobody() {
        for (name, value) in [
            ("authorization", "Token T"),
            ("authorization", "T"),
            ("authorization", "Basic Og=="),
            ("authorization", ""),
            ("x-api-key", ""),
        ] {
            let headers = HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))]);
            assert_eq!(Credential::find_of_caller(&headers, &NAMED), Credential::Unusable, "{name}: {value}");
        }
        assert_eq!(Credential::find_of_caller(&HeaderMap::new(), &NAMED), Credential::None);
    }

    #[test]
    fn what_is_not_one_key_is_refused() {
        assert_eq!(found(&[]), "none");
        assert_eq!(found(&[("x-api-key", "")]), "none");
        assert_eq!(found(&[("authorization", "Digest x")]), "none");
        assert_eq!(found(&[("authorization", "Basic Og==")]), "none");
        for value in ["Bearer", "Bearer ", "Basic", "Basic !", "Basic /w=="] {
            assert_eq!(
                found(&[("authorization", value)]),
                if value == "Basic" { "none" } else { "unusable" },
                "{value}"
            );
        }
        assert_eq!(found(&[("authorization", "Bearer T"), ("x-api-key", "U")]), "unusable");
        assert_eq!(found(&[("x-api-key", "T"), ("x-api-key", "U")]), "unusable");
    }
}
