//! Listings: rows with named fields, as a table for people or as JSON or YAML for programs.
//!
//! JSON and YAML are `{"rows": […]}` with the field names of the admin API; the table shows a choice of the fields.

use std::io::Write;

use clap::ValueEnum;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value};

use crate::failure::Failure;

/// The form of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Columns for people.
    #[default]
    Table,
    /// One JSON document, `{"rows": […]}`.
    Json,
    /// The same as YAML.
    Yaml,
}

/// Rows, and the fields of them that a table shows, in this order.
#[derive(Debug)]
pub(crate) struct Listing {
    columns: Vec<String>,
    rows: Vec<Map<String, Value>>,
}

impl Listing {
    /// A listing of these rows.
    pub(crate) fn new<C: Into<String>>(columns: impl IntoIterator<Item = C>, rows: Vec<Map<String, Value>>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), rows }
    }

    /// Writes it.
    pub(crate) fn write(&self, format: Format, out: &mut impl Write) -> Result<(), Failure> {
        match format {
            Format::Table => writeln!(out, "{}", self.table())?,
            Format::Json => {
                let text = serde_json::to_string_pretty(self).map_err(|error| Failure::problem(error, ""))?;
                writeln!(out, "{text}")?;
            }
            Format::Yaml => {
                let text = serde_saphyr::to_string(self).map_err(|error| Failure::problem(error, ""))?;
                write!(out, "{text}")?;
            }
        }
        Ok(())
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(NOTHING);
        table.set_header(self.columns.iter().map(|name| name.to_uppercase()));
        for row in &self.rows {
            table.add_row(self.columns.iter().map(|name| row.get(name).map(cell).unwrap_or_default()));
        }
        for (n, name) in self.columns.iter().enumerate() {
            let numbers =
                !self.rows.is_empty() && self.rows.iter().all(|row| row.get(name).is_some_and(Value::is_number));
            if let (true, Some(column)) = (numbers, table.column_mut(n)) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>().join("\n")
    }
}

/// Values as rows: those that are objects.
pub(crate) fn rows<T: Serialize>(values: &[T]) -> Vec<Map<String, Value>> {
    values.iter().filter_map(|value| fields(serde_json::to_value(value).ok()?)).collect()
}

/// The fields of an object.
pub(crate) fn fields(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// A value for people. Control characters are shown, not sent: names come from callers, and terminals obey escapes.
fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// The fields of the table first and in its order, then the others: JSON reads like the table.
struct Row<'a>(&'a [String], &'a Map<String, Value>);

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(columns, row) = self;
        let mut map = serializer.serialize_map(Some(row.len()))?;
        let first = columns.iter().filter_map(|name| row.get_key_value(name));
        let others = row.iter().filter(|(name, _)| !columns.contains(name));
        for (name, value) in first.chain(others) {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

struct Rows<'a>(&'a Listing);

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut rows = serializer.serialize_seq(Some(self.0.rows.len()))?;
        for row in &self.0.rows {
            rows.serialize_element(&Row(&self.0.columns, row))?;
        }
        rows.end()
    }
}

impl Serialize for Listing {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("rows", &Rows(self))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn listing() -> Listing {
        let row = |value: Value| value.as_object().cloned().unwrap();
        Listing::new(
            ["name", "attempts"],
            vec![
                row(json!({"attempts": 7, "name": "a\u{1b}[31m", "id": "k1"})),
                row(json!({"attempts": 12, "name": "b"})),
            ],
        )
    }

    fn written(format: Format) -> String {
        let mut out = Vec::new();
        listing().write(format, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_rows_in_the_order_of_the_columns() {
        let text = written(Format::Json);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(read["rows"][1], json!({"attempts": 12, "name": "b"}));
        assert!(text.find("name") < text.find("attempts") && text.find("attempts") < text.find("id"));
    }

    #[test]
    fn yaml_holds_the_same_rows() {
        let read: Value = serde_saphyr::from_str(&written(Format::Yaml)).unwrap();
        assert_eq!(read["rows"][0]["id"], "k1");
    }

    #[test]
    fn a_table_has_a_line_a_row_and_obeys_no_escapes() {
        let text = written(Format::Table);
        assert_eq!(text.lines().count(), 3);
        assert!(text.starts_with("NAME"));
        assert!(!text.contains('\u{1b}'));
        assert!(!text.contains("k1"));
    }
}
