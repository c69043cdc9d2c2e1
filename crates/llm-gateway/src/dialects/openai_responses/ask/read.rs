//! Reads a request: one pass over typed fields; unknown ones are kept as raw JSON.

use std::collections::HashMap;

use gatehouse_domain::Fault;
use serde::de::MapAccess;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::super::NAME;
use super::super::items::{Item, Said};
use super::choice::{TextIn, ToolIn, tool_choice, tools};
use crate::dialects::openai_shared::wire::{Key, TextOr, invalid, nested, raw_elements};
use crate::dialects::shared::place::read_request;
use crate::form::{Ask, Block, Content, Effort, RawJson, ReasoningAsk, Role, Thinking, Turn};

/// Reads a request.
pub(crate) fn read(body: &[u8]) -> Result<Ask, Fault> {
    let wire: Wire<'_> = read_request(body)?;
    let Wire { mut ask, input, instructions, tools: list, choice, mut text, reasoning, top_logprobs, include } = wire;
    ask.origin = NAME;
    ask.tools = tools(list, body)?;
    if let Some(raw) = choice {
        ask.tool_choice = tool_choice(raw)?;
        if ask.tool_choice.is_none() {
            ask.extras.push(("tool_choice".to_owned(), raw.to_owned()));
        }
    }
    ask.format = text.format()?;
    ask.verbosity = text.verbosity;
    ask.reasoning = reasoning.map(ReasoningIn::ask).transpose()?;
    ask.logprobs = top_logprobs.filter(|&best| best > 0);
    included(include, top_logprobs, &mut ask);
    ask.system.extend(instructions.filter(|text| !text.is_empty()).map(Block::text));
    match input {
        TextOr::None => {}
        TextOr::Other => return Err(invalid("input", "is neither a string nor a list of items")),
        TextOr::Text(text) => ask.turns.push(Turn { role: Role::User, blocks: vec![Block::text(text)] }),
        TextOr::Parts(items) => {
            let native = items.iter().any(Item::is_native);
            let raws = if native { raw_elements(body, "input") } else { Vec::new() };
            conversation(items, raws, &mut ask)?;
        }
    }
    Ok(ask)
}

/// A request as it stands; fields that need no second thought are in `ask` already.
#[derive(Default)]
struct Wire<'a> {
    ask: Ask,
    input: TextOr<Item<'a>>,
    instructions: Option<String>,
    tools: Vec<ToolIn>,
    choice: Option<&'a RawValue>,
    text: TextIn,
    reasoning: Option<ReasoningIn>,
    top_logprobs: Option<u32>,
    include: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ReasoningIn {
    effort: Option<String>,
    summary: Option<String>,
    /// The older name of `summary`.
    generate_summary: Option<String>,
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
            "input" => self.input = map.next_value()?,
            "instructions" => self.instructions = map.next_value()?,
            "stream" => ask.stream = map.next_value::<Option<bool>>()?.unwrap_or_default(),
            "tools" => self.tools = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "tool_choice" => self.choice = map.next_value()?,
            "parallel_tool_calls" => ask.parallel_tools = map.next_value()?,
            "max_output_tokens" => ask.output_cap = map.next_value()?,
            "temperature" => ask.temperature = map.next_value()?,
            "top_p" => ask.top_p = map.next_value()?,
            "top_logprobs" => self.top_logprobs = map.next_value()?,
            "include" => self.include = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "text" => self.text = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "reasoning" => self.reasoning = map.next_value()?,
            "user" => ask.user = map.next_value()?,
            "metadata" => ask.metadata = map.next_value()?,
            "service_tier" => ask.service_tier = map.next_value()?,
            "prompt_cache_key" => ask.cache_key = map.next_value()?,
            "store" => ask.store = map.next_value()?,
            "previous_response_id" => ask.previous = map.next_value()?,
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
    fn ask(self) -> Result<ReasoningAsk, Fault> {
        let known = |word: String| {
            Effort::parse(&word).ok_or_else(|| invalid("reasoning.effort", "is not an effort this path knows"))
        };
        let effort = self.effort.map(known).transpose()?;
        let thinking = if effort == Some(Effort::None) { Thinking::Off } else { Thinking::Unsaid };
        let summary = self.summary.or(self.generate_summary);
        Ok(ReasoningAsk { thinking, effort, budget: None, summary, encrypted: false })
    }
}

/// `include`: two of its words mean something to every dialect; the others stay this dialect's own.
fn included(include: Vec<String>, top_logprobs: Option<u32>, ask: &mut Ask) {
    for word in include {
        match word.as_str() {
            "reasoning.encrypted_content" => ask.reasoning.get_or_insert_default().encrypted = true,
            "message.output_text.logprobs" => ask.logprobs = Some(top_logprobs.unwrap_or_default()),
            _ => ask.extras.push((format!("include[{word}]"), RawValue::NULL.to_owned())),
        }
    }
}

/// Sorts items into instructions and turns. What the model said in a row is one turn, as are results in a row.
pub(crate) fn conversation(items: Vec<Item<'_>>, raws: Vec<Box<RawValue>>, ask: &mut Ask) -> Result<(), Fault> {
    let mut raws = raws.into_iter();
    let mut tool_names: HashMap<String, String> = HashMap::new();
    let mut after_result = false;
    for (index, item) in items.into_iter().enumerate() {
        let raw = raws.next().filter(|_| item.is_native()).map(RawJson);
        let said = item.said(raw).map_err(|fault| nested("input", index, fault))?;
        let is_result = matches!(said, Said::Result(_));
        let (role, blocks) = match said {
            Said::System(blocks) if ask.turns.is_empty() => {
                ask.system.extend(blocks);
                continue;
            }
            Said::System(blocks) => (Role::System, blocks),
            Said::User(blocks) => (Role::User, blocks),
            Said::Result(mut block) => {
                if let Content::ToolResult(result) = &mut block.content {
                    result.name = tool_names.get(&result.id).cloned();
                }
                (Role::User, vec![block])
            }
            Said::Assistant(blocks) => {
                for block in &blocks {
                    if let Content::ToolCall(call) = &block.content {
                        tool_names.insert(call.id.clone(), call.name.clone());
                    }
                }
                (Role::Assistant, blocks)
            }
        };
        let joins = role == Role::Assistant || (is_result && after_result);
        after_result = is_result;
        match ask.turns.last_mut().filter(|turn| joins && turn.role == role) {
            Some(turn) => turn.blocks.extend(blocks),
            None => ask.turns.push(Turn { role, blocks }),
        }
    }
    Ok(())
}
