//! `gatehouse mcp list`: what an endpoint offers.

use clap::{Args, ValueEnum};
use gatehouse_mcp_gateway::Raw;
use serde_json::{Map, Value};

use super::client::{Endpoint, EndpointArguments};
use crate::failure::Failure;
use crate::output::{Format, Listing};

/// What is shown of a description in a table.
const LINE_CHARS_MAX: usize = 100;

/// Arguments of `mcp list`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Of which endpoint.
    #[command(flatten)]
    endpoint: EndpointArguments,
    /// Only these.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Tools.
    Tool,
    /// Prompts.
    Prompt,
    /// Resources.
    Resource,
    /// Templates of resources.
    Template,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Tool, Self::Prompt, Self::Resource, Self::Template];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Prompt => "prompt",
            Self::Resource => "resource",
            Self::Template => "template",
        }
    }

    /// The method, the member of its result, the capability it takes, and the member that names an element.
    const fn list(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Tool => ("tools/list", "tools", "tools", "name"),
            Self::Prompt => ("prompts/list", "prompts", "prompts", "name"),
            Self::Resource => ("resources/list", "resources", "resources", "uri"),
            Self::Template => ("resources/templates/list", "resourceTemplates", "resources", "uriTemplate"),
        }
    }
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let mut endpoint = arguments.endpoint.open()?;
    let listed = rows(&mut endpoint, arguments.kind, output).await;
    endpoint.close().await;
    Listing::new(["kind", "name", "description"], listed?).write(output, &mut std::io::stdout().lock())
}

async fn rows(endpoint: &mut Endpoint, only: Option<Kind>, output: Format) -> Result<Vec<Map<String, Value>>, Failure> {
    let capabilities = endpoint.capabilities().await?;
    let mut rows = Vec::new();
    for kind in Kind::ALL.into_iter().filter(|kind| only.is_none_or(|only| only == *kind)) {
        let (method, member, capability, name) = kind.list();
        if capabilities.has(&[capability]) {
            let elements = endpoint.list(method, member).await?;
            rows.extend(elements.iter().map(|element| row(kind, name, element, output)));
        }
    }
    Ok(rows)
}

/// Tables show a line of each; programs get the whole element.
fn row(kind: Kind, name: &str, element: &Raw, output: Format) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("kind".to_owned(), kind.as_str().into());
    row.insert("name".to_owned(), element.text_at(&[name]).into());
    let description = element.text_at(&["description"]).unwrap_or_default();
    match (output, element.value()) {
        (Format::Table, _) => drop(row.insert("description".to_owned(), line(&description).into())),
        (_, Value::Object(whole)) => {
            row.extend(
                whole.into_iter().filter(|(member, _)| member != "kind" && (member != "name" || name == "name")),
            );
        }
        _ => {}
    }
    row
}

/// The first line of a text, without what a terminal would act upon.
fn line(text: &str) -> String {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    first.trim().chars().filter(|char| !char.is_control()).take(LINE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element() -> Raw {
        Raw::of(
            &serde_json::json!({"name": "add", "description": "\nAdds.\u{1b}[31m\nMore.", "inputSchema": {"type": "object"}}),
        )
    }

    #[test]
    fn a_table_shows_one_safe_line_and_programs_get_everything() {
        let shown = row(Kind::Tool, "name", &element(), Format::Table);
        assert_eq!(shown["description"], "Adds.[31m");
        let whole = row(Kind::Tool, "name", &element(), Format::Json);
        assert_eq!((&whole["kind"], &whole["inputSchema"]["type"]), (&"tool".into(), &"object".into()));
    }
}
