//! Gemini's JSON, as far as it is shared by requests and answers. Both spellings of field names are read (`inlineData`,
//! `inline_data`); the camel one is written.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Deserialize as Read, Serialize as Write};
use serde_json::value::RawValue;

use crate::form::RawJson;

/// `Content`, as read.
#[derive(Debug, Default, Read)]
pub(super) struct Content {
    #[serde(default)]
    pub(super) role: Option<String>,
    #[serde(default)]
    pub(super) parts: Vec<Part>,
}

/// `Part`, as read. Members nobody here knows are kept raw in `other`.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) text: Option<String>,
    pub(super) thought: bool,
    pub(super) signature: Option<String>,
    pub(super) inline: Option<Blob>,
    pub(super) file: Option<FileData>,
    pub(super) call: Option<FunctionCall>,
    pub(super) response: Option<FunctionResponse>,
    pub(super) other: Vec<(String, Box<RawValue>)>,
}

/// Bytes in a part.
#[derive(Debug, Read)]
pub(super) struct Blob {
    #[serde(default, rename = "mimeType", alias = "mime_type")]
    pub(super) mime: Option<String>,
    #[serde(default)]
    pub(super) data: String,
    #[serde(default, rename = "displayName", alias = "display_name")]
    pub(super) name: Option<String>,
}

/// A file in a part.
#[derive(Debug, Read)]
pub(super) struct FileData {
    #[serde(default, rename = "mimeType", alias = "mime_type")]
    pub(super) mime: Option<String>,
    #[serde(default, rename = "fileUri", alias = "file_uri")]
    pub(super) uri: String,
    #[serde(default, rename = "displayName", alias = "display_name")]
    pub(super) name: Option<String>,
}

/// A call the model made.
#[derive(Debug, Read)]
pub(super) struct FunctionCall {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) args: Option<Box<RawValue>>,
}

/// What a function answered.
#[derive(Debug, Read)]
pub(super) struct FunctionResponse {
    #[serde(default)]
    pub(super) id: Option<String>,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) response: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) parts: Vec<Part>,
}

#[derive(Read)]
#[serde(field_identifier)]
enum PartKey {
    #[serde(rename = "text")]
    Text,
    #[serde(rename = "thought")]
    Thought,
    #[serde(rename = "thoughtSignature", alias = "thought_signature")]
    Signature,
    #[serde(rename = "inlineData", alias = "inline_data")]
    Inline,
    #[serde(rename = "fileData", alias = "file_data")]
    File,
    #[serde(rename = "functionCall", alias = "function_call")]
    Call,
    #[serde(rename = "functionResponse", alias = "function_response")]
    Response,
    Other(String),
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PartVisitor;
        impl<'de> Visitor<'de> for PartVisitor {
            type Value = Part;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a part")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Part, A::Error> {
                let mut part = Part::default();
                while let Some(key) = map.next_key()? {
                    match key {
                        PartKey::Text => part.text = map.next_value()?,
                        PartKey::Thought => part.thought = map.next_value::<Option<bool>>()?.unwrap_or_default(),
                        PartKey::Signature => part.signature = map.next_value()?,
                        PartKey::Inline => part.inline = map.next_value()?,
                        PartKey::File => part.file = map.next_value()?,
                        PartKey::Call => part.call = map.next_value()?,
                        PartKey::Response => part.response = map.next_value()?,
                        PartKey::Other(name) => part.other.push((name, map.next_value()?)),
                    }
                }
                Ok(part)
            }
        }
        deserializer.deserialize_map(PartVisitor)
    }
}

/// Side notes of a part: never the part's content.
const NOTES: &[&str] = &["videoMetadata", "video_metadata", "mediaResolution", "media_resolution", "partMetadata"];

impl Part {
    /// Takes the side notes out of `other`.
    pub(super) fn take_notes(&mut self) -> Vec<(String, Box<RawValue>)> {
        self.other.extract_if(.., |(name, _)| NOTES.contains(&name.as_str())).collect()
    }

