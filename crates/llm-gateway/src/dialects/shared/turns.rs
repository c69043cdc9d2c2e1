//! Turns as the alternating dialects want them: neighbours of one role joined, the results of a turn's calls first in
//! the next user turn and in the order of the calls, instructions never between a call and its result.

use crate::form::{Block, Content, Role, Turn};

/// One message to be written.
#[derive(Debug)]
pub(in crate::dialects) struct Group<'a> {
    /// Who speaks.
    pub(in crate::dialects) role: Role,
    /// What is said.
    pub(in crate::dialects) blocks: Vec<&'a Block>,
}

/// Groups the turns. Blocks that `keep` refuses are left out before neighbours are joined, so that leaving out never
/// makes two messages of one role.
pub(in crate::dialects) fn grouped<'a>(
    turns: &'a [Turn],
    keep: &mut dyn FnMut(Role, &Block) -> bool,
) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::with_capacity(turns.len());
    let mut held: Vec<Group<'a>> = Vec::new();
    // Calls of the last assistant turn that have no result yet: while there are any, instructions wait.
    let mut open_calls = 0_usize;
    for turn in turns {
        let blocks: Vec<&Block> = turn.blocks.iter().filter(|block| keep(turn.role, block)).collect();
        if blocks.is_empty() {
            continue;
        }
        let calls = blocks.iter().filter(|block| matches!(block.content, Content::ToolCall(_))).count();
        let results = blocks.iter().filter(|block| matches!(block.content, Content::ToolResult(_))).count();
        match turn.role {
            Role::System if open_calls > 0 => {
                held.push(Group { role: Role::System, blocks });
                continue;
            }
            Role::System => {}
            Role::Assistant => {
                groups.append(&mut held);
                open_calls =
                    if groups.last().is_some_and(|last| last.role == Role::Assistant) { open_calls } else { 0 };
                open_calls += calls;
            }
            Role::User => open_calls = if results == 0 { 0 } else { open_calls.saturating_sub(results) },
        }
        match groups.last_mut() {
            Some(last) if last.role == turn.role => last.blocks.extend(blocks),
            _ => groups.push(Group { role: turn.role, blocks }),
        }
        if open_calls == 0 {
            groups.append(&mut held);
        }
    }
    groups.append(&mut held);
    for index in 1..groups.len() {
        let (before, after) = groups.split_at_mut(index);
        if after[0].role == Role::User {
            results_first(&before[index - 1], &mut after[0]);
        }
    }
    groups
}

/// How far back the call of a tool result is looked for.
const CALLS_REMEMBERED: usize = 256;

/// Gives tool results the name of the tool whose call they answer.
pub(in crate::dialects) fn name_results(turns: &mut [Turn]) {
    let mut calls: Vec<(String, String)> = Vec::new();
    for block in turns.iter_mut().flat_map(|turn| &mut turn.blocks) {
        match &mut block.content {
            Content::ToolCall(call) => calls.push((call.id.clone(), call.name.clone())),
            Content::ToolResult(result) => {
                let mut recent = calls.iter().rev().take(CALLS_REMEMBERED);
                result.name = recent.find(|(id, _)| *id == result.id).map(|(_, name)| name.clone());
            }
            _ => {}
        }
    }
}

/// Does the conversation wait on calls whose thought is not there? Thinking by budget is refused then.
pub(in crate::dialects) fn waits_without_thought(groups: &[Group<'_>]) -> bool {
    let Some(last) = groups.iter().rposition(|group| group.role == Role::Assistant) else { return false };
    let answered = groups
        .get(last + 1)
        .is_some_and(|next| next.blocks.iter().any(|block| matches!(block.content, Content::ToolResult(_))));
    answered && !groups[last].blocks.first().is_some_and(|block| matches!(block.content, Content::Reasoning(_)))
}

fn results_first(calls: &Group<'_>, user: &mut Group<'_>) {
    let order: std::collections::HashMap<&str, usize> = calls
        .blocks
        .iter()
        .filter_map(|block| match &block.content {
            Content::ToolCall(call) => Some(call.id.as_str()),
            _ => None,
        })
        .enumerate()
        .map(|(at, id)| (id, at))
        .collect();
    user.blocks.sort_by_key(|block| match &block.content {
        Content::ToolResult(result) => order.get(result.id.as_str()).copied().unwrap_or(usize::MAX - 1),
        _ => usize::MAX,
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::form::{ToolCall, ToolResult};

    fn call(id: &str) -> Block {
        Block::new(Content::ToolCall(ToolCall {
            id: id.to_owned(),
            name: "f".to_owned(),
            arguments: "{}".to_owned(),
            signature: None,
        }))
    }
    fn result(id: &str) -> Block {
        Block::new(Content::ToolResult(ToolResult { id: id.to_owned(), name: None, blocks: vec![], error: false }))
    }
    fn turn(role: Role, blocks: Vec<Block>) -> Turn {
        Turn { role, blocks }
    }
    fn shape(turns: &[Turn]) -> String {
        grouped(turns, &mut |_, block| *block != Block::text(""))
            .iter()
            .map(|group| {
                let blocks: Vec<&str> = group
                    .blocks
                    .iter()
                    .map(|block| match &block.content {
                        Content::ToolCall(call) => call.id.as_str(),
                        Content::ToolResult(result) => result.id.as_str(),
                        _ => "text",
                    })
                    .collect();
                format!("{:?}({})", group.role, blocks.join(","))
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn results_come_first_and_in_the_order_of_the_calls() {
        let turns = [
            turn(Role::User, vec![Block::text("hi")]),
            turn(Role::Assistant, vec![call("a"), call("b")]),
            turn(Role::User, vec![Block::text("note"), result("b")]),
            turn(Role::User, vec![result("a")]),
        ];
        assert_eq!(shape(&turns), "User(text) Assistant(a,b) User(a,b,text)");
    }

    #[test]
    fn instructions_wait_until_every_call_has_its_result() {
        let turns = [
            turn(Role::Assistant, vec![call("a"), call("b")]),
            turn(Role::User, vec![result("a")]),
            turn(Role::System, vec![Block::text("be brief")]),
            turn(Role::User, vec![result("b")]),
        ];
        assert_eq!(shape(&turns), "Assistant(a,b) User(a,b) System(text)");
    }

    #[test]
    fn a_turn_left_empty_joins_its_neighbours() {
        let turns = [
            turn(Role::User, vec![Block::text("one")]),
            turn(Role::Assistant, vec![Block::text("")]),
            turn(Role::User, vec![Block::text("two")]),
        ];
        assert_eq!(shape(&turns), "User(text,text)");
    }
}
