//! Fields of content blocks that come in more than one shape: a string or a list, a list or a switch.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::blocks_in::BlockIn;

/// `content`: a string, blocks, or (in blocks of server tools) something else.
#[derive(Default)]
pub(super) enum ContentIn {
    /// A string.
    Text(String),
    /// Blocks.
    Blocks(Vec<BlockIn>),
    /// Neither; only blocks that are kept raw have it.
    #[default]
    Neither,
}

/// A list under a text, a switch under a document.
pub(super) enum CitationsIn {
    List(Vec<Box<RawValue>>),
    Switch(bool),
}

/// Where an image or a document is.
#[derive(Default)]
pub(super) struct SourceIn(pub(super) SourceFields);

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct SourceFields {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) media_type: Option<String>,
    pub(super) data: Option<String>,
    pub(super) url: Option<String>,
    pub(super) file_id: Option<String>,
    pub(super) content: Option<ContentIn>,
}

/// The blocks of a raw `content`.
#[derive(Default)]
pub(super) struct RawBlocks<'a>(pub(super) Vec<&'a RawValue>);

/// Anything with raw blocks in `content`.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct RawContent<'a> {
    /// The blocks; empty for a string.
    #[serde(borrow)]
    pub(super) content: RawBlocks<'a>,
}

impl<'de> Deserialize<'de> for ContentIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = ContentIn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of blocks")
            }
            fn visit_str<E>(self, text: &str) -> Result<ContentIn, E> {
                Ok(ContentIn::Text(text.to_owned()))
            }
            fn visit_string<E>(self, text: String) -> Result<ContentIn, E> {
                Ok(ContentIn::Text(text))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<ContentIn, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = seq.next_element()? {
                    blocks.push(block);
                }
                Ok(ContentIn::Blocks(blocks))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ContentIn, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(ContentIn::Neither)
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl<'de> Deserialize<'de> for CitationsIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = CitationsIn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of citations or {\"enabled\": true}")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<CitationsIn, A::Error> {
                let mut list = Vec::new();
                while let Some(raw) = seq.next_element()? {
                    list.push(raw);
                }
                Ok(CitationsIn::List(list))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CitationsIn, A::Error> {
                #[derive(Default, Deserialize)]
                #[serde(default)]
                struct Switch {
                    enabled: Option<bool>,
                }
                let switch = Switch::deserialize(MapAccessDeserializer::new(map))?;
                Ok(CitationsIn::Switch(switch.enabled.unwrap_or(false)))
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl<'de> Deserialize<'de> for SourceIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = SourceIn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a source")
            }
            // Search results, which are kept raw, name their source with a word.
            fn visit_str<E>(self, _: &str) -> Result<SourceIn, E> {
                Ok(SourceIn::default())
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SourceIn, A::Error> {
                SourceFields::deserialize(MapAccessDeserializer::new(map)).map(SourceIn)
            }
        }
        deserializer.deserialize_any(Seen)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawBlocks<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen;
        impl<'de> Visitor<'de> for Seen {
            type Value = RawBlocks<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("content")
            }
            fn visit_str<E>(self, _: &str) -> Result<RawBlocks<'de>, E> {
                Ok(RawBlocks::default())
            }
            fn visit_unit<E>(self) -> Result<RawBlocks<'de>, E> {
                Ok(RawBlocks::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawBlocks<'de>, A::Error> {
                let mut blocks = Vec::new();
                while let Some(raw) = seq.next_element()? {
                    blocks.push(raw);
                }
                Ok(RawBlocks(blocks))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawBlocks<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(RawBlocks::default())
            }
        }
        deserializer.deserialize_any(Seen)
    }
}
