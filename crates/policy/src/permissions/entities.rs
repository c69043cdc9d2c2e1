//! A question in Cedar's terms: the request, and the few entities it is about.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use cedar_policy::{Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression};

use super::circumstances::{Attribute, arguments_uid};
use super::directory::{Fact, Thing};
use super::question::{Caller, Question};
use super::words::{Kind, Named};

/// Entity types by kind. Reading a name anew for each question would cost more than the decision.
static TYPES: LazyLock<HashMap<Kind, EntityTypeName>> =
    LazyLock::new(|| Kind::ALL.into_iter().filter_map(|kind| Some((kind, kind.as_str().parse().ok()?))).collect());

static ACTION: LazyLock<Option<EntityTypeName>> = LazyLock::new(|| "Action".parse().ok());

/// An entity's id in Cedar. `None` cannot be: a test reads every kind.
pub(super) fn uid(kind: Kind, name: &str) -> Option<EntityUid> {
    TYPES.get(&kind).map(|known| EntityUid::from_type_name_and_id(known.clone(), EntityId::new(name)))
}

/// An action's id in Cedar.
pub(super) fn action_uid(name: &str) -> Option<EntityUid> {
    ACTION.as_ref().map(|known| EntityUid::from_type_name_and_id(known.clone(), EntityId::new(name)))
}

/// The request and the entities of a question, with those attributes of the context that some policy reads.
pub(super) fn request(
    question: &Question<'_>,
    thing: &Thing,
    read: &[Attribute],
) -> Result<(Request, Entities), String> {
    let caller = &question.caller;
    let who = caller.who();
    let ids = (uid(who.kind, &who.name), action_uid(question.action), uid(question.kind, question.resource));
    let (Some(principal), Some(action), Some(resource)) = ids else {
        return Err("the schema has no such kind".to_owned());
    };
    let values = read.iter().filter_map(|attribute| {
        let value = attribute.value(&question.circumstances, caller)?;
        Some((attribute.as_str().to_owned(), value))
    });
    let context = Context::from_pairs(values).map_err(|error| error.to_string())?;
    let request =
        Request::new(principal, action, resource.clone(), context, None).map_err(|error| error.to_string())?;
    let mut all = vec![asked(question, resource.clone(), thing)?];
    all.extend(callers(caller, &who).into_iter().filter(|entity| entity.uid() != resource));
    if let Some(arguments) = question.circumstances.arguments.filter(|_| read.contains(&Attribute::Arguments)) {
        all.extend(argument_entity(arguments)?);
    }
    let entities = Entities::from_entities(all, None).map_err(|error| error.to_string())?;
    Ok((request, entities))
}

/// What everybody in the caller's team is in: the team, and its organisation.
fn above(caller: &Caller<'_>) -> HashSet<EntityUid> {
    let team = caller.team.and_then(|name| uid(Kind::Team, name));
    let organisation = caller.organisation.and_then(|name| uid(Kind::Organisation, name));
    team.into_iter().chain(organisation).collect()
}

/// The caller and everything it is in: key → owner → team → organisation.
fn callers(caller: &Caller<'_>, who: &Named) -> Vec<Entity> {
    let organisation = caller.organisation.and_then(|name| uid(Kind::Organisation, name));
    let team = caller.team.and_then(|name| uid(Kind::Team, name));
    let above = above(caller);
    let owners = [(Kind::User, caller.user), (Kind::ServiceAccount, caller.service), (Kind::Agent, caller.agent)];
    let owners: Vec<(EntityUid, &str)> =
        owners.into_iter().filter_map(|(kind, name)| Some((uid(kind, name?)?, name?))).collect();
    let mut all = Vec::with_capacity(5);
    all.extend(organisation.clone().map(Entity::with_uid));
    all.extend(team.map(|team| Entity::new_no_attrs(team, organisation.into_iter().collect())));
    all.extend(owners.iter().filter_map(|(uid, name)| named(uid.clone(), name, above.clone())));
    if matches!(who.kind, Kind::Key | Kind::Anonymous) {
        let mut parents = above;
        parents.extend(owners.into_iter().map(|(uid, _)| uid));
        let name = if caller.name.is_empty() { &*who.name } else { caller.name };
        all.extend(uid(who.kind, &who.name).and_then(|uid| named(uid, name, parents)));
    }
    all
}

/// An entity whose only attribute is its name: that cannot fail to evaluate.
fn named(uid: EntityUid, name: &str, parents: HashSet<EntityUid>) -> Option<Entity> {
    let attributes = HashMap::from([("name".to_owned(), RestrictedExpression::new_string(name.to_owned()))]);
    Entity::new(uid, attributes, parents).ok()
}

/// The resource, with the attributes its kind always has filled in.
fn asked(question: &Question<'_>, resource: EntityUid, thing: &Thing) -> Result<Entity, String> {
    let mut attributes: HashMap<String, RestrictedExpression> = HashMap::new();
    for (name, empty) in required(question.kind) {
        attributes.insert(name.to_owned(), value(&empty));
    }
    attributes.insert("name".to_owned(), RestrictedExpression::new_string(question.resource.to_owned()));
    for (name, fact) in &thing.facts {
        attributes.insert((*name).to_owned(), value(fact));
    }
    let mut parents: HashSet<EntityUid> =
        thing.parents.iter().filter_map(|parent| uid(parent.kind, &parent.name)).collect();
    // An agent that calls itself is one entity, and stays in its team.
    if question.kind == Kind::Agent && question.caller.agent == Some(question.resource) {
        parents.extend(above(&question.caller));
    }
    Entity::new(resource, attributes, parents).map_err(|error| error.to_string())
}

/// Attributes that the schema promises of a kind, besides `name`, as they are where nothing is known.
fn required(kind: Kind) -> Vec<(&'static str, Fact)> {
    let text = |name| (name, Fact::Text(String::new()));
    let texts = |name| (name, Fact::Texts(Vec::new()));
    match kind {
        Kind::Model => vec![texts("providers"), texts("targets")],
        Kind::Tool | Kind::Resource | Kind::Prompt => vec![text("server")],
        Kind::Entry | Kind::Object => vec![text("kind")],
        _ => Vec::new(),
    }
}

fn value(fact: &Fact) -> RestrictedExpression {
    match fact {
        Fact::Text(text) => RestrictedExpression::new_string(text.clone()),
        Fact::Flag(flag) => RestrictedExpression::new_bool(*flag),
        Fact::Texts(texts) => {
            RestrictedExpression::new_set(texts.iter().cloned().map(RestrictedExpression::new_string))
        }
    }
}

fn argument_entity(arguments: &BTreeMap<String, String>) -> Result<Option<Entity>, String> {
    let tags = arguments.iter().map(|(name, value)| (name.clone(), RestrictedExpression::new_string(value.clone())));
    let Some(uid) = arguments_uid() else { return Ok(None) };
    Entity::new_with_tags(uid, [], [], tags).map(Some).map_err(|error| error.to_string())
}
