//! Policy files to a set that can be asked: read, named, validated in strict mode against the published schema. Every
//! problem has its file, line and column.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet as Cedar, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use super::circumstances::Attribute;
use super::references;
use super::words::{Kind, Named, SCHEMA};

/// Each decision looks at every policy; this many are decided well within a millisecond.
const POLICIES_MAX: usize = 2_000;
/// More problems than anybody reads at once.
const PROBLEMS_MAX: usize = 50;

/// One thing that is wrong with a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The file's name as it was given.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, " ({hint})"))
    }
}

/// All that is wrong with a set of policies. Never empty.
#[derive(Clone, Debug, thiserror::Error)]
pub struct PolicyProblems(pub Vec<PolicyProblem>);

impl fmt::Display for PolicyProblems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            let line_break = if n > 0 { "\n" } else { "" };
            write!(f, "{line_break}{problem}")?;
        }
        Ok(())
    }
}

/// An entity a policy names, and where: what the caller of [`PolicySet::load`] can hold against what there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Literal {
    /// The entity.
    pub named: Named,
    /// The file.
    pub file: Arc<str>,
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
}

/// Policies that fit the schema.
#[derive(Debug, Default)]
pub struct PolicySet {
    pub(super) cedar: Cedar,
    /// Kinds of resource that some policy can apply to: on them everything is refused that nothing permits.
    pub(super) governed: BTreeSet<Kind>,
    /// Attributes of the context that some policy reads.
    pub(super) read: Vec<Attribute>,
    /// Where each policy stands.
    places: BTreeMap<String, Place>,
    literals: Vec<Literal>,
    warnings: Vec<PolicyProblem>,
}

#[derive(Clone, Debug)]
struct Place {
    file: Arc<str>,
    line: u32,
}

impl PolicySet {
    /// Reads and validates policies, file by file (name and text). Policies are named by their `@id`, or by their file and
    /// number (`teams.cedar#2`).
    ///
    /// # Errors
    /// Everything that is wrong, each with its place.
    pub fn load(files: &[(impl AsRef<str>, impl AsRef<str>)]) -> Result<Self, PolicyProblems> {
        let schema = schema().map_err(|problem| PolicyProblems(vec![problem]))?;
        let mut loader = Loader { validator: Validator::new(schema), set: Self::default(), problems: Vec::new() };
        for (name, text) in files {
            loader.file(&name.as_ref().into(), text.as_ref());
        }
        loader.finish()
    }

    /// How many policies there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Kinds of resource on which everything is refused that no policy permits.
    pub fn governed(&self) -> impl Iterator<Item = Kind> {
        self.governed.iter().copied()
    }

    /// Does any policy read the arguments of tool calls?
    #[must_use]
    pub fn reads_arguments(&self) -> bool {
        self.read.contains(&Attribute::Arguments)
    }

    /// Policies that fit the schema and are probably not meant so.
    #[must_use]
    pub fn warnings(&self) -> &[PolicyProblem] {
        &self.warnings
    }

    /// Every entity the policies name.
    #[must_use]
    pub fn literals(&self) -> &[Literal] {
        &self.literals
    }

    /// Where a policy stands: its file and line.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<(&str, u32)> {
        self.places.get(id).map(|place| (&*place.file, place.line))
    }
}

/// The published schema, read.
fn schema() -> Result<Schema, PolicyProblem> {
    let read = Schema::from_cedarschema_str(SCHEMA);
    read.map(|(schema, _)| schema).map_err(|error| PolicyProblem {
        file: "gatehouse.cedarschema".into(),
        line: 1,
        column: 1,
        message: error.to_string(),
        hint: Some("this is a defect; please report it".to_owned()),
    })
}

struct Loader {
    validator: Validator,
    set: PolicySet,
    problems: Vec<PolicyProblem>,
}

impl Loader {
    fn file(&mut self, file: &Arc<str>, text: &str) {
        let parsed: Cedar = match text.parse() {
            Ok(parsed) => parsed,
            Err(errors) => {
                let errors: cedar_policy::ParseErrors = errors;
                for error in errors.iter() {
                    self.problem(file, text, error);
                }
                return;
            }
        };
        if parsed.num_of_templates() > 0 {
            let hint = "write the entity in the place of ?principal or ?resource";
            self.at(file, text, 0, "templates are not served", Some(hint.to_owned()));
            return;
        }
        let checked = self.validator.validate(&parsed, ValidationMode::Strict);
        for error in checked.validation_errors() {
            self.problem(file, text, error);
        }
        for warning in checked.validation_warnings() {
            let (message, hint) = told(warning);
            let problem = placed(file, text, offset(warning), message, hint);
            self.set.warnings.push(problem);
        }
        if checked.validation_passed() {
            let mut policies: Vec<&Policy> = parsed.policies().collect();
            policies.sort_by_key(|policy| start(policy));
            for (n, policy) in policies.into_iter().enumerate() {
                self.policy(file, text, n + 1, policy);
            }
        }
    }

