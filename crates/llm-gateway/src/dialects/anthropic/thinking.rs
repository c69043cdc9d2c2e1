//! How much a Claude model is to think, in the words its generation takes, and what of the sampling clashes with it.
//! Bedrock hosts the same models and uses the same plan.

use serde::Serialize;

use crate::dialects::{Speaker, ThinkingStyle};
use crate::form::{Ask, Dropped, Effort, ReasoningAsk, Thinking};

/// The least budget Anthropic takes.
const BUDGET_MIN: u64 = 1024;
/// Budget for a client that wants thinking and names neither effort nor budget.
const BUDGET_USUAL: u64 = 4096;

/// The `thinking` field.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(in crate::dialects) enum ThinkingOut {
    /// By budget.
    Enabled {
        /// Most tokens to think with.
        budget_tokens: u64,
        /// What is shown of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    /// As the model sees fit.
    Adaptive {
        /// What is shown of it.
        #[serde(skip_serializing_if = "Option::is_none")]
        display: Option<&'static str>,
    },
    /// Not at all.
    Disabled,
}

/// What stands in the way of thinking.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::dialects) struct Obstacles {
    /// A tool must be called: Anthropic refuses thinking then.
    pub(in crate::dialects) forced_tool: bool,
    /// The conversation waits for a turn whose calls came without their thought (another vendor made them): thinking
    /// by budget is refused then.
    pub(in crate::dialects) thoughtless_calls: bool,
}

/// The decision.
#[derive(Debug, Default, PartialEq)]
pub(in crate::dialects) struct Plan {
    /// `thinking`.
    pub(in crate::dialects) thinking: Option<ThinkingOut>,
    /// `output_config.effort`.
    pub(in crate::dialects) effort: Option<&'static str>,
    /// Sampling that does not clash.
    pub(in crate::dialects) temperature: Option<f64>,
    /// The same.
    pub(in crate::dialects) top_p: Option<f64>,
    /// The same.
    pub(in crate::dialects) top_k: Option<u64>,
}

/// Decides. `cap` is the output limit that will be written.
pub(in crate::dialects) fn plan(
    ask: &Ask,
    speaker: &Speaker<'_>,
    cap: u64,
    obstacles: Obstacles,
    dropped: &mut Dropped,
) -> Plan {
    let mut plan = Plan::default();
    if let Some(asked) = &ask.reasoning {
        reason(&mut plan, asked, speaker.thinking, cap, obstacles, dropped);
    }
    sample(&mut plan, ask, dropped);
    plan
}

fn reason(
    plan: &mut Plan,
    asked: &ReasoningAsk,
    style: ThinkingStyle,
    cap: u64,
    obstacles: Obstacles,
    dropped: &mut Dropped,
) {
    let off = asked.thinking == Thinking::Off || asked.effort == Some(Effort::None);
    let display = asked.summary.as_deref().map(|summary| if summary == "none" { "omitted" } else { "summarized" });
    match style {
        ThinkingStyle::None => dropped.note_if(!off, "reasoning"),
        ThinkingStyle::Effort | ThinkingStyle::Unknown => {
            let effort = asked.effort.or(asked.budget.map(Effort::from_budget));
            plan.effort = effort.and_then(effort_word);
            if off {
                plan.thinking = Some(ThinkingOut::Disabled);
            } else if obstacles.forced_tool {
                dropped.note("reasoning");
            } else {
                plan.thinking = Some(ThinkingOut::Adaptive { display });
            }
        }
        ThinkingStyle::Budget => {
            let wanted = asked.budget.or(asked.effort.map(Effort::budget)).unwrap_or(BUDGET_USUAL);
            let budget = wanted.max(BUDGET_MIN).min(cap.saturating_sub(1));
            if off {
                plan.thinking = Some(ThinkingOut::Disabled);
            } else if obstacles.forced_tool || obstacles.thoughtless_calls || budget < BUDGET_MIN {
                dropped.note("reasoning");
            } else {
                plan.thinking = Some(ThinkingOut::Enabled { budget_tokens: budget, display });
            }
        }
    }
}

/// Anthropic's word; it has none for "not at all", which is `disabled`.
const fn effort_word(effort: Effort) -> Option<&'static str> {
    match effort {
        Effort::None => None,
        Effort::Minimal => Some(Effort::Low.as_str()),
        other => Some(other.as_str()),
    }
}

/// Temperature ends at 1 here and must be 1 when thinking; newer models take temperature or `top_p`, not both, and
/// thinking ones only the top of `top_p`.
fn sample(plan: &mut Plan, ask: &Ask, dropped: &mut Dropped) {
    let thinks = matches!(plan.thinking, Some(ThinkingOut::Enabled { .. } | ThinkingOut::Adaptive { .. }));
    plan.temperature = ask.temperature.map(|wanted| wanted.min(1.0)).filter(|wanted| !thinks || *wanted >= 1.0);
    plan.top_p = ask.top_p.filter(|wanted| plan.temperature.is_none() && (!thinks || *wanted >= 0.95));
    plan.top_k = ask.top_k.filter(|_| !thinks);
    dropped.note_if(plan.temperature != ask.temperature, "temperature");
    dropped.note_if(plan.top_p != ask.top_p, "top_p");
    dropped.note_if(plan.top_k != ask.top_k, "top_k");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialects::Quirks;
    use crate::form::Issuer;

    fn planned(style: ThinkingStyle, reasoning: ReasoningAsk, cap: u64, obstacles: Obstacles) -> (Plan, Dropped) {
        let speaker = Speaker {
            model: "m",
            stream: false,
            issuer: Issuer::Anthropic,
            default_output_cap: 8192,
            thinking: style,
            quirks: Quirks::default(),
        };
        let ask = Ask { reasoning: Some(reasoning), top_k: Some(5), ..Ask::default() };
        let mut dropped = Dropped::default();
        (plan(&ask, &speaker, cap, obstacles, &mut dropped), dropped)
    }
    fn effort(effort: Effort) -> ReasoningAsk {
        ReasoningAsk { effort: Some(effort), ..ReasoningAsk::default() }
    }

    #[test]
    fn a_budget_stays_below_the_output_limit() {
        let (plan, dropped) = planned(ThinkingStyle::Budget, effort(Effort::High), 2000, Obstacles::default());
        assert_eq!(plan.thinking, Some(ThinkingOut::Enabled { budget_tokens: 1999, display: None }));
        assert_eq!(dropped.names(), ["top_k"]);
    }

    #[test]
    fn no_room_to_think_is_no_thinking() {
        let (plan, dropped) = planned(ThinkingStyle::Budget, effort(Effort::High), 500, Obstacles::default());
        assert_eq!((plan.thinking, plan.top_k), (None, Some(5)));
        assert_eq!(dropped.names(), ["reasoning"]);
    }

    #[test]
    fn a_forced_tool_wins_over_thinking() {
        let forced = Obstacles { forced_tool: true, ..Obstacles::default() };
        let (plan, dropped) = planned(ThinkingStyle::Effort, effort(Effort::Minimal), 4096, forced);
        assert_eq!((plan.thinking, plan.effort), (None, Some("low")));
        assert_eq!(dropped.names(), ["reasoning"]);
    }

    #[test]
    fn effort_none_disables() {
        let (plan, _) = planned(ThinkingStyle::Unknown, effort(Effort::None), 4096, Obstacles::default());
        assert_eq!((plan.thinking, plan.effort), (Some(ThinkingOut::Disabled), None));
    }
}
