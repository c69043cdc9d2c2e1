//! Writing the conversation: blocks to parts, turns to alternating contents.

use std::borrow::Cow;
use std::collections::HashMap;

use crate::dialects::gemini::wire::{
    self, Args, BlobOut, CallOut, ContentOut, FileOut, Outcome, PartOut, Piece, ResponseOut,
};
use crate::dialects::gemini::{NAME, TOOL_NAMES};
use crate::dialects::shared::mime;
use crate::dialects::{Speaker, ThinkingStyle};
use crate::form::{
    Ask, Block, Content, Dropped, Issuer, Media, Reasoning, Role, Signature, Source, ToolCall, ToolResult, Turn,
};

/// The value Google names for calls in a history that another vendor's model began: the model then does not look for a
/// signature it never gave. Gemini 3 refuses such a history without it.
const NO_SIGNATURE: &str = "skip_thought_signature_validator";

/// Writes turns as contents.
pub(super) struct Scribe<'a, 'b> {
    speaker: &'b Speaker<'b>,
    dropped: &'b mut Dropped,
    /// Calls of the whole history: id to name and position.
    calls: HashMap<&'a str, (&'a str, usize)>,
    contents: Vec<ContentOut<'a>>,
}

impl<'a, 'b> Scribe<'a, 'b> {
    pub(super) fn new(ask: &'a Ask, speaker: &'b Speaker<'b>, dropped: &'b mut Dropped) -> Self {
        let mut calls = HashMap::new();
        let blocks = ask.turns.iter().flat_map(|turn| &turn.blocks);
        for (order, block) in blocks.enumerate() {
            if let Content::ToolCall(call) = &block.content {
                calls.insert(call.id.as_str(), (call.name.as_str(), order));
            }
        }
        Self { speaker, dropped, calls, contents: Vec::with_capacity(ask.turns.len()) }
    }

