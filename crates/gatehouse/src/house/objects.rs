//! Objects of the database: read, checked together with the file, put in force.

use gatehouse_catalog::{Declared, Kind, Loaded, Problem};
use gatehouse_llm_gateway::gateway::LlmGateway;
use gatehouse_server::control::{DeclaredObject, Wrong};
use gatehouse_server::secrets;
use gatehouse_store::StoreError;

use super::{House, wiring};
use crate::config_file;

/// The demo provider gets its address when it is started; any will do to check what is declared.
const DEMO: &str = "http://127.0.0.1:1";

impl House {
    /// What the database declares now, secrets in the clear. Remembers how far it has read.
    pub(super) async fn declared_objects(&self) -> Result<Vec<DeclaredObject>, StoreError> {
        let generation = self.store.objects_generation().await?;
        let mut objects = Vec::new();
        for object in self.store.all_objects().await? {
            let body = secrets::open(&self.store, &object).await?;
            objects.push(DeclaredObject { kind: object.kind, name: object.name, body });
        }
        self.state().objects_generation = generation;
        Ok(objects)
    }

    /// Everything that would be wrong with the file and exactly these objects.
    pub(super) fn wrong_with(&self, objects: &[DeclaredObject]) -> Vec<Wrong> {
        let (file, bytes) = match config_file::read_or_default(self.source.file.as_deref()) {
            Ok(read) => read,
            Err(failure) => {
                return vec![Wrong { object: None, pointer: String::new(), message: failure.to_string(), hint: None }];
            }
        };
        let loaded = match config_file::check_with(file, &bytes, &declared(objects)) {
            Ok(loaded) => loaded,
            Err(problems) => return problems.0.into_iter().map(wrong).collect(),
        };
        let found = LlmGateway::build(wiring::blueprint(&loaded.config, DEMO)).err().unwrap_or_default();
        let at = |loaded: &Loaded, problem: gatehouse_llm_gateway::gateway::BlueprintProblem| {
            loaded.problem_at(&problem.path, problem.message, problem.hint)
        };
        found.into_iter().map(|problem| wrong(at(&loaded, problem))).collect()
    }
}

/// Objects as the catalog takes them. One of a kind that a later version knew is left out.
pub(super) fn declared(objects: &[DeclaredObject]) -> Vec<Declared<'_>> {
    let known = objects.iter().filter_map(|object| Some((Kind::named(&object.kind)?, object)));
    known.map(|(kind, object)| Declared { kind, name: &object.name, body: &object.body }).collect()
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
