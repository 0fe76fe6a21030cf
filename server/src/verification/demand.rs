//! Which scopes a request demands of a key.

use axum::extract::Request;
use domain::Scope;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method};

/// The headers with demanded scopes, for proxies that can't choose the query: for every request, for one with a safe
/// method, and for one with another method.
const HEADER: HeaderName = HeaderName::from_static("x-latchkey-scope");
const HEADER_SAFE: HeaderName = HeaderName::from_static("x-latchkey-scope-safe");
const HEADER_UNSAFE: HeaderName = HeaderName::from_static("x-latchkey-scope-unsafe");
/// The most scopes that one request demands.
const MAX_DEMANDED: usize = 16;

/// Marks a request of a trusted proxy that asks about a request with a safe method.
#[derive(Clone, Copy, Debug)]
struct AsksAboutSafeMethod;

/// The headers in which proxies name the method, as each of them does by itself or in our documentation.
const METHODS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];

/// Remembers whether the method that a trusted proxy names is safe. A proxy sets one of the headers and may pass on the
/// other one as the client sent it, so all of them have to name a safe method. Methods are case-sensitive.
pub(super) fn note_method(request: &mut Request) {
    let headers = request.headers();
    let is_safe = |value: &HeaderValue| Method::from_bytes(value.as_bytes()).is_ok_and(|method| method.is_safe());
    let is_named = METHODS.iter().any(|name| headers.contains_key(name));
    if is_named && METHODS.iter().all(|name| headers.get_all(name).iter().all(is_safe)) {
        request.extensions_mut().insert(AsksAboutSafeMethod);
    }
}

/// Parses scopes separated by spaces or commas. Returns what is wrong as a sentence.
pub(super) fn parse(text: &str, demanded: &mut Vec<Scope>) -> Result<(), String> {
    for part in text.split([' ', ',']).filter(|part| !part.is_empty()) {
        let scope = Scope::parse(part).map_err(|error| error.to_string())?;
        if !demanded.contains(&scope) {
            demanded.push(scope);
        }
    }
    if demanded.len() > MAX_DEMANDED {
        return Err(format!("A request can demand at most {MAX_DEMANDED} scopes."));
    }
    Ok(())
}

/// Like [`parse`], for a demand that is written out: an empty one comes from a variable that isn't set, and would let
/// every key pass.
pub(super) fn parse_stated(text: &str, demanded: &mut Vec<Scope>) -> Result<(), String> {
    if text.split([' ', ',']).all(str::is_empty) {
        return Err("The demanded scope is empty. Leave it out to demand none.".to_owned());
    }
    parse(text, demanded)
}

/// Reads `scope`, and `scope_safe` or `scope_unsafe` by the method of the request that the proxy asks about. A method that
/// no trusted proxy names isn't safe. All of them are demanded, so that nobody loosens a demand by adding to it.
pub(super) fn of_query(query: &str, extensions: &Extensions) -> Result<Vec<Scope>, String> {
    let is_safe = is_safe(extensions);
    let mut demanded = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "scope" => parse_stated(&value, &mut demanded)?,
            "scope_safe" if is_safe => parse_stated(&value, &mut demanded)?,
            "scope_unsafe" if !is_safe => parse_stated(&value, &mut demanded)?,
            _ => (),
        }
    }
    Ok(demanded)
}

/// Whether the request that a trusted proxy asks about has a safe method. If no proxy says so, it doesn't.
pub(super) fn is_safe(extensions: &Extensions) -> bool {
    extensions.get::<AsksAboutSafeMethod>().is_some()
}

/// Adds what the headers demand of a request whose method is safe, or isn't.
pub(super) fn add_headers(headers: &HeaderMap, is_safe: bool, demanded: &mut Vec<Scope>) -> Result<(), String> {
    for name in [HEADER, if is_safe { HEADER_SAFE } else { HEADER_UNSAFE }] {
        for value in headers.get_all(&name) {
            let text = value.to_str().map_err(|_| format!("The header {name} can't be read."))?;
            parse(text, demanded)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demanded(query: &str, named: &[(&str, &str)]) -> Result<String, String> {
        let mut request = Request::default();
        for (name, value) in named {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(name, HeaderValue::from_str(value).unwrap());
        }
        note_method(&mut request);
        let scopes = of_query(query, request.extensions())?;
        Ok(scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_method_chooses_and_repeated_scopes_add_up() {
        let query = "scope_safe=a:read&scope_unsafe=a:write&x=y";
        let (forwarded, original) = ("x-forwarded-method", "x-original-method");
        for (named, scopes) in [
            (&[(forwarded, "GET")][..], "a:read"),
            (&[(original, "HEAD")], "a:read"),
            (&[(forwarded, "POST")], "a:write"),
            (&[(forwarded, "get")], "a:write"),
            (&[], "a:write"),
            (&[(forwarded, "GET"), (original, "POST")], "a:write"),
            (&[(forwarded, "POST"), (original, "GET")], "a:write"),
            (&[(original, "GET"), (original, "DELETE")], "a:write"),
        ] {
            assert_eq!(demanded(query, named).unwrap(), scopes, "{named:?}");
        }
        let repeated = "scope=a:read&scope=b%3Aread+c:read&scope=a:read";
        assert_eq!(demanded(repeated, &[]).unwrap(), "a:read b:read c:read");
        assert_eq!(demanded("q=scope", &[]).unwrap(), "");
        assert!(demanded("scope=openid", &[]).unwrap_err().contains("openid"));
        for empty in ["scope", "scope=", "scope=a:read&scope=%20", "scope_unsafe="] {
            assert!(demanded(empty, &[]).unwrap_err().contains("empty"), "{empty}");
        }
    }

    #[test]
    fn headers_demand_by_the_method_too() {
        let mut headers = HeaderMap::new();
        for (name, value) in [(HEADER, "a:use"), (HEADER_SAFE, "a:read"), (HEADER_UNSAFE, "a:write, b:write")] {
            headers.append(name, HeaderValue::from_static(value));
        }
        let demanded = |is_safe| {
            let mut scopes = Vec::new();
            add_headers(&headers, is_safe, &mut scopes).unwrap();
            scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((demanded(true), demanded(false)), ("a:use a:read".to_owned(), "a:use a:write b:write".to_owned()));
    }
}
