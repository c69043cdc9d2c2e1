//! The text of one JSON value, looked into and cut without ever becoming a tree: what is not touched keeps its bytes, its
//! order and the members nobody here knows. Names are compared as what they mean: `na\u006de` is `name`.
//!
//! Everything in here takes text that [`Raw::read`] or [`read`](super::read()) has found well-formed and free of duplicate
//! names. Of a text that is not, the functions say that nothing is there; they never fail.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{self, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::index::{Index, Keep, Seat};
use super::scan::{Scanned, scan};
use super::walk::{self, Members, Place, within};
use super::{Malformed, lookalike, strict, unquote};

/// The text of one JSON value, known to be well-formed; a slice of what came off the wire wherever it can be. Cheap to clone.
#[derive(Clone)]
pub struct Raw {
    text: Bytes,
    /// Where its members stand, if that is remembered.
    index: Option<Arc<Index>>,
}

impl PartialEq for Raw {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Raw {}

impl Hash for Raw {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

/// What kind of value a [`Raw`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A string.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Raw {
    /// Takes text that is known to be one JSON value.
    #[must_use]
    pub const fn trusted(text: Bytes) -> Self {
        Self { text, index: None }
    }

    /// Reads text that must be one JSON value and nothing else, under the rules for messages: UTF-8, no name twice in any
    /// object, not nested too deeply. Where its members stand is remembered.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(text: Bytes) -> Result<Self, Malformed> {
        let keep = &Keep::MESSAGE;
        if let Some(Scanned { value, index }) = scan(&text, keep) {
            let text = if value.len() == text.len() { text } else { text.slice(value) };
            return Ok(Self { text, index });
        }
        let checked = strict::check(&text)?;
        let value = within(checked, checked.trim_matches([' ', '\n', '\r', '\t']));
        let text = text.slice(value);
        let index = if text.starts_with(b"{") { Index::of(&text, keep).map(Arc::new) } else { None };
        Ok(Self { text, index })
    }

