//! The LLM gateway as one immutable value: providers, models and prices resolved, standing at the seam of `domain`.

mod blueprint;
mod call;
mod doors;
mod embed;
mod forward;
mod local;
mod memory;
mod peek;
mod refuse;
mod screening;
#[cfg(test)]
mod screening_tests;
mod standing;
mod stored;
mod translate;
mod whole_events;

use std::sync::Arc;

use gatehouse_domain::{
    Call, Code, Door, Fault, Gateway, Now, Principal, Reply, Request, Standing, Target, TokenGrant,
};
use http::{HeaderMap, Method};

pub use blueprint::{Blueprint, BlueprintProblem, ModelPlan, ProviderPlan, TargetPlan};

use blueprint::Built;
use doors::Entrance;

use crate::providers::DialectName;

/// The gateway.
pub struct LlmGateway(Arc<Built>);

impl LlmGateway {
    /// Builds it.
    ///
    /// # Errors
    /// Every problem found, each with its place in the configuration file.
    pub fn build(blueprint: Blueprint) -> Result<Self, Vec<BlueprintProblem>> {
        blueprint::build(blueprint).map(|built| Self(Arc::new(built)))
    }
}

impl Gateway for LlmGateway {
    fn door(&self, method: &Method, path: &str) -> Option<Door> {
        doors::door(method, path)
    }

    fn read(&self, request: Request, _: &Principal) -> Result<Box<dyn Call>, Fault> {
        let own = dialect(&request.door);
        let entrance = Entrance::of(&request.door);
        let built = Arc::clone(&self.0);
        match entrance {
            Entrance::Chat | Entrance::ChatStream | Entrance::CountTokens => {
                let peek = peek::peek(&request.body)?;
                Ok(Box::new(call::ChatCall::new(built, request, entrance, own, peek)?))
            }
            Entrance::Embed => Ok(Box::new(embed::EmbedCall::new(built, request, own)?)),
            Entrance::Models | Entrance::Model => Ok(Box::new(local::Listing::new(built, request, entrance, own))),
            Entrance::StoredRead | Entrance::StoredDelete | Entrance::StoredCancel | Entrance::StoredInput => {
                Ok(Box::new(stored::StoredCall::new(built, request, entrance)?))
            }
            Entrance::NotYet => Err(Fault::new(
                Code::NotYetServed,
                "this path comes with a later release of Gatehouse; docs/paths.md lists those that are served",
            )),
            Entrance::WrongMethod => Err(Fault::new(
                Code::MethodNotAllowed,
                "this path is served with another HTTP method; see docs/paths.md",
            )),
            Entrance::Unknown => {
                Err(Fault::new(Code::NotFound, "there is no such path here; docs/paths.md lists those that are served"))
            }
        }
    }

    fn refuse(&self, door: &Door, fault: &Fault) -> Reply {
        refuse::refuse(dialect(door), fault)
    }

    fn tell_standing(&self, door: &Door, standing: &Standing, now: Now, headers: &mut HeaderMap) {
        standing::tell(dialect(door), standing, now, headers);
    }

    fn targets(&self) -> &[Arc<Target>] {
        &self.0.targets
    }

    fn grants(&self) -> &[TokenGrant] {
        &self.0.grants
    }

    fn resources(&self) -> &[Arc<str>] {
        &self.0.names
    }
}

fn dialect(door: &Door) -> DialectName {
    DialectName::parse(door.dialect).unwrap_or(DialectName::OpenAiChat)
}
