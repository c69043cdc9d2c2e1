//! Is a text JSON that everybody reads alike? UTF-8, one value, no name twice in any object, nesting bounded. A policy that
//! looks at one `name` and a server that acts on another would be two readers of one message; such a message is refused.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Malformed, shown};

/// Deepest nesting accepted, the outermost value being 1.
pub const DEPTH_MAX: usize = 96;

/// Checks the whole of a text and gives it back as one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(text: &[u8]) -> Result<&str, Malformed> {
    let text = std::str::from_utf8(text).map_err(|error| Malformed::NotUtf8 { at: error.valid_up_to() })?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let mut found = Found::default();
    let walked = Walk { found: &mut found, depth: 1 }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (walked, found.why) {
        (Ok(()), _) => Ok(text),
        (Err(_), Some(why)) => Err(why),
        (Err(error), None) => Err(Malformed::NotJson { what: error.to_string() }),
    }
}

/// What the walk has come by: the names of the objects it is inside of, and why it stopped.
#[derive(Default)]
struct Found<'de> {
    names: Vec<Cow<'de, str>>,
    why: Option<Malformed>,
}

struct Walk<'f, 'de> {
    found: &'f mut Found<'de>,
    depth: usize,
}

impl<'de> Walk<'_, 'de> {
    fn inside<E: de::Error>(&mut self) -> Result<Walk<'_, 'de>, E> {
        if self.depth >= DEPTH_MAX {
            self.found.why = Some(Malformed::TooDeep);
            return Err(E::custom("nested too deeply"));
        }
        Ok(Walk { found: self.found, depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_, 'de> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_, 'de> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(self.inside()?)?.is_some() {}
        Ok(())
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let base = self.found.names.len();
        while let Some(name) = map.next_key_seed(Name)? {
            self.found.names.push(name);
            map.next_value_seed(self.inside()?)?;
        }
        let mine = &mut self.found.names[base..];
        mine.sort_unstable();
        if let Some(twice) = mine.windows(2).find(|two| two[0] == two[1]) {
            self.found.why = Some(Malformed::Twice { name: shown(&twice[0]) });
            return Err(de::Error::custom("a name stands twice"));
        }
        self.found.names.truncate(base);
        Ok(())
    }
}

/// A member's name, borrowed where it has no escapes.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member's name")
    }
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}
