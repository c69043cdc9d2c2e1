//! Reading a request.

use std::fmt;

use gatehouse_domain::Fault;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::config::{GenerationConfig, ToolConfig};
use crate::dialects::gemini::carry::{mint_call_id, unpack};
use crate::dialects::gemini::wire::{self, Blob, FileData, FunctionCall, FunctionResponse, Part};
use crate::dialects::gemini::{NAME, schema};
use crate::dialects::locate::{invalid, refused};
use crate::dialects::mime;
use crate::form::{
    Ask, Block, Content, Media, MediaKind, Reasoning, Role, Signature, Source, Tool, ToolCall, ToolResult, Turn,
};

/// Most alternatives a client may ask for.
const CANDIDATES_MAX: u32 = 128;

/// Reads a `generateContent` body, and a `countTokens` body in either of its two forms.
///
/// # Errors
/// `InvalidJson`, or `InvalidRequest` naming the field.
pub(in crate::dialects::gemini) fn read(body: &[u8]) -> Result<Ask, Fault> {
    let request: Request = serde_json::from_slice(body).map_err(|error| refused(body, &error))?;
    let request = request.inner.map_or(request.fields, |inner| inner.fields);
    let mut ask = Ask { model: request.model.unwrap_or_default(), extras: request.extras, ..Ask::default() };
    if let Some(name) = ask.model.strip_prefix("models/") {
        ask.model = name.to_owned();
    }
    let mut reader = TurnReader::default();
    if let Some(system) = request.system {
        let (blocks, _) = reader.blocks(system.parts, "systemInstruction", &mut ask.extras)?;
        ask.system = blocks;
    }
    for (index, content) in request.contents.into_iter().enumerate() {
        let role = match content.role.as_deref() {
            None | Some("" | "user" | "function" | "tool") => Role::User,
            Some("model") => Role::Assistant,
            Some(_) => {
                return Err(invalid(format!("contents[{index}].role"), "the role must be \"user\" or \"model\""));
            }
        };
        let (blocks, _) = reader.blocks(content.parts, &format!("contents[{index}]"), &mut ask.extras)?;
        ask.turns.push(Turn { role, blocks });
    }
    for tool in request.tools {
        tool.into_form(&mut ask.tools)?;
    }
    if let Some(config) = request.tool_config {
        config.into_ask(&mut ask);
    }
    if let Some(config) = request.config {
        if config.candidates.is_some_and(|n| n == 0 || n > CANDIDATES_MAX) {
            return Err(invalid("generationConfig.candidateCount", "candidateCount must be between 1 and 128"));
        }
        config.into_ask(&mut ask);
    }
    Ok(ask)
}

#[derive(Default)]
struct Fields {
    model: Option<String>,
    contents: Vec<wire::Content>,
    system: Option<wire::Content>,
    tools: Vec<ToolDefinition>,
    tool_config: Option<ToolConfig>,
    config: Option<GenerationConfig>,
    extras: Vec<(String, Box<RawValue>)>,
}

/// A request; `countTokens` may hold the real one inside.
struct Request {
    fields: Fields,
    inner: Option<Box<Request>>,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Key {
    #[serde(rename = "model")]
    Model,
    #[serde(rename = "contents")]
    Contents,
    #[serde(rename = "systemInstruction", alias = "system_instruction")]
    System,
    #[serde(rename = "tools")]
    Tools,
    #[serde(rename = "toolConfig", alias = "tool_config")]
    ToolConfig,
    #[serde(rename = "generationConfig", alias = "generation_config")]
    Config,
    #[serde(rename = "generateContentRequest", alias = "generate_content_request")]
    Inner,
    Other(String),
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RequestVisitor;
        impl<'de> Visitor<'de> for RequestVisitor {
            type Value = Request;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a generateContent request")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Request, A::Error> {
                let mut fields = Fields::default();
                let mut inner = None;
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Model => fields.model = map.next_value()?,
                        Key::Contents => fields.contents = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::System => fields.system = map.next_value()?,
                        Key::Tools => fields.tools = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::ToolConfig => fields.tool_config = map.next_value()?,
                        Key::Config => fields.config = map.next_value()?,
                        Key::Inner => inner = map.next_value()?,
                        Key::Other(name) => {
                            let raw: Option<Box<RawValue>> = map.next_value()?;
                            fields.extras.extend(raw.map(|raw| (camel(name), raw)));
                        }
                    }
                }
                Ok(Request { fields, inner })
            }
        }
        deserializer.deserialize_map(RequestVisitor)
    }
}

