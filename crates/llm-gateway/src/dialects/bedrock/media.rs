//! Formats of media and names of documents, as Converse wants them.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::form::MediaKind;

/// Most documents in one request.
const DOCUMENTS_MAX: usize = 5;
/// Longest name of a document.
const NAME_CHARS_MAX: usize = 200;

/// Converse's formats and the MIME types they stand for; the first of each format is the one that is read back.
const FORMATS: &[(MediaKind, &str, &str)] = &[
    (MediaKind::Image, "png", "image/png"),
    (MediaKind::Image, "jpeg", "image/jpeg"),
    (MediaKind::Image, "jpeg", "image/jpg"),
    (MediaKind::Image, "gif", "image/gif"),
    (MediaKind::Image, "webp", "image/webp"),
    (MediaKind::Document, "pdf", "application/pdf"),
    (MediaKind::Document, "csv", "text/csv"),
    (MediaKind::Document, "doc", "application/msword"),
    (MediaKind::Document, "docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (MediaKind::Document, "xls", "application/vnd.ms-excel"),
    (MediaKind::Document, "xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (MediaKind::Document, "html", "text/html"),
    (MediaKind::Document, "txt", "text/plain"),
    (MediaKind::Document, "md", "text/markdown"),
    (MediaKind::Document, "txt", "application/json"),
    (MediaKind::Video, "mp4", "video/mp4"),
    (MediaKind::Video, "mkv", "video/x-matroska"),
    (MediaKind::Video, "mov", "video/quicktime"),
    (MediaKind::Video, "webm", "video/webm"),
    (MediaKind::Video, "flv", "video/x-flv"),
    (MediaKind::Video, "mpeg", "video/mpeg"),
    (MediaKind::Video, "wmv", "video/x-ms-wmv"),
    (MediaKind::Video, "three_gp", "video/3gpp"),
    (MediaKind::Audio, "mp3", "audio/mpeg"),
    (MediaKind::Audio, "mp3", "audio/mp3"),
    (MediaKind::Audio, "wav", "audio/wav"),
    (MediaKind::Audio, "wav", "audio/x-wav"),
    (MediaKind::Audio, "opus", "audio/opus"),
    (MediaKind::Audio, "aac", "audio/aac"),
    (MediaKind::Audio, "flac", "audio/flac"),
    (MediaKind::Audio, "ogg", "audio/ogg"),
    (MediaKind::Audio, "m4a", "audio/mp4"),
    (MediaKind::Audio, "webm", "audio/webm"),
    (MediaKind::Audio, "pcm", "audio/pcm"),
];

/// The MIME type of a format.
pub(super) fn mime_of(kind: MediaKind, format: &str) -> Option<String> {
    FORMATS.iter().find(|(k, f, _)| *k == kind && *f == format).map(|(_, _, mime)| (*mime).to_owned())
}

/// The format of a MIME type (parameters after `;` do not count). Documents of unknown type are taken for PDF.
pub(super) fn format_of(kind: MediaKind, mime: Option<&str>) -> Option<&'static str> {
    let Some(mime) = mime else {
        return match kind {
            MediaKind::Image => Some("png"),
            MediaKind::Document => Some("pdf"),
            MediaKind::Video => Some("mp4"),
            MediaKind::Audio => Some("wav"),
        };
    };
    let plain = mime.split(';').next().unwrap_or(mime).trim();
    FORMATS.iter().find(|(k, _, m)| *k == kind && m.eq_ignore_ascii_case(plain)).map(|(_, format, _)| *format)
}

/// The word for a kind, in `Dropped`.
pub(super) const fn kind_name(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image",
        MediaKind::Audio => "audio",
        MediaKind::Video => "video",
        MediaKind::Document => "document",
    }
}

/// Gives documents names that Converse takes and that are all different.
#[derive(Debug, Default)]
pub(super) struct DocumentNames {
    used: HashSet<String>,
}

impl DocumentNames {
    /// The name for the next document, or `None` when there are too many.
    pub(super) fn next(&mut self, wanted: Option<&str>) -> Option<Cow<'static, str>> {
        if self.used.len() >= DOCUMENTS_MAX {
            return None;
        }
        let base = restricted(wanted.unwrap_or_default());
        let mut name = if base.is_empty() { format!("document {}", self.used.len() + 1) } else { base.clone() };
        let mut number = 2;
        while self.used.contains(&name) {
            name = format!("{base} ({number})");
            number += 1;
        }
        self.used.insert(name.clone());
        Some(Cow::Owned(name))
    }
}

/// Letters, digits, single spaces, hyphens, parentheses and square brackets; all else becomes a hyphen.
fn restricted(name: &str) -> String {
    let mut kept = String::with_capacity(name.len().min(NAME_CHARS_MAX));
    for c in name.chars().take(NAME_CHARS_MAX - 8) {
        let c = match c {
            c if c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']') => c,
            c if c.is_whitespace() => ' ',
            _ => '-',
        };
        if c != ' ' || !kept.ends_with(' ') {
            kept.push(c);
        }
    }
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_restricted_and_all_different() {
        let mut names = DocumentNames::default();
        let given = ["Q3  report.pdf", "Q3 report.pdf", "", "Übersicht"].map(|name| names.next(Some(name)));
        let given: Vec<_> = given.iter().flatten().map(AsRef::as_ref).collect();
        assert_eq!(given, ["Q3 report-pdf", "Q3 report-pdf (2)", "document 3", "-bersicht"]);
    }

    #[test]
    fn there_are_no_more_than_five_documents() {
        let mut names = DocumentNames::default();
        assert_eq!((0..9).filter_map(|_| names.next(Some("a"))).count(), 5);
    }

    #[test]
    fn parameters_of_a_mime_type_do_not_count() {
        assert_eq!(format_of(MediaKind::Document, Some("text/plain; charset=utf-8")), Some("txt"));
        assert_eq!(format_of(MediaKind::Image, Some("image/tiff")), None);
    }
}
