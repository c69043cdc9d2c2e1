//! TOML, edited in place: comments and layout stay.

use toml_edit::{DocumentMut, Item, Table, Value};

/// Sets strings by path.
pub(super) fn set(text: &str, fields: &[(Vec<&'static str>, String)]) -> Result<String, String> {
    let mut document: DocumentMut = text.parse().map_err(|error| format!("not readable as TOML: {error}"))?;
    for (path, value) in fields {
        let Some((key, tables)) = path.split_last() else { continue };
        let mut table: &mut dyn toml_edit::TableLike = document.as_table_mut();
        for name in tables {
            let item = table.entry(name).or_insert_with(|| {
                let mut table = Table::new();
                // No `[model_providers]` line for a table that only holds others.
                table.set_implicit(true);
                Item::Table(table)
            });
            table = item.as_table_like_mut().ok_or_else(|| format!("`{name}` is not a table"))?;
        }
        match table.get_mut(key).and_then(Item::as_value_mut) {
            Some(place) => {
                let decor = place.decor().clone();
                *place = Value::from(value.as_str());
                *place.decor_mut() = decor;
            }
            None => {
                table.insert(key, toml_edit::value(value.as_str()));
            }
        }
    }
    Ok(document.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_other_tables_stay() {
        let before = "# top\nmodel = \"old\" # why\n\n[mcp_servers.x]\ncommand = \"y\"\n";
        let after = set(
            before,
            &[
                (vec!["model"], "new".to_owned()),
                (vec!["model_provider"], "g".to_owned()),
                (vec!["model_providers", "g", "name"], "G".to_owned()),
            ],
        )
        .unwrap();
        assert_eq!(
            after,
            "# top\nmodel = \"new\" # why\nmodel_provider = \"g\"\n\n[mcp_servers.x]\ncommand = \"y\"\n\n\
             [model_providers.g]\nname = \"G\"\n"
        );
    }

    #[test]
    fn what_is_not_toml_or_not_a_table_is_refused() {
        assert!(set("a = = 1", &[]).is_err());
        assert!(set("a = 1", &[(vec!["a", "b"], String::new())]).is_err());
    }
}