/// The camel spelling of the fields that this dialect's writer gives back.
fn camel(name: String) -> String {
    match name.as_str() {
        "safety_settings" => "safetySettings".to_owned(),
        "cached_content" => "cachedContent".to_owned(),
        _ => name,
    }
}

/// One element of `tools`: declarations of functions and Google's own tools, side by side.
#[derive(Default)]
struct ToolDefinition {
    functions: Vec<Declaration>,
    native: Vec<(String, Box<RawValue>)>,
}

#[derive(Deserialize)]
struct Declaration {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Box<RawValue>>,
    #[serde(default, rename = "parametersJsonSchema", alias = "parameters_json_schema")]
    json_schema: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum ToolKey {
    #[serde(rename = "functionDeclarations", alias = "function_declarations")]
    Functions,
    Other(String),
}

impl<'de> Deserialize<'de> for ToolDefinition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ToolVisitor;
        impl<'de> Visitor<'de> for ToolVisitor {
            type Value = ToolDefinition;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tool")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ToolDefinition, A::Error> {
                let mut tool = ToolDefinition::default();
                while let Some(key) = map.next_key()? {
                    match key {
                        ToolKey::Functions => tool.functions = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        ToolKey::Other(name) => tool.native.push((name, map.next_value()?)),
                    }
                }
                Ok(tool)
            }
        }
        deserializer.deserialize_map(ToolVisitor)
    }
}

impl ToolDefinition {
    fn into_form(self, tools: &mut Vec<Tool>) -> Result<(), Fault> {
        for function in self.functions {
            if function.name.is_empty() {
                return Err(invalid("tools.functionDeclarations.name", "every function needs a name"));
            }
            let parameters =
                function.json_schema.or_else(|| function.parameters.as_deref().and_then(schema::from_gemini));
            tools.push(Tool::Function {
                name: function.name,
                description: function.description,
                parameters,
                strict: None,
                cache: None,
            });
        }
        for member in self.native {
            let kind = member.0.clone();
            if let Some(raw) = wire::raw_object(&[member]) {
                tools.push(Tool::Native { dialect: NAME, kind, raw });
            }
        }
        Ok(())
    }
}

/// Reads parts; remembers calls, because results may name them by order only.
#[derive(Default)]
pub(in crate::dialects::gemini) struct TurnReader {
    calls: usize,
    /// Calls without a result yet: id and name.
    open: Vec<(String, String)>,
    /// Tells ids minted for one answer from those of another.
    salt: String,
}

impl TurnReader {
    /// A reader of one answer.
    pub(in crate::dialects::gemini) fn of_answer(id: &str, choice: usize) -> Self {
        let salt = if choice == 0 { id.to_owned() } else { format!("{id}/{choice}") };
        Self { salt, ..Self::default() }
    }

    /// The blocks of the parts, and for each block the index of the part it came from.
    pub(in crate::dialects::gemini) fn blocks(
        &mut self,
        parts: Vec<Part>,
        place: &str,
        extras: &mut Vec<(String, Box<RawValue>)>,
    ) -> Result<(Vec<Block>, Vec<usize>), Fault> {
        let mut blocks = Vec::with_capacity(parts.len());
        let mut origins = Vec::with_capacity(parts.len());
        for (index, mut part) in parts.into_iter().enumerate() {
            if !part.other.is_empty() {
                extras.extend(part.take_notes());
            }
            self.part(part, &mut blocks).map_err(|message| invalid(format!("{place}.parts[{index}]"), message))?;
            origins.resize(blocks.len(), index);
        }
        Ok((blocks, origins))
    }

