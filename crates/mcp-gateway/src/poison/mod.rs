//! Texts of servers that are meant for a model and not for a person: what is hidden in names, descriptions, parameters,
//! defaults and instructions. The scan is a reader's suspicion, not a proof; a high finding makes the item wait for a person
//! ([`crate::pins`]), lower ones are shown. Phrases are in [`phrases`].

mod phrases;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalogue::{Finding, Kind, Severity, is_hidden, json, shown};

/// The most texts of an item that are looked at.
const TEXTS: usize = 20_000;
/// Runs of base64 from this length on are no word.
const BLOB: usize = 120;
/// A text this long in one description hides its middle.
const LONG: usize = 12_000;
/// Words that could be a tool's name are kept up to this many.
const WORDS: usize = 2_000;

/// What was found in one item.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    hits: Vec<Hit>,
    /// Words that look like names of tools.
    words: BTreeSet<Box<str>>,
    /// It tells the model when to use what.
    directs: bool,
}

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its stable code.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What was seen and where.
    pub message: String,
}

impl Scan {
    /// Scans a text alone (instructions).
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        let mut scan = Self::default();
        scan.text("the text", text);
        scan.finish()
    }

    /// Everything found.
    #[must_use]
    pub fn hits(&self) -> &[Hit] {
        &self.hits
    }

    /// The same as findings about an item.
    pub(crate) fn findings(&self, server: &Arc<str>, kind: Kind, item: &str) -> Vec<Finding> {
        let finding = |hit: &Hit| Finding {
            severity: hit.severity,
            code: hit.code,
            server: Arc::clone(server),
            kind,
            item: Arc::from(item),
            message: hit.message.clone(),
        };
        self.hits.iter().map(finding).collect()
    }

    fn hit(&mut self, code: &'static str, severity: Severity, message: String) {
        if !self.hits.iter().any(|hit| hit.code == code) {
            self.hits.push(Hit { code, severity, message });
        }
    }

    /// One text of the item.
    fn text(&mut self, place: &str, text: &str) {
        self.hidden(place, text);
        if let Some(run) = longest_blob(text).filter(|run| *run >= BLOB) {
            self.hit(
                "encoded_text",
                Severity::Medium,
                format!("In {place} stand {run} characters that look like encoded data."),
            );
        }
        if text.len() > LONG {
            self.hit(
                "very_long_text",
                Severity::Medium,
                format!("{place} has {} bytes: nobody reads it to the end.", text.len()),
            );
        }
        let plain = phrases::plain(text);
        for phrase in phrases::ALL {
            if let Some(words) = phrase.find(&plain) {
                let message = format!("In {place} stands “{}”: {}.", shown(&words), phrase.why);
                self.hit(phrase.code, phrase.severity, message);
            }
        }
        self.directs |= phrases::directs(&plain);
        let words = text.split(|each: char| !(each.is_alphanumeric() || matches!(each, '_' | '-' | '.')));
        for word in words.map(|word| word.trim_matches('.')).filter(|word| looks_like_a_tool(word)) {
            if self.words.len() < WORDS {
                self.words.insert(word.into());
            }
        }
    }

    /// Characters nobody sees. A joiner between two letters or in an emoji is how some people write.
    fn hidden(&mut self, place: &str, text: &str) {
        let mut before = ' ';
        let mut characters = text.chars().peekable();
        while let Some(each) = characters.next() {
            let next = characters.peek().copied().unwrap_or(' ');
            let written = matches!(each, '\u{200c}' | '\u{200d}')
                && !before.is_ascii()
                && !next.is_ascii()
                && !is_hidden(before)
                && !is_hidden(next);
            let at_start = each == '\u{feff}' && before == ' ';
            if is_hidden(each) && each != '\u{ad}' && !written && !at_start {
                let message = format!("In {place} stands U+{:04X}, a character that no reader sees.", u32::from(each));
                return self.hit("hidden_text", Severity::High, message);
            }
            if each.is_control() && !matches!(each, '\n' | '\r' | '\t') {
                let message = format!("In {place} stands the control character U+{:04X}.", u32::from(each));
                return self.hit("control_character", Severity::High, message);
            }
            before = each;
        }
    }

    fn finish(mut self) -> Self {
        self.hits.sort_by(|one, other| other.severity.cmp(&one.severity).then(one.code.cmp(other.code)));
        self
    }
}

/// Scans every text of a JSON item: names of members as well as values.
pub(crate) fn scan_item(text: &str) -> Scan {
    let mut scan = Scan::default();
    let mut open = vec![(String::new(), text)];
    let mut seen = 0;
    while let Some((path, value)) = open.pop() {
        seen += 1;
        if seen > TEXTS {
            scan.hit(
                "too_many_texts",
                Severity::Medium,
                format!("It has more than {TEXTS} texts; the rest was not looked at."),
            );
            break;
        }
        if let Some(members) = json::members(value) {
            for (name, inner) in members {
                scan.hidden("the name of a member", &name);
                let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
                open.push((shown(&path), inner));
            }
        } else if let Some(elements) = json::elements(value) {
            open.extend(elements.into_iter().map(|inner| (path.clone(), inner)));
        } else if let Some(text) = json::text(value) {
            // Images are data by nature.
            let image = text.starts_with("data:image/") && path.contains("icons");
            if !image {
                scan.text(&format!("`{path}`"), &text);
            }
        }
    }
    scan.finish()
}

/// Whose tool a word is, if it is one of another server than this.
pub(crate) type Owner<'a> = &'a dyn Fn(&str, &Arc<str>) -> Option<Arc<str>>;

/// Does an item speak of another server's tool? `owner` says whose tool a word is, if it is another server's. One that also
/// tells the model what to do with it wants to be used in its place.
pub(crate) fn shadowing(scan: &Scan, server: &Arc<str>, kind: Kind, item: &str, owner: Owner<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let foreign = scan.words.iter().find_map(|word| owner(word, server).map(|owner| (word, owner)));
    if let Some((word, owner)) = foreign.filter(|(word, _)| &***word != item) {
        let (severity, tail) = if scan.directs {
            (Severity::High, "and tells the model when to use which")
        } else {
            (Severity::Low, "which belongs to somebody else")
        };
        found.push(Finding {
            severity,
            code: "shadowing",
            server: Arc::clone(server),
            kind,
            item: Arc::from(item),
            message: format!("It speaks of {word}, a tool of the server {owner}, {tail}."),
        });
    }
    found
}

/// Could be the name of a tool and hardly a word of English.
fn looks_like_a_tool(word: &str) -> bool {
    let inner_capital = word.chars().skip(1).any(char::is_uppercase) && word.chars().any(char::is_lowercase);
    (5..=128).contains(&word.len()) && (word.contains('_') || word.contains('-') || inner_capital)
}

/// The longest run of base64 characters with capitals, small letters and digits in it.
fn longest_blob(text: &str) -> Option<usize> {
    let runs = text.split(|each: char| !(each.is_ascii_alphanumeric() || matches!(each, '+' | '/' | '=' | '-' | '_')));
    let mixed = |run: &&str| {
        run.bytes().any(|byte| byte.is_ascii_uppercase())
            && run.bytes().any(|byte| byte.is_ascii_lowercase())
            && run.bytes().any(|byte| byte.is_ascii_digit())
    };
    runs.filter(mixed).map(str::len).max()
}

#[cfg(test)]
mod tests;
