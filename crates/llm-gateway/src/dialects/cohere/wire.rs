//! Cohere's JSON, as far as it is shared by requests and answers.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Content, as read: a string, or blocks.
#[derive(Debug, Default)]
pub(super) struct Blocks(pub(super) Vec<BlockIn>);

/// A content block, as read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct BlockIn {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) text: Option<String>,
    pub(super) thinking: Option<String>,
    pub(super) image_url: Option<ImageUrl>,
    pub(super) document: Option<Document>,
}

/// An image, as read: `{"url": …, "detail": …}`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ImageUrl {
    pub(super) url: String,
    pub(super) detail: Option<String>,
}

/// A document in a tool's answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Document {
    pub(super) data: Option<Box<RawValue>>,
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct BlocksVisitor;
        impl<'de> Visitor<'de> for BlocksVisitor {
            type Value = Blocks;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a list of content blocks")
            }
            fn visit_unit<E>(self) -> Result<Blocks, E> {
                Ok(Blocks::default())
            }
            fn visit_str<E>(self, text: &str) -> Result<Blocks, E> {
                let block = BlockIn { kind: "text".to_owned(), text: Some(text.to_owned()), ..BlockIn::default() };
                Ok(Blocks(vec![block]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Blocks, A::Error> {
                let mut blocks = Vec::new();
                while let Some(block) = seq.next_element()? {
                    blocks.push(block);
                }
                Ok(Blocks(blocks))
            }
        }
        deserializer.deserialize_any(BlocksVisitor)
    }
}

/// A tool call, as read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct CallIn {
    pub(super) id: String,
    pub(super) function: FunctionIn,
}

/// The function of a call.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct FunctionIn {
    pub(super) name: String,
    pub(super) arguments: Option<String>,
}

/// A tool call, as written.
#[derive(Debug, Serialize)]
pub(super) struct CallOut<'a> {
    pub(super) id: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) function: FunctionOut<'a>,
}

/// The function of a call.
#[derive(Debug, Serialize)]
pub(super) struct FunctionOut<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) arguments: &'a str,
}

impl<'a> CallOut<'a> {
    /// A call in Cohere's shape.
    pub(super) fn new(id: &'a str, name: Cow<'a, str>, arguments: &'a str) -> Self {
        Self { id, kind: "function", function: FunctionOut { name, arguments } }
    }
}

/// A content block, as written.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum BlockOut<'a> {
    Text { text: Cow<'a, str> },
    Thinking { thinking: &'a str },
    ImageUrl { image_url: ImageOut<'a> },
}

/// An image, as written.
#[derive(Debug, Serialize)]
pub(super) struct ImageOut<'a> {
    pub(super) url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) detail: Option<&'a str>,
}

/// Content, as written: a lone text goes as a string.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum ContentOut<'a> {
    Text(Cow<'a, str>),
    Blocks(Vec<BlockOut<'a>>),
}

impl<'a> ContentOut<'a> {
    /// The content of blocks; `None` when there are none.
    pub(super) fn of(mut blocks: Vec<BlockOut<'a>>) -> Option<Self> {
        if blocks.len() == 1 {
            match blocks.pop() {
                Some(BlockOut::Text { text }) => return Some(Self::Text(text)),
                Some(block) => blocks.push(block),
                None => {}
            }
        }
        (!blocks.is_empty()).then_some(Self::Blocks(blocks))
    }
}