    /// Takes one policy of a file into the set, under its own name.
    fn policy(&mut self, file: &Arc<str>, text: &str, number: usize, policy: &Policy) {
        let at = start(policy);
        let id = policy.annotation("id").filter(|id| !id.is_empty());
        let id = id.map_or_else(|| format!("{}#{number}", base_name(file)), str::to_owned);
        if let Some(first) = self.set.places.get(&id) {
            let message = format!("the id `{id}` is that of the policy at {}:{} already", first.file, first.line);
            self.at(file, text, at, message, Some("give each policy an @id of its own".to_owned()));
            return;
        }
        let (line, _) = position(text, at);
        for named in literals(policy) {
            let (line, column) =
                position(text, text.get(at..).and_then(|rest| find(rest, &named)).map_or(at, |n| at + n));
            self.set.literals.push(Literal { named, file: Arc::clone(file), line, column });
        }
        for env in policy.get_valid_request_envs(self.validator.schema()) {
            let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == env.resource().basename());
            self.set.governed.extend(kind);
        }
        self.set.places.insert(id.clone(), Place { file: Arc::clone(file), line });
        // The id is new, and a static policy clashes with nothing else.
        if let Err(error) = self.set.cedar.add(policy.new_id(PolicyId::new(id))) {
            self.at(file, text, at, error.to_string(), None);
        }
    }

    fn problem(&mut self, file: &Arc<str>, text: &str, error: &dyn Diagnostic) {
        let (message, hint) = told(error);
        self.at(file, text, offset(error), message, hint);
    }

    fn at(&mut self, file: &Arc<str>, text: &str, at: usize, message: impl Into<String>, hint: Option<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(placed(file, text, at, message.into(), hint));
        }
    }

    fn finish(mut self) -> Result<PolicySet, PolicyProblems> {
        if self.set.len() > POLICIES_MAX {
            let message = format!("{} policies are more than {POLICIES_MAX}", self.set.len());
            let file = self.set.places.values().next().map_or_else(|| Arc::from(""), |place| Arc::clone(&place.file));
            self.at(&file, "", 0, message, Some("say the same with fewer: sets, teams, tags".to_owned()));
        }
        if !self.problems.is_empty() {
            self.problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
            self.problems.dedup();
            return Err(PolicyProblems(self.problems));
        }
        self.set.literals.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        self.set.read = references::attributes(self.set.cedar.policies());
        self.warn_of_walls();
        Ok(self.set)
    }

    /// A kind that is only ever forbidden is refused to everybody: that is rarely meant.
    fn warn_of_walls(&mut self) {
        let permitted: BTreeSet<&str> = self
            .set
            .cedar
            .policies()
            .filter(|policy| policy.effect() == Effect::Permit)
            .flat_map(|policy| policy.get_valid_request_envs(self.validator.schema()))
            .filter_map(|env| Kind::ALL.into_iter().find(|kind| kind.as_str() == env.resource().basename()))
            .map(Kind::as_str)
            .collect();
        let walls: Vec<Kind> =
            self.set.governed.iter().copied().filter(|kind| !permitted.contains(kind.as_str())).collect();
        let Some(place) = self.set.places.values().next().cloned() else { return };
        for kind in walls {
            self.set.warnings.push(PolicyProblem {
                file: Arc::clone(&place.file),
                line: place.line,
                column: 1,
                message: format!("no policy permits anything on a {kind}, so everything on it is refused"),
                hint: Some(format!("add `permit (principal, action, resource is {kind});` to start from")),
            });
        }
    }
}

/// The entities a policy names, but for its actions.
fn literals(policy: &Policy) -> Vec<Named> {
    let known = |uid: cedar_policy::EntityUid| {
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == uid.type_name().basename())?;
        Some(Named::new(kind, uid.id().unescaped()))
    };
    policy.entity_literals().into_iter().filter_map(known).collect()
}

fn find(text: &str, named: &Named) -> Option<usize> {
    text.find(&named.to_string())
}

/// What a problem says of itself: the sentence, with what it points at, and the way out if it knows one.
fn told(error: &dyn Diagnostic) -> (String, Option<String>) {
    let pointed =
        error.labels().and_then(|mut labels| labels.next()).and_then(|label| label.label().map(str::to_owned));
    let message = match pointed {
        Some(label) if !label.is_empty() => format!("{error}: {label}"),
        _ => error.to_string(),
    };
    // Cedar numbers the policies of a text; the place says better which one it is.
    let message = match message.strip_prefix("for policy `policy").and_then(|rest| rest.split_once("`, ")) {
        Some((_, message)) => message.to_owned(),
        None => message,
    };
    let hint = error.help().map(|help| help.to_string());
    (message, hint.or_else(|| Some("`gatehouse policy schema` prints what policies may name".to_owned())))
}

fn offset(error: &dyn Diagnostic) -> usize {
    error.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset())
}

/// Where a policy begins in its file.
fn start(policy: &Policy) -> usize {
    policy.as_ref().loc().map_or(0, |place| place.start())
}

fn placed(file: &Arc<str>, text: &str, at: usize, message: String, hint: Option<String>) -> PolicyProblem {
    let (line, column) = position(text, at);
    PolicyProblem { file: Arc::clone(file), line, column, message, hint }
}

/// Line and column of a byte, both from 1.
fn position(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

fn base_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}
