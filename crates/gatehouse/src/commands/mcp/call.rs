//! `gatehouse mcp call`: a tool, called by hand.

use std::io::Write as _;

use clap::Args;
use gatehouse_mcp_gateway::{Message, Raw};
use serde_json::{Map, Value, json};

use super::client::EndpointArguments;
use crate::failure::Failure;
use crate::output::Format;

/// Arguments of `mcp call`.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The tool, by the name `gatehouse mcp list` shows.
    tool: String,
    /// Its arguments: `name=value`. A value that is JSON is taken as such, any other as text.
    #[arg(value_name = "NAME=VALUE")]
    arguments: Vec<String>,
    /// Its arguments as one JSON object.
    #[arg(long, value_name = "JSON", conflicts_with = "arguments")]
    json: Option<String>,
    /// Of which endpoint.
    #[command(flatten)]
    endpoint: EndpointArguments,
}

pub(super) async fn run(arguments: Arguments, output: Format) -> Result<(), Failure> {
    let given = read(&arguments)?;
    let mut endpoint = arguments.endpoint.open()?;
    let params = json!({"name": arguments.tool, "arguments": given, "_meta": {"progressToken": "call"}});
    let result = endpoint.ask("tools/call", Some(Raw::of(&params)), mention).await;
    endpoint.close().await;
    let result = result?;
    print(&result, output)?;
    if result.get(&["isError"]).and_then(|is_error| is_error.as_bool()) == Some(true) {
        return Err(Failure::problem(format!("`{}` says that it failed", arguments.tool), "see what it said above"));
    }
    Ok(())
}

fn read(arguments: &Arguments) -> Result<Map<String, Value>, Failure> {
    if let Some(text) = &arguments.json {
        return serde_json::from_str(text)
            .map_err(|error| Failure::usage(format!("--json is no JSON object: {error}"), "--json '{\"a\": 2}'"));
    }
    arguments.arguments.iter().map(|pair| named(pair)).collect()
}

fn named(pair: &str) -> Result<(String, Value), Failure> {
    let (name, value) = pair.split_once('=').ok_or_else(|| {
        Failure::usage(format!("`{pair}` is no argument of a tool"), "write name=value, or use --json")
    })?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

/// What the server says meanwhile is for people, not for whoever reads the result.
fn mention(message: &Message) {
    let Some(params) = message.params() else { return };
    let said = params.get(&["message"]).or_else(|| params.get(&["data"])).or_else(|| params.get(&["progress"]));
    if let Some(said) = said {
        let said = said.as_text().map_or_else(|| said.as_json().to_owned(), |text| text.into_owned());
        // With standard error gone nobody wants to know.
        drop(writeln!(std::io::stderr(), "… {}", safe(&said)));
    }
}

fn print(result: &Raw, output: Format) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let whole = result.value();
    match output {
        Format::Json => writeln!(out, "{whole:#}")?,
        Format::Yaml => {
            let text = serde_saphyr::to_string(&whole).map_err(|error| Failure::problem(error, ""))?;
            write!(out, "{text}")?;
        }
        Format::Table => {
            for part in result.get(&["content"]).map(|content| content.elements()).unwrap_or_default() {
                match part.text_at(&["text"]) {
                    Some(text) => writeln!(out, "{}", safe(&text))?,
                    None => writeln!(out, "{}", part.as_json())?,
                }
            }
        }
    }
    Ok(())
}

/// A tool's text may not steer the terminal.
fn safe(text: &str) -> String {
    text.chars().filter(|char| !char.is_control() || matches!(char, '\n' | '\t')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_json_where_it_can_be_and_text_elsewhere() {
        let value = |pair| named(pair).unwrap().1;
        assert_eq!(value("n=2"), json!(2));
        assert_eq!(value("city=Köln"), json!("Köln"));
        assert_eq!(value("q=a=b"), json!("a=b"));
        assert_eq!(value("list=[1]"), json!([1]));
        assert!(named("nothing").is_err());
    }
}
