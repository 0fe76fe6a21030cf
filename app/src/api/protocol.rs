//! The protocol of server functions. Leptos's own protocol adds half as much again to the size of the WASM, reports
//! every failure with status 500, and redirects forms to their referrer; see decision 0010.
//!
//! [`Acts`] takes urlencoded fields, as a form without JavaScript posts them. If there are two fields of the same name,
//! the later one counts; an empty field is the same as a missing one. [`Reads`] takes JSON. Both respond with JSON: the
//! result, or the [`ApiError`] with its status. When the request carries [`AsPage`], the result isn't serialized: see
//! [`Answer`].

use std::marker::PhantomData;

use domain::{ApiError, Outcome};

use super::error::AppError;

/// The protocol of a function that changes something.
pub struct Acts<I>(PhantomData<I>);

/// The protocol of a function that reads.
pub struct Reads<I>(PhantomData<I>);

/// Marks a request whose result is rendered as a page, so that no JSON is written.
#[derive(Clone, Copy, Debug)]
pub struct AsPage;

/// The result of a function that changes something, in the extensions of its response.
#[derive(Clone, Debug)]
pub struct Answer(pub Result<Outcome, ApiError>);

#[cfg(feature = "ssr")]
mod server {
    use axum::{
        body::{Body, to_bytes},
        http::{HeaderValue, Request, Response, StatusCode, header},
    };
    use domain::{
        ApiError, ErrorCode,
        input::{Act, Fields, Input},
    };
    use leptos::server_fn::{Protocol, axum::AxumServerFnBackend, client::Client};
    use serde::Serialize;

    use super::{Acts, Answer, AppError, AsPage, Reads};

    /// The maximum size of the arguments in bytes. It is also the router's limit.
    const MAX_BYTES: usize = 64 * 1024;

    impl<A, I, C> Protocol<A, I::Output, C, AxumServerFnBackend, AppError> for Acts<I>
    where
        A: From<I> + Send,
        I: Act,
        C: Client<AppError>,
    {
        const METHOD: http::Method = http::Method::POST;

        async fn run_server<F, Fut>(request: Request<Body>, server_fn: F) -> Result<Response<Body>, AppError>
        where
            F: Fn(A) -> Fut + Send,
            Fut: Future<Output = Result<I::Output, AppError>> + Send,
        {
            let as_page = request.extensions().get::<AsPage>().is_some();
            let now = crate::request::context().services.now();
            let input = read(request).await.and_then(|bytes| fields::<I>(&bytes));
            let output = match input.and_then(|input| input.check(now).map(|()| input)) {
                Ok(input) => server_fn(A::from(input)).await.map_err(ApiError::from),
                Err(error) => Err(error),
            };
            let answer = Answer(output.as_ref().map(I::outcome).map_err(Clone::clone));
            let mut response = if as_page { Response::default() } else { json(&output) };
            response.extensions_mut().insert(answer);
            Ok(response)
        }

        async fn run_client(_: &str, _: A) -> Result<I::Output, AppError> {
            Err(AppError::Transport)
        }
    }

    impl<A, I, C> Protocol<A, I::Output, C, AxumServerFnBackend, AppError> for Reads<I>
    where
        A: From<I> + Send,
        I: Input,
        C: Client<AppError>,
    {
        const METHOD: http::Method = http::Method::POST;

        async fn run_server<F, Fut>(request: Request<Body>, server_fn: F) -> Result<Response<Body>, AppError>
        where
            F: Fn(A) -> Fut + Send,
            Fut: Future<Output = Result<I::Output, AppError>> + Send,
        {
            let input = read(request).await.and_then(|bytes| {
                let bytes = if bytes.is_empty() { b"{}" } else { &*bytes };
                serde_json::from_slice::<I>(bytes).map_err(|_| malformed())
            });
            let output = match input {
                Ok(input) => server_fn(A::from(input)).await.map_err(ApiError::from),
                Err(error) => Err(error),
            };
            Ok(json(&output))
        }

        async fn run_client(_: &str, _: A) -> Result<I::Output, AppError> {
            Err(AppError::Transport)
        }
    }

    async fn read(request: Request<Body>) -> Result<axum::body::Bytes, ApiError> {
        to_bytes(request.into_body(), MAX_BYTES).await.map_err(|_| malformed())
    }

    /// Parses urlencoded fields. If there are two fields of the same name, the later one counts.
    fn fields<I: Fields>(bytes: &[u8]) -> Result<I, ApiError> {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(bytes).map_err(|_| malformed())?;
        let last = |name: &str| pairs.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value.clone());
        I::from_fields(&last).ok_or_else(malformed)
    }

    fn malformed() -> ApiError {
        ApiError::new(ErrorCode::BadUserInput, "This form has expired. Reload and try again.")
    }

    /// The result as JSON. The response must not be stored, because it may contain a token.
    fn json<T: Serialize>(output: &Result<T, ApiError>) -> Response<Body> {
        let (status, body) = match output {
            Ok(value) => (200, serde_json::to_vec(value)),
            Err(error) => (error.code.status(), serde_json::to_vec(error)),
        };
        let mut response = Response::new(Body::from(body.unwrap_or_default()));
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    #[cfg(test)]
    mod tests {
        use domain::api_key::act::RenameKey;

        use super::*;

        #[test]
        fn the_later_field_counts_and_an_empty_one_is_none() {
            let id = "00000000-0000-0000-0000-000000000001";
            let read = |text: String| fields::<RenameKey>(text.as_bytes());
            assert_eq!(read(format!("key={id}&name=a&name=b&other=x")).unwrap().name, "b");
            assert_eq!(read(format!("key={id}&name=")).unwrap().name, "");
            assert_eq!(read("key=none".to_owned()).unwrap_err().code, ErrorCode::BadUserInput);
        }
    }
}

#[cfg(not(feature = "ssr"))]
mod browser {
    use super::{Acts, AppError, Reads};
    use crate::api::client;
    use domain::input::{Act, Input};
    use leptos::server_fn::{Protocol, client::Client, server::Server};

    impl<A, I, C, S> Protocol<A, I::Output, C, S, AppError> for Acts<I>
    where
        A: Into<I> + Send,
        I: Act,
        C: Client<AppError>,
        S: Server<AppError>,
    {
        const METHOD: http::Method = http::Method::POST;

        async fn run_server<F, Fut>(_: S::Request, _: F) -> Result<S::Response, AppError>
        where
            F: Fn(A) -> Fut + Send,
            Fut: Future<Output = Result<I::Output, AppError>> + Send,
        {
            Err(AppError::Transport)
        }

        fn run_client(path: &str, input: A) -> impl Future<Output = Result<I::Output, AppError>> + Send {
            let answer = client::act(path, &input.into().to_fields());
            async move { answer.await?.value() }
        }
    }

    impl<A, I, C, S> Protocol<A, I::Output, C, S, AppError> for Reads<I>
    where
        A: Into<I> + Send,
        I: Input,
        C: Client<AppError>,
        S: Server<AppError>,
    {
        const METHOD: http::Method = http::Method::POST;

        async fn run_server<F, Fut>(_: S::Request, _: F) -> Result<S::Response, AppError>
        where
            F: Fn(A) -> Fut + Send,
            Fut: Future<Output = Result<I::Output, AppError>> + Send,
        {
            Err(AppError::Transport)
        }

        fn run_client(path: &str, input: A) -> impl Future<Output = Result<I::Output, AppError>> + Send {
            let answer = client::read(path, &input.into());
            async move { answer.await?.value() }
        }
    }
}
