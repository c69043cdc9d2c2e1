//! Files inside a body: those that are texts are read as texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How many characters of base64 tell a picture from a text.
const SNIFFED: usize = 64;

/// A file in base64 that is a text.
pub(super) struct TextFile {
    /// What stands before the base64: `data:text/plain;base64,`, or nothing.
    pub(super) prefix: String,
    pub(super) text: String,
}

impl TextFile {
    /// The file with another text, as it stands in the body.
    pub(super) fn with(&self, text: &str) -> String {
        format!("{}{}", self.prefix, STANDARD.encode(text))
    }
}

/// What a string that may be a file is.
pub(super) enum File {
    /// A text in base64.
    Text(TextFile),
    /// Something else in base64: a picture, a sound, a PDF.
    Binary,
    /// Not base64 at all: the string itself is the text, or an address.
    Plain,
}

/// `encoded`: its siblings say that it is base64.
pub(super) fn file(string: &str, encoded: bool) -> File {
    let (prefix, data) = match string.strip_prefix("data:").and_then(|rest| rest.split_once(',')) {
        Some((kind, _)) if !kind.ends_with(";base64") => return File::Plain,
        Some((_, data)) => (&string[..string.len() - data.len()], data),
        None if encoded => ("", string),
        None => return File::Plain,
    };
    let data = data.trim();
    if data.len() > SNIFFED
        && !data.get(..SNIFFED).and_then(|head| STANDARD.decode(head).ok()).is_some_and(begins_a_text)
    {
        return if data.is_char_boundary(SNIFFED) && STANDARD.decode(&data[..SNIFFED]).is_ok() {
            File::Binary
        } else {
            File::Plain
        };
    }
    match STANDARD.decode(data).map(String::from_utf8) {
        Ok(Ok(text)) if !is_binary(&text) => File::Text(TextFile { prefix: prefix.to_owned(), text }),
        Ok(_) => File::Binary,
        Err(_) => File::Plain,
    }
}

fn begins_a_text(head: Vec<u8>) -> bool {
    // A character may be cut at the end of the sample.
    let whole = match std::str::from_utf8(&head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !is_binary(whole)
}

/// A PDF may be all letters, and is no text all the same.
fn is_binary(text: &str) -> bool {
    text.contains('\0') || text.starts_with("%PDF-")
}
