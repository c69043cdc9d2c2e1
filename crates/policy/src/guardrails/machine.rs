//! One pattern as a machine that is fed byte by byte, so that it can say "not decided yet".
//!
//! Regex engines answer "match" or "no match" for the text there is. On a stream that is the wrong question: a machine that has
//! not died at the end of the text may still match, one that died never will. Linear time, no backtracking, bounded memory.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::hybrid::{CacheError, LazyStateID};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{Compiler, Config as NfaConfig, WhichCaptures};
use regex_automata::util::captures::Captures;
use regex_automata::util::pool::Pool;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input};

use super::anchors::is_word;

/// A compiled pattern may be this large.
const MAX_NFA_BYTES: usize = 4 << 20;
/// What a machine remembers of its states; when full it forgets and goes on.
const CACHE_BYTES: usize = 128 << 10;

type NewCache = Box<dyn Fn() -> Cache + Send + Sync>;

/// A pattern that is tried at one place of a text.
pub(super) struct Machine {
    dfa: DFA,
    caches: Pool<Cache, NewCache>,
    /// Finds groups once a match is known; `None` for patterns without groups.
    groups: Option<PikeVM>,
    /// For each byte, whether a match may begin with it: at an edge ([`EDGE`]), within a word ([`INSIDE`]).
    openings: [u8; 256],
}

/// No word stands before the match.
const EDGE: u8 = 1;
/// The match would begin within a word or behind one.
const INSIDE: u8 = 2;
/// What a machine tells apart of that which stands before a match.
const BEFORE: [(&[u8], u8); 5] = [(b"", EDGE), (b" ", EDGE), (b"\n", EDGE), (b"\r", EDGE), (b"a", INSIDE)];

/// What a machine says about one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// It does not match here, whatever follows.
    Dead,
    /// It matches from here up to this byte, whatever follows.
    Match(usize),
    /// What follows decides.
    Open,
}

impl Machine {
    /// # Errors
    /// What is wrong with the pattern, in one line.
    pub(super) fn new(pattern: &str, syntax: syntax::Config, groups: bool) -> Result<Self, String> {
        let captures = if groups { WhichCaptures::All } else { WhichCaptures::Implicit };
        let nfa_config = NfaConfig::new()
            .utf8(syntax.get_utf8())
            .nfa_size_limit(Some(MAX_NFA_BYTES))
            .shrink(false)
            .which_captures(captures);
        let nfa =
            Compiler::new().syntax(syntax).configure(nfa_config).build(pattern).map_err(|error| error.to_string())?;
        let groups = match nfa.group_info().explicit_slot_len() {
            0 => None,
            _ => Some(PikeVM::new_from_nfa(nfa.clone()).map_err(|error| error.to_string())?),
        };
        let config =
            DFA::config().cache_capacity(CACHE_BYTES).skip_cache_capacity_check(true).unicode_word_boundary(true);
        let dfa = DFA::builder().configure(config).build_from_nfa(nfa).map_err(|error| error.to_string())?;
        let openings = openings(&dfa);
        let for_caches = dfa.clone();
        let create: NewCache = Box::new(move || for_caches.create_cache());
        Ok(Self { dfa, caches: Pool::new(create), groups, openings })
    }

    /// May a match begin here? Most places are ruled out by their first byte, and that takes no cache. Behind a letter beyond
    /// ASCII it is left to the machine.
    pub(super) fn opens(&self, text: &[u8], start: usize) -> bool {
        let Some(first) = text.get(start) else { return true };
        let before = match start.checked_sub(1).map(|before| text[before]) {
            Some(byte) if !byte.is_ascii() => return true,
            Some(byte) if is_word(byte) => INSIDE,
            _ => EDGE,
        };
        self.openings[usize::from(*first)] & before != 0
    }

    /// Tries the pattern at `start`. The match may go up to `stop`; `last` says that nothing follows the text.
    ///
    /// At `stop` a match ends whatever follows, though what follows is looked at as context (`\b`).
    pub(super) fn probe(&self, text: &[u8], start: usize, stop: usize, last: bool) -> Probe {
        if start < stop && !self.opens(text, start) {
            return Probe::Dead;
        }
        let mut cache = self.caches.get();
        let end = stop.min(text.len());
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let Ok(mut state) = self.dfa.start_state_forward(&mut cache, &input) else { return Probe::Open };
        let mut matched = None;
        let decided = |matched: Option<usize>| matched.map_or(Probe::Dead, Probe::Match);
        for (at, byte) in text[start..end].iter().enumerate() {
            let Ok(next) = self.step(&mut cache, state, *byte) else { return Probe::Open };
            state = next;
            if state.is_tagged() {
                if state.is_match() {
                    // A lazy machine says so one byte late.
                    matched = Some(start + at);
                } else if state.is_dead() {
                    return decided(matched);
                } else if state.is_quit() {
                    return Probe::Open;
                }
            }
        }
        let past = match text.get(end) {
            Some(byte) if end == stop => self.dfa.next_state(&mut cache, state, *byte),
            None if last => self.dfa.next_eoi_state(&mut cache, state),
            _ => return Probe::Open,
        };
        match past {
            Ok(state) if state.is_quit() => Probe::Open,
            Ok(state) if state.is_match() => Probe::Match(end),
            Ok(_) => decided(matched),
            Err(_) => Probe::Open,
        }
    }

