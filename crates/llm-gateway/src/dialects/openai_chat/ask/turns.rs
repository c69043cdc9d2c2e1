//! Writes the conversation as messages.
//!
//! What differs from the form: tool results are messages of their own, and their pictures move to the user message that
//! follows, because Chat takes only text there; thoughts go back only to those who want them.

use std::borrow::Cow;

use serde::Serialize;

use crate::dialects::Speaker;
use crate::dialects::openai_shared::TOOL_NAMES;
use crate::dialects::openai_shared::wire::short_id;
use crate::dialects::shared::marks::{CacheOut, Marks, mark_of};
use crate::dialects::shared::mime::{data_url, usual};
use crate::form::{
    Ask, Block, CacheMark, Content, Dropped, Issuer, Media, MediaKind, Role, Source, ToolCall, ToolResult, Turn,
};

/// Longest call id OpenAI takes here.
const CALL_ID_BYTES_MAX: usize = 40;

/// A message as it is written.
#[derive(Default, Serialize)]
pub(super) struct MessageOut<'a> {
    role: &'static str,
    /// `Some(None)` writes null: what OpenAI itself answers beside tool calls, and what DeepSeek insists on.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<BodyOut<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio: Option<AudioRef<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<CallOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum BodyOut<'a> {
    Text(&'a str),
    Parts(Vec<PartOut<'a>>),
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum PartOut<'a> {
    Text {
        text: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        cache_control: Option<CacheOut>,
    },
    ImageUrl {
        image_url: UrlOut<'a>,
    },
    InputAudio {
        input_audio: AudioOut<'a>,
    },
    File {
        file: FileOut<'a>,
    },
}

#[derive(Serialize)]
struct UrlOut<'a> {
    url: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

#[derive(Serialize)]
struct AudioOut<'a> {
    data: &'a str,
    format: &'a str,
}

#[derive(Serialize)]
struct AudioRef<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct FileOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_data: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filename: Option<&'a str>,
}

#[derive(Serialize)]
struct CallOut<'a> {
    id: Cow<'a, str>,
    r#type: &'static str,
    function: CallFunction<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_content: Option<Extra<'a>>,
}

#[derive(Serialize)]
struct CallFunction<'a> {
    name: Cow<'a, str>,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Extra<'a> {
    google: Google<'a>,
}

#[derive(Serialize)]
struct Google<'a> {
    thought_signature: &'a str,
}

/// All messages: instructions first, then the turns.
pub(super) fn messages<'a>(
    ask: &'a Ask,
    speaker: &Speaker<'_>,
    marks: &mut Marks,
    dropped: &mut Dropped,
) -> Vec<MessageOut<'a>> {
    let mut scribe = Scribe { speaker, marks, dropped, out: Vec::with_capacity(ask.turns.len() + 1) };
    if !ask.system.is_empty() {
        scribe.plain(scribe.instructor(), ask.system.iter(), "system");
    }
    for (index, turn) in ask.turns.iter().enumerate() {
        scribe.turn(index, turn);
    }
    scribe.out
}

struct Scribe<'a, 's> {
    speaker: &'s Speaker<'s>,
    marks: &'s mut Marks,
    dropped: &'s mut Dropped,
    out: Vec<MessageOut<'a>>,
}

