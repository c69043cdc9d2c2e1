//! What the database holds beside the file, objects and secrets: read, checked together with the file, put in force.

use std::collections::BTreeSet;

use gatehouse_catalog::{Declared, Kind, Loaded, OpenSecrets, Problem, Secrets, Severity};
use gatehouse_domain::{DEFAULT_ORGANISATION, Secret};
use gatehouse_llm_gateway::gateway::{BlueprintProblem, LlmGateway};
use gatehouse_server::control::{DeclaredObject, Wrong};
use gatehouse_server::secrets;
use gatehouse_store::vault::CONFIG_SECRET;
use gatehouse_store::{Store, StoreError};

use super::{House, key_owners, wiring};
use crate::config_file::{self, Beside};

/// The demo provider gets its address when it is started; any will do to check what is declared.
const DEMO: &str = "http://127.0.0.1:1";

/// What the database holds beside the file. Never printed: secrets are in the clear.
pub(crate) struct Stored {
    /// Objects, their own secrets in the clear.
    pub(super) objects: Vec<DeclaredObject>,
    /// What `${secret:NAME}` stands for.
    pub(super) secrets: OpenSecrets,
}

impl Stored {
    /// These objects, and the secrets that they and the file may refer to.
    async fn with(store: &Store, objects: Vec<DeclaredObject>) -> Result<Self, StoreError> {
        let organisations = objects.iter().map(|object| object.organisation.as_str());
        let secrets = open_secrets(store, organisations.chain([DEFAULT_ORGANISATION]).collect()).await?;
        Ok(Self { objects, secrets })
    }

    /// Objects as the catalog takes them. One of a kind that a later version knew is left out.
    pub(super) fn declared(&self) -> Vec<Declared<'_>> {
        let known = self.objects.iter().filter_map(|object| Some((Kind::named(&object.kind)?, object)));
        known
            .map(|(kind, object)| {
                let DeclaredObject { organisation, name, body, .. } = object;
                Declared { organisation, kind, name, body }
            })
            .collect()
    }

    /// As a file is loaded with it.
    pub(super) const fn beside<'a>(&'a self, declared: &'a [Declared<'a>]) -> Beside<'a> {
        Beside { declared, secrets: Secrets::Open(&self.secrets) }
    }
}

/// The secrets that the file may refer to.
pub(crate) async fn secrets_of_file(store: &Store) -> Result<OpenSecrets, StoreError> {
    open_secrets(store, [DEFAULT_ORGANISATION].into()).await
}

async fn open_secrets(store: &Store, organisations: BTreeSet<&str>) -> Result<OpenSecrets, StoreError> {
    let vault = store.vault()?;
    let mut secrets = OpenSecrets::default();
    for organisation in organisations {
        for known in vault.list(Some(organisation)).await?.into_iter().filter(|known| known.kind == CONFIG_SECRET) {
            let secret = vault.get(organisation, CONFIG_SECRET, &known.name).await;
            if let Some(secret) = secret.transpose() {
                secrets.insert(organisation, known.name, secret.map_err(|error| error.to_string()));
            }
        }
    }
    Ok(secrets)
}

impl House {
    /// What is in the database now. Remembers how far it has read.
    pub(super) async fn stored(&self) -> Result<Stored, StoreError> {
        let generation = self.store.objects_generation().await?;
        let stored = Stored::with(&self.store, self.declared_objects().await?).await?;
        self.state().objects_generation = generation;
        Ok(stored)
    }

    /// What the database declares now, secrets in the clear.
    async fn declared_objects(&self) -> Result<Vec<DeclaredObject>, StoreError> {
        let mut objects = Vec::new();
        for object in self.store.all_objects().await? {
            let body = secrets::open(&self.store, &object).await?;
            let (organisation, kind, name) = (object.organisation, object.kind, object.name);
            objects.push(DeclaredObject { organisation, kind, name, body });
        }
        Ok(objects)
    }

    /// Everything that would be wrong with the file and exactly these objects.
    pub(super) async fn wrong_with(&self, objects: Vec<DeclaredObject>) -> Vec<Wrong> {
        let (stored, keys) = match (Stored::with(&self.store, objects).await, self.store.list_keys().await) {
            (Ok(stored), Ok(keys)) => (stored, keys),
            (Err(error), _) | (_, Err(error)) => return vec![wrong_as_a_whole(&error)],
        };
        match self.loaded_beside(&stored) {
            Ok(loaded) => {
                let then = &loaded.config.principals;
                self.config(|now| key_owners::wronged(&now.principals, then, &keys)).unwrap_or_default()
            }
            Err(wrong) => wrong,
        }
    }

    /// What would be wrong with the file and the database if a secret had another value, or none, and is not wrong now: of
    /// several secrets that are missing, each can be stored.
    pub(super) async fn wrong_with_secret(&self, organisation: &str, name: &str, value: Option<Secret>) -> Vec<Wrong> {
        let stored = match self.declared_objects().await {
            Ok(objects) => Stored::with(&self.store, objects).await,
            Err(error) => Err(error),
        };
        match stored {
            Ok(mut stored) => {
                let now = self.wrong_beside(&stored);
                match value {
                    Some(value) => stored.secrets.insert(organisation, name.to_owned(), Ok(value)),
                    None => stored.secrets.remove(organisation, name),
                }
                let then = self.wrong_beside(&stored);
                then.into_iter().filter(|wrong| !now.contains(wrong)).collect()
            }
            Err(error) => vec![wrong_as_a_whole(&error)],
        }
    }

    fn wrong_beside(&self, stored: &Stored) -> Vec<Wrong> {
        self.loaded_beside(stored).err().unwrap_or_default()
    }

    /// The file with what is stored, or all that is wrong with them.
    fn loaded_beside(&self, stored: &Stored) -> Result<Loaded, Vec<Wrong>> {
        let (file, bytes) = config_file::read_or_default(self.source.file.as_deref())
            .map_err(|failure| vec![wrong_as_a_whole(&failure)])?;
        let loaded = config_file::check_with(file, &bytes, stored.beside(&stored.declared())).map_err(|problems| {
            let errors = problems.0.into_iter().filter(|problem| problem.severity == Severity::Error);
            errors.map(wrong).collect::<Vec<_>>()
        })?;
        let found = LlmGateway::build(wiring::blueprint(&loaded.config, DEMO)).err().unwrap_or_default();
        let at = |loaded: &Loaded, problem: BlueprintProblem| {
            loaded.problem_at(&problem.path, problem.message, problem.hint)
        };
        let wrong: Vec<Wrong> = found.into_iter().map(|problem| wrong(at(&loaded, problem))).collect();
        if wrong.is_empty() { Ok(loaded) } else { Err(wrong) }
    }
}

fn wrong_as_a_whole(error: &dyn std::fmt::Display) -> Wrong {
    Wrong { object: None, pointer: String::new(), message: error.to_string(), hint: None }
}

fn wrong(problem: Problem) -> Wrong {
    match problem.belongs {
        Some(belongs) => Wrong {
            object: Some(format!("{}/{}", belongs.kind, belongs.name)),
            pointer: belongs.pointer,
            message: problem.message,
            hint: problem.hint,
        },
        None => Wrong { object: None, pointer: String::new(), message: problem.to_string(), hint: None },
    }
}
