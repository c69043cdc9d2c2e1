//! A change of objects, thought through before anything is written: one edit or many, checked together, so that what refers
//! to each other can come at once.

use gatehouse_catalog::Kind;
use gatehouse_domain::{Code, Role};
use gatehouse_store::{KeyRecord, ObjectEdit, StoreError, StoredObject};
use http::HeaderMap;
use http::header::{IF_MATCH, IF_NONE_MATCH};
use serde::Serialize;
use serde_json::Value;

use super::secret_fields::{self, Taken};
use super::{Object, diff, etag, names, no_such, of_file};
use crate::admin::actor::Actor;
use crate::admin::acts::Act;
use crate::admin::error::{AdminCode, ApiError};
use crate::admin::now_ms;
use crate::control::{Control, DeclaredObject, Reload, Wrong};
use crate::secrets;

/// Characters of a name.
const NAME_MAX: usize = 128;

/// One object as it shall be.
pub(super) struct Edit<'a> {
    pub(super) kind: &'static Kind,
    pub(super) name: String,
    /// `None`: gone.
    pub(super) body: Option<Value>,
    /// `If-Match` and `If-None-Match`, where they were sent.
    pub(super) headers: Option<&'a HeaderMap>,
}

/// What becomes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Change {
    Created,
    Updated,
    Unchanged,
    Deleted,
}

/// An edit that may be carried out.
pub(super) struct Step {
    pub(super) kind: &'static Kind,
    pub(super) name: String,
    pub(super) change: Change,
    pub(super) diff: Vec<diff::Line>,
    pub(super) before: Option<StoredObject>,
    taken: Option<Taken>,
    /// Why its `If-Match` or `If-None-Match` does not hold.
    mismatch: Option<ApiError>,
}

/// Steps that work together.
pub(super) struct Plan<'a> {
    control: &'a Control,
    actor: &'a Actor,
    pub(super) steps: Vec<Step>,
}

impl<'a> Plan<'a> {
    /// Checks each edit by itself, and then the configuration with all of them in it.
    pub(super) async fn make(control: &'a Control, actor: &'a Actor, edits: Vec<Edit<'_>>) -> Result<Self, ApiError> {
        let all = control.store.all_objects().await?;
        let mut steps = Vec::with_capacity(edits.len());
        for edit in edits {
            steps.push(step(control, actor, &all, edit).await?);
        }
        let mut plan = Self { control, actor, steps };
        plan.try_whole(&all).await?;
        // Conditions come last: a request that would fail without them fails for its own reason (RFC 9110 §13.2.1).
        let mismatch = plan.steps.iter_mut().find_map(|step| step.mismatch.take());
        mismatch.map_or(Ok(plan), Err)
    }

    /// Would anything change?
    pub(super) fn changes_something(&self) -> bool {
        self.steps.iter().any(|step| step.change != Change::Unchanged)
    }

    /// Would the configuration work?
    async fn try_whole(&self, all: &[StoredObject]) -> Result<(), ApiError> {
        let mut objects = Vec::with_capacity(all.len() + self.steps.len());
        for object in all {
            let body = secrets::open(&self.control.store, object).await?;
            match self.steps.iter().find(|step| step.is(object)) {
                None => objects.push(declared(&object.organisation, &object.kind, &object.name, body)),
                Some(Step { taken: Some(taken), kind, name, .. }) => {
                    objects.push(declared(&object.organisation, kind.name, name, taken.clear(kind, Some(&body))));
                }
                Some(_) => {}
            }
        }
        for step in self.steps.iter().filter(|step| step.before.is_none()) {
            if let Some(taken) = &step.taken {
                let organisation = &self.actor.organisation;
                objects.push(declared(organisation, step.kind.name, &step.name, taken.clear(step.kind, None)));
            }
        }
        let mut wrong = self.control.operations.check_objects(objects).await.err().unwrap_or_default();
        let only_deletes = self.steps.iter().all(|step| step.change == Change::Deleted);
        let keys = self.keys_that_name_what_goes().await?;
        wrong.retain(|known| !keys.iter().any(|key| key.object == known.object));
        wrong.extend(keys);
        match wrong.is_empty() {
            true => Ok(()),
            false if only_deletes => Err(ApiError::of(
                AdminCode::StillReferenced,
                "What is to be deleted is still referred to.",
                "Change what refers to it first: `wrong` lists it.",
            )
            .wrong(wrong)),
            false => Err(ApiError::of(
                AdminCode::InvalidObject,
                "The configuration would not work with this.",
                "`wrong` lists every reason; they are those of `gatehouse check`.",
            )
            .wrong(wrong)),
        }
    }