    /// The state after a byte. Most are known and say nothing, and for those there is a shorter way.
    #[inline]
    fn step(&self, cache: &mut Cache, state: LazyStateID, byte: u8) -> Result<LazyStateID, CacheError> {
        if !state.is_tagged() {
            let next = self.dfa.next_state_untagged(cache, state, byte);
            if !next.is_tagged() {
                return Ok(next);
            }
        }
        self.dfa.next_state(cache, state, byte)
    }

    /// Up to where the pattern has to be tried at `start` to know that it does not match there, whatever follows; `None` if that is
    /// not certain before `stop` or the text's end.
    pub(super) fn dies(&self, text: &[u8], start: usize, stop: usize) -> Option<usize> {
        if !self.opens(text, start) {
            return Some(start);
        }
        let mut cache = self.caches.get();
        let input = Input::new(text).range(start..).anchored(Anchored::Yes);
        let mut state = self.dfa.start_state_forward(&mut cache, &input).ok()?;
        for (at, byte) in (start..stop).zip(text.get(start..)?) {
            state = self.step(&mut cache, state, *byte).ok()?;
            if state.is_tagged() {
                return Some(at).filter(|_| state.is_dead());
            }
        }
        None
    }

    /// The groups of a match that [`probe`](Self::probe) found.
    pub(super) fn groups(&self, text: &[u8], start: usize, end: usize) -> Option<Captures> {
        let vm = self.groups.as_ref()?;
        let mut captures = vm.create_captures();
        let input = Input::new(text).range(start..end).anchored(Anchored::Yes);
        vm.search(&mut vm.create_cache(), &input, &mut captures);
        captures.is_match().then_some(captures)
    }
}

/// Asks the machine about every byte a match might begin with.
fn openings(dfa: &DFA) -> [u8; 256] {
    let mut cache = dfa.create_cache();
    let mut openings = [0; 256];
    for (byte, opening) in (0..=u8::MAX).zip(&mut openings) {
        for (before, bit) in BEFORE {
            let text = [before, &[byte]].concat();
            let input = Input::new(&text).range(before.len()..).anchored(Anchored::Yes);
            let next = dfa.start_state_forward(&mut cache, &input).ok();
            let next = next.and_then(|start| dfa.next_state(&mut cache, start, byte).ok());
            // What it cannot say of this byte alone it may say of more.
            if next.is_none_or(|state| !state.is_dead()) {
                *opening |= bit;
            }
        }
    }
    openings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(pattern: &str) -> Machine {
        Machine::new(pattern, syntax::Config::new(), true).unwrap()
    }

    #[test]
    fn a_place_is_open_only_as_long_as_a_match_is_possible() {
        let machine = machine("ab+c");
        assert_eq!(machine.probe(b"abb", 0, 100, false), Probe::Open);
        assert_eq!(machine.probe(b"abb", 0, 100, true), Probe::Dead);
        assert_eq!(machine.probe(b"abx", 0, 100, false), Probe::Dead);
        assert_eq!(machine.probe(b"abbc", 0, 100, true), Probe::Match(4));
    }

    #[test]
    fn a_match_ends_at_the_stop_and_sees_what_follows_it() {
        assert_eq!(machine("a+").probe(b"aaaaaa", 0, 4, false), Probe::Match(4));
        assert_eq!(machine(r"a+\b").probe(b"aaaaaa", 0, 4, false), Probe::Dead);
    }

    #[test]
    fn a_place_is_ruled_out_by_its_first_byte_only_where_the_machine_would_die_of_it() {
        for pattern in [r"\bab", r"(?m)^a|b\b", r"(?:)", r"\Ba+", "é", r"\bé", "[^a]", "$"] {
            let machine = machine(pattern);
            let alone = Machine { openings: [EDGE | INSIDE; 256], ..self::machine(pattern) };
            for text in ["ab", " ab", "xab", "_a", "\nab", "\ra", "éab", "é", "aé", "", "b", "-b"] {
                for (start, last) in (0..=text.len()).flat_map(|start| [(start, false), (start, true)]) {
                    let probe = |machine: &Machine| machine.probe(text.as_bytes(), start, 100, last);
                    assert_eq!(probe(&machine), probe(&alone), "{pattern} in {text:?} at {start}");
                }
            }
        }
    }

    #[test]
    fn a_machine_dies_at_the_byte_that_rules_every_match_out() {
        let dies = |text: &[u8]| machine("ab+c").dies(text, 0, 4);
        assert_eq!((dies(b"xbc"), dies(b"abx"), dies(b"abbbbx")), (Some(0), Some(2), None));
        assert_eq!((dies(b"abc "), dies(b"abb")), (None, None));
    }

    #[test]
    fn groups_are_found_within_the_match() {
        let machine = machine("key=(x+);");
        let captures = machine.groups(b"  key=xx;", 2, 9).unwrap();
        assert_eq!(captures.get_group(1).map(|span| span.start..span.end), Some(6..8));
    }
}
