//! Reading a request.

use std::fmt;

use gatehouse_domain::Fault;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::dialects::cohere::NAME;
use crate::dialects::cohere::wire::{BlockIn, Blocks, CallIn};
use crate::dialects::shared::compact::compact;
use crate::dialects::shared::mime;
use crate::dialects::shared::place::{read_request, wrong};
use crate::form::{
    Ask, Block, Content, Format, Media, MediaKind, Reasoning, ReasoningAsk, Role, Thinking, Tool, ToolCall, ToolChoice,
    ToolResult, Turn, unpack_call_id,
};

/// Reads a `/v2/chat` body.
///
/// # Errors
/// `InvalidJson`, or `InvalidRequest` naming the field.
pub(in crate::dialects::cohere) fn read(body: &[u8]) -> Result<Ask, Fault> {
    let Request { mut ask, messages, tools, tool_choice, strict_tools } = read_request(body)?;
    ask.origin = NAME;
    for (index, message) in messages.into_iter().enumerate() {
        message.into_form(index, &mut ask)?;
    }
    for (index, tool) in tools.into_iter().enumerate() {
        let function = tool.function;
        if function.name.is_empty() {
            return Err(wrong(format!("tools[{index}].function.name"), "every tool needs a name"));
        }
        ask.tools.push(Tool::Function {
            name: function.name,
            description: function.description,
            parameters: function.parameters,
            strict: strict_tools,
            cache: None,
        });
    }
    ask.tool_choice = match tool_choice.as_deref() {
        None => None,
        Some("REQUIRED") => Some(ToolChoice::Any),
        Some("NONE") => Some(ToolChoice::None),
        Some(_) => return Err(wrong("tool_choice", "tool_choice must be \"REQUIRED\" or \"NONE\"")),
    };
    Ok(ask)
}

#[derive(Default)]
struct Request {
    ask: Ask,
    messages: Vec<Message>,
    tools: Vec<ToolIn>,
    tool_choice: Option<String>,
    strict_tools: Option<bool>,
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    Model,
    Stream,
    Messages,
    Tools,
    ToolChoice,
    StrictTools,
    ResponseFormat,
    Thinking,
    MaxTokens,
    StopSequences,
    Temperature,
    Seed,
    FrequencyPenalty,
    PresencePenalty,
    K,
    P,
    Logprobs,
    Other(String),
}

impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RequestVisitor;
        impl<'de> Visitor<'de> for RequestVisitor {
            type Value = Request;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a chat request")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Request, A::Error> {
                let mut request = Request::default();
                let ask = &mut request.ask;
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Model => ask.model = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::Stream => ask.stream = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::Messages => request.messages = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::Tools => request.tools = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::ToolChoice => request.tool_choice = map.next_value()?,
                        Key::StrictTools => request.strict_tools = map.next_value()?,
                        Key::ResponseFormat => {
                            ask.format =
                                map.next_value::<Option<ResponseFormat>>()?.and_then(ResponseFormat::into_form);
                        }
                        Key::Thinking => {
                            ask.reasoning = map.next_value::<Option<ThinkingIn>>()?.map(ThinkingIn::into_form);
                        }
                        Key::MaxTokens => ask.output_cap = map.next_value()?,
                        Key::StopSequences => ask.stop = map.next_value::<Option<_>>()?.unwrap_or_default(),
                        Key::Temperature => ask.temperature = map.next_value()?,
                        Key::Seed => ask.seed = map.next_value()?,
                        Key::FrequencyPenalty => ask.frequency_penalty = map.next_value()?,
                        Key::PresencePenalty => ask.presence_penalty = map.next_value()?,
                        Key::K => ask.top_k = map.next_value()?,
                        Key::P => ask.top_p = map.next_value()?,
                        Key::Logprobs => {
                            ask.logprobs = map.next_value::<Option<bool>>()?.unwrap_or_default().then_some(0);
                        }
                        Key::Other(name) => {
                            let raw: Option<Box<RawValue>> = map.next_value()?;
                            ask.extras.extend(raw.map(|raw| (name, raw)));
                        }
                    }
                }
                Ok(request)
            }
        }
        deserializer.deserialize_map(RequestVisitor)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ToolIn {
    function: FunctionDefinition,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct FunctionDefinition {
    name: String,
    description: Option<String>,
    parameters: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct ResponseFormat {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default, alias = "schema")]
    json_schema: Option<Box<RawValue>>,
}

