//! Canaries: words that stand where a secret or a private text would stand, and a search for them in everything the
//! gateway writes. Each is unique and says where it was laid, so that a find needs no detective.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What every canary begins with: the search looks for this first.
const MARK: &str = "cAnArY";

/// The canaries laid so far.
#[derive(Debug, Default)]
pub struct Canaries {
    laid: BTreeMap<String, String>,
}

impl Canaries {
    /// A new one, to be put into this place.
    pub fn lay(&mut self, place: impl Into<String>) -> String {
        let place = place.into();
        let mut hasher = DefaultHasher::new();
        (self.laid.len(), &place).hash(&mut hasher);
        // Letters and digits only, so that no encoding but base64 and hexadecimal can hide it.
        let word = format!("{MARK}{:04}x{:016x}", self.laid.len(), hasher.finish());
        self.laid.insert(word.clone(), place);
        word
    }

    /// Takes others over.
    pub fn add(&mut self, others: Self) {
        self.laid.extend(others.laid);
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.laid.len()
    }

    /// The places of those found in these bytes: as they are, in hexadecimal, or in base64.
    #[must_use]
    pub fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for start in places_of(MARK.as_bytes(), bytes) {
            let length = MARK.len() + 4 + 1 + 16;
            let word = bytes.get(start..start + length).and_then(|word| std::str::from_utf8(word).ok());
            found.extend(word.and_then(|word| self.laid.get(word)).map(String::as_str));
        }
        let hidden = |needle: &str| places_of(needle.as_bytes(), bytes).next().is_some();
        // Base64 of a text within another one comes in three shapes, by where it begins.
        let shapes = [0, 1, 2].map(|shift| {
            let text = STANDARD.encode([&vec![b'.'; shift], MARK.as_bytes()].concat());
            // The first and last characters mix with what stands beside.
            let from = [0, 2, 3][shift];
            let whole = (shift + MARK.len()) / 3 * 4;
            text[from..whole].to_owned()
        });
        let hex: String = MARK.bytes().map(|byte| format!("{byte:02x}")).collect();
        if hidden(&hex) || hidden(&hex.to_uppercase()) || shapes.iter().any(|shape| hidden(shape)) {
            found.push("one of them, in hexadecimal or base64");
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The same for every file of a folder and of those within: `file: place`.
    ///
    /// # Panics
    /// When the folder cannot be read.
    #[must_use]
    pub fn found_in_folder(&self, folder: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                found.extend(self.found_in_folder(&path));
                continue;
            }
            // A file may go while this looks.
            let bytes = std::fs::read(&path).unwrap_or_default();
            found.extend(self.found_in(&bytes).into_iter().map(|place| format!("{}: {place}", path.display())));
        }
        found
    }
}

fn places_of<'a>(needle: &'a [u8], bytes: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    bytes.windows(needle.len()).enumerate().filter(move |(_, window)| *window == needle).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_found_however_it_is_written() {
        let mut canaries = Canaries::default();
        let word = canaries.lay("the first place");
        canaries.lay("the second place");
        assert_eq!(canaries.found_in(format!("a{word}b").as_bytes()), ["the first place"]);
        assert!(canaries.found_in(b"nothing of the kind").is_empty());
        for before in ["", "a", "ab", "abc"] {
            let hidden = STANDARD.encode(format!("{before}{word}{before}"));
            assert_eq!(canaries.found_in(hidden.as_bytes()).len(), 1, "{before}");
        }
        let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(canaries.found_in(hex.as_bytes()).len(), 1);
    }
}
