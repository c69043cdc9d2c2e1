//! Sources an answer cites: `groundingMetadata` and `citationMetadata`.
//!
//! Gemini counts places in bytes of a part's text, the form in Unicode scalar values of a block's text.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::form::Citation;

/// `groundingMetadata`, as read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Grounding {
    grounding_chunks: Vec<Chunk>,
    grounding_supports: Vec<Support>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Chunk {
    web: Option<Place>,
    retrieved_context: Option<Place>,
    maps: Option<Place>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Place {
    uri: Option<String>,
    title: Option<String>,
    text: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Support {
    segment: Segment,
    grounding_chunk_indices: Vec<usize>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Segment {
    part_index: usize,
    start_index: u64,
    end_index: u64,
}

/// `citationMetadata`, as read; Vertex calls the list `citations`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CitationMetadata {
    #[serde(rename = "citationSources", alias = "citations")]
    sources: Vec<CitationSource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CitationSource {
    start_index: u64,
    end_index: u64,
    uri: Option<String>,
    title: Option<String>,
}

/// Most citations taken from one answer: supports times chunks can square its size.
const CITATIONS_MAX: usize = 1000;

/// The citations of an answer, each with the index of the part it belongs to. `text_of` gives a part's text.
pub(super) fn citations<'t>(
    grounding: Option<&Grounding>,
    metadata: Option<&CitationMetadata>,
    text_of: &dyn Fn(usize) -> Option<&'t str>,
) -> Vec<(usize, Citation)> {
    let mut found = Vec::new();
    for support in grounding.iter().flat_map(|grounding| &grounding.grounding_supports) {
        let chunks = grounding.map_or(&[][..], |grounding| &grounding.grounding_chunks);
        let part = support.segment.part_index;
        let span = text_of(part).map(|text| scalars(text, support.segment.start_index, support.segment.end_index));
        for chunk in support.grounding_chunk_indices.iter().filter_map(|index| chunks.get(*index)) {
            let Some(place) = chunk.web.as_ref().or(chunk.retrieved_context.as_ref()).or(chunk.maps.as_ref()) else {
                continue;
            };
            let citation = Citation {
                url: place.uri.clone(),
                title: place.title.clone(),
                quote: place.text.clone(),
                span,
                native: None,
            };
            found.push((part, citation));
        }
    }
    for source in metadata.iter().flat_map(|metadata| &metadata.sources) {
        let span = text_of(0).map(|text| scalars(text, source.start_index, source.end_index));
        let citation = Citation { url: source.uri.clone(), title: source.title.clone(), span, ..Citation::default() };
        found.push((0, citation));
    }
    found.truncate(CITATIONS_MAX);
    found
}

/// Bytes to scalar values; a place inside a character or behind the end counts as the next boundary.
fn scalars(text: &str, start: u64, end: u64) -> (u64, u64) {
    let at = |byte: u64| {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX);
        if text.is_ascii() {
            return byte.min(text.len()) as u64;
        }
        text.char_indices().take_while(|(index, _)| *index < byte).count() as u64
    };
    let start = at(start);
    (start, at(end).max(start))
}

fn byte_of(text: &str, scalar: u64) -> usize {
    let scalar = usize::try_from(scalar).unwrap_or(usize::MAX);
    text.char_indices().nth(scalar).map_or(text.len(), |(index, _)| index)
}

/// `groundingMetadata`, as written.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GroundingOut<'a> {
    grounding_chunks: Vec<ChunkOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    grounding_supports: Vec<SupportOut<'a>>,
}

#[derive(Debug, Serialize)]
struct ChunkOut<'a> {
    web: PlaceOut<'a>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct PlaceOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SupportOut<'a> {
    segment: SegmentOut<'a>,
    grounding_chunk_indices: [usize; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct SegmentOut<'a> {
    part_index: usize,
    start_index: usize,
    end_index: usize,
    text: Cow<'a, str>,
}

impl<'a> GroundingOut<'a> {
    /// Adds a citation of the text of one part. Citations of neither an address nor a title say nothing here.
    pub(super) fn add(&mut self, part_index: usize, text: &'a str, citation: &'a Citation) {
        let place = PlaceOut { uri: citation.url.as_deref(), title: citation.title.as_deref() };
        if place.uri.is_none() && place.title.is_none() {
            return;
        }
        let known = self.grounding_chunks.iter().position(|chunk| chunk.web == place);
        let chunk = known.unwrap_or(self.grounding_chunks.len());
        if known.is_none() {
            self.grounding_chunks.push(ChunkOut { web: place });
        }
        if let Some((start, end)) = citation.span {
            let start_index = byte_of(text, start);
            let end_index = byte_of(text, end).max(start_index);
            let text = Cow::Borrowed(&text[start_index..end_index]);
            let segment = SegmentOut { part_index, start_index, end_index, text };
            self.grounding_supports.push(SupportOut { segment, grounding_chunk_indices: [chunk] });
        }
    }

    /// The metadata, unless nothing was added.
    pub(super) fn some(self) -> Option<Self> {
        (!self.grounding_chunks.is_empty()).then_some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_scalar_values_and_bytes_again() {
        let text = "Größe: 5 m";
        assert_eq!(scalars(text, 0, 7), (0, 5));
        assert_eq!((byte_of(text, 0), byte_of(text, 5)), (0, 7));
        assert_eq!(scalars(text, 9_999, 3), (10, 10));
    }

    #[test]
    fn a_support_that_points_nowhere_is_passed_over() {
        let grounding: Grounding =
            serde_json::from_str(r#"{"groundingSupports":[{"segment":{"endIndex":3},"groundingChunkIndices":[7]}]}"#)
                .expect("grounding");
        assert!(citations(Some(&grounding), None, &|_| Some("abc")).is_empty());
    }
}
