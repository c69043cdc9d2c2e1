//! Many literals looked for at once: where patterns are worth trying.
//!
//! Every byte of a call passes here, and hardly one begins a literal. So at each place two bytes are looked up in one table and
//! the next two in another: a bit of an entry stands for a family of literals, some of which begin, or go on, with such bytes.
//! Only where both tables name the same family are literals compared. No look-up waits for the one before it, as those of an
//! automaton do, and the tables are a fifth of what one of a few hundred literals takes.

use super::BuildError;

/// Most literals: one is named by sixteen bits.
const LITERALS_MAX: usize = 1 << 15;
/// Families of literals that stand at an edge only. The last of each kind of family are those of literals too short for the
/// second table, which would else make a family's look-up there worthless.
const EDGED: u8 = 0b0000_0111;
/// Literals that begin alike share a bucket, with a few others.
const BUCKETS: usize = 1 << 12;

/// A literal, in any ASCII case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Literal {
    /// Its letters, lower case.
    pub(super) text: String,
    /// It begins with a letter, digit or underscore, and is only wanted where none stands before it (`\b`).
    pub(super) edge: bool,
}

impl Literal {
    /// A literal that is wanted wherever it stands.
    pub(super) fn anywhere(text: &str) -> Self {
        Self { text: text.to_ascii_lowercase(), edge: false }
    }

    fn stands_at(&self, text: &[u8], at: usize, inside: bool) -> bool {
        let here = text.get(at..at + self.text.len());
        (!inside || !self.edge) && here.is_some_and(|here| here.eq_ignore_ascii_case(self.text.as_bytes()))
    }
}

/// A literal in a text: which one, by its place in [`Anchors::literals`], and where it begins.
pub(super) type Hit = (usize, usize);

/// Literals, ready to be looked for.
pub(super) struct Anchors {
    /// Sorted, each text once.
    literals: Vec<Literal>,
    longest: usize,
    /// Families of which a literal begins with two bytes.
    heads: Pairs,
    /// Families of which a literal goes on with two bytes behind those, or may, being shorter.
    tails: Pairs,
    /// Where each bucket begins among `in_buckets`, and where the last one ends.
    buckets: Vec<u16>,
    in_buckets: Vec<u16>,
}

/// A byte for every two bytes.
struct Pairs(Box<[u8; 1 << 16]>);

impl Pairs {
    fn new() -> Result<Self, BuildError> {
        let table = vec![0; 1 << 16].into_boxed_slice().try_into();
        table.map(Self).map_err(|_| BuildError::new("A table has another size than it was made with."))
    }

    fn of(&self, pair: [u8; 2]) -> u8 {
        self.0[usize::from(u16::from_le_bytes(pair))]
    }

    /// `None` stands for any byte.
    fn put(&mut self, pair: [Option<u8>; 2], family: u8) {
        let [first, second] = pair.map(cases);
        for first in first {
            for &second in &second {
                self.0[usize::from(u16::from_le_bytes([first, second]))] |= family;
            }
        }
    }
}

fn cases(byte: Option<u8>) -> Vec<u8> {
    byte.map_or_else(|| (0..=u8::MAX).collect(), |byte| vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()])
}

/// Is it part of a word, as `\b` has it?
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn bucket(first: u8, second: u8) -> usize {
    let low = |byte: u8| usize::from(byte.to_ascii_lowercase() & 0x3f);
    low(first) << 6 | low(second)
}

impl Anchors {
    /// # Errors
    /// If there are too many literals, or an empty one.
    pub(super) fn new(literals: impl IntoIterator<Item = Literal>) -> Result<Self, BuildError> {
        let mut literals: Vec<Literal> = literals.into_iter().collect();
        // One that is wanted at edges and elsewhere is wanted everywhere: `false` comes first.
        literals.sort_unstable();
        literals.dedup_by(|next, kept| next.text == kept.text);
        if literals.len() > LITERALS_MAX || literals.iter().any(|literal| literal.text.is_empty()) {
            return Err(BuildError::new(format!("There is an empty literal, or there are more than {LITERALS_MAX}.")));
        }
        let (mut heads, mut tails, mut placed) = (Pairs::new()?, Pairs::new()?, Vec::new());
        for (n, literal) in literals.iter().enumerate() {
            let byte = |at: usize| literal.text.as_bytes().get(at).copied();
            let family = 1 << family(literal, n, literals.len());
            heads.put([byte(0), byte(1)], family);
            tails.put([byte(2), byte(3)], family);
            let place = u16::try_from(n).unwrap_or(u16::MAX);
            let first = byte(0).unwrap_or_default();
            placed.extend(cases(byte(1)).into_iter().map(|second| (bucket(first, second), place)));
        }
        placed.sort_unstable();
        placed.dedup();
        let begin = |bucket| placed.partition_point(|(of, _)| *of < bucket);
        Ok(Self {
            longest: literals.iter().map(|literal| literal.text.len()).max().unwrap_or(0),
            buckets: (0..=BUCKETS).map(|bucket| u16::try_from(begin(bucket)).unwrap_or(u16::MAX)).collect(),
            in_buckets: placed.into_iter().map(|(_, place)| place).collect(),
            literals,
            heads,
            tails,
        })
    }

