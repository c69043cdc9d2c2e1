//! Policies of a configuration: loaded with their places, joined with what the configuration knows of models.

mod ask;
mod replay;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use gatehouse_catalog::{Config, Loaded, PolicyText, Position, Problem, Severity, did_you_mean};
use gatehouse_policy::permissions::{Directory, Fact, Kind, Named, Permissions, PolicyProblem, PolicySet, Thing};

pub(crate) use ask::{Known, answer};
pub(crate) use replay::{Period, replay};

/// What calls are judged by.
pub(crate) fn permissions(config: &Config) -> Result<Permissions, gatehouse_policy::permissions::PolicyProblems> {
    Ok(Permissions { policies: load(&config.policies)?, directory: directory(config) })
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

/// Models and providers that a policy names and the configuration does not have.
fn strangers(loaded: &Loaded, set: &PolicySet) -> Vec<Problem> {
    let config = &loaded.config;
    let models: Vec<&str> = config.models.keys().map(|name| &**name).collect();
    let providers: Vec<&str> = config.providers.keys().map(|name| &**name).collect();
    let knows = |named: &Named| match named.kind {
        Kind::Model => models
            .iter()
            .any(|known| known.strip_suffix('*').map_or(*known == &*named.name, |start| named.name.starts_with(start))),
        Kind::Provider => providers.contains(&&*named.name),
        _ => true,
    };
    let stranger = |literal: &gatehouse_policy::permissions::Literal| {
        let known = if literal.named.kind == Kind::Model { &models } else { &providers };
        let problem = PolicyProblem {
            file: Arc::clone(&literal.file),
            line: literal.line,
            column: literal.column,
            message: format!("there is no {}", literal.named),
            hint: did_you_mean(&literal.named.name, known.iter().copied()),
        };
        placed(loaded, &problem, Severity::Warning)
    };
    set.literals().iter().filter(|literal| !knows(&literal.named)).map(stranger).collect()
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

/// What policies may know of the models of a configuration: everything each may reach, fallbacks included.
pub(crate) fn directory(config: &Config) -> Directory {
    let mut directory = Directory::default();
    for name in config.models.keys() {
        directory.insert(Named::new(Kind::Model, Arc::clone(name)), model_thing(reach(config, name)));
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
