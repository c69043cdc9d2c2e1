//! The events of a stream as they are written, each with the number that orders it.

use serde::Serialize;

use super::super::items::{AnnotationOut, PartOut};
use crate::dialects::openai_shared::wire::{LogprobOut, json_into};
use crate::dialects::shared::compact::one_line;

/// Numbers events and frames them.
#[derive(Debug, Default)]
pub(super) struct Framer {
    sequence: u64,
}

/// Place of an event: which item, and which part of it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) item_id: &'a str,
    pub(super) output_index: u64,
    pub(super) part: Part,
}

/// Which part of an item.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// The item as such.
    None,
    /// A content part.
    Content(u64),
    /// A paragraph of a summary.
    Summary(u64),
}

/// What an event says. Field order is the order on the wire.
#[derive(Default, Serialize)]
pub(super) struct Said<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) delta: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<Vec<LogprobOut<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) part: Option<PartOrSummary<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotation_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) annotation: Option<AnnotationOut<'a>>,
}

/// What is added or done with a part event.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum PartOrSummary<'a> {
    Content(PartOut<'a>),
    Summary { r#type: &'static str, text: &'a str },
}

#[derive(Serialize)]
struct PartFrame<'a> {
    r#type: &'static str,
    sequence_number: u64,
    item_id: &'a str,
    output_index: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary_index: Option<u64>,
}

#[derive(Serialize)]
struct ItemFrame<'a, T> {
    r#type: &'static str,
    sequence_number: u64,
    output_index: u64,
    item: &'a T,
}

#[derive(Serialize)]
struct ResponseFrame {
    r#type: &'static str,
    sequence_number: u64,
}

impl Framer {
    /// An event about a part of an item.
    pub(super) fn part(&mut self, kind: &'static str, place: Place<'_>, said: &Said<'_>, out: &mut Vec<u8>) {
        let start = begin(kind, out);
        let (content_index, summary_index) = match place.part {
            Part::None => (None, None),
            Part::Content(index) => (Some(index), None),
            Part::Summary(index) => (None, Some(index)),
        };
        json_into(
            out,
            &PartFrame {
                r#type: kind,
                sequence_number: self.next(),
                item_id: place.item_id,
                output_index: place.output_index,
                content_index,
                summary_index,
            },
        );
        // Both are objects, the first never empty and the second never so where it is used: joined at their seam.
        out.pop();
        let seam = out.len();
        json_into(out, said);
        if let Some(brace) = out.get_mut(seam) {
            *brace = b',';
        }
        end(start, out);
    }

    /// More text of a part: the event that streams consist of, so it is put together without a detour. `rest` are the
    /// members behind the text.
    pub(super) fn text(&mut self, kind: &'static str, place: Place<'_>, more: &str, rest: &str, out: &mut Vec<u8>) {
        begin(kind, out);
        let (name, index) = match place.part {
            Part::None => ("", 0),
            Part::Content(index) => (",\"content_index\":", index),
            Part::Summary(index) => (",\"summary_index\":", index),
        };
        out.extend_from_slice(b"{\"type\":\"");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        json_into(out, &self.next());
        out.extend_from_slice(b",\"item_id\":");
        json_into(out, place.item_id);
        out.extend_from_slice(b",\"output_index\":");
        json_into(out, &place.output_index);
        if !name.is_empty() {
            out.extend_from_slice(name.as_bytes());
            json_into(out, &index);
        }
        out.extend_from_slice(b",\"delta\":");
        json_into(out, more);
        out.extend_from_slice(rest.as_bytes());
        out.extend_from_slice(b"}\n\n");
    }

    /// An event about a whole item.
    pub(super) fn item(&mut self, kind: &'static str, output_index: u64, item: &impl Serialize, out: &mut Vec<u8>) {
        let start = begin(kind, out);
        json_into(out, &ItemFrame { r#type: kind, sequence_number: self.next(), output_index, item });
        end(start, out);
    }

    /// An event with the response object, which `write` appends.
    pub(super) fn response(&mut self, kind: &'static str, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let start = begin(kind, out);
        json_into(out, &ResponseFrame { r#type: kind, sequence_number: self.next() });
        out.pop();
        out.extend_from_slice(b",\"response\":");
        write(out);
        out.push(b'}');
        end(start, out);
    }

    fn next(&mut self) -> u64 {
        let sequence = self.sequence;
        self.sequence += 1;
        sequence
    }
}

fn begin(kind: &str, out: &mut Vec<u8>) -> usize {
    for piece in ["event: ", kind, "\ndata: "] {
        out.extend_from_slice(piece.as_bytes());
    }
    out.len()
}

fn end(start: usize, out: &mut Vec<u8>) {
    one_line(out, start);
    out.extend_from_slice(b"\n\n");
}
