//! `/v1/responses/{id}`: a stored response read, listed, deleted, cancelled. What the gateway keeps it answers by itself;
//! what a provider keeps is asked of that provider, byte for byte.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_domain::{
    Action, Asked, Blame, Call, Code, Fault, Head, Judgement, Keep, Kept, Money, Need, Now, Outbound, Relay, Reply,
    Request, Screen, Stage, Target, Usage, WriteContext,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::blueprint::{Built, Facts};
use super::doors::Entrance;
use super::forward::ForwardWhole;
use super::{local, memory, refuse};
use crate::dialects::openai_responses::state::{self, Pending};
use crate::dialects::{self, Counted};
use crate::providers::{self, DialectName, KeptAt, Operation};

const OWN: DialectName = DialectName::OpenAiResponses;

/// A call about one stored response.
pub(crate) struct StoredCall {
    built: Arc<Built>,
    request: Request,
    entrance: Entrance,
    id: Arc<str>,
    need: Need,
    found: Found,
}

enum Found {
    /// Not looked up yet, or to be looked up once more.
    Unknown,
    /// The answer to the client.
    Here(Bytes),
    /// A provider keeps it.
    At(Arc<Facts>),
}

impl StoredCall {
    pub(crate) fn new(built: Arc<Built>, request: Request, entrance: Entrance) -> Result<Self, Fault> {
        let streams = |query: &str| query.split('&').any(|pair| pair == "stream=true");
        if entrance == Entrance::StoredRead && request.query.as_deref().is_some_and(streams) {
            return Err(Fault::new(
                Code::NotYetServed,
                "a stored response cannot be streamed yet; leave `stream` out and read it whole",
            )
            .at("stream"));
        }
        let id = request.door.subject.as_deref().unwrap_or_default().into();
        let need = Need {
            action: Action::ReadStored,
            resource: "".into(),
            known: true,
            stream: false,
            input_tokens: 0,
            output_cap: None,
        };
        Ok(Self { built, request, entrance, id, need, found: Found::Unknown })
    }

    /// A target of the provider that keeps it.
    fn at(&self, kept: &Kept) -> Result<Arc<Facts>, Fault> {
        let serves = |facts: &&Arc<Facts>| {
            facts.target.provider.as_bytes() == kept.answer
                && facts.provider.kind.speaks(OWN, &facts.target.model).is_some()
        };
        self.built.facts.iter().find(serves).cloned().ok_or_else(|| {
            Fault::new(Code::NotFound, "the provider that keeps this response is not configured here any more")
        })
    }

    fn page(&self, kept: &Kept) -> Result<Bytes, Fault> {
        let query = self.request.query.as_deref().unwrap_or_default();
        let page = state::Page::read(query.split('&').filter_map(|pair| pair.split_once('=')))?;
        let record = state::record(&kept.request, &kept.answer)?;
        Ok(state::input_items_page(&record, &page)?.into())
    }

    /// Cancelling twice is no error: the second time finds what the first has left, or the answer that came before it.
    fn cancel(&mut self, mut kept: Kept) -> Result<Option<Keep>, Fault> {
        if kept.stage == Stage::Open {
            kept.answer = memory::instead(&kept, Pending::Cancelled)?;
            kept.stage = Stage::Done;
            return Ok(Some(Keep::Stop(kept)));
        }
        if !state::is_background(&kept.answer) {
            return Err(Fault::new(
                Code::InvalidRequest,
                "Cannot cancel a synchronous response: only one made with `background: true` can be cancelled.",
            )
            .at("response_id"));
        }
        self.found = Found::Here(kept.answer);
        Ok(None)
    }

    fn kept_at(&self) -> KeptAt<'_> {
        let below = match self.entrance {
            Entrance::StoredInput => "/input_items",
            Entrance::StoredCancel => "/cancel",
            _ => "",
        };
        KeptAt { method: self.request.method.clone(), id: &self.id, below, query: self.request.query.as_deref() }
    }
}

impl Asked for StoredCall {
    fn need(&self) -> &Need {
        &self.need
    }

