//! `policies`: files by name or pattern, and texts written in the file itself. What the texts say is for others to read.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::names::PlainNames;
use crate::check::{Check, nth};
use crate::config::PolicyText;
use crate::load::Surroundings;
use crate::written::{Policy, PolicyItem};

const SUFFIX: &str = ".cedar";
/// More than this is a slip in a pattern.
const FILES_MAX: usize = 500;

pub(crate) fn all(written: &[PolicyItem], around: &Surroundings<'_>, check: &mut Check) -> Vec<PolicyText> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut names = PlainNames::of("policies");
    for (n, item) in written.iter().enumerate() {
        let path = nth("policies", n);
        match item {
            PolicyItem::Named(Policy { name, text }) => {
                names.take(n, name, check);
                // Explanations tell a policy without an `@id` by the name of its text.
                if name.ends_with(SUFFIX) {
                    let hint = Some("leave the suffix out".to_owned());
                    check.error_at(&format!("{path}.name"), "this could be the name of a file", hint);
                }
                let path = format!("{path}.text");
                found.push(PolicyText { name: name.as_str().into(), path, file: None, text: text.clone() });
            }
            PolicyItem::Word(item) if item.trim_end().ends_with(SUFFIX) && !item.trim_end().contains('\n') => {
                files(item.trim(), &path, around, &mut seen, &mut found, check);
            }
            PolicyItem::Word(item) if item.contains('(') => {
                found.push(PolicyText { name: path.clone().into(), path, file: None, text: item.clone() });
            }
            PolicyItem::Word(item) => {
                let hint =
                    "name a file or a pattern such as `policies/*.cedar`, or write policies as a text".to_owned();
                check.error_at(&path, format!("`{item}` is neither a `{SUFFIX}` file nor a policy"), Some(hint));
            }
        }
    }
    found
}

/// The files of one item, in the order of their names; a file that an earlier item named already is not read again.
fn files(
    item: &str,
    path: &str,
    around: &Surroundings<'_>,
    seen: &mut BTreeSet<String>,
    found: &mut Vec<PolicyText>,
    check: &mut Check,
) {
    let names = match expand(item, around) {
        Ok(names) => names,
        Err(error) => {
            let hint = "check that it exists and is readable; paths start at the folder of this file".to_owned();
            return check.error_at(path, format!("cannot read {item}: {error}"), Some(hint));
        }
    };
    if names.is_empty() {
        return check.warn(path, format!("no file matches `{item}`"), None);
    }
    for name in names {
        if found.len() >= FILES_MAX {
            return check.error_at(path, format!("more than {FILES_MAX} files"), Some("narrow the pattern".to_owned()));
        }
        if !seen.insert(name.clone()) {
            continue;
        }
        let file = around.folder.join(&name);
        match (around.read)(&file) {
            Ok(text) => {
                let shown = file.display().to_string().into();
                found.push(PolicyText { name: shown, path: path.to_owned(), file: Some(file), text });
            }
            Err(error) => {
                let hint = "check that it exists and is readable".to_owned();
                check.error_at(path, format!("cannot read {}: {error}", file.display()), Some(hint));
            }
        }
    }
}

/// The names a pattern stands for, sorted. `*` stands for any characters of a file's name, never for a folder.
fn expand(item: &str, around: &Surroundings<'_>) -> io::Result<Vec<String>> {
    let (folder, name) = item.rsplit_once('/').map_or(("", item), |(folder, name)| (folder, name));
    if folder.contains('*') {
        return Err(io::Error::other("`*` may only stand in the name of the file"));
    }
    if !name.contains('*') {
        return Ok(vec![item.to_owned()]);
    }
    let mut names = (around.list)(&around.folder.join(Path::new(folder)))?;
    names.retain(|known| matches(name, known) && !known.starts_with('.'));
    names.sort_unstable();
    let prefix = if item.contains('/') { format!("{folder}/") } else { String::new() };
    Ok(names.into_iter().map(|name| format!("{prefix}{name}")).collect())
}

/// Does a name fit a pattern whose `*` stand for any characters?
fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let (Some(first), Some(last)) = (parts.next(), parts.next_back()) else { return pattern == name };
    let Some(mut middle) = name.strip_prefix(first).and_then(|rest| rest.strip_suffix(last)) else { return false };
    for part in parts {
        let Some(at) = middle.find(part) else { return false };
        middle = &middle[at + part.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_any_characters_of_a_name() {
        for (pattern, name, fits) in [
            ("*.cedar", "a.cedar", true),
            ("*.cedar", "a.yaml", false),
            ("team-*-x*.cedar", "team-a-x1.cedar", true),
            ("team-*-x*.cedar", "team-a.cedar", false),
            ("a*a.cedar", "a.cedar", false),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }
}
