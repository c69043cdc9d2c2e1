//! What a request says that only one dialect can hear: named when it is another's, written back when it is its own.

use serde_json::value::RawValue;

use crate::form::{Ask, Dropped};

/// Notes the fields that have no place in these dialects, and extras that are another dialect's.
pub(in crate::dialects) fn note_foreign(ask: &Ask, dialect: &str, dropped: &mut Dropped) {
    dropped.note_if(ask.n.is_some_and(|n| n > 1), "n");
    dropped.note_if(ask.seed.is_some(), "seed");
    dropped.note_if(ask.frequency_penalty.is_some(), "frequency_penalty");
    dropped.note_if(ask.presence_penalty.is_some(), "presence_penalty");
    dropped.note_if(ask.logprobs.is_some(), "logprobs");
    dropped.note_if(ask.metadata.is_some(), "metadata");
    dropped.note_if(ask.cache_key.is_some(), "prompt_cache_key");
    dropped.note_if(ask.verbosity.is_some(), "verbosity");
    dropped.note_if(ask.store == Some(true), "store");
    dropped.note_if(ask.previous.is_some(), "previous_response_id");
    if ask.origin != dialect {
        for (name, _) in &ask.extras {
            dropped.note(name.as_str());
        }
    }
}

/// Adds the top-level fields that were kept raw; those kept from inside (`output_config.x`) are not for this place.
pub(in crate::dialects) fn append_extras(body: &mut Vec<u8>, extras: &[(String, Box<RawValue>)]) {
    for (name, raw) in extras.iter().filter(|(name, _)| !name.contains(['.', '['])) {
        let Ok(name) = serde_json::to_vec(name) else { continue };
        body.pop();
        body.push(b',');
        body.extend_from_slice(&name);
        body.push(b':');
        body.extend_from_slice(raw.get().as_bytes());
        body.push(b'}');
    }
}
