//! Reading parts: of a request's turns, and of an answer's candidates.

use gatehouse_domain::Fault;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::dialects::gemini::NAME;
use crate::dialects::gemini::carry::{mint_call_id, unpack};
use crate::dialects::gemini::wire::{self, Blob, FileData, FunctionCall, FunctionResponse, Part};
use crate::dialects::shared::compact::compact;
use crate::dialects::shared::mime;
use crate::dialects::shared::place::wrong;
use crate::form::{Block, Content, Media, MediaKind, Reasoning, Signature, Source, ToolCall, ToolResult};

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
            self.part(part, &mut blocks).map_err(|message| wrong(format!("{place}.parts[{index}]"), message))?;
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
        let arguments = call.args.map_or_else(|| "{}".to_owned(), |args| compact(args.get()).into_owned());
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
    let plain =
        |raw: &RawValue| serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| compact(raw.get()).into_owned());
    match serde_json::from_str::<Wrapped<'_>>(raw.get()) {
        Ok(Wrapped { output: Some(output), error: None }) => (Some(plain(output)), false),
        Ok(Wrapped { output: None, error: Some(error) }) => (Some(plain(error)), true),
        _ => (Some(compact(raw.get()).into_owned()), false),
    }
}

/// Bytes of a part.
pub(in crate::dialects::gemini) fn inline(blob: Blob) -> Media {
    let kind = blob.mime.as_deref().map_or(MediaKind::Document, mime::kind_of);
    Media {
        kind,
        mime: blob.mime,
        source: Source::Base64(standard_base64(blob.data)),
        name: blob.name,
        detail: None,
        citations: false,
    }
}

/// Base64 in the standard alphabet, padded. Proto JSON, and with it Google's own SDKs, may use the URL-safe one; no other
/// vendor reads that.
fn standard_base64(data: String) -> String {
    if !data.contains(['-', '_']) && data.len().is_multiple_of(4) {
        return data;
    }
    let mut standard: String = data
        .chars()
        .map(|letter| match letter {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    standard
}

fn file_data(file: FileData) -> Media {
    let mime = file.mime.or_else(|| mime::of_url(&file.uri).map(str::to_owned));
    // YouTube addresses carry no type.
    let kind = mime.as_deref().map_or(MediaKind::Video, mime::kind_of);
    let source = if wire::is_google_file(&file.uri) { Source::File(file.uri) } else { Source::Url(file.uri) };
    Media { kind, mime, source, name: file.name, detail: None, citations: false }
}
