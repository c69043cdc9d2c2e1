//! Names of tools and arguments: what models and clients take, and each one once.

use std::collections::BTreeSet;

/// The longest name of a tool.
const TOOL_MAX: usize = 64;
/// The longest name of an argument.
pub(super) const ARGUMENT_MAX: usize = 64;

/// Names that were given away.
#[derive(Default)]
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// A name for an operation: its `operationId`, or method and path.
    pub(super) fn tool(&mut self, operation_id: Option<&str>, method: &str, path: &str) -> String {
        let from_id = operation_id.map(words).filter(|name| !name.is_empty());
        self.once(from_id.unwrap_or_else(|| words(&format!("{method} {path}"))), TOOL_MAX)
    }

    /// A name for an argument; of two with the same name, the second says where it goes.
    pub(super) fn argument(&mut self, name: &str, place: &str) -> String {
        let free = !self.0.contains(name) && name.len() <= ARGUMENT_MAX;
        self.once(if free { name.to_owned() } else { format!("{name}_{place}") }, ARGUMENT_MAX)
    }

    fn once(&mut self, name: String, most: usize) -> String {
        // The tail of a long name tells it from its neighbours.
        let start = name.char_indices().map(|(at, _)| at).find(|at| name.len() - at <= most).unwrap_or(0);
        let stem = name[start..].trim_start_matches('_').to_owned();
        let mut unique = stem.clone();
        let mut number = 2_u32;
        while self.0.contains(&unique) {
            let suffix = format!("_{number}");
            let keep =
                stem.char_indices().map(|(at, _)| at).find(|at| stem.len() - at + suffix.len() <= most).unwrap_or(0);
            unique = format!("{}{suffix}", &stem[keep..]);
            number += 1;
        }
        self.0.insert(unique.clone());
        unique
    }
}

/// Letters, digits and dashes; everything else is one underscore.
fn words(text: &str) -> String {
    let mut name = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii_alphanumeric() || letter == '-' {
            name.push(letter);
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
    }
    name.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_called_as_its_operation_or_its_path() {
        let mut names = Names::default();
        assert_eq!(names.tool(Some("pets.list"), "get", "/pets"), "pets_list");
        assert_eq!(names.tool(None, "get", "/pets/{id}"), "get_pets_id");
        assert_eq!(names.tool(Some("\u{202e}!"), "get", "/a"), "get_a");
    }

    #[test]
    fn no_two_tools_have_one_name_and_a_long_one_keeps_its_tail() {
        let mut names = Names::default();
        let long = format!("{}list_pets", "v1_organisation_".repeat(8));
        let (one, two) = (names.tool(Some(&long), "get", "/"), names.tool(Some(&long), "get", "/"));
        assert!(one.len() <= 64 && two.len() <= 64 && one != two, "{one} {two}");
        assert!(one.ends_with("list_pets") && two.ends_with("list_pets_2"));
    }

    #[test]
    fn an_argument_that_stands_in_two_places_says_where() {
        let mut names = Names::default();
        assert_eq!((names.argument("id", "path"), names.argument("id", "query")), ("id".into(), "id_query".into()));
    }
}