    /// The text of a tree.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self::trusted(Bytes::from(value.to_string()))
    }

    /// A string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        let mut json = BytesMut::with_capacity(text.len() + 2);
        put_text(&mut json, text);
        Self::trusted(json.freeze())
    }

    /// `{}`.
    #[must_use]
    pub fn empty() -> Self {
        Self::trusted(Bytes::from_static(b"{}"))
    }

    /// An array of these.
    #[must_use]
    pub fn array(elements: &[Self]) -> Self {
        let mut text =
            BytesMut::with_capacity(elements.iter().map(|element| element.text.len() + 1).sum::<usize>() + 2);
        text.put_u8(b'[');
        for (at, element) in elements.iter().enumerate() {
            if at > 0 {
                text.put_u8(b',');
            }
            text.extend_from_slice(&element.text);
        }
        text.put_u8(b']');
        Self::trusted(text.freeze())
    }

    /// An object of these, in this order.
    #[must_use]
    pub fn object<'n>(members: impl IntoIterator<Item = (&'n str, Self)>) -> Self {
        let mut text = BytesMut::new();
        text.put_u8(b'{');
        for (name, value) in members {
            if text.len() > 1 {
                text.put_u8(b',');
            }
            put_member(&mut text, name, &value);
        }
        text.put_u8(b'}');
        Self::trusted(text.freeze())
    }

    /// The same in memory of its own. A slice keeps the whole buffer it was cut from: what is kept for long is not to do that.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self::trusted(Bytes::copy_from_slice(&self.text))
    }

    /// The text.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.text
    }

    /// The text, as such.
    #[must_use]
    pub fn as_json(&self) -> &str {
        std::str::from_utf8(&self.text).unwrap_or_default()
    }

    /// What kind of value it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.text.first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::Array,
            Some(b'"') => Kind::Text,
            Some(b't' | b'f') => Kind::Bool,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// Is it an object without members?
    #[must_use]
    pub fn is_bare(&self) -> bool {
        self.is_object() && self.text[1..].trim_ascii_start().first() == Some(&b'}')
    }

    /// Is it an object?
    #[must_use]
    pub fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    /// The string it is, unescaped.
    #[must_use]
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        unquote(self.as_json())
    }

    /// The truth value it is.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match &self.text[..] {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        }
    }

    /// The whole number it is, however it is written: `1.0` and `1e0` are 1.
    #[must_use]
    pub fn as_whole(&self) -> Option<i64> {
        super::id::whole(self.as_json())
    }

    /// As a tree, for code that needs one.
    #[must_use]
    pub fn value(&self) -> Value {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }

    /// As a type that can be read from it.
    ///
    /// # Errors
    /// What does not fit.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.text)
    }

    /// The value at a path of member names; the empty path is the value itself.
    #[must_use]
    pub fn get(&self, path: &[&str]) -> Option<Self> {
        let (value, index) = self.seat(path)?;
        Some(Self { text: self.text.slice(value), index: index.cloned() })
    }

    /// The string at a path.
    #[must_use]
    pub fn text_at(&self, path: &[&str]) -> Option<String> {
        self.said(path).map(Cow::into_owned)
    }

    /// The same for a moment: borrowed where nothing of it is escaped.
    #[must_use]
    pub fn said(&self, path: &[&str]) -> Option<Cow<'_, str>> {
        let (value, _) = self.seat(path)?;
        unquote(std::str::from_utf8(&self.text[value]).ok()?)
    }

    /// The JSON at a path.
    pub(crate) fn json_at(&self, path: &[&str]) -> Option<&[u8]> {
        self.seat(path).map(|(value, _)| &self.text[value])
    }

    /// Is there a value at this path? `null` is one.
    #[must_use]
    pub fn has(&self, path: &[&str]) -> bool {
        self.seat(path).is_some()
    }

    /// Is there an object at this path?
    #[must_use]
    pub fn has_object(&self, path: &[&str]) -> bool {
        self.json_at(path).is_some_and(|json| json.starts_with(b"{"))
    }

    /// Where the value at a path stands, and its members, if that is remembered.
    fn seat(&self, path: &[&str]) -> Option<(Range<usize>, Option<&Arc<Index>>)> {
        let (mut value, mut index) = (0..self.text.len(), self.index.as_ref());
        for name in path {
            let text = &self.text[value.clone()];
            let within = match index {
                Some(known) => {
                    let seat = known.find(text, name)?;
                    index = seat.inside.as_ref();
                    seat.value.clone()
                }
                None => walk::members(text).find(|place| place.is(name))?.value,
            };
            value = value.start + within.start..value.start + within.end;
        }
        Some((value, index))
    }

    /// The members, in their order; none if it is no object.
    pub fn members(&self) -> impl Iterator<Item = (Cow<'_, str>, Self)> {
        self.places().map(|place| (place.name(), self.part(&place)))
    }

    /// The names of the members, in their order.
    pub fn names(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.places().map(|place| place.name())
    }

    /// The elements, in their order; none if it is no array.
    #[must_use]
    pub fn elements(&self) -> Vec<Self> {
        walk::elements(&self.text).map(|range| Self::trusted(self.text.slice(range))).collect()
    }

    /// The same with the value at a path replaced, or added as the last member; objects on the way are made where there is
    /// none.
    #[must_use]
    pub fn with(&self, path: &[&str], value: &Self) -> Self {
        let Some((first, rest)) = path.split_first() else { return value.clone() };
        let mut end = None;
        for place in self.places() {
            if place.is(first) {
                let inner = Self::trusted(self.text.slice(place.value.clone())).with(rest, value);
                let same = inner.text == self.text[place.value.clone()];
                return if same { self.clone() } else { self.spliced(place.value, &inner.text) };
            }
            end = Some(place.value.end);
        }
        let inner = Self::empty().with(rest, value);
        if !self.is_object() {
            return Self::object([(*first, inner)]);
        }
        let mut member = BytesMut::with_capacity(first.len() + inner.text.len() + 4);
        if end.is_some() {
            member.put_u8(b',');
        }
        put_member(&mut member, first, &inner);
        let end = end.unwrap_or(1);
        self.spliced(end..end, &member)
    }

    /// The same with the value at a path replaced, where there is one, by what `change` makes of it.
    #[must_use]
    pub fn change(&self, path: &[&str], change: impl FnOnce(&Self) -> Self) -> Self {
        match self.get(path) {
            Some(value) => self.with(path, &change(&value)),
            None => self.clone(),
        }
    }

    /// The same without the member at a path.
    #[must_use]
    pub fn without(&self, path: &[&str]) -> Self {
        let Some((first, rest)) = path.split_first() else { return self.clone() };
        let (mut places, mut before) = (self.places(), None);
        let Some(here) = places.find(|place| {
            let found = place.is(first);
            if !found {
                before = Some(place.value.end);
            }
            found
        }) else {
            return self.clone();
        };
        if !rest.is_empty() {
            let inner = Self::trusted(self.text.slice(here.value.clone())).without(rest);
            let same = inner.text.len() == here.value.len();
            return if same { self.clone() } else { self.spliced(here.value, &inner.text) };
        }
        let gone = match (before, places.next()) {
            (Some(before), _) => before..here.value.end,
            (None, Some(after)) => here.key.start..after.key.start,
            (None, None) => here.key.start..here.value.end,
        };
        self.spliced(gone, b"")
    }

    /// The same without each of the members with these names.
    #[must_use]
    pub fn without_each(&self, names: &[&str]) -> Self {
        self.edited(names.iter().map(|name| (*name, None)))
    }

    /// The same with several members changed at once: to a value, where there is one, in place or as the last member; else
    /// taken off. One pass and one copy, however many they are.
    #[must_use]
    pub fn edited<'n>(&self, edits: impl IntoIterator<Item = (&'n str, Option<Self>)>) -> Self {
        let mut edits: Vec<(&str, Option<Self>)> = edits.into_iter().collect();
        let is_edited = |place: Place<'_>| edits.iter().any(|(name, _)| place.is(name));
        if edits.iter().all(|(_, value)| value.is_none()) && !self.places().any(is_edited) {
            return self.clone();
        }
        let added =
            |(name, value): &(&str, Option<Self>)| value.as_ref().map_or(0, |new| name.len() + new.text.len() + 4);
        let mut text = BytesMut::with_capacity(self.text.len() + edits.iter().map(added).sum::<usize>());
        text.put_u8(b'{');
        for place in self.places() {
            let edit = edits.iter_mut().find(|(name, _)| place.is(name)).map(|(_, value)| value.take());
            let value = match &edit {
                Some(Some(value)) => &value.text[..],
                Some(None) => continue,
                None => &self.text[place.value.clone()],
            };
            if text.len() > 1 {
                text.put_u8(b',');
            }
            text.extend_from_slice(&self.text[place.key.clone()]);
            text.put_u8(b':');
            text.extend_from_slice(value);
        }
        for (name, value) in edits {
            let Some(value) = value else { continue };
            if text.len() > 1 {
                text.put_u8(b',');
            }
            put_member(&mut text, name, &value);
        }
        text.put_u8(b'}');
        Self::trusted(text.freeze())
    }

    /// The same array with each element as `change` makes it; an element it makes nothing of is left out.
    #[must_use]
    pub fn each(&self, change: impl FnMut(Self) -> Option<Self>) -> Self {
        if self.kind() != Kind::Array {
            return self.clone();
        }
        Self::array(&self.elements().into_iter().filter_map(change).collect::<Vec<_>>())
    }

    /// The same text without line breaks, which in JSON are blanks: a line of a stdio stream, a `data` field of an event.
    #[must_use]
    pub fn on_one_line(&self) -> Self {
        if memchr::memchr2(b'\n', b'\r', &self.text).is_none() {
            return self.clone();
        }
        Self::trusted(self.text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect())
    }

    /// The value of one of its members.
    pub(super) fn part(&self, place: &Place<'_>) -> Self {
        Self { text: self.text.slice(place.value.clone()), index: place.inside.cloned() }
    }

    /// Where its members stand.
    pub(super) fn places(&self) -> Places<'_> {
        match &self.index {
            Some(index) => Places::Known(&self.text, index.seats()),
            None => Places::Walked(walk::members(&self.text)),
        }
    }

    /// The first of its names that a reader who does not mind case would take for one of these, though it is none of them.
    pub(crate) fn lookalike(&self, known: &'static [&'static str]) -> Option<(String, &'static str)> {
        self.places().find_map(|place| {
            let meant = lookalike(&place.name_bytes(), known)?;
            Some((place.name().into_owned(), meant))
        })
    }

    fn spliced(&self, range: Range<usize>, with: &[u8]) -> Self {
        let mut text = BytesMut::with_capacity(self.text.len() + with.len());
        text.extend_from_slice(&self.text[..range.start]);
        text.extend_from_slice(with);
        text.extend_from_slice(&self.text[range.end..]);
        Self::trusted(text.freeze())
    }
}

/// Where the members of a value stand: as it is remembered, or found by walking.
pub(super) enum Places<'t> {
    Known(&'t [u8], std::slice::Iter<'t, Seat>),
    Walked(Members<'t>),
}

impl<'t> Iterator for Places<'t> {
    type Item = Place<'t>;
    fn next(&mut self) -> Option<Place<'t>> {
        match self {
            Self::Known(text, seats) => seats.next().map(|seat| seat.of(text)),
            Self::Walked(members) => members.next(),
        }
    }
}

impl fmt::Debug for Raw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_json())
    }
}

/// As the JSON it is; with `serde_json` only.
impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.as_json()).map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self::trusted(Bytes::from(Box::<str>::from(raw).into_string())))
    }
}

fn put_member(text: &mut BytesMut, name: &str, value: &Raw) {
    put_text(text, name);
    text.put_u8(b':');
    text.extend_from_slice(&value.text);
}

/// A string with its quotes. Nearly none has anything to escape.
pub(super) fn put_text(json: &mut BytesMut, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        json.extend_from_slice(Value::from(text).to_string().as_bytes());
        return;
    }
    json.put_u8(b'"');
    json.extend_from_slice(text.as_bytes());
    json.put_u8(b'"');
}
