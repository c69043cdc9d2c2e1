//! A window for JSON text that comes in pieces: arguments of tools.
//!
//! Detectors see the strings unescaped, because a line break written `\n` hides the word behind it, and see names and values
//! together, because `"api_key":` says what follows. What they find is replaced inside strings only, and a number becomes a
//! string: what comes out is JSON if what came in was. What is not replaced stays as it was written, escapes included.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use super::redact::Mark;
use super::{Action, Guardrail, Released, Window};

/// The longest number that is looked at as one; no real one is half as long.
const BARE_MAX: usize = 512;

/// The hold-back for one JSON text.
pub struct JsonWindow {
    window: Window,
    redacts: Vec<bool>,
    reader: Reader,
    writer: Writer,
}

impl JsonWindow {
    /// A window for one text; see [`Window::new`].
    #[must_use]
    pub fn new(guardrails: &[Arc<Guardrail>], max_bytes: usize) -> Self {
        Self {
            window: Window::new(guardrails, max_bytes),
            redacts: guardrails.iter().map(|guardrail| guardrail.action == Action::Redact).collect(),
            reader: Reader::default(),
            writer: Writer::default(),
        }
    }

    /// Takes the next chunk and returns what may go on.
    pub fn push(&mut self, chunk: &str) -> Released<'static> {
        let mut decoded = String::with_capacity(chunk.len());
        self.reader.read(chunk, &mut decoded, &mut self.writer.pieces);
        let released = self.window.push(&decoded);
        let (found, blocked, failed) = (released.found, released.blocked, released.failed);
        self.writer.fed += decoded.len();
        self.passed(Released { text: Cow::Borrowed(""), found, blocked, failed }, self.window.held())
    }

    /// The text is over: returns what is left of it. The window starts anew.
    pub fn finish(&mut self) -> Released<'static> {
        let released = self.window.finish();
        let mut out = self.passed(released, 0);
        if out.blocked.is_none() {
            let mut rest = std::mem::take(out.text.to_mut());
            self.writer.end_bare(&mut rest);
            // An escape that was cut in the middle is what it is.
            rest.push_str(&self.reader.cut);
            out.text = Cow::Owned(rest);
        }
        self.reader = Reader::default();
        self.writer = Writer::default();
        out
    }

    fn passed(&mut self, mut released: Released<'static>, held: usize) -> Released<'static> {
        for (index, finding) in &released.found {
            if self.redacts[*index] {
                self.writer.marks.insert(Mark::new(finding));
            }
        }
        let mut text = String::new();
        if released.blocked.is_none() {
            self.writer.write(self.writer.fed.saturating_sub(held), &mut text);
        }
        released.text = Cow::Owned(text);
        released
    }
}

/// A stretch of the text: as written, and how long it is unescaped.
#[derive(Debug)]
struct Piece {
    kind: Kind,
    raw: String,
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Braces, quotes, commas, space.
    Structure,
    /// What stands in a string, as written and as meant at once.
    Plain,
    /// One escape in a string.
    Escape,
    /// A number or a word outside of strings.
    Bare,
}

/// Cuts JSON text into pieces. What is not JSON is cut, too, and stays what it was.
#[derive(Debug, Default)]
struct Reader {
    in_string: bool,
    /// An escape whose end has not come.
    cut: String,
}

impl Reader {
    fn read(&mut self, chunk: &str, decoded: &mut String, pieces: &mut VecDeque<Piece>) {
        let joined;
        let mut rest = if self.cut.is_empty() {
            chunk
        } else {
            self.cut.push_str(chunk);
            joined = std::mem::take(&mut self.cut);
            joined.as_str()
        };
        while let Some(first) = rest.chars().next() {
            let (kind, len) = match first {
                '"' => {
                    self.in_string = !self.in_string;
                    (Kind::Structure, 1)
                }
                '\\' if self.in_string => match escape(rest) {
                    Some((character, len)) => {
                        decoded.push(character);
                        pieces.push_back(Piece {
                            kind: Kind::Escape,
                            raw: rest[..len].to_owned(),
                            len: character.len_utf8(),
                        });
                        rest = &rest[len..];
                        continue;
                    }
                    None => {
                        rest.clone_into(&mut self.cut);
                        return;
                    }
                },
                _ if self.in_string => (Kind::Plain, rest.find(['"', '\\']).unwrap_or(rest.len())),
                _ if is_bare(first) => (Kind::Bare, rest.find(|next| !is_bare(next)).unwrap_or(rest.len())),
                _ => (Kind::Structure, rest.find(|next| next == '"' || is_bare(next)).unwrap_or(rest.len())),
            };
            decoded.push_str(&rest[..len]);
            pieces.push_back(Piece { kind, raw: rest[..len].to_owned(), len });
            rest = &rest[len..];
        }
    }
}

