//! Bodies as they are written: is it certain that no text in one is or holds a secret?
//!
//! To walk a body to its texts takes several times what it takes to look for anchors, and hardly any body has a text worth
//! trying. A text stands in it as a string or is a value shown whole, and both are what is written there but for escapes. So where
//! no anchor stands in the bytes, none stands in a text. Most answers have some all the same (`"prompt_tokens":9`); there the rules
//! are tried on the bytes, and have to die before it matters where a text begins or ends.

use super::super::machine::Probe;
use super::rules::{Rule, Rules};

/// Is it certain that nothing would be found?
pub(super) fn clears(rules: &Rules, json: &[u8]) -> bool {
    let Some(hits) = rules.anchors.as_ref().and_then(|anchors| anchors.hits_in_json(json)) else { return false };
    hits.iter().all(|&(anchor, at)| {
        let tried = rules.rules_of[anchor].as_slice();
        // Without rules it is one that says that a text may stand there encoded.
        !tried.is_empty()
            && tried.iter().all(|&(rule, (least, most))| {
                // An escape before the anchor is longer here than in the text.
                let escaped = most > 0 && memchr::memchr(b'\\', &json[at.saturating_sub(most + 2)..at]).is_some();
                let mut starts = (least..=most).filter_map(|back| at.checked_sub(back));
                !escaped && starts.all(|start| is_dead(&rules.rules[rule], json, start))
            })
    })
}

/// Does the rule match nowhere that begins here, in whichever text this is?
fn is_dead(rule: &Rule, json: &[u8], start: usize) -> bool {
    let Some(built) = rule.built() else { return true };
    let Some(died) = built.machine.dies(json, start, start + built.longest) else { return false };
    // Where something is escaped a text is not what is written; and a value that is shown whole ends with a bracket, behind which
    // there is nothing.
    let escaped = memchr::memchr(b'\\', &json[start.saturating_sub(2)..=died]).is_some();
    if escaped || memchr::memchr2(b'}', b']', &json[start..died]).is_some() {
        return false;
    }
    // A string that begins or ends here is a text of its own, with nothing before or behind it; unless it is a member's name.
    let begins = start.checked_sub(1).is_none_or(|before| json[before] == b'"');
    let ends = memchr::memchr(b'"', &json[start..=died]).map(|end| start + end);
    if ends.is_some_and(|end| ends_a_name(json, end)) || (!begins && ends.is_none()) {
        return true;
    }
    let from = if begins { start } else { start - 1 };
    let text = &json[from..ends.unwrap_or(died + 1)];
    built.machine.probe(text, start - from, start - from + built.longest, ends.is_some()) == Probe::Dead
}

/// Does a string that ends at a quote name a member? No value is followed by a colon.
fn ends_a_name(json: &[u8], quote: usize) -> bool {
    json[quote + 1..].iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

#[cfg(test)]
mod tests;
