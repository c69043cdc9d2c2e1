//! Where members and elements stand in a text. The parser finds them; what it hands out are parts of the text, and a part
//! knows its place.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::unquote;

/// One member of an object: where its name and its value stand in the text.
pub(crate) struct Place<'t> {
    pub(crate) name: Cow<'t, str>,
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// The members of an object; `None` if the text is none.
pub(crate) fn members(text: &str) -> Option<Vec<Place<'_>>> {
    Members(text).deserialize(&mut serde_json::Deserializer::from_str(text)).ok()
}

/// The elements of an array; `None` if the text is none.
pub(crate) fn elements(text: &str) -> Option<Vec<Range<usize>>> {
    Elements(text).deserialize(&mut serde_json::Deserializer::from_str(text)).ok()
}

/// Where a part stands in the text it was cut from.
pub(crate) fn within(text: &str, part: &str) -> Range<usize> {
    let start = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    start..start + part.len()
}

/// Walks one object.
struct Members<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for Members<'de> {
    type Value = Vec<Place<'de>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'de> {
    type Value = Vec<Place<'de>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut places = Vec::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let name = unquote(key.get()).unwrap_or_default();
            places.push(Place { name, key: within(self.0, key.get()), value: within(self.0, value.get()) });
        }
        Ok(places)
    }
}

/// Walks one array.
struct Elements<'t>(&'t str);

impl<'de> DeserializeSeed<'de> for Elements<'de> {
    type Value = Vec<Range<usize>>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'de> {
    type Value = Vec<Range<usize>>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut places = Vec::new();
        while let Some(value) = seq.next_element::<&RawValue>()? {
            places.push(within(self.0, value.get()));
        }
        Ok(places)
    }
}
