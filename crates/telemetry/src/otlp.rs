//! Sends spans to an OpenTelemetry collector (OTLP over HTTP, protobuf) from a task of its own, in batches, behind a
//! bounded queue. A collector that is slow or gone costs spans, which are counted, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, Sender, channel, error::TrySendError};
use tokio::task::JoinHandle;

use gatehouse_upstream::Pool;

use crate::dropped::Dropped;
use crate::transport::Transport;

/// Spans in a batch, as the conventions have it.
const BATCH: usize = 512;
/// Batches that may wait.
const QUEUE: usize = 8;
/// A batch that is not full goes out after this.
const LINGER: Duration = Duration::from_secs(1);
/// One export, connection included.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Who sends the spans: the resource they belong to.
#[derive(Clone, Debug)]
pub struct Origin {
    /// `service.version`.
    pub version: String,
    /// `service.instance.id`.
    pub instance: String,
}

/// The consumer's end.
pub(crate) struct Spans {
    pending: Vec<SpanData>,
    oldest: Option<Instant>,
    queue: Sender<Vec<SpanData>>,
    task: JoinHandle<()>,
    dropped: Arc<Dropped>,
}

impl Spans {
    /// Starts the task. `endpoint` is the collector's base URL.
    pub(crate) fn start(
        endpoint: &str,
        runtime: &Handle,
        pool: Pool,
        origin: &Origin,
        dropped: Arc<Dropped>,
    ) -> Result<Self, ExporterBuildError> {
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Transport::new(pool, TIMEOUT))
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(traces_url(endpoint))
            .with_timeout(TIMEOUT)
            .build()?;
        exporter.set_resource(
            &Resource::builder()
                .with_service_name("gatehouse")
                .with_attribute(KeyValue::new("service.version", origin.version.clone()))
                .with_attribute(KeyValue::new("service.instance.id", origin.instance.clone()))
                .build(),
        );
        let (queue, batches) = channel(QUEUE);
        let task = runtime.spawn(export_all(exporter, batches, Arc::clone(&dropped)));
        Ok(Self { pending: Vec::with_capacity(BATCH), oldest: None, queue, task, dropped })
    }

    /// Where to append the spans of the next call.
    pub(crate) fn pending(&mut self) -> &mut Vec<SpanData> {
        &mut self.pending
    }

    /// Sends what is due: all full batches, and the last one if it has waited long enough.
    pub(crate) fn send_due(&mut self) {
        while self.pending.len() >= BATCH {
            let rest = self.pending.split_off(BATCH);
            let full = std::mem::replace(&mut self.pending, rest);
            self.send(full);
            self.oldest = None;
        }
        if self.pending.is_empty() {
            return;
        }
        if self.oldest.get_or_insert_with(Instant::now).elapsed() >= LINGER {
            let last = std::mem::take(&mut self.pending);
            self.send(last);
            self.oldest = None;
        }
    }

    fn send(&self, batch: Vec<SpanData>) {
        if let Err(TrySendError::Full(batch) | TrySendError::Closed(batch)) = self.queue.try_send(batch) {
            self.dropped.add_spans(batch.len());
        }
    }

    /// Sends the rest and waits until the queue is empty: a few timeouts at most.
    pub(crate) async fn close(mut self) {
        let last = std::mem::take(&mut self.pending);
        if !last.is_empty() {
            self.send(last);
        }
        drop(self.queue);
        // An error would be a panic of the task; its spans are lost with the process anyway.
        _ = self.task.await;
    }
}

async fn export_all(exporter: SpanExporter, mut batches: Receiver<Vec<SpanData>>, dropped: Arc<Dropped>) {
    while let Some(batch) = batches.recv().await {
        let count = batch.len();
        if let Err(error) = exporter.export(batch).await {
            dropped.add_spans(count);
            tracing::warn!(spans = count, %error, "the collector did not take a batch of spans");
        }
    }
}

/// `telemetry.otlp` is a base URL, as OTEL_EXPORTER_OTLP_ENDPOINT is; one that names the path is taken as it is.
fn traces_url(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    if base.ends_with("/v1/traces") { base.to_owned() } else { format!("{base}/v1/traces") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_may_be_a_base_url_or_the_whole_one() {
        assert_eq!(traces_url("http://c:4318"), "http://c:4318/v1/traces");
        assert_eq!(traces_url("http://c:4318/"), "http://c:4318/v1/traces");
        assert_eq!(traces_url("http://c/otlp/v1/traces"), "http://c/otlp/v1/traces");
    }
}
