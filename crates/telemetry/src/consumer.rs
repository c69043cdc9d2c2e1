//! The one reader of outcome records: feeds metrics, log and spans. Its time is the control plane's, but it is the same
//! processor the calls run on, so a record must cost about a microsecond.

use std::io::{self, Write};
use std::sync::Arc;

use gatehouse_domain::CallOutcome;
use gatehouse_upstream::Pool;
use opentelemetry::InstrumentationScope;
use opentelemetry_otlp::ExporterBuildError;
use tokio::runtime::{Handle, TryCurrentError};

use crate::dropped::Dropped;
use crate::exposition::Exposition;
use crate::families::Families;
use crate::log::{self, LogFormat};
use crate::metrics::Metrics;
use crate::otlp::{Origin, Spans};
use crate::sink::Sink;
use crate::trace;
use crate::transport;
use crate::vocabulary::Vocabulary;

/// The `telemetry` section, resolved.
pub struct Settings {
    /// Format of the request log.
    pub log: LogFormat,
    /// Where the log goes: standard output, in the binary.
    pub log_to: Box<dyn Write + Send>,
    /// Base URL of the OpenTelemetry collector; empty for none.
    pub otlp: String,
    /// What spans are sent over.
    pub pool: Pool,
    /// Who we are.
    pub origin: Origin,
}

/// Why telemetry could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system gave us no thread.
    #[error("cannot start the request log: {0}")]
    Log(#[from] io::Error),
    /// The collector's URL is not one.
    #[error("telemetry.otlp must be a URL like http://collector:4318")]
    Endpoint,
    /// Spans are sent from a task.
    #[error("telemetry.otlp needs a runtime: {0}")]
    NoRuntime(#[from] TryCurrentError),
    /// The exporter does not like its settings.
    #[error("telemetry.otlp is not usable: {0}")]
    Otlp(#[from] ExporterBuildError),
}

/// Feeds everything from the record.
pub struct Consumer {
    metrics: Metrics,
    vocabulary: Arc<Vocabulary>,
    lines: log::Writer,
    log: Option<Sink>,
    spans: Option<Spans>,
    scope: InstrumentationScope,
}

impl Consumer {
    /// Starts the log's thread and the span task, as far as they are wanted; the latter on the current runtime.
    ///
    /// # Errors
    /// When the system refuses a thread, the collector's URL cannot be used or there is no runtime to send from.
    pub fn start(settings: Settings, vocabulary: Arc<Vocabulary>) -> Result<(Self, Exposition), StartError> {
        let families = Arc::new(Families::new(&settings.origin.version));
        let dropped = Arc::new(Dropped::default());
        let log = match settings.log {
            LogFormat::Off => None,
            LogFormat::Json | LogFormat::Text => Some(Sink::start(settings.log_to, Arc::clone(&dropped))?),
        };
        let spans = match settings.otlp.trim() {
            "" => None,
            endpoint if transport::origin(endpoint).is_none() => return Err(StartError::Endpoint),
            endpoint => {
                let runtime = Handle::try_current()?;
                Some(Spans::start(endpoint, &runtime, settings.pool, &settings.origin, Arc::clone(&dropped))?)
            }
        };
        let consumer = Self {
            metrics: Metrics::new(Arc::clone(&families), Arc::clone(&vocabulary)),
            vocabulary,
            lines: log::Writer::new(settings.log),
            log,
            spans,
            scope: InstrumentationScope::builder("gatehouse").with_version(settings.origin.version).build(),
        };
        Ok((consumer, Exposition::new(families, dropped)))
    }

    /// Another configuration is in force.
    pub fn learn(&mut self, vocabulary: Arc<Vocabulary>) {
        self.metrics.learn(Arc::clone(&vocabulary));
        self.vocabulary = vocabulary;
    }

    /// Takes the records of one swap. Call it for empty batches as well: spans wait for a full batch or a second, and
    /// this is their clock.
    pub fn take(&mut self, batch: &[CallOutcome]) {
        for call in batch {
            self.metrics.count(call);
        }
        if let (Some(sink), false) = (&self.log, batch.is_empty()) {
            let mut lines = sink.buffer();
            for call in batch {
                self.lines.write(call, &mut lines);
            }
            sink.write(lines);
        }
        if let Some(spans) = &mut self.spans {
            for call in batch {
                trace::spans(call, &self.vocabulary, &self.scope, spans.pending());
            }
            spans.send_due();
        }
    }

    /// Writes and sends what is left. Bound it by a timeout: a reader or collector that does not take it blocks.
    pub async fn close(self) {
        if let Some(spans) = self.spans {
            spans.close().await;
        }
        if let Some(log) = self.log {
            // An error would be a panic while writing: nothing left to save.
            _ = tokio::task::spawn_blocking(move || log.close()).await;
        }
    }
}
