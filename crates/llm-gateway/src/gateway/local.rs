//! What the gateway answers by itself: listings of models, and token counts for models whose provider does not count.

use std::sync::Arc;

use gatehouse_domain::{
    Action, Asked, Call, Code, Fault, Head, Judgement, Money, Need, Now, Outbound, Relay, Reply, Request, Screen,
    Target, Usage, WriteContext,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::blueprint::Built;
use super::doors::Entrance;
use super::refuse;
use crate::dialects::Counted;
use crate::listings::{self, CountForm, ListForm, Listed};
use crate::providers::DialectName;

/// `GET /v1/models` and `GET /v1/models/{id}` in the form of each dialect.
pub(crate) struct Listing {
    built: Arc<Built>,
    request: Request,
    entrance: Entrance,
    own: DialectName,
    form: ListForm,
    need: Need,
}

impl Listing {
    pub(crate) fn new(built: Arc<Built>, request: Request, entrance: Entrance, own: DialectName) -> Self {
        // Both vendors list at the same path; Anthropic's clients always send their version.
        let (own, form) = match own {
            DialectName::Gemini => (own, ListForm::Gemini),
            _ if request.headers.contains_key("anthropic-version") => (DialectName::Anthropic, ListForm::Anthropic),
            _ => (own, ListForm::OpenAi),
        };
        let need = Need {
            action: Action::ListModels,
            resource: "".into(),
            known: true,
            stream: false,
            input_tokens: 0,
            output_cap: None,
        };
        Self { built, request, entrance, own, form, need }
    }

    fn listed(&self, entry: usize) -> Listed {
        let entry = &self.built.entries[entry];
        let first = entry.targets().next().and_then(|target| self.built.facts.get(target));
        Listed {
            name: entry.name.to_string(),
            created: self.built.built_unix_secs,
            owners: first.map(|facts| facts.target.provider.to_string()).into_iter().collect(),
            context: first.and_then(|facts| facts.prices.max_input),
            output: first.and_then(|facts| facts.prices.max_output),
        }
    }

    fn all(&self, allowed: &dyn Fn(&str) -> bool) -> Vec<Listed> {
        let visible = self.built.names.iter().filter(|name| allowed(name));
        visible.filter_map(|name| self.built.by_name.get(name)).map(|entry| self.listed(*entry)).collect()
    }

    fn one(&self, allowed: &dyn Fn(&str) -> bool) -> Result<Listed, Fault> {
        let name = self.request.door.subject.as_deref().unwrap_or_default();
        let entry = self.built.find(name).filter(|_| allowed(name)).map(|(entry, _)| entry);
        entry.map(|entry| Listed { name: name.to_owned(), ..self.listed(entry) }).ok_or_else(|| {
            Fault::new(
                Code::UnknownModel,
                format!("there is no model `{name}` that this key may use; GET /v1/models lists those it may"),
            )
            .at("model")
        })
    }
}

impl Asked for Listing {
    fn need(&self) -> &Need {
        &self.need
    }

    fn ceiling(&self) -> Option<Money> {
        None
    }
}

impl Call for Listing {
    fn local(&mut self, allowed: &dyn Fn(&str) -> bool, _: Now) -> Option<Result<Reply, Fault>> {
        Some(match self.entrance {
            Entrance::Model => self.one(allowed).map(|model| json(listings::single(self.form, &model))),
            _ => Ok(json(listings::list(self.form, &self.all(allowed)))),
        })
    }

    fn plan(&mut self, _: &gatehouse_domain::Facts<'_>) -> Result<Vec<usize>, Fault> {
        Ok(Vec::new())
    }

    fn target(&self, _: usize) -> Option<Arc<Target>> {
        None
    }

    fn route(&self) -> Option<Arc<str>> {
        None
    }

    fn write(&mut self, _: &Target, _: &WriteContext<'_>) -> Result<Outbound, Fault> {
        Err(refuse::defect())
    }

    fn relay(&mut self, _: &Target, _: &Head, _: Now, _: Option<Box<dyn Screen>>) -> Box<dyn Relay> {
        Box::new(refuse::Broken)
    }

    fn judge(&self, _: &Target, _: &Head, _: &[u8]) -> Judgement {
        Judgement { fault: refuse::defect(), blame: gatehouse_domain::Blame::Gateway, verbatim: None }
    }

    fn refuse(&self, fault: &Fault) -> Reply {
        refuse::refuse(self.own, fault)
    }

    fn price(&self, _: &Target, _: &Usage, _: Now) -> Option<Money> {
        None
    }

    fn dropped(&self) -> &[String] {
        &[]
    }
}

/// The answer to a count the gateway made itself.
pub(crate) fn counted(dialect: DialectName, tokens: u64) -> Reply {
    let mut reply = json(listings::token_count(
        match dialect {
            DialectName::Gemini => CountForm::Gemini,
            DialectName::OpenAiResponses => CountForm::Responses,
            _ => CountForm::Anthropic,
        },
        tokens,
    ));
    reply.headers.insert("x-gatehouse-estimated", HeaderValue::from_static("true"));
    reply
}

/// A provider's own token count: any JSON object is one, and it used nothing.
pub(crate) fn any_json(body: &[u8]) -> Option<Counted> {
    let usage = Some(Usage::default());
    (body.first() == Some(&b'{')).then(|| Counted { usage, complete: true, ..Counted::default() })
}

fn json(body: Vec<u8>) -> Reply {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Reply { status: StatusCode::OK, headers, body: body.into() }
}
