//! Writing a request.

use gatehouse_domain::{Code, Fault};
use serde::Serialize;
use serde_json::value::RawValue;

use super::write_config::{self, ConfigOut};
use super::write_parts::Scribe;
use super::write_tools::{self, ToolConfigOut, ToolOut};
use crate::dialects::Speaker;
use crate::dialects::gemini::wire::ContentOut;
use crate::dialects::gemini::{NAME, bytes};
use crate::form::{Ask, Dropped};

/// Fields of the request that only Gemini knows and that stand at its top.
const OWN_FIELDS: &[&str] = &["safetySettings", "cachedContent", "labels", "store", "serviceTier"];

/// Writes a `generateContent` body. The model and the wish for a stream stand in the path.
///
/// # Errors
/// `InvalidRequest` when there is nothing to say to the model.
pub(in crate::dialects::gemini) fn write(
    ask: &Ask,
    speaker: &Speaker<'_>,
    dropped: &mut Dropped,
) -> Result<Vec<u8>, Fault> {
    let mut scribe = Scribe::new(ask, speaker, dropped);
    let system = scribe.instructions(&ask.system);
    let mut contents = scribe.contents(&ask.turns);
    let mut system = (!system.is_empty()).then_some(ContentOut { role: None, parts: system });
    if contents.is_empty() {
        // Instructions alone are a request elsewhere; here the user must say something.
        let parts = system.take().map(|system| system.parts);
        let parts = parts.ok_or_else(|| Fault::new(Code::InvalidRequest, "there is no message to answer"))?;
        contents.push(ContentOut { role: Some("user"), parts });
    }
    let request = RequestOut {
        system_instruction: system,
        contents,
        tools: write_tools::tools(ask, dropped),
        tool_config: write_tools::tool_config(ask),
        generation_config: write_config::config(ask, speaker, dropped),
        safety_settings: extra(ask, "safetySettings"),
        cached_content: extra(ask, "cachedContent"),
        labels: extra(ask, "labels"),
        store: extra(ask, "store"),
        service_tier: extra(ask, "serviceTier"),
    };
    note_unsaid(ask, dropped);
    Ok(bytes(&request))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    system_instruction: Option<ContentOut<'a>>,
    contents: Vec<ContentOut<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ToolOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_config: Option<ToolConfigOut<'a>>,
    #[serde(skip_serializing_if = "ConfigOut::is_empty")]
    generation_config: ConfigOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    safety_settings: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cached_content: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a RawValue>,
}

/// A field that came raw from this dialect.
pub(super) fn extra<'a>(ask: &'a Ask, name: &str) -> Option<&'a RawValue> {
    ask.extras.iter().find(|(own, _)| ask.origin == NAME && own == name).map(|(_, raw)| &**raw)
}

/// Names what this dialect has no word for.
fn note_unsaid(ask: &Ask, dropped: &mut Dropped) {
    dropped.note_if(ask.parallel_tools == Some(false), "parallel_tool_calls");
    dropped.note_if(ask.user.is_some(), "user");
    dropped.note_if(ask.metadata.is_some(), "metadata");
    dropped.note_if(ask.service_tier.is_some(), "service_tier");
    dropped.note_if(ask.cache_key.is_some(), "prompt_cache_key");
    dropped.note_if(ask.verbosity.is_some(), "verbosity");
    dropped.note_if(ask.store.is_some(), "store");
    dropped.note_if(ask.previous.is_some(), "previous_response_id");
    for (name, _) in &ask.extras {
        let own = OWN_FIELDS.contains(&name.as_str())
            || name.starts_with(write_config::PREFIX)
            || name == write_tools::RETRIEVAL;
        dropped.note_if(ask.origin != NAME || !own, name);
    }
}
