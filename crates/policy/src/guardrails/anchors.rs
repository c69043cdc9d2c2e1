//! Many literals looked for at once: where patterns are worth trying.
//!
//! Every byte of a call passes here, and hardly one begins a literal. So a text is read two bytes at a time, and a table of all
//! pairs of bytes says which families of literals have a pair like this: at their beginning or after their first byte (a literal
//! may begin at either byte of a pair), or behind such a pair. Only where two neighbours name the same family is it asked which
//! literals begin with three bytes like those. No look-up waits for the one before it, as those of an automaton do.

use std::array;

use super::BuildError;

/// Most literals: one is named by sixteen bits.
const LITERALS_MAX: usize = 1 << 15;
/// Families of literals that stand at an edge only. The last of each kind of family are those of literals too short for a
/// second pair to tell anything, which would else make a family's look-up there worthless.
const EDGED: u64 = 0x001f;
/// Where in a [`Pairs`] entry the families stand whose literals begin with a pair, begin at its second byte, go on with it after
/// two bytes, and after one.
const BEGIN: [u32; 2] = [0, 16];
const GO_ON: [u32; 2] = [32, 48];
/// The families of one of them.
const FAMILIES: u64 = 0xffff;
/// Pairs looked up before it is asked whether any of them was a hit.
const STRIDE: usize = 8;
/// Literals that begin with the same three bytes share a bucket; most buckets are empty.
const BUCKETS: usize = 1 << 12;
const THREE: u32 = 0x00ff_ffff;
/// Families of literals that are shorter than that.
const BRIEF: u64 = 0xc010;

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

    fn stands_at(&self, text: &[u8], at: usize) -> bool {
        let here = text.get(at..at + self.text.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(self.text.as_bytes()))
    }
}

/// A literal in a text: which one, by its place in [`Anchors::literals`], and where it begins.
pub(super) type Hit = (usize, usize);

/// Which of the literals that stand at a place count.
type Wanted = fn(&Literal) -> bool;

/// Literals, ready to be looked for.
pub(super) struct Anchors {
    /// Sorted, each text once.
    literals: Vec<Literal>,
    longest: usize,
    pairs: Pairs,
    /// Where each bucket begins among `in_buckets`, and where the last one ends.
    buckets: Vec<u16>,
    in_buckets: Vec<Begun>,
    /// Literals that are in no bucket, with their first byte.
    brief: Vec<(u8, u16)>,
}

/// What every two bytes may be of literals: a bit for each family, four times.
struct Pairs(Box<[u64; 1 << 16]>);

impl Pairs {
    fn new() -> Result<Self, BuildError> {
        let table = vec![0; 1 << 16].into_boxed_slice().try_into();
        table.map(Self).map_err(|_| BuildError::new("A table has another size than it was made with."))
    }

    fn of(&self, pair: [u8; 2]) -> u64 {
        self.0[usize::from(u16::from_le_bytes(pair))]
    }

    fn put(&mut self, literal: &Literal, family: usize) {
        let byte = |at: usize| cases(literal.text.as_bytes().get(at).copied());
        // What stands before a literal that begins at a second byte.
        let before = (0..=u8::MAX).filter(|byte| !literal.edge || !is_word(*byte)).collect();
        self.put_pair(byte(0), byte(1), BEGIN[0], family);
        self.put_pair(byte(2), byte(3), GO_ON[0], family);
        self.put_pair(before, byte(0), BEGIN[1], family);
        self.put_pair(byte(1), byte(2), GO_ON[1], family);
    }

    fn put_pair(&mut self, first: Vec<u8>, second: Vec<u8>, part: u32, family: usize) {
        for first in first {
            for &second in &second {
                self.0[usize::from(u16::from_le_bytes([first, second]))] |= 1 << family << part;
            }
        }
    }
}

/// A byte in any case; every byte where a literal has none.
fn cases(byte: Option<u8>) -> Vec<u8> {
    byte.map_or_else(|| (0..=u8::MAX).collect(), |byte| vec![byte.to_ascii_lowercase(), byte.to_ascii_uppercase()])
}

