//! Which scopes a request demands of a key.

use axum::extract::Request;
use domain::Scope;
use http::{Extensions, HeaderMap, HeaderName, Method};

/// The header with demanded scopes, for proxies that can't choose the query.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-latchkey-scope");
/// The most scopes that one request demands.
const MAX_DEMANDED: usize = 16;

/// The method of the request that a trusted proxy asks about, in the request's extensions.
#[derive(Clone, Debug)]
struct ForwardedMethod(Method);

/// The headers in which proxies name the method, as each of them does by itself or in our documentation.
const METHODS: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-method"), HeaderName::from_static("x-original-method")];

/// Remembers the method that a trusted proxy names.
pub(super) fn note_method(request: &mut Request) {
    let named = METHODS.iter().find_map(|name| request.headers().get(name));
    // Methods are case-sensitive, and an unknown one isn't safe.
    if let Some(method) = named.and_then(|method| Method::from_bytes(method.as_bytes()).ok()) {
        request.extensions_mut().insert(ForwardedMethod(method));
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

/// Reads `scope`, and `scope_safe` or `scope_unsafe` by the method of the request that the proxy asks about. A method that
/// no trusted proxy names isn't safe. All of them are demanded, so that nobody loosens a demand by adding to it.
pub(super) fn of_query(query: &str, extensions: &Extensions) -> Result<Vec<Scope>, String> {
    let is_safe = extensions.get::<ForwardedMethod>().is_some_and(|method| method.0.is_safe());
    let mut demanded = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "scope" => parse(&value, &mut demanded)?,
            "scope_safe" if is_safe => parse(&value, &mut demanded)?,
            "scope_unsafe" if !is_safe => parse(&value, &mut demanded)?,
            _ => (),
        }
    }
    Ok(demanded)
}

/// Adds what the header demands.
pub(super) fn add_header(headers: &HeaderMap, demanded: &mut Vec<Scope>) -> Result<(), String> {
    for value in headers.get_all(HEADER) {
        let text = value.to_str().map_err(|_| format!("The header {HEADER} can't be read."))?;
        parse(text, demanded)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demanded(query: &str, method: Option<Method>) -> Result<String, String> {
        let mut extensions = Extensions::new();
        if let Some(method) = method {
            extensions.insert(ForwardedMethod(method));
        }
        let scopes = of_query(query, &extensions)?;
        Ok(scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn the_method_chooses_and_repeated_scopes_add_up() {
        let query = "scope_safe=a:read&scope_unsafe=a:write&x=y";
        assert_eq!(demanded(query, Some(Method::GET)).unwrap(), "a:read");
        assert_eq!(demanded(query, Some(Method::POST)).unwrap(), "a:write");
        assert_eq!(demanded(query, Method::from_bytes(b"get").ok()).unwrap(), "a:write");
        assert_eq!(demanded(query, None).unwrap(), "a:write");
        assert_eq!(demanded("scope=a:read&scope=b%3Aread+c:read&scope=a:read", None).unwrap(), "a:read b:read c:read");
        assert_eq!(demanded("q=scope", None).unwrap(), "");
        assert!(demanded("scope=openid", None).unwrap_err().contains("openid"));
    }
}
