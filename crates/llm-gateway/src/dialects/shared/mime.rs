//! MIME types and data URLs, as far as dialects need them.

use crate::form::{MediaKind, Source};

/// What kind of media a MIME type names; a document when in doubt.
pub(in crate::dialects) fn kind_of(mime: &str) -> MediaKind {
    match mime.split('/').next() {
        Some("image") => MediaKind::Image,
        Some("audio") => MediaKind::Audio,
        Some("video") => MediaKind::Video,
        _ => MediaKind::Document,
    }
}

/// The type to write where a dialect requires one and the client gave none.
pub(in crate::dialects) const fn usual(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Image => "image/png",
        MediaKind::Audio => "audio/wav",
        MediaKind::Video => "video/mp4",
        MediaKind::Document => "application/pdf",
    }
}

/// The type an address suggests by its ending.
pub(in crate::dialects) fn of_url(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let (_, ending) = path.rsplit_once('/').unwrap_or(("", path)).1.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "heic" => "image/heic",
        "mp3" => "audio/mpeg",
        "wav" => "audio/wav",
        "ogg" => "audio/ogg",
        "flac" => "audio/flac",
        "mp4" => "video/mp4",
        "webm" => "video/webm",
        "mov" => "video/quicktime",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" => "text/html",
        _ => return None,
    })
}

/// Whether a provider on the open web could fetch this address: others (`s3://…`) mean something to one vendor only.
pub(in crate::dialects) fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

/// MIME type and source of an address: a base64 data URL becomes its bytes, all else stays an address.
pub(in crate::dialects) fn source_of(url: String) -> (Option<String>, Source) {
    let parts = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    if let Some((mime, data)) = parts {
        let mime = mime.split(';').next().filter(|mime| !mime.is_empty()).map(str::to_owned);
        return (mime, Source::Base64(data.to_owned()));
    }
    (of_url(&url).map(str::to_owned), Source::Url(url))
}

/// A `data:` URL.
pub(in crate::dialects) fn data_url(mime: &str, base64: &str) -> String {
    let mut url = String::with_capacity(mime.len() + base64.len() + 13);
    for piece in ["data:", mime, ";base64,", base64] {
        url.push_str(piece);
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_url_becomes_its_bytes() {
        let (mime, source) = source_of("data:image/gif;charset=x;base64,R0lG".to_owned());
        assert_eq!((mime.as_deref(), source), (Some("image/gif"), Source::Base64("R0lG".to_owned())));
    }

    #[test]
    fn what_is_not_base64_stays_an_address() {
        let plain = "data:text/plain,hello".to_owned();
        assert_eq!(source_of(plain.clone()), (None, Source::Url(plain)));
        assert_eq!(
            source_of(data_url("image/png", "AA==")),
            (Some("image/png".to_owned()), Source::Base64("AA==".to_owned()))
        );
    }

    #[test]
    fn an_address_keeps_its_place_and_tells_its_type_by_its_ending() {
        let url = "https://x.test/a.b/cat.JPG?size=2";
        assert_eq!(source_of(url.to_owned()), (Some("image/jpeg".to_owned()), Source::Url(url.to_owned())));
        assert_eq!(of_url("https://x.test/cat"), None);
    }
}