    /// The contents: roles alternate, results first and in the order of their calls.
    pub(super) fn contents(mut self, turns: &'a [Turn]) -> Vec<ContentOut<'a>> {
        let mut rest = turns;
        while let Some(first) = rest.first() {
            let role = self.role(first);
            let run = rest.iter().take_while(|turn| self.role(turn) == role).count();
            let (turns, after) = rest.split_at(run);
            rest = after;
            if turns.iter().any(|turn| turn.role == Role::System) {
                self.dropped.note("messages[role=system]");
            }
            match role {
                "model" => self.model(turns),
                _ => self.user(turns),
            }
        }
        self.contents
    }

    /// Instructions as parts: text only.
    pub(super) fn instructions(&mut self, blocks: &'a [Block]) -> Vec<Piece<'a>> {
        let mut parts = Vec::new();
        for block in blocks {
            self.block(block, &mut parts);
        }
        parts
    }

    fn role(&self, turn: &Turn) -> &'static str {
        // Instructions in mid-conversation have no place of their own here: the user says them.
        if turn.role == Role::Assistant { "model" } else { "user" }
    }

    fn model(&mut self, turns: &'a [Turn]) {
        let mut parts = Vec::new();
        let mut first_call = true;
        for block in turns.iter().flat_map(|turn| &turn.blocks) {
            if let Content::ToolCall(call) = &block.content {
                self.note_cache(block);
                let part = self.call(call, std::mem::take(&mut first_call));
                parts.push(Piece::Part(part));
            } else {
                self.block(block, &mut parts);
            }
        }
        self.push("model", parts);
    }

    fn user(&mut self, turns: &'a [Turn]) {
        let mut results: Vec<&'a ToolResult> = Vec::new();
        let mut said = Vec::new();
        for block in turns.iter().flat_map(|turn| &turn.blocks) {
            if let Content::ToolResult(result) = &block.content {
                self.note_cache(block);
                results.push(result);
                for block in result.blocks.iter().filter(|block| is_shown(block)) {
                    self.block(block, &mut said);
                }
            } else {
                self.block(block, &mut said);
            }
        }
        results.sort_by_key(|result| self.calls.get(result.id.as_str()).map_or(usize::MAX, |(_, order)| *order));
        let mut parts: Vec<Piece<'a>> = results.into_iter().map(|result| Piece::Part(self.result(result))).collect();
        if self.speaker.quirks.no_call_ids && !parts.is_empty() {
            // Vertex takes no other parts beside function responses.
            self.push("user", parts);
            self.push("user", said);
        } else {
            parts.append(&mut said);
            self.push("user", parts);
        }
    }

    fn push(&mut self, role: &'static str, parts: Vec<Piece<'a>>) {
        if parts.is_empty() {
            return;
        }
        // A turn of which nothing was left to say may have stood between two of the same role.
        match self.contents.last_mut() {
            Some(last) if last.role == Some(role) && !self.speaker.quirks.no_call_ids => last.parts.extend(parts),
            _ => self.contents.push(ContentOut { role: Some(role), parts }),
        }
    }

    fn block(&mut self, block: &'a Block, parts: &mut Vec<Piece<'a>>) {
        self.note_cache(block);
        match &block.content {
            Content::Text { text, citations } => {
                self.dropped.note_if(!citations.is_empty(), "citations");
                if !text.is_empty() {
                    parts.push(Piece::Part(PartOut::text(text.as_str())));
                }
            }
            Content::Refusal(text) if !text.is_empty() => parts.push(Piece::Part(PartOut::text(text.as_str()))),
            Content::Refusal(_) => {}
            Content::Media(media) => parts.extend(self.media(media).map(Piece::Part)),
            Content::Reasoning(thought) => self.thought(thought, parts),
            Content::Native { dialect, raw, .. } if *dialect == NAME => parts.push(Piece::Native(&raw.0)),
            Content::Native { kind, .. } => self.dropped.note(format!("content[{kind}]")),
            // Calls of the user and results of the model make no sense anywhere.
            Content::ToolCall(_) => self.dropped.note("tool_calls"),
            Content::ToolResult(_) => self.dropped.note("tool_result"),
        }
    }

    fn thought(&mut self, thought: &'a Reasoning, parts: &mut Vec<Piece<'a>>) {
        let Some(signature) = self.own(thought.signature.as_ref()) else {
            self.dropped.note("reasoning");
            return;
        };
        if !thought.text.is_empty() {
            let part = PartOut { thought: true, thought_signature: Some(signature), ..PartOut::text(&*thought.text) };
            parts.push(Piece::Part(part));
            return;
        }
        match parts.last_mut() {
            Some(Piece::Part(part)) if part.text.is_some() && part.thought_signature.is_none() => {
                part.thought_signature = Some(signature);
            }
            _ => parts.push(Piece::Part(PartOut { thought_signature: Some(signature), ..PartOut::text("") })),
        }
    }

    /// The signature, if the target will know it for its own.
    fn own(&self, signature: Option<&'a Signature>) -> Option<Cow<'a, str>> {
        let signature = signature.filter(|signature| signature.issuer == Issuer::Google)?;
        (self.speaker.issuer == Issuer::Google).then_some(Cow::Borrowed(signature.value.as_str()))
    }

    fn call(&mut self, call: &'a ToolCall, first: bool) -> PartOut<'a> {
        let (args, whole) = Args::of(&call.arguments);
        self.dropped.note_if(!whole, "tool_calls.arguments");
        let wants_signature = first
            && self.speaker.issuer == Issuer::Google
            && matches!(self.speaker.thinking, ThinkingStyle::Effort | ThinkingStyle::Unknown);
        let signature =
            self.own(call.signature.as_ref()).or_else(|| wants_signature.then_some(Cow::Borrowed(NO_SIGNATURE)));
        let id = (!self.speaker.quirks.no_call_ids).then_some(call.id.as_str());
        PartOut {
            function_call: Some(CallOut { id, name: TOOL_NAMES.fit(&call.name), args }),
            thought_signature: signature,
            ..PartOut::default()
        }
    }

    fn result(&mut self, result: &'a ToolResult) -> PartOut<'a> {
        let known = self.calls.get(result.id.as_str()).map(|(name, _)| *name);
        let name = TOOL_NAMES.fit(result.name.as_deref().or(known).unwrap_or(&result.id));
        let texts: Vec<&'a str> = result
            .blocks
            .iter()
            .filter_map(|block| match &block.content {
                Content::Text { text, .. } => Some(text.as_str()),
                Content::Media(Media { source: Source::Text(text), .. }) => Some(text.as_str()),
                Content::Native { kind, .. } => {
                    self.dropped.note(format!("tool_result[{kind}]"));
                    None
                }
                _ => None,
            })
            .collect();
        let response = match texts.as_slice() {
            [one] if result.error => Outcome::Error { error: Cow::Borrowed(one) },
            [one] => wire::object(one).map_or(Outcome::Output { output: Cow::Borrowed(one) }, Outcome::Object),
            many if result.error => Outcome::Error { error: Cow::Owned(many.join("\n")) },
            many => Outcome::Output { output: Cow::Owned(many.join("\n")) },
        };
        let id = (!self.speaker.quirks.no_call_ids).then_some(result.id.as_str());
        PartOut { function_response: Some(ResponseOut { id, name, response }), ..PartOut::default() }
    }

    fn media(&mut self, media: &'a Media) -> Option<PartOut<'a>> {
        self.dropped.note_if(media.detail.as_deref().is_some_and(|detail| detail != "auto"), "detail");
        self.dropped.note_if(media.citations, "citations");
        let kind = mime::usual(media.kind);
        match &media.source {
            Source::Base64(data) => Some(PartOut {
                inline_data: Some(BlobOut { mime_type: media.mime.as_deref().unwrap_or(kind), data }),
                ..PartOut::default()
            }),
            Source::Text(text) => Some(PartOut::text(text.as_str())),
            Source::Url(uri) if mime::is_web(uri) => Some(self.file(media, uri)),
            Source::Url(uri) | Source::File(uri) if wire::is_google_file(uri) => Some(self.file(media, uri)),
            Source::Url(_) | Source::File(_) => {
                self.dropped.note("file_id");
                None
            }
        }
    }

    fn file(&self, media: &'a Media, file_uri: &'a str) -> PartOut<'a> {
        let mime_type = media.mime.as_deref().or_else(|| mime::of_url(file_uri));
        PartOut { file_data: Some(FileOut { mime_type, file_uri }), ..PartOut::default() }
    }

    fn note_cache(&mut self, block: &Block) {
        self.dropped.note_if(block.cache.is_some(), "cache_control");
    }
}

/// Whether a block of a result has no place inside it: pictures go beside it, text documents are text.
fn is_shown(block: &Block) -> bool {
    matches!(&block.content, Content::Media(media) if !matches!(media.source, Source::Text(_)))
}
