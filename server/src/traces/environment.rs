//! The environment variables of `OpenTelemetry` that its library doesn't read, or doesn't check.
//!
//! See <https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>.

use std::{path::PathBuf, time::Duration};

/// The only protocol that is supported.
const PROTOCOL: &str = "http/protobuf";
/// How long sending a batch may take, unless a variable says otherwise.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Variables that would be ignored, although security depends on them.
const UNSUPPORTED: [&str; 2] = ["CLIENT_KEY", "CLIENT_CERTIFICATE"];

/// What the variables ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Environment {
    /// The name of the service, if `OTEL_SERVICE_NAME` has one.
    pub(super) service_name: Option<String>,
    /// How long sending a batch may take.
    pub(super) timeout: Duration,
    /// The file with the certificates of the authorities that are trusted, instead of the public ones.
    pub(super) certificate: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables. Returns `None` if they ask for no traces: without an address, nothing is sent.
    ///
    /// # Errors
    /// When they ask for something that isn't supported. The message names the variable.
    pub(super) fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        // An empty variable counts as unset.
        let read = |name: &str| variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        // The variable of traces takes precedence over that of all signals.
        let of_exporter = |name: &str| {
            let names = [format!("OTEL_EXPORTER_OTLP_TRACES_{name}"), format!("OTEL_EXPORTER_OTLP_{name}")];
            names.into_iter().find_map(|name| read(&name).map(|value| (name, value)))
        };
        let is_disabled = read("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let exporters = read("OTEL_TRACES_EXPORTER").unwrap_or_else(|| "otlp".to_owned());
        let Some((_, endpoint)) = of_exporter("ENDPOINT").filter(|_| !is_disabled && exporters != "none") else {
            return Ok(None);
        };
        if exporters != "otlp" {
            return Err("OTEL_TRACES_EXPORTER: only otlp and none are supported".to_owned());
        }
        if let Some((name, _)) = of_exporter("PROTOCOL").filter(|(_, value)| !value.eq_ignore_ascii_case(PROTOCOL)) {
            return Err(format!("{name}: only {PROTOCOL} is supported"));
        }
        if let Some((name, _)) = UNSUPPORTED.into_iter().find_map(of_exporter) {
            return Err(format!("{name}: not supported"));
        }
        if !is_http(&endpoint) {
            return Err("OTEL_EXPORTER_OTLP_ENDPOINT: must be of the form http://host:port or https://host:port".into());
        }
        let timeout = of_exporter("TIMEOUT").and_then(|(_, value)| value.parse().ok()).map(Duration::from_millis);
        Ok(Some(Self {
            service_name: read("OTEL_SERVICE_NAME"),
            timeout: timeout.unwrap_or(TIMEOUT),
            certificate: of_exporter("CERTIFICATE").map(|(_, path)| PathBuf::from(path)),
        }))
    }
}

fn is_http(endpoint: &str) -> bool {
    url::Url::parse(endpoint).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Environment>, String> {
        let found =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Environment::read(found)
    }

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");

    #[test]
    fn traces_are_off_without_an_address_and_when_they_are_disabled() {
        for variables in [
            &[][..],
            &[("OTEL_SERVICE_NAME", "keys")],
            &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
            &[ENDPOINT, ("OTEL_SDK_DISABLED", "TRUE")],
            &[ENDPOINT, ("OTEL_TRACES_EXPORTER", "none")],
            &[
                ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://collector:4318"),
                ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ],
        ] {
            assert_eq!(read(variables), Ok(None), "{variables:?}");
        }
    }

    #[test]
    fn the_variables_of_traces_take_precedence() {
        let read = read(&[
            ENDPOINT,
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "5000"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/etc/ca.pem"),
            ("OTEL_SERVICE_NAME", "keys"),
        ]);
        let expected = Environment {
            service_name: Some("keys".to_owned()),
            timeout: Duration::from_millis(250),
            certificate: Some("/etc/ca.pem".into()),
        };
        assert_eq!(read, Ok(Some(expected)));
        let only_traces = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://collector/v1/traces")];
        let expected = Environment { service_name: None, timeout: TIMEOUT, certificate: None };
        assert_eq!(super::tests::read(&only_traces), Ok(Some(expected)));
    }

    #[test]
    fn what_is_not_supported_is_named_without_its_value() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json"),
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "/etc/key.pem"),
        ] {
            let message = read(&[ENDPOINT, (name, value)]).unwrap_err();
            assert!(message.starts_with(name) && !message.contains(value), "{message}");
        }
        let message = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]).unwrap_err();
        assert!(message.starts_with("OTEL_EXPORTER_OTLP_ENDPOINT") && !message.contains("collector"), "{message}");
    }
}
