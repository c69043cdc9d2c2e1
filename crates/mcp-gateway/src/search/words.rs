//! Texts as words: names taken apart where their writers joined them, English endings cut off.

use std::collections::BTreeSet;

/// Words that say nothing about a tool.
const STOP: &[&str] = &[
    "a", "an", "and", "any", "are", "as", "at", "be", "by", "can", "do", "for", "from", "get", "have", "how", "i",
    "if", "in", "is", "it", "its", "me", "my", "need", "of", "on", "or", "our", "please", "that", "the", "their",
    "them", "this", "to", "tool", "use", "want", "was", "what", "when", "which", "will", "with", "you", "your",
];

/// Words that people and tools use for the same thing. The first of each stands for all.
const SAME: &[&[&str]] = &[
    &["delete", "remove", "erase", "drop", "unlink", "trash"],
    &["create", "add", "new", "make", "insert", "open", "schedule"],
    &["list", "show", "enumerate", "all", "display"],
    &["search", "find", "lookup", "query", "locate"],
    &["update", "edit", "modify", "change", "set", "patch"],
    &["move", "rename"],
    &["read", "fetch", "retrieve", "view", "load", "download"],
    &["send", "post", "publish", "deliver"],
    &["file", "document"],
    &["directory", "folder"],
    &["mail", "email", "e-mail", "inbox"],
    &["message", "dm", "chat"],
    &["repository", "repo"],
    &["issue", "ticket", "bug"],
    &["picture", "image", "photo", "screenshot"],
    &["event", "meeting", "appointment", "calendar"],
    &["customer", "client", "contact"],
    &["price", "cost", "quote"],
    &["run", "execute", "start", "trigger", "launch"],
    &["cancel", "stop", "abort", "revoke"],
];

/// What people write short.
const SHORT: &[(&str, &[&str])] = &[
    ("pr", &["pull", "request"]),
    ("mr", &["merge", "request"]),
    ("db", &["database"]),
    ("dir", &["directory"]),
    ("url", &["web", "page"]),
    ("k8s", &["kubernetes"]),
    ("config", &["configuration"]),
    ("docs", &["document"]),
    ("doc", &["document"]),
];

/// The words of a text, in order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for piece in text.split(|each: char| !each.is_alphanumeric()) {
        for word in split_case(piece) {
            let word = stem(&word.to_lowercase());
            if let Some((_, long)) = SHORT.iter().find(|(short, _)| *short == word) {
                words.extend(long.iter().map(|word| same(stem(word))));
            } else if !word.is_empty() && !STOP.contains(&&*word) {
                words.push(same(word));
            }
        }
    }
    words
}

/// `createPullRequest` is three words, `HTTPServer` two.
fn split_case(piece: &str) -> Vec<&str> {
    let letters: Vec<(usize, char)> = piece.char_indices().collect();
    let mut parts = Vec::new();
    let mut start = 0;
    for (index, (at, each)) in letters.iter().enumerate().skip(1) {
        let before = letters.get(index - 1).is_some_and(|(_, before)| before.is_lowercase() || before.is_numeric());
        let after = letters.get(index + 1).is_some_and(|(_, after)| after.is_lowercase());
        if each.is_uppercase() && (before || after) {
            parts.extend(piece.get(start..*at));
            start = *at;
        }
    }
    parts.extend(piece.get(start..));
    parts
}

/// Cuts English endings: few rules, the same on both sides.
fn stem(word: &str) -> String {
    if !word.is_ascii() || word.len() < 4 {
        return word.to_owned();
    }
    let rules = [
        ("ies", "y"),
        ("sses", "ss"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("xes", "x"),
        ("ing", ""),
        ("ed", ""),
        ("es", "e"),
        ("s", ""),
    ];
    for (ending, instead) in rules {
        let Some(rest) = word.strip_suffix(ending) else { continue };
        if rest.len() < 3 || (ending == "s" && (rest.ends_with('s') || rest.ends_with('u'))) {
            continue;
        }
        let mut cut = format!("{rest}{instead}");
        // `stopped`, `running`: the doubled letter was the ending's.
        let doubled = cut.len() > 3
            && matches!(ending, "ing" | "ed")
            && cut.as_bytes().iter().rev().take(2).min() == cut.as_bytes().iter().rev().take(2).max();
        if doubled && !cut.ends_with('l') && !cut.ends_with('s') {
            cut.pop();
        }
        return without_e(cut);
    }
    without_e(word.to_owned())
}

/// `delete` and `deleting` end alike.
fn without_e(mut word: String) -> String {
    if word.len() > 4 && word.ends_with('e') {
        word.pop();
    }
    word
}

fn same(word: String) -> String {
    let group = SAME.iter().find(|group| group.iter().any(|each| stem(each) == word));
    group.and_then(|group| group.first()).map_or(word, |first| stem(first))
}

/// The trigrams of a text, with its ends marked.
pub(super) fn trigrams(text: &str) -> BTreeSet<[char; 3]> {
    let mut set = BTreeSet::new();
    for word in text.split(|each: char| !each.is_alphanumeric()).flat_map(split_case).filter(|word| !word.is_empty()) {
        let letters: Vec<char> =
            std::iter::once(' ').chain(word.chars().flat_map(char::to_lowercase)).chain([' ']).collect();
        set.extend(letters.windows(3).filter_map(|three| <[char; 3]>::try_from(three).ok()));
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joined_names_are_taken_apart() {
        assert_eq!(words("mergePullRequest"), words("merge_pull-requests"));
        assert_eq!(split_case("HTTPServer2Go"), ["HTTP", "Server2", "Go"]);
    }

    #[test]
    fn endings_do_not_matter() {
        for (one, other) in [
            ("deleting", "delete"),
            ("stopped", "stop"),
            ("queries", "query"),
            ("branches", "branch"),
            ("files", "file"),
        ] {
            assert_eq!(words(one), words(other), "{one}");
        }
    }

    #[test]
    fn words_for_the_same_thing_are_the_same() {
        assert_eq!(words("remove folder"), words("delete directories"));
    }
}