    /// Keys of the database are no objects, so the check of the configuration does not see them.
    async fn keys_that_name_what_goes(&self) -> Result<Vec<Wrong>, ApiError> {
        let gone: Vec<&Step> = self.steps.iter().filter(|step| step.change == Change::Deleted).collect();
        if gone.is_empty() {
            return Ok(Vec::new());
        }
        let keys = self.control.store.list_keys().await?;
        let live = keys.into_iter().filter(|key| key.revoked_unix_ms.is_none());
        Ok(live.filter_map(|key| gone.iter().find(|step| step.is_named_by(&key)).map(|step| step.user(&key))).collect())
    }

    /// Writes everything, or nothing, and puts it in force.
    pub(super) async fn carry_out(&self) -> Result<(), ApiError> {
        let (store, organisation) = (&self.control.store, &*self.actor.organisation);
        let mut edits = Vec::with_capacity(self.steps.len());
        for step in self.steps.iter().filter(|step| step.change != Change::Unchanged) {
            if let Some(taken) = &step.taken {
                secret_fields::seal(store, (organisation, step.kind, &step.name), &taken.fresh).await?;
            }
            edits.push(ObjectEdit {
                kind: step.kind.name,
                name: &step.name,
                body: step.taken.as_ref().map(|taken| &taken.masked),
                replaces: step.before.as_ref().map(|before| before.version),
            });
        }
        match store.change_objects(organisation, &edits, &self.actor.name, now_ms()).await {
            Ok(true) => {}
            Ok(false) | Err(StoreError::Exists { .. }) => return Err(somebody_was_faster()),
            Err(error) => return Err(error.into()),
        }
        for step in &self.steps {
            if let Some(before) = &step.before {
                secret_fields::forget(store, before, step.taken.as_ref().map(|taken| &taken.masked)).await?;
            }
        }
        put_in_force(self.control).await
    }

    /// The object of a step as it is stored now.
    pub(super) async fn stored(&self, step: &Step) -> Result<Option<StoredObject>, ApiError> {
        Ok(self.control.store.object(&self.actor.organisation, step.kind.name, &step.name).await?)
    }

    /// Every step that changes something, for the audit log.
    pub(super) fn acts(&self) -> Vec<Act> {
        let done = self.steps.iter().filter(|step| step.change != Change::Unchanged);
        let act = |step: &Step| {
            let verb = if step.change == Change::Deleted { "delete" } else { "put" };
            let mut act = Act::on(format!("{}.{verb}", step.kind.name), step.kind.name, &step.name);
            act.before = step.before.as_ref().map(|before| before.body.clone());
            act.after = step.taken.as_ref().map(|taken| taken.masked.clone());
            act
        };
        done.map(act).collect()
    }
}

impl Step {
    /// The object as it is shown, if the step leaves it as it is.
    pub(super) fn unchanged(&self) -> Option<Object> {
        self.before.clone().filter(|_| self.change == Change::Unchanged).map(Object::of)
    }

    fn is(&self, object: &StoredObject) -> bool {
        object.kind == self.kind.name && object.name == self.name
    }

    fn is_named_by(&self, record: &KeyRecord) -> bool {
        let key = &record.key;
        let (one, several): (Option<&String>, &[String]) = match self.kind.name {
            "models" => (None, &key.models),
            "mcp_servers" => (None, &key.mcp_servers),
            "toolsets" => (None, &key.toolsets),
            "organisations" => (key.organisation.as_ref(), &[]),
            "teams" => (key.team.as_ref(), &[]),
            "users" => (key.user.as_ref(), &[]),
            "service_accounts" => (key.service_account.as_ref(), &[]),
            "agents" => (key.agent.as_ref(), &key.agents),
            _ => (None, &[]),
        };
        one.into_iter().chain(several).any(|name| *name == self.name)
    }

    fn user(&self, record: &KeyRecord) -> Wrong {
        Wrong {
            object: Some(format!("keys/{}", record.key.id)),
            pointer: String::new(),
            message: format!("the key {} names the {} {}", record.key.name, self.kind.one, self.name),
            hint: None,
        }
    }
}

/// Puts what is stored now in force.
async fn put_in_force(control: &Control) -> Result<(), ApiError> {
    match control.operations.objects_changed().await {
        Reload::Accepted(_) => Ok(()),
        Reload::Refused(problem) => Err(ApiError::new(
            Code::Internal,
            format!("It is stored, but could not be put in force: {}", problem.problems.join("; ")),
            "The configuration from before is in force still. POST /api/v1/config/reload tries again.",
        )),
    }
}

