//! Reads a request: one pass over typed fields; unknown ones are kept as raw JSON.

use std::collections::HashMap;

use gatehouse_domain::Fault;
use serde::de::MapAccess;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::message::Message;
use super::choice::{FormatIn, ToolIn, tool_choice, tools};
use crate::dialects::openai_shared::wire::{Key, MANY_MAX, Strings, invalid, nested};
use crate::dialects::shared::place::read_request;
use crate::form::{Ask, Block, Content, Effort, ReasoningAsk, Role, Thinking, ToolResult, Turn, unpack_call_id};

/// Reads a request.
pub(crate) fn read(body: &[u8]) -> Result<Ask, Fault> {
    let wire: Wire<'_> = read_request(body)?;
    let Wire { mut ask, messages, tools: list, choice, format, reasoning, cap, old_cap, logprobs, top_logprobs } = wire;
    ask.origin = NAME;
    ask.output_cap = cap.or(old_cap);
    ask.tools = tools(list, body)?;
    if let Some(raw) = choice {
        ask.tool_choice = tool_choice(raw)?;
        if ask.tool_choice.is_none() {
            ask.extras.push(("tool_choice".to_owned(), raw.to_owned()));
        }
    }
    ask.format = format.map(FormatIn::format).transpose()?;
    ask.reasoning = reasoning.ask()?;
    if logprobs == Some(true) {
        ask.logprobs = Some(top_logprobs.unwrap_or_default());
    }
    if ask.n.is_some_and(|n| n == 0 || n as usize > MANY_MAX) {
        return Err(invalid("n", "must be from 1 to 128"));
    }
    if messages.is_none() {
        return Err(invalid("messages", "is missing"));
    }
    conversation(messages.unwrap_or_default(), &mut ask)?;
    Ok(ask)
}

/// A request as it stands; fields that need no second thought are in `ask` already.
#[derive(Default)]
struct Wire<'a> {
    ask: Ask,
    messages: Option<Vec<Message<'a>>>,
    tools: Vec<ToolIn>,
    choice: Option<&'a RawValue>,
    format: Option<FormatIn>,
    reasoning: ReasoningIn,
    cap: Option<u64>,
    old_cap: Option<u64>,
    logprobs: Option<bool>,
    top_logprobs: Option<u32>,
}

#[derive(Default)]
struct ReasoningIn {
    effort: Option<String>,
    object: Option<ReasoningObject>,
}

/// `reasoning` as OpenRouter's clients send it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ReasoningObject {
    effort: Option<String>,
    max_tokens: Option<u64>,
    enabled: Option<bool>,
    exclude: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct StreamOptions {
    include_usage: Option<bool>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Wire<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Wire<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Wire<'de>, A::Error> {
                let mut wire = Wire::default();
                while let Some(Key(key)) = map.next_key()? {
                    wire.field(&key, &mut map)?;
                }
                Ok(wire)
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl<'a> Wire<'a> {
    /// Takes one field. Null means absent, everywhere.
    fn field<A: MapAccess<'a>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let ask = &mut self.ask;
        match key {
            "model" => ask.model = map.next_value::<Option<String>>()?.unwrap_or_default(),
            "messages" => self.messages = map.next_value()?,
            "stream" => ask.stream = map.next_value::<Option<bool>>()?.unwrap_or_default(),
            "stream_options" => {
                let options: Option<StreamOptions> = map.next_value()?;
                ask.stream_usage = options.and_then(|options| options.include_usage).unwrap_or_default();
            }
            "tools" => self.tools = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "tool_choice" => self.choice = map.next_value()?,
            "parallel_tool_calls" => ask.parallel_tools = map.next_value()?,
            "max_completion_tokens" => self.cap = map.next_value()?,
            "max_tokens" => self.old_cap = map.next_value()?,
            "temperature" => ask.temperature = map.next_value()?,
            "top_p" => ask.top_p = map.next_value()?,
            "top_k" => ask.top_k = map.next_value()?,
            "stop" => ask.stop = map.next_value::<Strings>()?.0,
            "seed" => ask.seed = map.next_value()?,
            "n" => ask.n = map.next_value()?,
            "frequency_penalty" => ask.frequency_penalty = map.next_value()?,
            "presence_penalty" => ask.presence_penalty = map.next_value()?,
            "logprobs" => self.logprobs = map.next_value()?,
            "top_logprobs" => self.top_logprobs = map.next_value()?,
            "response_format" => self.format = map.next_value()?,
            "reasoning_effort" => self.reasoning.effort = map.next_value()?,
            "reasoning" => self.reasoning.object = map.next_value()?,
            "user" => ask.user = map.next_value()?,
            "metadata" => ask.metadata = map.next_value()?,
            "service_tier" => ask.service_tier = map.next_value()?,
            "prompt_cache_key" => ask.cache_key = map.next_value()?,
            "verbosity" => ask.verbosity = map.next_value()?,
            "store" => ask.store = map.next_value()?,
            _ => {
                if let Some(raw) = map.next_value::<Option<Box<RawValue>>>()? {
                    ask.extras.push((key.to_owned(), raw));
                }
            }
        }
        Ok(())
    }
}

