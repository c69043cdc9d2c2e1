//! `gatehouse schema`: the JSON Schema of the configuration file, for editors.

use std::io::Write;

use crate::config_file::Names;
use crate::failure::Failure;

/// Prints it.
pub(crate) fn run() -> Result<(), Failure> {
    let schema = gatehouse_catalog::schema(Names::all().known());
    let text = serde_json::to_string_pretty(&schema).map_err(|error| Failure::problem(error, ""))?;
    writeln!(std::io::stdout().lock(), "{text}")?;
    Ok(())
}
