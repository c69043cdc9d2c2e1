//! Objects of the file and of the database in one tree, so that one set of checks sees what will be in force. The file is
//! the baseline: where both declare a name, the file's is used.

use serde_json::{Value as Json, json};

use crate::check::{Check, Owner, Place, Positions, join, nth};
use crate::config::PolicyText;
use crate::kinds::{self, KINDS, Kind, mask};
use crate::load::{Surroundings, tree};
use crate::problem::{Position, Problems};
use crate::references;
use crate::shape::untyped;
use crate::yaml::{Entry, Node, Value};

/// Where nodes stand that no file holds.
const NOWHERE: Position = Position { line: 0, column: 0 };

/// An object the database declares, secrets in the clear.
#[derive(Clone, Copy, Debug)]
pub struct Declared<'a> {
    /// Whose it is.
    pub organisation: &'a str,
    /// What it is.
    pub kind: &'static Kind,
    /// Its name.
    pub name: &'a str,
    /// Its body, in the words of the file.
    pub body: &'a Json,
}

/// An object that is in force.
#[derive(Clone, Debug)]
pub struct Object {
    /// What it is.
    pub kind: &'static Kind,
    /// Its name.
    pub name: String,
    /// Does the file declare it?
    pub of_file: bool,
    /// Its body with its secrets masked.
    pub body: Json,
}

/// An object as a file of objects has it.
#[derive(Clone, Debug)]
pub struct Written {
    /// What it is.
    pub kind: &'static Kind,
    /// Its name.
    pub name: String,
    /// Its body.
    pub body: Json,
}

/// Reads a file of objects: the sections of the configuration file that hold objects, and no others. References are
/// resolved, but for those to secrets; what the objects mean is for the gateway to check that will have them.
///
/// # Errors
/// When it is not YAML, a reference leads nowhere, or it has other sections.
pub fn read_objects(bytes: &[u8], around: &Surroundings<'_>) -> Result<Vec<Written>, Problems> {
    let mut root = tree(bytes, around.file_name)?;
    let mut check = Check::new(around.file_name, Positions::of(&root));
    references::resolve_but_secrets(&mut root, around, &mut check);
    only_sections_of_objects(&root, &mut check);
    let mut objects = Vec::new();
    for kind in KINDS {
        let Some(section) = find(&root, kind) else { continue };
        match &section.value {
            Value::Map(entries) if !kind.list => objects.extend(entries.iter().map(|entry| {
                let body = untyped(&entry.value.value);
                Written { kind, name: entry.key.clone(), body }
            })),
            Value::List(items) if kind.list => {
                for (n, item) in items.iter().enumerate() {
                    let Some(name) = name_of(item) else {
                        nameless(&nth(kind.section, n), item, kind, &mut check);
                        continue;
                    };
                    let mut body = untyped(&item.value);
                    if let Some(fields) = body.as_object_mut() {
                        fields.remove("name");
                    }
                    objects.push(Written { kind, name: name.to_owned(), body });
                }
            }
            _ => {}
        }
    }
    check.finish()?;
    Ok(objects)
}

fn nameless(path: &str, item: &Node, kind: &Kind, check: &mut Check) {
    let hint = format!("write `{{name: …, …}}`; only the configuration file may have a {} without", kind.one);
    check.error(Place::At(path, item.at), "an object needs a name", Some(hint));
}

fn only_sections_of_objects(root: &Node, check: &mut Check) {
    let Value::Map(entries) = &root.value else {
        let hint = "write sections such as `models:`".to_owned();
        return check.error(Place::At("", root.at), "this is no file of objects", Some(hint));
    };
    for entry in entries {
        let of_objects = KINDS.iter().any(|kind| kind.section.split('.').next() == Some(entry.key.as_str()));
        if !of_objects {
            let known: Vec<&str> = KINDS.iter().map(|kind| kind.section).collect();
            let hint = format!("sections of objects are {}", known.join(", "));
            check.error(
                Place::At(&entry.key, entry.key_at),
                "only the configuration file has this section",
                Some(hint),
            );
        }
    }
}

/// Adds what the database declares to the tree of the file.
pub(crate) fn graft(root: &mut Node, declared: &[Declared<'_>], around: &Surroundings<'_>, check: &mut Check) {
    for object in declared {
        // The file has something else there, which the shape check will tell.
        let Some(section) = section(root, object.kind) else { continue };
        let (path, taken) = match &section.value {
            Value::List(items) => {
                let taken = items.iter().any(|item| name_of(item) == Some(object.name));
                (nth(object.kind.section, items.len()), taken)
            }
            Value::Map(entries) => {
                let taken = entries.iter().any(|entry| entry.key == object.name);
                (join(object.kind.section, object.name), taken)
            }
            _ => continue,
        };
        if let Some((field, hint)) = object.kind.of_the_file_alone(object.body) {
            let message = "only the configuration file may have this";
            check.error(Place::At(&join(&path, field), NOWHERE), message, Some(hint.to_owned()));
        }
        if taken {
            shadowed(&path, object, check);
            continue;
        }
        let node = Graft { object, around }.node(object.body, &path, check);
        match &mut section.value {
            Value::Map(entries) if !object.kind.list => {
                entries.push(Entry { key: object.name.to_owned(), key_at: NOWHERE, value: node });
            }
            Value::List(items) if object.kind.list => items.push(named(node, object.name)),
            _ => {}
        }
    }
}

fn shadowed(path: &str, object: &Declared<'_>, check: &mut Check) {
    let hint = format!("gatehouse delete {} {}", object.kind.name, object.name);
    check.warn(path, "the database declares it, too; the file's is used", Some(hint));
}

/// The section of a kind, made if the file has none. `None` if something else stands there, which the shape check tells.
fn section<'n>(root: &'n mut Node, kind: &Kind) -> Option<&'n mut Node> {
    let mut node = root;
    for step in kind.section.split('.') {
        if matches!(node.value, Value::Null) {
            node.value = Value::Map(Vec::new());
        }
        let Value::Map(entries) = &mut node.value else { return None };
        let place = entries.iter().position(|entry| entry.key == step).unwrap_or_else(|| {
            let value = Node { value: Value::Null, at: NOWHERE };
            entries.push(Entry { key: step.to_owned(), key_at: NOWHERE, value });
            entries.len() - 1
        });
        node = &mut entries[place].value;
    }
    if matches!(node.value, Value::Null) {
        node.value = if kind.list { Value::List(Vec::new()) } else { Value::Map(Vec::new()) };
    }
    Some(node)
}