    fn part(&mut self, mut part: Part, blocks: &mut Vec<Block>) -> Result<(), &'static str> {
        let signature = part.signature.take().map(unpack);
        if let Some(call) = part.call.take() {
            let call = self.call(call, signature.map(|(signature, _)| signature))?;
            blocks.push(Block::new(Content::ToolCall(call)));
        } else if let Some(response) = part.response.take() {
            blocks.push(Block::new(Content::ToolResult(self.result(response)?)));
        } else if let Some(blob) = part.inline.take() {
            blocks.push(Block::new(Content::Media(inline(blob))));
        } else if let Some(file) = part.file.take() {
            blocks.push(Block::new(Content::Media(file_data(file))));
        } else if part.text.is_some() || signature.is_some() && part.other.is_empty() {
            let text = part.text.take().unwrap_or_default();
            let thought = part.thought;
            if !thought && !text.is_empty() {
                blocks.push(Block::text(text));
                // The signature of a text travels behind it, as a thought without words.
                blocks.extend(signature.map(|signature| thought_block(String::new(), Some(signature))));
            } else if thought && !text.is_empty() || signature.is_some() {
                blocks.push(thought_block(text, signature));
            }
        } else if !part.other.is_empty() {
            part.signature = signature.map(|(signature, _)| signature.value);
            if let Some((kind, raw)) = part.native() {
                blocks.push(Block::new(Content::Native { dialect: NAME, kind, raw }));
            }
        }
        Ok(())
    }

    /// A call in the form; mints an id where none came.
    pub(in crate::dialects::gemini) fn call(
        &mut self,
        call: FunctionCall,
        signature: Option<Signature>,
    ) -> Result<ToolCall, &'static str> {
        if call.name.is_empty() {
            return Err("functionCall needs a name");
        }
        let id = match call.id {
            Some(id) if !id.is_empty() => id,
            _ => mint_call_id(self.calls, &call.name, &self.salt),
        };
        self.calls += 1;
        self.open.push((id.clone(), call.name.clone()));
        let arguments = call.args.map_or_else(|| "{}".to_owned(), |args| Box::<str>::from(args).into_string());
        Ok(ToolCall { id, name: call.name, arguments, signature })
    }

    fn result(&mut self, response: FunctionResponse) -> Result<ToolResult, &'static str> {
        if response.name.is_empty() {
            return Err("functionResponse needs the name of the function");
        }
        let at = match &response.id {
            Some(id) if !id.is_empty() => self.open.iter().position(|(open, _)| open == id),
            // Without ids, results come in the order of their calls.
            _ => self.open.iter().position(|(_, name)| *name == response.name),
        };
        let id = match at {
            Some(at) => self.open.remove(at).0,
            None => response
                .id
                .filter(|id| !id.is_empty())
                .unwrap_or_else(|| mint_call_id(self.calls, &response.name, &self.salt)),
        };
        let (text, error) = response.response.map_or((None, false), |raw| outcome(&raw));
        let mut blocks: Vec<Block> = text.map(Block::text).into_iter().collect();
        for part in response.parts {
            blocks.extend(part.inline.map(|blob| Block::new(Content::Media(inline(blob)))));
            blocks.extend(part.file.map(|file| Block::new(Content::Media(file_data(file)))));
        }
        Ok(ToolResult { id, name: Some(response.name), blocks, error })
    }
}

fn thought_block(text: String, signature: Option<(Signature, bool)>) -> Block {
    let mut thought = Reasoning { text, ..Reasoning::default() };
    match signature {
        Some((signature, true)) => thought.encrypted = Some(signature),
        Some((signature, false)) => thought.signature = Some(signature),
        None => {}
    }
    Block::new(Content::Reasoning(thought))
}

/// Text of a function's answer and whether it is an error. `{"output": …}` and `{"error": …}` are Google's own wrapping
/// and come off; any other object is the answer itself.
fn outcome(raw: &RawValue) -> (Option<String>, bool) {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wrapped<'a> {
        #[serde(borrow, default)]
        output: Option<&'a RawValue>,
        #[serde(borrow, default)]
        error: Option<&'a RawValue>,
    }
    let plain = |raw: &RawValue| serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
    match serde_json::from_str::<Wrapped<'_>>(raw.get()) {
        Ok(Wrapped { output: Some(output), error: None }) => (Some(plain(output)), false),
        Ok(Wrapped { output: None, error: Some(error) }) => (Some(plain(error)), true),
        _ => (Some(raw.get().to_owned()), false),
    }
}

/// Bytes of a part.
pub(in crate::dialects::gemini) fn inline(blob: Blob) -> Media {
    let kind = blob.mime.as_deref().map_or(MediaKind::Document, mime::kind_of);
    Media { kind, mime: blob.mime, source: Source::Base64(blob.data), name: blob.name, detail: None, citations: false }
}

fn file_data(file: FileData) -> Media {
    let mime = file.mime.or_else(|| mime::of_url(&file.uri).map(str::to_owned));
    // YouTube addresses carry no type.
    let kind = mime.as_deref().map_or(MediaKind::Video, mime::kind_of);
    let source = if wire::is_google_file(&file.uri) { Source::File(file.uri) } else { Source::Url(file.uri) };
    Media { kind, mime, source, name: file.name, detail: None, citations: false }
}