fn is_bare(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '-' | '+' | '.' | '_')
}

/// The character an escape stands for and how long the escape is; `None` if more must come.
fn escape(text: &str) -> Option<(char, usize)> {
    let simple = match text[1..].chars().next()? {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => return unicode(text),
        other => return Some((other, 1 + other.len_utf8())),
    };
    Some((simple, 2))
}

fn unicode(text: &str) -> Option<(char, usize)> {
    let unit = |at: usize| -> Option<Option<u32>> {
        if text.len() < at + 6 {
            return None;
        }
        let digits = text.get(at + 2..at + 6).filter(|_| text[at..].starts_with("\\u"));
        Some(digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()))
    };
    // What is no escape stands for its backslash.
    let Some(first) = unit(0)? else { return Some(('\\', 1)) };
    if !(0xd800..0xdc00).contains(&first) {
        return Some((char::from_u32(first).unwrap_or('\u{fffd}'), 6));
    }
    if text.len() < 12 && "\\u".starts_with(&text[6..text.len().min(8)]) {
        return None;
    }
    let second = if text.is_char_boundary(6) && text[6..].starts_with("\\u") { unit(6)? } else { None };
    match second.filter(|second| (0xdc00..0xe000).contains(second)) {
        Some(second) => {
            Some((char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)).unwrap_or('\u{fffd}'), 12))
        }
        None => Some(('\u{fffd}', 6)),
    }
}

/// Writes pieces, with labels where strings and numbers are marked. Places are bytes of the unescaped text.
#[derive(Debug, Default)]
struct Writer {
    pieces: VecDeque<Piece>,
    marks: BTreeSet<Mark>,
    fed: usize,
    at: usize,
    /// The stretch that is covered by a label, and its label.
    covered: Option<(usize, &'static str)>,
    /// Was the label written in this string?
    labelled: bool,
    /// A number whose end has not come, and the label it gets instead.
    bare: String,
    bare_label: Option<&'static str>,
}

impl Writer {
    /// Writes everything before `until`.
    fn write(&mut self, until: usize, out: &mut String) {
        while self.at < until
            && let Some(mut piece) = self.pieces.pop_front()
        {
            let end = self.at + piece.len;
            if end > until && piece.kind == Kind::Escape {
                self.pieces.push_front(piece);
                break;
            }
            if end > until {
                let rest = piece.raw.split_off(until - self.at);
                self.pieces.push_front(Piece { kind: piece.kind, len: rest.len(), raw: rest });
            }
            let end = end.min(until);
            self.piece(&piece, end, out);
            self.at = end;
        }
    }

    fn piece(&mut self, piece: &Piece, end: usize, out: &mut String) {
        if piece.kind != Kind::Bare {
            self.end_bare(out);
        }
        match piece.kind {
            Kind::Structure => {
                self.labelled = false;
                out.push_str(&piece.raw);
            }
            Kind::Bare => {
                if self.bare.len() > BARE_MAX {
                    self.end_bare(out);
                }
                let covered = self.cover(self.at..end);
                self.bare_label = self.bare_label.or(covered.first().map(|(_, label)| *label));
                self.bare.push_str(&piece.raw);
            }
            Kind::Plain | Kind::Escape => {
                let start = self.at;
                let mut from = start;
                for (span, label) in self.cover(start..end) {
                    if piece.kind == Kind::Plain && span.start > from {
                        out.push_str(&piece.raw[from - start..span.start - start]);
                        self.labelled = false;
                    }
                    if !std::mem::replace(&mut self.labelled, true) {
                        out.push_str(label);
                    }
                    from = span.end;
                }
                if from < end {
                    out.push_str(if piece.kind == Kind::Plain { &piece.raw[from - start..] } else { &piece.raw });
                    self.labelled = false;
                }
            }
        }
    }