/// Is it part of a word, as `\b` has it?
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Four bytes, so that letters are the same in either case; other bytes may become the same as well.
fn folded(begin: [u8; 4]) -> u32 {
    u32::from_le_bytes(begin) | 0x2020_2020
}

/// The four bytes at a place, folded. Near the end of the text, where all that is left may be fewer, zeros follow.
fn four(text: &[u8], at: usize) -> u32 {
    match text.get(at..).and_then(<[u8]>::first_chunk) {
        Some(four) => folded(*four),
        None => folded(array::from_fn(|n| text.get(at + n).copied().unwrap_or_default())),
    }
}

/// The bucket of literals that begin with the first three of these.
fn bucket(folded: u32) -> usize {
    ((folded & THREE).wrapping_mul(0x9e37_79b1) >> 20) as usize
}

/// A literal in its bucket, and what it must begin with to be compared: its first four bytes, or all three.
struct Begun {
    place: u16,
    begin: u32,
    of: u32,
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
        let (mut pairs, mut placed, mut brief) = (Pairs::new()?, Vec::new(), Vec::new());
        for (n, literal) in literals.iter().enumerate() {
            pairs.put(literal, family(literal, n, literals.len()));
            let place = u16::try_from(n).unwrap_or(u16::MAX);
            match *literal.text.as_bytes() {
                [one, two, three, ref more @ ..] => {
                    let begin = folded([one, two, three, more.first().copied().unwrap_or_default()]);
                    let of = if more.is_empty() { THREE } else { u32::MAX };
                    placed.push((bucket(begin), Begun { place, begin: begin & of, of }));
                }
                [first, ..] => brief.push((first, place)),
                [] => {}
            }
        }
        placed.sort_unstable_by_key(|(of, begun)| (*of, begun.place));
        let begin = |bucket| placed.partition_point(|(of, _)| *of < bucket);
        Ok(Self {
            longest: literals.iter().map(|literal| literal.text.len()).max().unwrap_or(0),
            buckets: (0..=BUCKETS).map(|bucket| u16::try_from(begin(bucket)).unwrap_or(u16::MAX)).collect(),
            in_buckets: placed.into_iter().map(|(_, begun)| begun).collect(),
            brief,
            literals,
            pairs,
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
        let mut at = from;
        // Two bytes more than a stride are looked at: a literal that begins with its last pair goes on behind it.
        while let Some(stride) = text.get(at..).and_then(<[u8]>::first_chunk) {
            let both = self.stride(stride);
            if both.iter().fold(0, |any, both| any | both) != 0 {
                for (pair, both) in both.iter().enumerate() {
                    if *both != 0 {
                        self.look_at(text, at + 2 * pair, *both, &mut hits);
                    }
                }
            }
            at += 2 * STRIDE;
        }
        let byte = |at: usize| text.get(at).copied().unwrap_or_default();
        for at in (at..text.len()).step_by(2) {
            let both =
                self.pairs.of([byte(at), byte(at + 1)]) & (self.pairs.of([byte(at + 2), byte(at + 3)]) >> GO_ON[0]);
            self.look_at(text, at, both, &mut hits);
        }
        hits.sort_unstable_by_key(|(literal, at)| (at + self.literals[*literal].text.len(), *at));
        hits
    }

    /// Every literal that may stand in a text of a body as it is written; `None` if escapes may hide some. A literal that holds a
    /// quote is found outside of strings only.
    pub(super) fn hits_in_json(&self, json: &[u8]) -> Option<Vec<Hit>> {
        let mut hits = self.hits(json, 0);
        let mut at = 0;
        while let Some(escape) = memchr::memchr(b'\\', &json[at..]) {
            at += escape + 2;
            match json.get(at - 1)? {
                b'"' => {}
                // What is written as a letter is the edge of a word all the same.
                b'b' | b'f' | b'n' | b'r' | b't' => {
                    self.note(json, at, (four(json, at), true), |literal| literal.edge, &mut hits);
                }
                // Any other character may be behind it, or, in JSON within a string, another escape.
                _ => return None,
            }
        }
        Some(hits)
    }

    /// The families of which a literal may begin with each pair of a stride, and above them those of which one may begin at its
    /// second byte.
    fn stride(&self, text: &[u8; 2 * STRIDE + 2]) -> [u64; STRIDE] {
        let (pairs, _) = text.as_chunks();
        let entries: [u64; STRIDE + 1] = array::from_fn(|at| self.pairs.of(pairs[at]));
        array::from_fn(|at| entries[at] & (entries[at + 1] >> GO_ON[0]))
    }

    /// Notes the literals that begin in a pair: at its first byte are those of these families, at its second those above.
    fn look_at(&self, text: &[u8], at: usize, both: u64, hits: &mut Vec<Hit>) {
        let (first, second) = (both & FAMILIES, both >> BEGIN[1]);
        if first != 0 {
            self.look(text, at, first, hits);
        }
        if second != 0 {
            self.look(text, at + 1, second, hits);
        }
    }

    /// Notes the literals that stand at a place, which are of these families.
    fn look(&self, text: &[u8], at: usize, families: u64, hits: &mut Vec<Hit>) {
        let inside = at > 0 && is_word(text[at - 1]);
        let families = if inside { families & !EDGED } else { families };
        let (here, brief) = (four(text, at), families & BRIEF != 0);
        // Nearly always it ends here.
        if families != 0 && (brief || !self.bucket(here).is_empty()) {
            let wanted: Wanted = if inside { |literal| !literal.edge } else { |_| true };
            self.note(text, at, (here, brief), wanted, hits);
        }
    }

    /// The literals that may begin with four bytes.
    fn bucket(&self, here: u32) -> &[Begun] {
        let bucket = bucket(here);
        &self.in_buckets[usize::from(self.buckets[bucket])..usize::from(self.buckets[bucket + 1])]
    }

    /// Notes the literals that stand at a place and are wanted there; those of one or two bytes only if they are asked for.
    #[inline(never)]
    fn note(&self, text: &[u8], at: usize, (here, brief): (u32, bool), wanted: Wanted, hits: &mut Vec<Hit>) {
        for Begun { place, .. } in self.bucket(here).iter().filter(|begun| here & begun.of == begun.begin) {
            self.compare(*place, text, at, wanted, hits);
        }
        if brief {
            let first = text.get(at).map(u8::to_ascii_lowercase);
            for (_, place) in self.brief.iter().filter(|(of, _)| Some(*of) == first) {
                self.compare(*place, text, at, wanted, hits);
            }
        }
    }

    // Not inlined: it is seldom come to, and where it is not, the registers it takes would be saved for nothing.
    #[inline(never)]
    fn compare(&self, place: u16, text: &[u8], at: usize, wanted: Wanted, hits: &mut Vec<Hit>) {
        let place = usize::from(place);
        let literal = &self.literals[place];
        if wanted(literal) && literal.stands_at(text, at) {
            hits.push((place, at));
        }
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
    match (literal.edge, literal.text.len()) {
        (true, 1 | 2) => 4,
        (true, _) => 4 * place / all,
        (false, 1) => 15,
        (false, 2) => 14,
        (false, _) => 5 + 9 * place / all,
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
            literals in proptest::collection::vec(("[ab_.é|]{1,5}", any::<bool>()), 1..40),
            text in "[abAB_.é| ]{0,60}",
            from in 0usize..4,
        ) {
            let literal = |(text, edge): &(String, bool)| Literal { edge: *edge && is_word(text.as_bytes()[0]), ..Literal::anywhere(text) };
            let anchors = Anchors::new(literals.iter().map(literal)).unwrap();
            let texts = anchors.literals().iter().map(|literal| &literal.text);
            let automaton = AhoCorasick::builder().ascii_case_insensitive(true).build(texts).unwrap();
            let from = from.min(text.len());
            let expected: Vec<Hit> = automaton
                .find_overlapping_iter(&text.as_bytes()[from..])
                .map(|hit| (hit.pattern().as_usize(), from + hit.start()))
                .filter(|(n, at)| !anchors.literals()[*n].edge || *at == 0 || !is_word(text.as_bytes()[at - 1]))
                .collect();
            prop_assert_eq!(anchors.hits(text.as_bytes(), from), expected);
        }
    }
}
