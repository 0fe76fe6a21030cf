//! The two media types of GraphQL over HTTP, and which of them a client accepts.

use http::{HeaderMap, HeaderValue, header};

/// The media type of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: the status is 200 whenever the body is a GraphQL response.
    Json,
    /// `application/graphql-response+json`: the status also says whether the operation was executed.
    GraphqlResponse,
}

impl MediaType {
    /// Returns the media type to respond with: the newer one if the client asks for it and doesn't prefer JSON.
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
        let ranges: Vec<(String, f32)> = lines.flat_map(|line| line.split(',')).map(range).collect();
        let quality = |name: &str| ranges.iter().find(|(range, _)| range == name).map(|(_, quality)| *quality);
        let graphql = quality("application/graphql-response+json").unwrap_or(0.0);
        let json = quality("application/json").or_else(|| quality("application/*")).or_else(|| quality("*/*"));
        if graphql > 0.0 && graphql >= json.unwrap_or(0.0) { Self::GraphqlResponse } else { Self::Json }
    }

    /// Returns the value of `Content-Type`.
    pub(super) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        })
    }
}

/// Parses a media range and its quality value (RFC 9110 §12.5.1). An unreadable quality counts as 1.
fn range(text: &str) -> (String, f32) {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.and_then(|text| text.trim().parse().ok()).unwrap_or(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_media_type_is_answered_when_it_is_asked_for() {
        let accepted = |accept: &'static str| {
            MediaType::accepted(&[(header::ACCEPT, HeaderValue::from_static(accept))].into_iter().collect())
        };
        for accept in [
            "application/graphql-response+json",
            "application/graphql-response+json; charset=utf-8, application/json; charset=utf-8",
            "application/json, application/graphql-response+json",
            "application/graphql-response+json;q=0.9, application/json;q=0.1, */*;q=0.1",
            "Application/GraphQL-Response+JSON",
            "application/graphql-response+json, */*",
        ] {
            assert_eq!(accepted(accept), MediaType::GraphqlResponse, "{accept}");
        }
        for accept in [
            "*/*",
            "application/json",
            "application/*",
            "text/html",
            "",
            "application/json, application/graphql-response+json;q=0.5",
            "application/graphql-response+json;q=0",
        ] {
            assert_eq!(accepted(accept), MediaType::Json, "{accept}");
        }
        assert_eq!(MediaType::accepted(&HeaderMap::new()), MediaType::Json);
    }
}
