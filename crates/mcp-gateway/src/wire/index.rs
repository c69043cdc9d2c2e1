//! Where the members of an object stand, found once for a text that is asked about again and again.

use std::ops::Range;
use std::sync::Arc;

use super::walk::{self, Place};

/// Which members' own members are asked about as often as they are.
#[derive(Debug)]
pub(crate) struct Keep(&'static [(&'static str, Keep)]);

impl Keep {
    /// Of `params` and `result`.
    pub(crate) const BODY: Self = Self(&[("_meta", Self(&[]))]);
    /// Of a message.
    pub(crate) const MESSAGE: Self = Self(&[("params", Self::BODY), ("result", Self::BODY)]);

    /// What is to be kept of the member with this name.
    pub(super) fn within(&self, name: &[u8]) -> Option<&'static Self> {
        self.0.iter().find(|(kept, _)| kept.as_bytes() == name).map(|(_, within)| within)
    }
}

/// Where the members of one object stand in its text.
#[derive(Debug, Default)]
pub(crate) struct Index(Vec<Seat>);

/// One member.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
    /// Is anything in the name escaped?
    pub(super) escaped: bool,
    /// The same of its value, where that is asked about as often.
    pub(super) inside: Option<Arc<Index>>,
}

impl Index {
    /// The most members that are remembered. Messages have a few; of a text made to have a million, nobody shall keep a table.
    pub(super) const MEMBERS_MAX: usize = 32;

    /// Of an object that is known to be well-formed; `None` if it has too many members.
    pub(crate) fn of(text: &[u8], keep: &Keep) -> Option<Self> {
        let mut index = Self::new();
        for place in walk::members(text) {
            let within = keep.within(place.name().as_bytes());
            let inside = within.and_then(|keep| Self::of(&text[place.value.clone()], keep)).map(Arc::new);
            let Place { key, value, escaped, .. } = place;
            if !index.push(Seat { key, value, escaped, inside }) {
                return None;
            }
        }
        Some(index)
    }

    /// Of an object with no members so far.
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(8))
    }

    /// Adds the next member; `false` if there is no room for it.
    pub(super) fn push(&mut self, seat: Seat) -> bool {
        let has_room = self.0.len() < Self::MEMBERS_MAX;
        if has_room {
            self.0.push(seat);
        }
        has_room
    }

    /// The members of the text it was made of, in their order.
    pub(super) fn seats(&self) -> std::slice::Iter<'_, Seat> {
        self.0.iter()
    }

    /// A member of the text it was made of. Asked some fifty times of a message, so that nothing is made for a member passed by.
    pub(super) fn find(&self, text: &[u8], name: &str) -> Option<&Seat> {
        self.0.iter().find(|seat| match seat.escaped {
            true => seat.of(text).is(name),
            false => {
                seat.key.len() == name.len() + 2
                    && text.get(seat.key.start + 1..seat.key.end - 1) == Some(name.as_bytes())
            }
        })
    }
}

impl Seat {
    pub(super) fn of<'t>(&'t self, text: &'t [u8]) -> Place<'t> {
        Place {
            text,
            key: self.key.clone(),
            value: self.value.clone(),
            escaped: self.escaped,
            inside: self.inside.as_ref(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_says_what_a_walk_says() {
        let text = r#"{"a":1,"_meta":{"c":[2]},"d":{"e":3}}"#.as_bytes();
        let index = Index::of(text, &Keep::BODY).unwrap();
        let said = |place: Place<'_>| (place.name().into_owned(), place.value);
        assert_eq!(
            index.seats().map(|seat| said(seat.of(text))).collect::<Vec<_>>(),
            walk::members(text).map(said).collect::<Vec<_>>()
        );
        let meta = index.find(text, "_meta").unwrap();
        let value = &text[meta.value.clone()];
        assert_eq!(&value[meta.inside.as_ref().unwrap().find(value, "c").unwrap().value.clone()], b"[2]");
        assert!(index.find(text, "d").unwrap().inside.is_none() && index.find(text, "x").is_none());
    }

    #[test]
    fn of_very_many_members_there_is_no_index() {
        let members = |count: usize| (0..count).map(|n| format!("\"{n}\":0")).collect::<Vec<_>>().join(",");
        let index = |count| Index::of(format!("{{{}}}", members(count)).as_bytes(), &Keep::BODY);
        assert!(index(Index::MEMBERS_MAX).is_some() && index(Index::MEMBERS_MAX + 1).is_none());
    }
}
