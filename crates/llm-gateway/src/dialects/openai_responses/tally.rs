//! Counts answers that are forwarded byte for byte.

use std::sync::LazyLock;

use bytes::Bytes;
use memchr::memmem::Finder;
use serde::Deserialize;

use super::answer::ResponseIn;
use crate::dialects::openai_shared::lines::DataLines;
use crate::dialects::{Counted, Tally};

/// How far into an event its type is looked for. It comes first wherever this dialect is spoken.
const HEAD_BYTES: usize = 96;

/// A tally.
pub(super) fn tally() -> Box<dyn Tally> {
    Box::new(ResponsesTally {
        lines: DataLines::default(),
        scan: Scan { marks: &MARKS, counted: Counted::default(), envelope: u64::MAX },
    })
}

struct ResponsesTally {
    lines: DataLines,
    scan: Scan,
}

/// What is searched for. Made once: a finder is a quarter of a kilobyte, and there may be thousands of streams.
struct Marks {
    kind: Finder<'static>,
    error: Finder<'static>,
}

static MARKS: LazyLock<Marks> =
    LazyLock::new(|| Marks { kind: Finder::new("\"response."), error: Finder::new("\"type\":\"error\"") });

struct Scan {
    marks: &'static Marks,
    counted: Counted,
    /// The shortest delta so far: about what a delta takes without its text.
    envelope: u64,
}

impl Tally for ResponsesTally {
    fn feed(&mut self, bytes: &Bytes) {
        let scan = &mut self.scan;
        self.lines.feed(bytes, &mut |data| scan.frame(data));
    }

    fn counted(&self) -> Counted {
        self.scan.counted.clone()
    }
}

impl Scan {
    /// Looks at one event. Only the last one is parsed.
    fn frame(&mut self, data: &[u8]) {
        let head = &data[..data.len().min(HEAD_BYTES)];
        let Marks { kind, error } = self.marks;
        let Some(at) = kind.find(head).or_else(|| kind.find(data)) else {
            self.counted.failed |= error.find(head).is_some();
            return;
        };
        let rest = &data[at + kind.needle().len()..];
        let kind = rest.split(|&byte| byte == b'"').next().unwrap_or_default();
        match kind {
            b"completed" | b"incomplete" => self.last(data),
            b"failed" => {
                self.last(data);
                self.counted.failed = true;
            }
            _ if kind.ends_with(b".delta") => {
                let bytes = data.len() as u64;
                self.envelope = self.envelope.min(bytes);
                self.counted.output_bytes += bytes - self.envelope + 1;
            }
            _ => {}
        }
    }

    fn last(&mut self, data: &[u8]) {
        if let Ok(LastIn { response: Some(response) }) = serde_json::from_slice(data) {
            self.counted.stop = Some(response.stop(response.waits(), false).0);
            self.counted.usage = response.usage();
        }
        self.counted.complete = true;
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct LastIn {
    response: Option<ResponseIn>,
}

/// Counts a whole answer. Its output is estimated by its length.
pub(super) fn count(body: &[u8]) -> Option<Counted> {
    let response: ResponseIn = serde_json::from_slice(body).ok()?;
    if !response.is_response() {
        return None;
    }
    Some(Counted {
        stop: Some(response.stop(response.waits(), false).0),
        usage: response.usage(),
        complete: true,
        output_bytes: body.len() as u64,
        failed: response.error.is_some(),
    })
}