impl ReasoningIn {
    fn ask(self) -> Result<Option<ReasoningAsk>, Fault> {
        let object = self.object.unwrap_or_default();
        let (word, field) = match self.effort {
            Some(word) => (Some(word), "reasoning_effort"),
            None => (object.effort, "reasoning.effort"),
        };
        let effort = match word {
            Some(word) => Some(Effort::parse(&word).ok_or_else(|| invalid(field, "is not an effort this path knows"))?),
            None => None,
        };
        let thinking = match (effort, object.enabled) {
            (Some(Effort::None), _) | (None, Some(false)) => Thinking::Off,
            (None, Some(true)) => Thinking::On,
            _ => Thinking::Unsaid,
        };
        let summary = (object.exclude == Some(true)).then(|| "none".to_owned());
        let ask = ReasoningAsk { thinking, effort, budget: object.max_tokens, summary, encrypted: false };
        Ok((ask != ReasoningAsk::default()).then_some(ask))
    }
}

/// Sorts messages into instructions and turns. Instructions at the start are the system; later ones stay in place.
fn conversation(messages: Vec<Message<'_>>, ask: &mut Ask) -> Result<(), Fault> {
    let mut tool_names: HashMap<String, String> = HashMap::new();
    let mut open_results = false;
    for (index, message) in messages.into_iter().enumerate() {
        let at = |fault| nested("messages", index, fault);
        if message.name.is_some() && !ask.extras.iter().any(|(name, _)| name == "messages[].name") {
            // The form has no names of participants. A bracket in the name keeps it off the wire; writers report it.
            ask.extras.push(("messages[].name".to_owned(), RawValue::NULL.to_owned()));
        }
        let is_result = matches!(&*message.role, "tool" | "function");
        match &*message.role {
            "system" | "developer" => {
                let blocks = message.content.blocks(message.cache_control.as_ref()).map_err(at)?;
                if ask.turns.is_empty() {
                    ask.system.extend(blocks);
                } else {
                    ask.turns.push(Turn { role: Role::System, blocks });
                }
            }
            "user" => {
                let blocks = message.content.blocks(message.cache_control.as_ref()).map_err(at)?;
                ask.turns.push(Turn { role: Role::User, blocks });
            }
            "assistant" => {
                let blocks = message.assistant_blocks().map_err(at)?;
                for block in &blocks {
                    if let Content::ToolCall(call) = &block.content {
                        tool_names.insert(call.id.clone(), call.name.clone());
                    }
                }
                ask.turns.push(Turn { role: Role::Assistant, blocks });
            }
            "tool" => {
                let result = tool_result(message, &tool_names).map_err(at)?;
                match ask.turns.last_mut() {
                    Some(turn) if open_results => turn.blocks.push(result),
                    _ => ask.turns.push(Turn { role: Role::User, blocks: vec![result] }),
                }
            }
            "" => return Err(at(invalid("role", "is missing"))),
            _ => return Err(at(invalid("role", "is not a role this path knows"))),
        }
        open_results = is_result;
    }
    Ok(())
}

/// What a tool answered. A cache mark on the last part is one on the whole result.
fn tool_result(message: Message<'_>, names: &HashMap<String, String>) -> Result<Block, Fault> {
    let packed = message.tool_call_id.filter(|id| !id.is_empty());
    let (id, _) = unpack_call_id(&packed.ok_or_else(|| invalid("tool_call_id", "is missing"))?);
    let mut blocks = message.content.blocks(message.cache_control.as_ref())?;
    let cache = blocks.last_mut().and_then(|block| block.cache.take());
    let name = message.name.or_else(|| names.get(&id).cloned());
    Ok(Block { content: Content::ToolResult(ToolResult { id, name, blocks, error: false }), cache })
}
