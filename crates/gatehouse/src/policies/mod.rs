//! Policies of a configuration: loaded with their places, joined with what the configuration knows of models.

mod ask;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gatehouse_catalog::mcp::OWN_SERVER;
use gatehouse_catalog::{Config, Loaded, PolicyText, Position, Problem, Severity, did_you_mean};
use gatehouse_policy::permissions::{
    Directory, Fact, Kind, Named, Permissions, PolicyProblem, PolicySet, Thing, server_of,
};

pub(crate) use ask::{Known, answer};
pub(crate) use replay::{Period, replay};

/// What calls are judged by.
pub(crate) fn permissions(config: &Config) -> Result<Permissions, gatehouse_policy::permissions::PolicyProblems> {
    Ok(Permissions { policies: load(&config.policies)?.into(), directory: directory(config) })
}

/// A set of policies out of its texts.
pub(crate) fn load(texts: &[PolicyText]) -> Result<PolicySet, gatehouse_policy::permissions::PolicyProblems> {
    let files: Vec<(&str, &str)> = texts.iter().map(|text| (&*text.name, &*text.text)).collect();
    PolicySet::load(&files)
}

/// What is wrong with the policies of a configuration, and what is probably not meant so, each at its place: of a policy
/// file in that file, of a text in the configuration where the text stands.
pub(crate) fn problems(loaded: &Loaded) -> Vec<Problem> {
    let set = match load(&loaded.config.policies) {
        Ok(set) => set,
        Err(problems) => {
            return problems.0.iter().map(|problem| placed(loaded, problem, Severity::Error)).collect();
        }
    };
    let warnings = set.warnings().iter().map(|problem| placed(loaded, problem, Severity::Warning));
    warnings.chain(strangers(loaded, &set)).collect()
}

/// Models, providers, servers and toolsets that a policy names and the configuration does not have.
fn strangers(loaded: &Loaded, set: &PolicySet) -> Vec<Problem> {
    let config = &loaded.config;
    let names = |kind| -> Vec<&str> {
        match kind {
            Kind::Model => config.models.keys().map(|name| &**name).collect(),
            Kind::Provider => config.providers.keys().map(|name| &**name).collect(),
            Kind::McpServer => config.mcp.servers.keys().map(|name| &**name).chain([OWN_SERVER]).collect(),
            Kind::Toolset => config.mcp.toolsets.keys().map(|name| &**name).collect(),
            _ => Vec::new(),
        }
    };
    let stranger = |literal: &gatehouse_policy::permissions::Literal| {
        // Of a tool it is known whose it is; which tools there are, its server says.
        let (kind, name) = match literal.named.kind {
            Kind::Tool => (Kind::McpServer, server_of(&literal.named.name)),
            kind => (kind, &*literal.named.name),
        };
        let meant = |known: &&str| known.strip_suffix('*').map_or(**known == *name, |start| name.starts_with(start));
        let can_be_known = matches!(kind, Kind::Model | Kind::Provider | Kind::McpServer | Kind::Toolset);
        let known = names(kind);
        if !can_be_known || known.iter().any(meant) {
            return None;
        }
        let problem = PolicyProblem {
            file: Arc::clone(&literal.file),
            line: literal.line,
            column: literal.column,
            message: format!("there is no {}", Named::new(kind, name)),
            hint: did_you_mean(name, known.iter().copied()),
        };
        Some(placed(loaded, &problem, Severity::Warning))
    };
    set.literals().iter().filter_map(stranger).collect()
}

fn placed(loaded: &Loaded, problem: &PolicyProblem, severity: Severity) -> Problem {
    let inline = loaded.config.policies.iter().find(|text| text.file.is_none() && text.name == problem.file);
    if let Some(text) = inline {
        let message = format!("line {}, column {} of the policy: {}", problem.line, problem.column, problem.message);
        return Problem { severity, ..loaded.problem_at(&text.path, message, problem.hint.clone()) };
    }
    Problem {
        belongs: None,
        file: Arc::clone(&problem.file),
        position: Position { line: problem.line, column: problem.column },
        path: String::new(),
        message: problem.message.clone(),
        hint: problem.hint.clone(),
        severity,
    }
}

/// What policies may know of the models and toolsets of a configuration: everything a model may reach, fallbacks included,
/// and what each toolset offers. What trusted servers say of their tools comes to it with their lists.
pub(crate) fn directory(config: &Config) -> Directory {
    let mut directory = Directory::default();
    for name in config.models.keys() {
        directory.insert(Named::new(Kind::Model, Arc::clone(name)), model_thing(reach(config, name)));
    }
    for (name, toolset) in &config.mcp.toolsets {
        directory.insert_toolset(Arc::clone(name), &toolset.tools, toolset.resources);
    }
    directory
}

/// A model by its targets, each `provider/model`.
pub(crate) fn model_thing(targets: impl IntoIterator<Item = String>) -> Thing {
    let targets: Vec<String> = targets.into_iter().collect();
    let providers: BTreeSet<&str> = targets.iter().filter_map(|target| Some(target.split_once('/')?.0)).collect();
    Thing {
        parents: providers.iter().map(|name| Named::new(Kind::Provider, *name)).collect(),
        facts: BTreeMap::from([
            ("providers", Fact::Texts(providers.iter().map(|name| (*name).to_owned()).collect())),
            ("targets", Fact::Texts(targets)),
        ]),
    }
}

/// Every `provider/model` a model may reach.
fn reach(config: &Config, name: &Arc<str>) -> BTreeSet<String> {
    let (mut open, mut seen, mut targets) = (vec![name], BTreeSet::new(), BTreeSet::new());
    while let Some(name) = open.pop() {
        let Some(model) = config.models.get(name).filter(|_| seen.insert(name)) else { continue };
        targets.extend(model.targets.iter().map(|target| format!("{}/{}", target.provider, target.model)));
        open.extend(&model.fallbacks);
    }
    targets
}
