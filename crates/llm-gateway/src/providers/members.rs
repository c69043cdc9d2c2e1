//! The members of a JSON object in their order, values untouched: for the rare body that must be changed after it is
//! finished.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A name and its value as written.
pub(super) type Member<'a> = (Cow<'a, str>, &'a RawValue);

/// Reads the members of an object.
pub(super) fn read(json: &[u8]) -> Result<Vec<Member<'_>>, serde_json::Error> {
    struct Members;
    impl<'de> Visitor<'de> for Members {
        type Value = Vec<Member<'de>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut members = Vec::new();
            while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                members.push((Cow::Owned(name), value));
            }
            Ok(members)
        }
    }
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let members = deserializer.deserialize_map(Members)?;
    deserializer.end()?;
    Ok(members)
}

/// Writes them as an object, compact between members.
pub(super) fn write(members: &[Member<'_>]) -> Bytes {
    let mut out = Vec::with_capacity(members.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum());
    for (index, (name, value)) in members.iter().enumerate() {
        out.push(if index == 0 { b'{' } else { b',' });
        out.extend_from_slice(serde_json::Value::from(name.as_ref()).to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    if members.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    out.into()
}