    /// A part of a kind nobody here knows, as it came: its type and the raw part.
    pub(super) fn native(self) -> Option<(String, RawJson)> {
        let kind = self.other.first()?.0.clone();
        let mut members = self.other;
        if let Some(signature) = self.signature {
            members.push(("thoughtSignature".to_owned(), serde_json::value::to_raw_value(&signature).ok()?));
        }
        raw_object(&members).map(|raw| (kind, RawJson(raw)))
    }
}

/// A raw object of raw members.
pub(super) fn raw_object(members: &[(String, Box<RawValue>)]) -> Option<Box<RawValue>> {
    struct Members<'a>(&'a [(String, Box<RawValue>)]);
    impl serde::Serialize for Members<'_> {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_map(self.0.iter().map(|(name, raw)| (name, raw)))
        }
    }
    serde_json::value::to_raw_value(&Members(members)).ok()
}

/// A part of bytes, raw again.
pub(super) fn inline_raw(blob: &Blob) -> Option<RawJson> {
    let mime_type = blob.mime.as_deref().unwrap_or("application/octet-stream");
    let part = PartOut { inline_data: Some(BlobOut { mime_type, data: &blob.data }), ..PartOut::default() };
    serde_json::value::to_raw_value(&part).ok().map(RawJson)
}

/// Whether an address names a file Google keeps: its File API, or Cloud Storage.
pub(super) fn is_google_file(uri: &str) -> bool {
    uri.starts_with("https://generativelanguage.googleapis.com/") || uri.starts_with("gs://")
}

/// `Content`, as written.
#[derive(Debug, Write)]
pub(super) struct ContentOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) role: Option<&'static str>,
    pub(super) parts: Vec<Piece<'a>>,
}

/// A part, as written: one of ours, or a raw one that came from this dialect.
#[derive(Debug, Write)]
#[serde(untagged)]
#[expect(clippy::large_enum_variant, reason = "the raw variant is rare, and a box per part would be an allocation")]
pub(super) enum Piece<'a> {
    Part(PartOut<'a>),
    Native(&'a RawValue),
}

/// `Part`, as written.
#[derive(Debug, Default, Write)]
#[serde(rename_all = "camelCase")]
pub(super) struct PartOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "crate::json::some_text")]
    pub(super) text: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) thought: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) inline_data: Option<BlobOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file_data: Option<FileOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_call: Option<CallOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) function_response: Option<ResponseOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) thought_signature: Option<Cow<'a, str>>,
}

impl<'a> PartOut<'a> {
    /// Plain text.
    pub(super) fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self { text: Some(text.into()), ..Self::default() }
    }
}

#[derive(Debug, Write)]
#[serde(rename_all = "camelCase")]
pub(super) struct BlobOut<'a> {
    pub(super) mime_type: &'a str,
    pub(super) data: &'a str,
}

#[derive(Debug, Write)]
#[serde(rename_all = "camelCase")]
pub(super) struct FileOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mime_type: Option<&'a str>,
    pub(super) file_uri: &'a str,
}

#[derive(Debug, Write)]
pub(super) struct CallOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) name: Cow<'a, str>,
    pub(super) args: Args<'a>,
}

/// Arguments must be an object here; text that is none is wrapped.
#[derive(Debug, Write)]
#[serde(untagged)]
pub(super) enum Args<'a> {
    Object(&'a RawValue),
    Wrapped { input: &'a str },
    None {},
}

impl<'a> Args<'a> {
    /// The object in a JSON text; `false` with it when the text was no object.
    pub(super) fn of(text: &'a str) -> (Self, bool) {
        if text.trim().is_empty() {
            return (Self::None {}, true);
        }
        match object(text) {
            Some(raw) => (Self::Object(raw), true),
            None => (Self::Wrapped { input: text }, false),
        }
    }
}

#[derive(Debug, Write)]
pub(super) struct ResponseOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<&'a str>,
    pub(super) name: Cow<'a, str>,
    pub(super) response: Outcome<'a>,
}

/// What a function answered must be an object too.
#[derive(Debug, Write)]
#[serde(untagged)]
pub(super) enum Outcome<'a> {
    Object(&'a RawValue),
    Output { output: Cow<'a, str> },
    Error { error: Cow<'a, str> },
}

/// The text as a raw JSON object, if it is one.
pub(super) fn object(text: &str) -> Option<&RawValue> {
    let raw: &RawValue = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok())??;
    Some(raw)
}