    fn ceiling(&self) -> Option<Money> {
        None
    }
}

impl Call for StoredCall {
    fn recalls(&self) -> Option<Arc<str>> {
        matches!(self.found, Found::Unknown).then(|| Arc::clone(&self.id))
    }

    fn recalled(&mut self, kept: Option<Kept>) -> Result<Option<Keep>, Fault> {
        let mut kept = kept.ok_or_else(not_kept)?;
        if kept.stage == Stage::Elsewhere {
            self.found = Found::At(self.at(&kept)?);
            return Ok(None);
        }
        if kept.stage == Stage::Lost {
            let fault = Fault::new(Code::Internal, "The gateway stopped while this response was being made.");
            kept.answer = memory::instead(&kept, Pending::Failed(&fault))?;
        }
        match self.entrance {
            Entrance::StoredCancel => return self.cancel(kept),
            Entrance::StoredDelete => {
                self.found = Found::Here(state::deleted(&self.id).into());
                return Ok(Some(Keep::Forget(Arc::clone(&self.id))));
            }
            Entrance::StoredInput => self.found = Found::Here(self.page(&kept)?),
            _ => self.found = Found::Here(kept.answer),
        }
        Ok(None)
    }

    fn local(&mut self, _: &dyn Fn(&str) -> bool, _: Now) -> Option<Result<Reply, Fault>> {
        let Found::Here(body) = &self.found else { return None };
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Some(Ok(Reply { status: StatusCode::OK, headers, body: body.clone() }))
    }

    fn plan(&mut self, _: &gatehouse_domain::Facts<'_>) -> Result<Vec<usize>, Fault> {
        let Found::At(facts) = &self.found else { return Ok(Vec::new()) };
        Ok(vec![facts.target.index])
    }

    fn target(&self, index: usize) -> Option<Arc<Target>> {
        self.built.targets.get(index).cloned()
    }

    fn route(&self) -> Option<Arc<str>> {
        None
    }

    fn write(&mut self, _: &Target, context: &WriteContext<'_>) -> Result<Outbound, Fault> {
        let Found::At(facts) = &self.found else { return Err(refuse::defect()) };
        let ask = providers::Ask {
            model: &facts.target.model,
            dialect: OWN,
            operation: Operation::Chat { stream: false },
            client_headers: &self.request.headers,
            path: None,
        };
        providers::outbound_kept(&facts.provider, ask, &self.kept_at(), context)
    }

    fn relay(&mut self, _: &Target, _: &Head, _: Now, screen: Option<Box<dyn Screen>>) -> Box<dyn Relay> {
        let keep = (self.entrance == Entrance::StoredDelete).then(|| Keep::Forget(Arc::clone(&self.id)));
        Box::new(ForwardWhole {
            count: local::any_json,
            input_estimate: 0,
            counted: Counted::default(),
            pointer: None,
            keep,
            screen,
        })
    }

    fn judge(&self, target: &Target, head: &Head, body: &[u8]) -> Judgement {
        let body = match &self.found {
            Found::At(facts) => &*providers::hide(&facts.provider, body),
            Found::Unknown | Found::Here(_) => body,
        };
        let said = (dialects::of(OWN).read_error)(head.status.as_u16(), body);
        let (fault, blame) = providers::judge(&target.origin, head, body, &said, self.request.now);
        let verbatim = (blame == Blame::Caller && body.first() == Some(&b'{')).then(|| Bytes::copy_from_slice(body));
        Judgement { fault, blame, verbatim }
    }

    fn refuse(&self, fault: &Fault) -> Reply {
        refuse::refuse(OWN, fault)
    }

    fn price(&self, _: &Target, _: &Usage, _: Now) -> Option<Money> {
        Some(Money::ZERO)
    }

    fn dropped(&self) -> &[String] {
        &[]
    }
}

fn not_kept() -> Fault {
    Fault::new(
        Code::NotFound,
        "there is no stored response of that id; it was never stored for this key, was deleted, or has expired",
    )
}