    /// The literals, sorted.
    pub(super) fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Every literal in the text from a place on, overlapping ones too, in the order in which they end; of those that end
    /// together the longest comes first.
    pub(super) fn hits(&self, text: &[u8], from: usize) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (at, four) in text[from..].array_windows().enumerate() {
            let families = self.families(*four);
            if families != 0 {
                self.look(text, from + at, families, &mut hits);
            }
        }
        for at in from.max(text.len().saturating_sub(3))..text.len() {
            let mut four = [0; 4];
            four[..text.len() - at].copy_from_slice(&text[at..]);
            self.look(text, at, self.families(four), &mut hits);
        }
        hits.sort_unstable_by_key(|(literal, at)| (at + self.literals[*literal].text.len(), *at));
        hits
    }

    /// The families of which a literal may begin with these bytes.
    fn families(&self, [a, b, c, d]: [u8; 4]) -> u8 {
        self.heads.of([a, b]) & self.tails.of([c, d])
    }

    /// Notes the literals that stand at a place, which are of these families.
    fn look(&self, text: &[u8], at: usize, families: u8, hits: &mut Vec<Hit>) {
        let inside = at > 0 && is_word(text[at - 1]);
        if families == 0 || inside && families & !EDGED == 0 {
            return;
        }
        let bucket = bucket(text[at], text.get(at + 1).copied().unwrap_or_default());
        let places = usize::from(self.buckets[bucket])..usize::from(self.buckets[bucket + 1]);
        let here = self.in_buckets[places].iter().map(|place| usize::from(*place));
        hits.extend(here.filter(|place| self.literals[*place].stands_at(text, at, inside)).map(|place| (place, at)));
    }

    /// Where the end of the text is the beginning of a literal; the text's length if nowhere.
    pub(super) fn unfinished(&self, text: &[u8], from: usize) -> usize {
        let end = text.len();
        let begins = |at: &usize| {
            let tail = text[*at..].to_ascii_lowercase();
            let next = self.literals.partition_point(|literal| literal.text.as_bytes() < tail.as_slice());
            self.literals.get(next).is_some_and(|literal| literal.text.as_bytes().starts_with(&tail))
        };
        (from.max((end + 1).saturating_sub(self.longest))..end).find(begins).unwrap_or(end)
    }
}

/// The family of the literal at a place among all: neighbours begin alike, so that a family's entries are few.
fn family(literal: &Literal, place: usize, all: usize) -> usize {
    match (literal.edge, literal.text.len() < 3) {
        (true, false) => 2 * place / all,
        (true, true) => 2,
        (false, false) => 3 + 4 * place / all,
        (false, true) => 7,
    }
}

#[cfg(test)]
mod tests {
    use aho_corasick::AhoCorasick;
    use proptest::prelude::*;

    use super::*;

    fn at_edges(text: &str) -> Literal {
        Literal { edge: true, ..Literal::anywhere(text) }
    }

    #[test]
    fn literals_are_found_in_any_case_up_to_the_last_byte() {
        let anchors = Anchors::new(["key", "|", "api_key", "SK"].map(Literal::anywhere)).unwrap();
        let found = |text: &str| -> Vec<(String, usize)> {
            let named = |(n, at): Hit| (anchors.literals()[n].text.clone(), at);
            anchors.hits(text.as_bytes(), 0).into_iter().map(named).collect()
        };
        assert_eq!(found("an API_Key|"), [("api_key".into(), 3), ("key".into(), 7), ("|".into(), 10)]);
        assert_eq!(found("sK"), [("sk".into(), 0)]);
        assert_eq!(found("ke"), []);
    }

    #[test]
    fn a_literal_of_edges_is_not_found_within_a_word() {
        let anchors = Anchors::new([at_edges("nd"), at_edges("token")]).unwrap();
        assert_eq!(anchors.hits(b"and nd _nd -Token atoken", 0), [(0, 4), (1, 12)]);
    }

    proptest! {
        #[test]
        fn finds_what_an_automaton_finds_and_in_its_order(
            literals in proptest::collection::vec("[ab_.é|]{1,5}", 1..40),
            text in "[abAB_.é| ]{0,60}",
            from in 0usize..4,
        ) {
            let anchors = Anchors::new(literals.iter().map(|literal| Literal::anywhere(literal))).unwrap();
            let texts = anchors.literals().iter().map(|literal| &literal.text);
            let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(texts).unwrap();
            let from = from.min(text.len());
            let expected: Vec<Hit> = automaton
                .find_overlapping_iter(&text.as_bytes()[from..])
                .map(|hit| (hit.pattern().as_usize(), from + hit.start()))
                .collect();
            prop_assert_eq!(anchors.hits(text.as_bytes(), from), expected);
        }
    }
}