    /// The parts of a stretch that are covered by labels, in order. Marks that overlap or touch go on under the first label.
    fn cover(&mut self, span: Range<usize>) -> Vec<(Range<usize>, &'static str)> {
        let mut parts = Vec::new();
        let mut at = span.start;
        while at < span.end {
            while let Some((until, label)) = self.covered
                && let Some(mark) = self.marks.first().filter(|mark| mark.start <= until)
            {
                self.covered = Some((until.max(mark.end()), label));
                self.marks.pop_first();
            }
            if let Some((until, label)) = self.covered.filter(|(until, _)| *until > at) {
                parts.push((at..until.min(span.end), label));
                at = until.min(span.end);
                continue;
            }
            let Some(mark) = self.marks.first().filter(|mark| mark.start < span.end) else { break };
            self.covered = Some((mark.end(), mark.label));
            at = at.max(mark.start);
            self.marks.pop_first();
        }
        parts
    }

    /// The number, or word, is whole.
    fn end_bare(&mut self, out: &mut String) {
        match self.bare_label.take() {
            Some(label) => {
                out.push('"');
                out.push_str(label);
                out.push('"');
            }
            None => out.push_str(&self.bare),
        }
        self.bare.clear();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Pattern, Scope, Spec, build};
    use super::*;

    fn window(regex: &str) -> JsonWindow {
        let patterns = vec![Pattern { name: "p".to_owned(), regex: regex.to_owned() }];
        let detector = build(&Spec::Regex { patterns }).unwrap();
        let guardrail = Guardrail {
            name: "g".into(),
            on: Vec::new(),
            action: Action::Redact,
            scope: Scope::default(),
            fail_open: false,
            detector,
        };
        JsonWindow::new(&[Arc::new(guardrail)], 1 << 16)
    }

    fn through(regex: &str, chunks: &[&str]) -> String {
        let mut window = window(regex);
        let mut out = String::new();
        for chunk in chunks {
            out.push_str(&window.push(chunk).text);
        }
        out + &window.finish().text
    }

    fn redacted(regex: &str, text: &str) -> String {
        through(regex, &[text])
    }

    fn label() -> String {
        redacted("x", r#""x""#).trim_matches('"').to_owned()
    }

    #[test]
    fn strings_are_seen_unescaped_and_stay_as_they_were_written_around_a_finding() {
        let text = r#"{"a": "x\nAKIA\u0031 \u00e9\/"}"#;
        assert_eq!(redacted(r"\bAKIA1", text), text.replace(r"AKIA\u0031", &label()));
    }

    #[test]
    fn a_number_becomes_a_string_and_structure_stays() {
        let label = label();
        let card = r#"{"card": 4111222233, "n": 1}"#;
        assert_eq!(redacted("4111[0-9]+", card), card.replace("4111222233", &format!("\"{label}\"")));
        assert_eq!(redacted(r#"key":"va"#, r#"{"key":"value"}"#), format!(r#"{{"{label}":"{label}lue"}}"#));
    }

    #[test]
    fn what_is_no_json_passes() {
        for text in
            ["", "{", r#"{"a": "b"#, r#"{"a": "\u12"#, r#"{"a": "\ud83d"#, r"plain \ words", r#""\ud83d\ude00""#]
        {
            assert_eq!(redacted("secret", text), text);
        }
    }

    proptest! {
        #[test]
        fn every_way_of_cutting_gives_the_same_and_json_stays_json(
            strings in proptest::collection::vec("[a-c1-3\"\\\\\n é😀]{0,12}", 1..5),
            number in 0u32..40_000,
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let text = serde_json::json!({"s": strings, "n": number, "ab": {"1": true}}).to_string();
            let regex = "ab|[1-3]{2,4}|c\"";
            let whole = redacted(regex, &text);
            serde_json::from_str::<serde_json::Value>(&whole).unwrap();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| text.floor_char_boundary(cut.index(text.len()))).collect();
            cuts.extend([0, text.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&str> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
            prop_assert_eq!(through(regex, &chunks), whole);
        }
    }
}