/// A list's item with its name, whatever name its body gives itself. What is no mapping keeps nothing of itself: a text in a
/// list could be the name of a file.
fn named(node: Node, name: &str) -> Node {
    let Value::Map(mut entries) = node.value else { return Node { value: Value::Null, at: NOWHERE } };
    entries.retain(|entry| entry.key != "name");
    let value = Node { value: Value::Text(name.to_owned()), at: NOWHERE };
    entries.push(Entry { key: "name".to_owned(), key_at: NOWHERE, value });
    Node { value: Value::Map(entries), at: NOWHERE }
}

fn name_of(item: &Node) -> Option<&str> {
    let Value::Map(entries) = &item.value else { return None };
    entries.iter().find(|entry| entry.key == "name").and_then(|entry| match &entry.value.value {
        Value::Text(text) | Value::Resolved(text) => Some(text.as_str()),
        _ => None,
    })
}

/// An object on its way into the tree.
struct Graft<'a> {
    object: &'a Declared<'a>,
    around: &'a Surroundings<'a>,
}

impl Graft<'_> {
    /// JSON as a tree.
    fn node(&self, json: &Json, path: &str, check: &mut Check) -> Node {
        let value = match json {
            Json::Null => Value::Null,
            Json::Bool(yes) => Value::Bool(*yes),
            Json::Number(number) => Value::Number(number.clone()),
            Json::String(text) if text.contains("${") => {
                let found = references::of_database(text, self.object.organisation, self.around);
                found.unwrap_or_else(|reason| {
                    check.error(Place::At(path, NOWHERE), reason.message, reason.hint);
                    Value::Unresolved
                })
            }
            Json::String(text) => Value::Text(text.clone()),
            Json::Array(items) => {
                Value::List(items.iter().enumerate().map(|(n, item)| self.node(item, &nth(path, n), check)).collect())
            }
            Json::Object(fields) => {
                let entry = |(key, value): (&String, &Json)| Entry {
                    key: key.clone(),
                    key_at: NOWHERE,
                    value: self.node(value, &join(path, key), check),
                };
                Value::Map(fields.iter().map(entry).collect())
            }
        };
        Node { value, at: NOWHERE }
    }
}

/// Which object each path of the tree belongs to.
pub(crate) fn owners(root: &Node) -> Vec<Owner> {
    let mut owners = Vec::new();
    for kind in KINDS {
        let Some(section) = find(root, kind) else { continue };
        match &section.value {
            Value::Map(entries) if !kind.list => owners.extend(entries.iter().map(|entry| {
                let path = join(kind.section, &entry.key);
                Owner { path, kind, name: entry.key.clone(), of_file: entry.key_at != NOWHERE }
            })),
            Value::List(items) if kind.list => owners.extend(items.iter().enumerate().filter_map(|(n, item)| {
                let Value::Map(_) = item.value else { return None };
                let path = nth(kind.section, n);
                // What has no name in the file goes by its place there.
                let name = name_of(item).map_or_else(|| path.clone(), str::to_owned);
                Some(Owner { path, kind, name, of_file: item.at != NOWHERE })
            })),
            _ => {}
        }
    }
    owners
}

fn find<'n>(root: &'n Node, kind: &Kind) -> Option<&'n Node> {
    kind.section.split('.').try_fold(root, |node, step| match &node.value {
        Value::Map(entries) => entries.iter().find(|entry| entry.key == step).map(|entry| &entry.value),
        _ => None,
    })
}

/// Every object of a sound tree, its secrets masked.
pub(crate) fn in_force(sound: &Json, owners: &[Owner]) -> Vec<Object> {
    let body = |owner: &Owner| {
        if !owner.kind.list {
            let section = sound.pointer(&format!("/{}", owner.kind.section.replace('.', "/")))?;
            return section.get(&owner.name).cloned();
        }
        let mut item = sound.pointer(&kinds::pointer(&owner.path))?.clone();
        item.as_object_mut()?.remove("name");
        Some(item)
    };
    let object = |owner: &Owner| {
        let mut body = body(owner)?;
        owner.kind.secrets(&mut body, &mut |_, value| {
            *value = mask(value.as_str().unwrap_or_default());
        });
        Some(Object { kind: owner.kind, name: owner.name.clone(), of_file: owner.of_file, body })
    };
    owners.iter().filter_map(object).collect()
}

/// The policies of files, and of texts without a name, as objects of the file.
pub(crate) fn of_policies(texts: &[PolicyText]) -> Vec<Object> {
    let Some(kind) = Kind::named("policies") else { return Vec::new() };
    let nameless = texts.iter().filter(|text| !text.path.ends_with(".text"));
    let object = |text: &PolicyText| Object {
        kind,
        name: text.name.to_string(),
        of_file: true,
        body: json!({ "text": text.text }),
    };
    nameless.map(object).collect()
}
