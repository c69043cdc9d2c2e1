//! `usageMetadata`: Gemini counts cached tokens inside the prompt and thoughts outside the candidates; the form counts
//! each token once.

use gatehouse_domain::Usage;
use serde::{Deserialize, Serialize};

/// `usageMetadata`, both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UsageMetadata {
    prompt_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    candidates_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_use_prompt_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thoughts_token_count: Option<u64>,
    total_token_count: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    prompt_tokens_details: Vec<ModalityCount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cache_tokens_details: Vec<ModalityCount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    candidates_tokens_details: Vec<ModalityCount>,
    /// Vertex: how the call was served.
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic_type: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct ModalityCount {
    modality: Modality,
    token_count: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
enum Modality {
    Text,
    Image,
    Video,
    Audio,
    #[default]
    #[serde(other)]
    Document,
}

fn sum(details: &[ModalityCount], of: &[Modality]) -> u64 {
    details
        .iter()
        .filter(|detail| of.contains(&detail.modality))
        .fold(0, |sum, detail| sum.saturating_add(detail.token_count))
}

impl UsageMetadata {
    /// Disjoint counters of raw `usageMetadata`; `None` if it is not what it should be.
    pub(super) fn parse(raw: &str) -> Option<Usage> {
        serde_json::from_str::<Self>(raw).ok().map(|usage| usage.to_usage())
    }

    /// Disjoint counters.
    pub(super) fn to_usage(&self) -> Usage {
        const PICTURES: &[Modality] = &[Modality::Image, Modality::Video];
        const SOUND: &[Modality] = &[Modality::Audio];
        let prompt = self.prompt_token_count.unwrap_or_default();
        let cache_read = self.cached_content_token_count.unwrap_or_default().min(prompt);
        let fresh = prompt - cache_read;
        let of = |kind| sum(&self.prompt_tokens_details, kind).saturating_sub(sum(&self.cache_tokens_details, kind));
        let input_audio = of(SOUND).min(fresh);
        let input_image = of(PICTURES).min(fresh - input_audio);
        let reasoning = self.thoughts_token_count.unwrap_or_default();
        let input_tool = self.tool_use_prompt_token_count.unwrap_or_default();
        let said = self.candidates_token_count.unwrap_or_else(|| {
            // Some answers give the total only.
            let total = self.total_token_count.unwrap_or_default();
            total.saturating_sub(prompt).saturating_sub(reasoning).saturating_sub(input_tool)
        });
        let output_audio = sum(&self.candidates_tokens_details, SOUND).min(said);
        let output_image = sum(&self.candidates_tokens_details, PICTURES).min(said - output_audio);
        Usage {
            input: fresh - input_audio - input_image,
            cache_read,
            input_audio,
            input_image,
            input_tool,
            output: said - output_audio - output_image,
            reasoning,
            output_audio,
            output_image,
            ..Usage::default()
        }
        .served(self.traffic_type.as_deref())
    }

    /// Gemini's view of disjoint counters.
    pub(super) fn from_usage(usage: &Usage) -> Self {
        let prompt = usage.input_total().saturating_sub(usage.input_tool);
        let said = usage.output_total().saturating_sub(usage.reasoning);
        let some = |count: u64| (count > 0).then_some(count);
        let split = |total: u64, audio: u64, image: u64| {
            if audio + image == 0 {
                return Vec::new();
            }
            let text = total.saturating_sub(audio + image);
            [(Modality::Text, text), (Modality::Audio, audio), (Modality::Image, image)]
                .into_iter()
                .filter(|(_, token_count)| *token_count > 0)
                .map(|(modality, token_count)| ModalityCount { modality, token_count })
                .collect()
        };
        Self {
            prompt_token_count: Some(prompt),
            cached_content_token_count: some(usage.cache_read),
            candidates_token_count: Some(said),
            tool_use_prompt_token_count: some(usage.input_tool),
            thoughts_token_count: some(usage.reasoning),
            total_token_count: Some(usage.total()),
            prompt_tokens_details: split(prompt, usage.input_audio, usage.input_image),
            cache_tokens_details: Vec::new(),
            candidates_tokens_details: split(said, usage.output_audio, usage.output_image),
            traffic_type: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Usage {
        serde_json::from_str::<UsageMetadata>(text).expect("usage").to_usage()
    }

    #[test]
    fn each_token_is_counted_once() {
        let usage = read(
            r#"{"promptTokenCount":100,"cachedContentTokenCount":40,"candidatesTokenCount":20,"thoughtsTokenCount":7,
                "toolUsePromptTokenCount":3,"totalTokenCount":130,
                "promptTokensDetails":[{"modality":"TEXT","tokenCount":70},{"modality":"AUDIO","tokenCount":30}],
                "cacheTokensDetails":[{"modality":"AUDIO","tokenCount":10}]}"#,
        );
        assert_eq!((usage.input, usage.cache_read, usage.input_audio, usage.input_tool), (40, 40, 20, 3));
        assert_eq!((usage.output, usage.reasoning, usage.total()), (20, 7, 130));
    }

    #[test]
    fn the_view_of_the_form_reads_back_as_the_same_form() {
        let usage = Usage {
            input: 5,
            cache_read: 4,
            input_audio: 3,
            input_image: 2,
            input_tool: 1,
            output: 9,
            reasoning: 8,
            output_audio: 7,
            output_image: 6,
            ..Usage::default()
        };
        assert_eq!(UsageMetadata::from_usage(&usage).to_usage(), usage);
    }

    #[test]
    fn absurd_counts_do_not_overflow() {
        let usage = read(
            r#"{"promptTokenCount":1,"cachedContentTokenCount":9,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":18446744073709551615},{"modality":"AUDIO","tokenCount":5},{"modality":"SMELL","tokenCount":5}]}"#,
        );
        assert_eq!((usage.input, usage.cache_read, usage.input_audio), (0, 1, 0));
    }

    #[test]
    fn output_is_what_the_total_leaves_when_only_the_total_is_given() {
        assert_eq!(read(r#"{"promptTokenCount":10,"totalTokenCount":25,"thoughtsTokenCount":5}"#).output, 10);
    }
}
