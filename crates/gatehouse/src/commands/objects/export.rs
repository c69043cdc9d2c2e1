//! `gatehouse export`: the objects of the database as a file that `gatehouse apply` takes back without a change.

use std::io::Write as _;

use gatehouse_catalog::KINDS;
use serde_json::{Map, Value};

use super::{all, gateway};
use crate::cli::{Output, PlaceArguments};
use crate::failure::Failure;
use crate::output::Format;

/// Writes it to standard output.
pub(crate) async fn run(everything: bool, place: &PlaceArguments, output: Output) -> Result<(), Failure> {
    let client = gateway(place)?;
    let mut file = Map::new();
    for kind in KINDS {
        for mut object in all(&client, kind).await? {
            if !everything && object["source"] != "database" {
                continue;
            }
            let name = object.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            let body = object.remove("body").unwrap_or_default();
            put(&mut file, kind.section, kind.list, name, body);
        }
    }
    let text = match output.output {
        Format::Json => serde_json::to_string_pretty(&file).map_err(|error| Failure::problem(error, ""))?,
        Format::Table | Format::Yaml => serde_saphyr::to_string(&file).map_err(|error| Failure::problem(error, ""))?,
    };
    writeln!(std::io::stdout().lock(), "{}", text.trim_end())?;
    Ok(())
}

/// Puts an object into its section.
fn put(file: &mut Map<String, Value>, section: &str, list: bool, name: String, body: Value) {
    let (outer, inner) = section.split_once('.').unwrap_or((section, ""));
    if !inner.is_empty() {
        let outer = file.entry(outer).or_insert_with(|| Value::Object(Map::new()));
        if let Some(outer) = outer.as_object_mut() {
            put(outer, inner, list, name, body);
        }
        return;
    }
    let empty = if list { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    match (file.entry(outer).or_insert(empty), body) {
        (Value::Array(items), Value::Object(mut body)) => {
            body.insert("name".to_owned(), Value::String(name));
            items.push(Value::Object(body));
        }
        (Value::Object(section), body) => drop(section.insert(name, body)),
        _ => {}
    }
}