impl ResponseFormat {
    fn into_form(self) -> Option<Format> {
        match (self.kind.as_str(), self.json_schema) {
            ("json_object", Some(schema)) => {
                Some(Format::Schema { name: None, description: None, schema, strict: None })
            }
            ("json_object", None) => Some(Format::Json),
            ("text", _) => Some(Format::Text),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
struct ThinkingIn {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    token_budget: Option<u64>,
}

impl ThinkingIn {
    fn into_form(self) -> ReasoningAsk {
        let thinking = match self.kind.as_str() {
            "enabled" => Thinking::On,
            "disabled" => Thinking::Off,
            _ => Thinking::Unsaid,
        };
        ReasoningAsk { thinking, budget: self.token_budget, ..ReasoningAsk::default() }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Message {
    role: String,
    content: Blocks,
    tool_calls: Option<Vec<CallIn>>,
    tool_plan: Option<String>,
    tool_call_id: Option<String>,
}

impl Message {
    fn into_form(self, index: usize, ask: &mut Ask) -> Result<(), Fault> {
        let place = |field: &str| format!("messages[{index}].{field}");
        match self.role.as_str() {
            "system" | "developer" => {
                let blocks = blocks(self.content, &place("content"))?;
                if ask.turns.is_empty() {
                    ask.system.extend(blocks);
                } else {
                    ask.turns.push(Turn { role: Role::System, blocks });
                }
            }
            "user" => ask.turns.push(Turn { role: Role::User, blocks: blocks(self.content, &place("content"))? }),
            "assistant" => {
                let blocks = self.assistant(index)?;
                ask.turns.push(Turn { role: Role::Assistant, blocks });
            }
            "tool" => {
                let id = self.tool_call_id.filter(|id| !id.is_empty());
                let id = id.ok_or_else(|| wrong(place("tool_call_id"), "a tool message needs a tool_call_id"))?;
                let (id, _) = unpack_call_id(&id);
                let blocks = blocks(self.content, &place("content"))?;
                let result = Block::new(Content::ToolResult(ToolResult { id, name: None, blocks, error: false }));
                match ask.turns.last_mut() {
                    // Results of parallel calls are one turn.
                    Some(turn) if is_results(turn) => turn.blocks.push(result),
                    _ => ask.turns.push(Turn { role: Role::User, blocks: vec![result] }),
                }
            }
            _ => return Err(wrong(place("role"), "the role must be system, user, assistant or tool")),
        }
        Ok(())
    }

    fn assistant(self, index: usize) -> Result<Vec<Block>, Fault> {
        let mut said = blocks(self.content, &format!("messages[{index}].content"))?;
        if let Some(plan) = self.tool_plan.filter(|plan| !plan.is_empty()) {
            let thought = Reasoning { text: plan, summary: true, ..Reasoning::default() };
            let thoughts = said.iter().take_while(|block| matches!(block.content, Content::Reasoning(_))).count();
            said.insert(thoughts, Block::new(Content::Reasoning(thought)));
        }
        for (call_index, call) in self.tool_calls.into_iter().flatten().enumerate() {
            let place = |field: &str| format!("messages[{index}].tool_calls[{call_index}].{field}");
            if call.id.is_empty() {
                return Err(wrong(place("id"), "every tool call needs an id"));
            }
            if call.function.name.is_empty() {
                return Err(wrong(place("function.name"), "every tool call names its function"));
            }
            let (id, signature) = unpack_call_id(&call.id);
            let arguments = call.function.arguments.filter(|text| !text.is_empty());
            said.push(Block::new(Content::ToolCall(ToolCall {
                id,
                name: call.function.name,
                arguments: arguments.unwrap_or_else(|| "{}".to_owned()),
                signature,
            })));
        }
        Ok(said)
    }
}

fn is_results(turn: &Turn) -> bool {
    turn.role == Role::User && turn.blocks.iter().all(|block| matches!(block.content, Content::ToolResult(_)))
}

fn blocks(blocks: Blocks, place: &str) -> Result<Vec<Block>, Fault> {
    blocks
        .0
        .into_iter()
        .enumerate()
        .map(|(index, one)| {
            block(one).ok_or_else(|| {
                wrong(format!("{place}[{index}].type"), "the type must be text, image_url, thinking or document")
            })
        })
        .collect()
}

/// One block in the form; `None` if it is of no kind known here.
pub(in crate::dialects::cohere) fn block(block: BlockIn) -> Option<Block> {
    Some(match block.kind.as_str() {
        "text" => Block::text(block.text.unwrap_or_default()),
        "thinking" => Block::new(Content::Reasoning(Reasoning {
            text: block.thinking.or(block.text).unwrap_or_default(),
            ..Reasoning::default()
        })),
        "image_url" => {
            let image = block.image_url?;
            let (mime, source) = mime::source_of(image.url);
            Block::new(Content::Media(Media {
                kind: MediaKind::Image,
                mime,
                source,
                name: None,
                detail: image.detail,
                citations: false,
            }))
        }
        "document" => {
            let data = block.document?.data?;
            // A document of a tool is a string or an object; an object goes as its JSON.
            let text = serde_json::from_str::<String>(data.get()).unwrap_or_else(|_| compact(data.get()).into_owned());
            Block::text(text)
        }
        _ => return None,
    })
}
