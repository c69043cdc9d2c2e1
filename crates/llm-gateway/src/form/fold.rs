//! Folds a streamed answer into a whole one: for answers that are kept, and for callers that wanted no stream from an
//! upstream that only streams.

use super::{Answer, Block, Choice, Content, Delta, Event, Open, Reasoning, ToolCall};

/// Collects events; `answer` is whole once `End` was seen.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    answer: Answer,
    ended: bool,
}

impl Fold {
    /// Takes one event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Start { id, model, created } => {
                self.answer.id.clone_from(id);
                self.answer.model.clone_from(model);
                self.answer.created = *created;
            }
            Event::Open { choice, block } => self.choice(*choice).blocks.push(Block::new(opened(block))),
            Event::Delta { choice, delta } => {
                let choice = self.choice(*choice);
                if let Delta::Logprobs(tokens) = delta {
                    choice.logprobs.get_or_insert_default().extend_from_slice(tokens);
                } else if let Some(block) = choice.blocks.last_mut() {
                    extend(&mut block.content, delta);
                }
            }
            Event::Stop { choice, stop, native, sequence } => {
                let choice = self.choice(*choice);
                choice.stop = *stop;
                choice.native_stop.clone_from(native);
                choice.stop_sequence.clone_from(sequence);
            }
            Event::Usage(usage) => self.answer.usage = *usage,
            Event::End => self.ended = true,
            Event::Close { choice } => {
                if let Some(Block { content: Content::ToolCall(call), .. }) = self.choice(*choice).blocks.last_mut()
                    && call.arguments.is_empty()
                {
                    call.arguments.push_str("{}");
                }
            }
            Event::Ping | Event::Failed(_) => {}
        }
    }

    /// What was collected so far.
    #[must_use]
    pub fn so_far(&self) -> &Answer {
        &self.answer
    }

    /// The whole answer, or `None` if the stream never ended properly.
    #[must_use]
    pub fn answer(self) -> Option<Answer> {
        self.ended.then_some(self.answer)
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        // Decoders number choices from 0 and an upstream cannot make us allocate: `n` is capped at 128 by the readers.
        let index = usize::try_from(index.min(127)).unwrap_or_default();
        if self.answer.choices.len() <= index {
            self.answer.choices.resize_with(index + 1, Choice::default);
        }
        &mut self.answer.choices[index]
    }
}

fn opened(block: &Open) -> Content {
    match block {
        Open::Text => Content::Text { text: String::new(), citations: Vec::new() },
        Open::Reasoning { summary, id } => {
            Content::Reasoning(Reasoning { summary: *summary, id: id.clone(), ..Reasoning::default() })
        }
        Open::ToolCall { id, name, signature } => Content::ToolCall(ToolCall {
            id: id.clone(),
            name: name.clone(),
            arguments: String::new(),
            signature: signature.clone(),
        }),
        Open::Refusal => Content::Refusal(String::new()),
        Open::Native { dialect, kind, raw } => Content::Native { dialect, kind: kind.clone(), raw: raw.clone() },
    }
}

fn extend(content: &mut Content, delta: &Delta) {
    match (content, delta) {
        (Content::Text { text, .. } | Content::Refusal(text), Delta::Text(more)) => text.push_str(more),
        (Content::Reasoning(thought), Delta::Text(more)) => thought.text.push_str(more),
        (Content::ToolCall(call), Delta::Arguments(more)) => call.arguments.push_str(more),
        (Content::Reasoning(thought), Delta::Signature(signature)) => thought.signature = Some(signature.clone()),
        (Content::Reasoning(thought), Delta::Encrypted(data)) => thought.encrypted = Some(data.clone()),
        (Content::Text { citations, .. }, Delta::Citation(citation)) => citations.push(citation.clone()),
        _ => {}
    }
}
