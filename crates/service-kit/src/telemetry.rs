//! Log lines, traces and metrics of a process: set up once, before any task.

use std::{
    collections::HashMap,
    io::IsTerminal,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use opentelemetry::{
    Context, KeyValue, propagation::TextMapPropagator, trace::TracerProvider as _,
};
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use serde::{Deserialize, Serialize};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::{
    EnvFilter, Layer, filter::Targets, layer::SubscriberExt, util::SubscriberInitExt,
};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryOptions {
    /// `text` for people, `json` for collectors.
    pub log_format: LogFormat,
    /// As in `RUST_LOG`, for example `info,baogong=debug`.
    pub log_filter: String,
    /// OTLP/gRPC endpoint, for example `http://127.0.0.1:4317`; empty: no
    /// traces are exported.
    pub otlp_endpoint: String,
}

impl Default for TelemetryOptions {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Text,
            log_filter: "info".to_owned(),
            otlp_endpoint: String::new(),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("telemetry.log_filter `{filter}` is not a filter: {message}")]
    Filter { filter: String, message: String },
    #[error("telemetry.otlp_endpoint `{endpoint}` cannot be used: {message}")]
    Endpoint { endpoint: String, message: String },
}

static EXPORTING: AtomicBool = AtomicBool::new(false);
static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Keeps the exporter; what it still holds is sent when it is dropped.
#[must_use = "traces are flushed when the guard is dropped"]
pub struct Guard(Option<SdkTracerProvider>);

impl Drop for Guard {
    fn drop(&mut self) {
        if let Some(provider) = &self.0 {
            let _ = provider.shutdown();
        }
    }
}

/// Sets up log lines and, where an endpoint is given, the export of traces.
/// Call it once in a process, inside the async runtime.
///
/// # Errors
/// The filter or the endpoint is not valid.
pub fn init(options: &TelemetryOptions, process: &str) -> Result<Guard, TelemetryError> {
    let filter = EnvFilter::try_new(&options.log_filter).map_err(|e| TelemetryError::Filter {
        filter: options.log_filter.clone(),
        message: e.to_string(),
    })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match options.log_format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    }
    .with_filter(filter);
    let provider = tracer(options, process)?;
    // A filter of its own: fewer log lines must not mean fewer spans. Only
    // Baogong's spans, or the exporter's own calls would be traced for ever.
    let traces = provider.as_ref().map(|provider| {
        tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("baogong"))
            .with_filter(Targets::new().with_target("service_kit", tracing::Level::INFO))
    });
    EXPORTING.store(provider.is_some(), Ordering::SeqCst);
    // A second call in a process (tests) keeps the first subscriber.
    let _ = tracing_subscriber::registry()
        .with(traces)
        .with(lines)
        .try_init();
    Ok(Guard(provider))
}

fn tracer(
    options: &TelemetryOptions,
    process: &str,
) -> Result<Option<SdkTracerProvider>, TelemetryError> {
    if options.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&options.otlp_endpoint)
        .build()
        .map_err(|e| TelemetryError::Endpoint {
            endpoint: options.otlp_endpoint.clone(),
            message: e.to_string(),
        })?;
    let resource = Resource::builder()
        .with_service_name(process.to_owned())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(Some(
        SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build(),
    ))
}

/// Whether spans are recorded and exported at all.
#[must_use]
pub fn exporting() -> bool {
    EXPORTING.load(Ordering::Relaxed)
}

/// The remote context that a `traceparent` names.
#[must_use]
pub fn context_of(traceparent: &str) -> Context {
    let carrier = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract(&carrier)
}

/// W3C `traceparent` of a span; empty where traces are off.
#[must_use]
pub fn traceparent(span: &tracing::Span) -> String {
    if !exporting() {
        return String::new();
    }
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove("traceparent").unwrap_or_default()
}

/// The process's metrics; the first call installs the recorder.
pub fn metrics() -> &'static PrometheusHandle {
    METRICS.get_or_init(|| {
        let builder = PrometheusBuilder::new()
            .set_buckets_for_metric(
                Matcher::Suffix("_seconds".to_owned()),
                &[
                    0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0,
                ],
            )
            .and_then(|builder| {
                builder.set_buckets_for_metric(
                    Matcher::Full("baogong_group_records".to_owned()),
                    &[1.0, 4.0, 16.0, 64.0, 256.0, 1024.0],
                )
            })
            .unwrap_or_default();
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        // Another recorder may have been installed by the embedding process.
        let _ = metrics::set_global_recorder(recorder);
        handle
    })
}
