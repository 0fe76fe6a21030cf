//! The HTTP client that sends spans to a collector.

use std::{path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use axum::body::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use opentelemetry_http::HttpError;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use tokio::{runtime::Handle, time::timeout};

use super::environment::Environment;

/// The maximum size of a collector's answer, in bytes.
const MAX_ANSWER: usize = 1_024 * 1_024;

/// A client that works in the server's runtime, although the exporter calls it from a thread of its own.
#[derive(Debug)]
pub(super) struct HttpClient {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    runtime: Handle,
}

impl HttpClient {
    /// Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// When the file with certificates can't be read.
    pub(super) fn new(environment: &Environment) -> Result<Self, String> {
        let tls = tls(environment.certificate.as_deref())?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            timeout: environment.timeout,
            runtime: Handle::current(),
        })
    }
}

#[async_trait]
impl opentelemetry_http::HttpClient for HttpClient {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, limit) = (self.client.clone(), self.timeout);
        self.runtime.spawn(async move { timeout(limit, send(&client, request)).await }).await??
    }
}

async fn send(
    client: &Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = client.request(request.map(Full::new)).await?.into_parts();
    let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
    Ok(Response::from_parts(head, body))
}

/// Returns the settings of TLS, which trust the public authorities or those of a file.
fn tls(certificate: Option<&Path>) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let builder = match certificate {
        Some(path) => builder.with_root_certificates(authorities(path)?),
        None => builder.with_webpki_roots(),
    };
    Ok(builder.with_no_client_auth())
}

fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let unreadable = || "OTEL_EXPORTER_OTLP_CERTIFICATE: no file with PEM certificates".to_owned();
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|_| unreadable())? {
        let certificate = certificate.map_err(|_| unreadable())?;
        authorities.add(certificate).map_err(|_| unreadable())?;
    }
    if authorities.is_empty() { Err(unreadable()) } else { Ok(authorities) }
}