/// One edit, checked by itself.
async fn step(control: &Control, actor: &Actor, all: &[StoredObject], edit: Edit<'_>) -> Result<Step, ApiError> {
    let Edit { kind, name, body, headers } = edit;
    if body.is_some() {
        check_name(&name)?;
    }
    let found = all.iter().find(|object| object.kind == kind.name && object.name == name);
    let before = found.filter(|object| object.organisation == *actor.organisation);
    let declared_in_file = of_file(control, kind, &name).is_some();
    match (&body, before) {
        (Some(_), _) if declared_in_file => return Err(in_file(kind, &name)),
        (Some(_), None) if found.is_some() => return Err(name_taken()),
        (None, None) if declared_in_file => return Err(in_file(kind, &name)),
        (None, None) => return Err(no_such(kind)),
        _ => {}
    }
    if let Some(before) = before {
        owner_needs_owner(actor, &before.body)?;
    }
    let mismatch = headers.and_then(|headers| check_version(before, headers).err());
    let Some(body) = body else {
        let diff = diff::between(before.map(|before| &before.body), None);
        return Ok(Step { kind, name, change: Change::Deleted, diff, before: before.cloned(), taken: None, mismatch });
    };
    let body = owned(kind, actor, body)?;
    let mut taken = secret_fields::take(kind, &body, before.map(|before| &before.body))?;
    if let Some(before) = before {
        taken.forget_what_is_kept(&secrets::open(&control.store, before).await?);
    }
    let diff = diff::between(before.map(|before| &before.body), Some(&taken.masked));
    let change = match before {
        None => Change::Created,
        Some(_) if diff.is_empty() && taken.fresh.is_empty() => Change::Unchanged,
        Some(_) => Change::Updated,
    };
    Ok(Step { kind, name, change, diff, before: before.cloned(), taken: Some(taken), mismatch })
}

fn declared(organisation: &str, kind: &str, name: &str, body: Value) -> DeclaredObject {
    DeclaredObject { organisation: organisation.to_owned(), kind: kind.to_owned(), name: name.to_owned(), body }
}

fn check_name(name: &str) -> Result<(), ApiError> {
    let odd = name.trim() != name || name.chars().any(char::is_control) || matches!(name, "" | "." | "..");
    if odd || name.chars().count() > NAME_MAX {
        let hint = format!("1 to {NAME_MAX} characters, no control characters, no spaces at its ends.");
        return Err(ApiError::invalid("This is no name for an object.", hint));
    }
    Ok(())
}

/// The body, which says of itself no more than its maker may say: the own organisation, and no owner but by an owner.
fn owned(kind: &Kind, actor: &Actor, mut body: Value) -> Result<Value, ApiError> {
    let Some(fields) = body.as_object_mut() else {
        return Err(ApiError::invalid("The body is not an object.", "Send the object as in the configuration file."));
    };
    if kind.list && fields.contains_key("name") {
        return Err(ApiError::invalid("The body has a `name`.", "Leave it out: the name is in the path."));
    }
    if kind.has("organisation") && !actor.runs_the_instance() {
        let own = Value::from(&*actor.organisation);
        let written = fields.entry("organisation").or_insert_with(|| own.clone());
        if *written != own {
            return Err(not_allowed("Objects of other organisations are not yours to make."));
        }
    }
    owner_needs_owner(actor, &body)?;
    Ok(body)
}

/// Owners are made, changed and deleted by owners.
fn owner_needs_owner(actor: &Actor, body: &Value) -> Result<(), ApiError> {
    let owner = body.get("role").and_then(Value::as_str) == Some(Role::Owner.as_str());
    if owner && actor.role != Role::Owner {
        return Err(not_allowed("Only an owner makes, changes or deletes an owner."));
    }
    Ok(())
}

/// `If-Match` and `If-None-Match` (RFC 9110 §13.1): nobody overwrites what they have not read.
fn check_version(before: Option<&StoredObject>, headers: &HeaderMap) -> Result<(), ApiError> {
    let tag = before.map(|before| etag(before.version));
    let named = |header| {
        let mut lists = headers.get_all(header).iter().peekable();
        lists.peek()?;
        Some(tag.as_ref().is_some_and(|tag| lists.any(|list| names(list, tag))))
    };
    match (named(IF_MATCH), named(IF_NONE_MATCH)) {
        (Some(false), _) | (_, Some(true)) => {
            let now =
                before.map_or("It is not there.".to_owned(), |before| format!("Its version is {}.", before.version));
            Err(ApiError::of(AdminCode::VersionMismatch, now, "GET shows the object and its ETag."))
        }
        _ => Ok(()),
    }
}

pub(super) fn not_allowed(message: &str) -> ApiError {
    ApiError::new(Code::NotAllowed, message, "docs/admin-api.md lists what each role may do.")
}

fn in_file(kind: &Kind, name: &str) -> ApiError {
    let message = format!("The {} {name} is declared in the configuration file.", kind.one);
    ApiError::of(AdminCode::DeclaredInFile, message, "Change it there: a good change is in force within a second.")
}

fn name_taken() -> ApiError {
    ApiError::of(AdminCode::NameTaken, "The name is taken.", "Choose another one: names are shared by everybody here.")
}

fn somebody_was_faster() -> ApiError {
    let hint = "GET it again, and decide again.";
    ApiError::of(AdminCode::VersionMismatch, "Somebody else changed it at the same time.", hint)
}
