//! `gatehouse policy test FILE`: policies, the world around them and cases with what is expected, in one YAML file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use gatehouse_domain::Now;
use gatehouse_policy::permissions::{Directory, Fact, Kind, Named, Permissions, Thing};
use gatehouse_server::control::{PolicyAnswer, PolicyContext, PolicyPrincipal, PolicyQuestion};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::cli::Output;
use crate::config_file;
use crate::failure::Failure;
use crate::output::Listing;
use crate::policies::{self, Known};

const COLUMNS: [&str; 6] = ["case", "result", "expect", "got", "by", "reason"];

/// A test file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct TestFile {
    /// A configuration whose policies and models are meant; what is written here comes on top.
    config: Option<PathBuf>,
    /// Files, patterns, or texts of policies.
    policies: Vec<String>,
    /// Models and what they reach.
    models: BTreeMap<String, ModelFacts>,
    /// Tools and what they are.
    tools: BTreeMap<String, ToolFacts>,
    /// Callers that cases name.
    principals: BTreeMap<String, PolicyPrincipal>,
    /// The cases, read one by one, so that a wrong one is known by its number.
    cases: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ModelFacts {
    /// `provider/model`.
    targets: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ToolFacts {
    server: String,
    toolsets: Vec<String>,
    read_only: Option<bool>,
    destructive: Option<bool>,
    idempotent: Option<bool>,
    open_world: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// For the table; what is asked if not given.
    name: Option<String>,
    /// One of `principals`, or a caller in words; nobody is a caller without credentials.
    #[serde(default)]
    principal: Option<Principal>,
    action: String,
    resource: String,
    #[serde(default)]
    context: PolicyContext,
    expect: Expected,
    /// The policy that must be among those that decided.
    by: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Principal {
    Named(String),
    Described(PolicyPrincipal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expected {
    Allow,
    Deny,
}

/// Runs every case and prints how it went.
pub(super) fn run(file: &Path, output: Output) -> Result<(), Failure> {
    let text = fs::read_to_string(file).map_err(|error| {
        Failure::problem(format!("cannot read {}: {error}", file.display()), "give the path of a policy test file")
    })?;
    let wrong = |what: &dyn Display| {
        Failure::problem(
            format!("{} is no policy test file: {what}", file.display()),
            "docs/policies.md shows one; `cases` has `principal`, `action`, `resource` and `expect`",
        )
    };
    // By way of JSON: the reader of YAML is large for each type it reads.
    let written: Value = serde_saphyr::from_str(&text).map_err(|error| wrong(&error))?;
    let none = || Failure::problem(format!("{} has no cases", file.display()), "write at least one under `cases:`");
    // An empty file.
    if written.is_null() {
        return Err(none());
    }
    let test = TestFile::deserialize(&written).map_err(|error| wrong(&error))?;
    if test.cases.is_empty() {
        return Err(none());
    }
    let numbered = test.cases.iter().zip(1..);
    let cases: Vec<Case> = numbered
        .map(|(case, number)| Case::deserialize(case).map_err(|error| wrong(&format!("case {number}: {error}"))))
        .collect::<Result<_, _>>()?;
    let permissions = permissions(&test, file.parent().unwrap_or(Path::new("")))?;
    let rows: Vec<Map<String, Value>> =
        cases.iter().map(|case| judged(case, &test, &permissions)).collect::<Result<_, _>>()?;
    let failed = rows.iter().filter(|row| row["result"] != "ok").count();
    Listing::new(COLUMNS, rows).write(output.output, &mut std::io::stdout().lock())?;
    if failed == 0 {
        return Ok(());
    }
    let message = format!("{failed} of {} cases failed", cases.len());
    Err(Failure::problem(message, "mend the policies, or the cases if they expect the wrong thing"))
}

/// The policies and what the file says of the things they talk about.
fn permissions(test: &TestFile, folder: &Path) -> Result<Permissions, Failure> {
    let (mut texts, mut directory) = (Vec::new(), Directory::default());
    if let Some(config) = &test.config {
        let loaded = config_file::load(Some(&folder.join(config)))?;
        texts.clone_from(&loaded.config.policies);
        directory = policies::directory(&loaded.config);
    }
    texts.extend(super::texts(&test.policies, folder)?);
    for (name, model) in &test.models {
        directory.insert(Named::new(Kind::Model, name.as_str()), policies::model_thing(model.targets.iter().cloned()));
    }
    for (name, tool) in &test.tools {
        directory.insert(Named::new(Kind::Tool, name.as_str()), thing(tool));
    }
    let policies = policies::load(&texts).map_err(|problems| {
        Failure::problem(format!("the policies cannot be used:\n{problems}"), "mend the lines above")
    })?;
    Ok(Permissions { policies: policies.into(), directory })
}

fn thing(tool: &ToolFacts) -> Thing {
    let flags = [
        ("read_only", tool.read_only),
        ("destructive", tool.destructive),
        ("idempotent", tool.idempotent),
        ("open_world", tool.open_world),
    ];
    let toolsets = tool.toolsets.iter().map(|name| Named::new(Kind::Toolset, name.as_str()));
    let mut facts = BTreeMap::from([("server", Fact::Text(tool.server.clone()))]);
    facts.extend(flags.into_iter().filter_map(|(name, flag)| Some((name, Fact::Flag(flag?)))));
    Thing { parents: toolsets.chain([Named::new(Kind::McpServer, tool.server.as_str())]).collect(), facts }
}

/// One case, asked and held against what was expected.
fn judged(case: &Case, test: &TestFile, permissions: &Permissions) -> Result<Map<String, Value>, Failure> {
    let asked = question(case, test)?;
    let title = case.name.clone().unwrap_or_else(|| format!("{} {}", case.action, case.resource));
    let answer = policies::answer(permissions, &asked, &Known::new(), Now(SystemTime::now()))
        .map_err(|refusal| Failure::problem(format!("case `{title}`: {}", refusal.message), refusal.hint))?;
    let by: Vec<&str> = answer.deciding.iter().map(|policy| &*policy.id).collect();
    let row = json!({
        "case": title,
        "result": if passes(case, &answer) { "ok" } else { "FAILED" },
        "expect": word(case.expect == Expected::Allow),
        "expect_by": case.by,
        "got": word(answer.allow),
        "by": by,
        "reason": answer.reason,
    });
    Ok(match row {
        Value::Object(fields) => fields,
        _ => Map::new(),
    })
}

fn passes(case: &Case, answer: &PolicyAnswer) -> bool {
    let decided = |id: &String| answer.deciding.iter().any(|policy| policy.id == *id);
    answer.allow == (case.expect == Expected::Allow) && case.by.as_ref().is_none_or(decided)
}

fn question(case: &Case, test: &TestFile) -> Result<PolicyQuestion, Failure> {
    let principal = match &case.principal {
        None => None,
        Some(Principal::Described(words)) => Some(words.clone()),
        Some(Principal::Named(name)) => Some(test.principals.get(name).cloned().ok_or_else(|| {
            let hint = gatehouse_catalog::did_you_mean(name, test.principals.keys().map(String::as_str));
            let next = hint.unwrap_or_else(|| "describe the caller under `principals:`".to_owned());
            Failure::problem(format!("a case names the principal `{name}`, which is not there"), next)
        })?),
    };
    Ok(PolicyQuestion {
        key: None,
        principal,
        action: case.action.clone(),
        resource: case.resource.clone(),
        context: case.context.clone(),
    })
}

const fn word(allow: bool) -> &'static str {
    if allow { "allow" } else { "deny" }
}