impl<'a> Scribe<'a, '_> {
    /// The role of instructions.
    fn instructor(&self) -> &'static str {
        if self.speaker.quirks.no_developer_role { "system" } else { "developer" }
    }

    fn turn(&mut self, index: usize, turn: &'a Turn) {
        let place = format!("messages[{index}]");
        match turn.role {
            Role::System => self.plain(self.instructor(), turn.blocks.iter(), &place),
            Role::User => {
                let mut rest: Vec<&'a Block> = Vec::with_capacity(turn.blocks.len());
                for block in &turn.blocks {
                    if let Content::ToolResult(result) = &block.content {
                        self.result(result, mark_of(block), &mut rest, &place);
                    }
                }
                rest.extend(turn.blocks.iter().filter(|block| !matches!(block.content, Content::ToolResult(_))));
                self.plain("user", rest.into_iter(), &place);
            }
            Role::Assistant => self.assistant(turn, &place),
        }
    }

    /// A message of text and media. One text is a string, which every provider understands; more are parts.
    fn plain(&mut self, role: &'static str, blocks: impl Iterator<Item = &'a Block>, place: &str) {
        let mut parts = Vec::new();
        for (index, block) in blocks.enumerate() {
            let cache_control = self.cache(block);
            match part(&block.content, cache_control) {
                Some(part) => parts.push(part),
                None => self.dropped.note(format!("{place}.content[{index}]")),
            }
        }
        if !parts.is_empty() {
            self.out.push(MessageOut { role, content: Some(Some(body(parts))), ..MessageOut::default() });
        }
    }

    /// The mark of a block as Claude models behind this dialect take it: on texts alone.
    fn cache(&mut self, block: &Block) -> Option<CacheOut> {
        let says = matches!(block.content, Content::Text { .. } | Content::Refusal(_));
        let taken = if says && self.speaker.issuer == Issuer::Anthropic { self.marks.take(block.cache) } else { None };
        self.dropped.note_if(block.cache.is_some() && taken.is_none(), "cache_control");
        taken.map(CacheOut::from)
    }

    fn result(&mut self, result: &'a ToolResult, mark: Option<CacheMark>, rest: &mut Vec<&'a Block>, place: &str) {
        self.dropped.note_if(result.error, "is_error");
        let mut parts = Vec::new();
        let mut moved = false;
        for (index, block) in result.blocks.iter().enumerate() {
            match &block.content {
                Content::Text { text, .. } => parts.push(PartOut::Text { text, cache_control: None }),
                Content::Media(_) => {
                    rest.push(block);
                    moved = true;
                }
                _ => self.dropped.note(format!("{place}.tool_result.content[{index}]")),
            }
        }
        if parts.is_empty() && moved {
            let text = "The result is attached to the next message.";
            parts.push(PartOut::Text { text, cache_control: None });
        }
        let taken = if self.speaker.issuer == Issuer::Anthropic { self.marks.take(mark) } else { None };
        match parts.last_mut() {
            Some(PartOut::Text { cache_control, .. }) => *cache_control = taken.map(CacheOut::from),
            _ => self.dropped.note_if(mark.is_some(), "cache_control"),
        }
        self.dropped.note_if(mark.is_some() && taken.is_none(), "cache_control");
        let body = if parts.is_empty() { BodyOut::Text("") } else { body(parts) };
        self.out.push(MessageOut {
            role: "tool",
            content: Some(Some(body)),
            tool_call_id: Some(self.call_id(&result.id)),
            ..MessageOut::default()
        });
    }

    fn assistant(&mut self, turn: &'a Turn, place: &str) {
        let mut message = MessageOut { role: "assistant", ..MessageOut::default() };
        let mut parts = Vec::new();
        for (index, block) in turn.blocks.iter().enumerate() {
            let cache_control = self.cache(block);
            match &block.content {
                Content::Text { text, .. } => parts.push(PartOut::Text { text, cache_control }),
                Content::Refusal(text) => message.refusal = Some(text),
                Content::ToolCall(call) => message.tool_calls.push(self.call(call)),
                Content::Reasoning(thought) => {
                    if self.speaker.quirks.reasoning_content_back {
                        message.reasoning_content.get_or_insert_default().push_str(&thought.text);
                    } else {
                        self.dropped.note("reasoning");
                    }
                }
                Content::Media(Media { kind: MediaKind::Audio, source: Source::File(id), .. }) => {
                    message.audio = Some(AudioRef { id });
                }
                Content::Media(_) | Content::ToolResult(_) | Content::Native { .. } => {
                    self.dropped.note(format!("{place}.content[{index}]"));
                }
            }
        }
        let silent = parts.is_empty();
        if silent && message.tool_calls.is_empty() && message.refusal.is_none() && message.audio.is_none() {
            return;
        }
        message.content = Some((!silent).then(|| body(parts)));
        self.out.push(message);
    }

    fn call(&self, call: &'a ToolCall) -> CallOut<'a> {
        let ours = call.signature.as_ref().filter(|signature| signature.issuer == self.speaker.issuer);
        let google = ours.filter(|signature| signature.issuer == Issuer::Google);
        CallOut {
            id: self.call_id(&call.id),
            r#type: "function",
            function: CallFunction { name: TOOL_NAMES.fit(&call.name), arguments: &call.arguments },
            extra_content: google.map(|signature| Extra { google: Google { thought_signature: &signature.value } }),
        }
    }

    fn call_id(&self, id: &'a str) -> Cow<'a, str> {
        let fits = if self.speaker.quirks.short_call_ids {
            id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric())
        } else {
            id.len() <= CALL_ID_BYTES_MAX
        };
        if fits { Cow::Borrowed(id) } else { Cow::Owned(short_id(id)) }
    }
}

fn body(mut parts: Vec<PartOut<'_>>) -> BodyOut<'_> {
    match (parts.pop(), parts.is_empty()) {
        (Some(PartOut::Text { text, cache_control: None }), true) => BodyOut::Text(text),
        (last, _) => {
            parts.extend(last);
            BodyOut::Parts(parts)
        }
    }
}

/// The content part of a block; `None` where Chat has none.
fn part(content: &Content, cache_control: Option<CacheOut>) -> Option<PartOut<'_>> {
    match content {
        Content::Text { text, .. } | Content::Refusal(text) => Some(PartOut::Text { text, cache_control }),
        Content::Media(media) => media_part(media),
        Content::Native { .. } | Content::ToolCall(_) | Content::ToolResult(_) | Content::Reasoning(_) => None,
    }
}

fn media_part(media: &Media) -> Option<PartOut<'_>> {
    let mime = media.mime.as_deref();
    Some(match (media.kind, &media.source) {
        (MediaKind::Image, Source::Base64(data)) => PartOut::ImageUrl {
            image_url: UrlOut {
                url: Cow::Owned(data_url(mime.unwrap_or(usual(MediaKind::Image)), data)),
                detail: media.detail.as_deref(),
            },
        },
        (MediaKind::Image, Source::Url(url)) => {
            PartOut::ImageUrl { image_url: UrlOut { url: Cow::Borrowed(url), detail: media.detail.as_deref() } }
        }
        (MediaKind::Audio, Source::Base64(data)) => {
            let format = match mime.and_then(|mime| mime.strip_prefix("audio/")).unwrap_or("wav") {
                "mpeg" => "mp3",
                "x-wav" | "wave" => "wav",
                other => other,
            };
            PartOut::InputAudio { input_audio: AudioOut { data, format } }
        }
        (MediaKind::Document, Source::Base64(data)) => PartOut::File {
            file: FileOut {
                file_id: None,
                file_data: Some(data_url(mime.unwrap_or(usual(MediaKind::Document)), data)),
                filename: Some(media.name.as_deref().unwrap_or("document.pdf")),
            },
        },
        (MediaKind::Document, Source::File(id)) => {
            PartOut::File { file: FileOut { file_id: Some(id), file_data: None, filename: None } }
        }
        (_, Source::Text(text)) => PartOut::Text { text, cache_control: None },
        _ => return None,
    })
}
