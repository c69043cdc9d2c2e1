//! The lists of one server, page by page, within bounds: a server that pages for ever, or sends without end, is cut off.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use gatehouse_domain::{Code, Fault, Now};
use gatehouse_mcp_gateway::blueprint::Server;
use gatehouse_mcp_gateway::catalogue::{Fetched, ITEMS, Kind};
use gatehouse_mcp_gateway::wire::code;
use gatehouse_mcp_gateway::{Id, Message, Raw, Request, Response, RpcError};
use gatehouse_upstream::Pool;

use crate::link::{Client, Link, Outgoing};

/// Pages of one list.
const PAGES: usize = 200;
/// Bytes of all lists of a server.
const BYTES: usize = 32 << 20;
/// All lists of a server, from the first message to the last.
const TOTAL: Duration = Duration::from_secs(90);

/// What is asked, and where the answer has it.
const LISTS: [(Kind, &str, &str, &str); 4] = [
    (Kind::Tool, "tools", "tools/list", "tools"),
    (Kind::Prompt, "prompts", "prompts/list", "prompts"),
    (Kind::Resource, "resources", "resources/list", "resources"),
    (Kind::Template, "resources", "resources/templates/list", "resourceTemplates"),
];

/// Asks a server for everything it lists.
///
/// # Errors
/// When it does not answer, or not with lists.
pub(super) async fn fetch(
    link: &dyn Link,
    pool: &Pool,
    server: &Arc<Server>,
    client: &Client,
) -> Result<Fetched, Fault> {
    tokio::time::timeout(TOTAL, fetch_all(link, pool, server, client)).await.unwrap_or_else(|_| Err(late()))
}

async fn fetch_all(link: &dyn Link, pool: &Pool, server: &Arc<Server>, client: &Client) -> Result<Fetched, Fault> {
    let hello = link.hello(pool, client).await?;
    let mut fetching =
        Fetching { link, pool, client, idle: server.caps.idle, bytes: 0, ttl_ms: u64::MAX, public: true };
    let mut fetched = Fetched {
        server: Arc::clone(&server.name),
        revision: Arc::clone(&hello.revision),
        modern: hello.modern,
        capabilities: hello.capabilities.clone(),
        instructions: hello.instructions.clone(),
        tools: Vec::new(),
        prompts: Vec::new(),
        resources: Vec::new(),
        templates: Vec::new(),
        at: Now(SystemTime::now()),
        ttl_ms: 0,
        public: false,
    };
    let mut asked = false;
    for (kind, capability, method, member) in LISTS {
        if !hello.capabilities.get(&[capability]).is_some_and(|declared| declared.is_object()) {
            continue;
        }
        asked = true;
        let items = fetching.list(method, member).await?;
        match kind {
            Kind::Tool => fetched.tools = items,
            Kind::Prompt => fetched.prompts = items,
            Kind::Resource => fetched.resources = items,
            Kind::Template | Kind::Instructions => fetched.templates = items,
        }
    }
    if hello.modern && asked {
        fetched.ttl_ms = fetching.ttl_ms;
        fetched.public = fetching.public;
    }
    Ok(fetched)
}

/// One fetching of all lists of a server.
struct Fetching<'a> {
    link: &'a dyn Link,
    pool: &'a Pool,
    client: &'a Client,
    idle: Duration,
    bytes: usize,
    /// The shortest time and the narrowest scope that any page said.
    ttl_ms: u64,
    public: bool,
}

impl Fetching<'_> {
    async fn list(&mut self, method: &str, member: &str) -> Result<Vec<Raw>, Fault> {
        let mut items = Vec::new();
        let mut seen = BTreeSet::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let params = cursor.as_deref().map(|cursor| Raw::object([("cursor", Raw::text(cursor))]));
            let Some(page) = self.page(method, params).await? else { return Ok(Vec::new()) };
            self.bytes += page.bytes().len();
            if self.bytes > BYTES {
                let message = format!(
                    "Its lists are longer than {} MiB together; the last that was complete stays.",
                    BYTES >> 20
                );
                return Err(Fault::new(Code::UpstreamBroken, message));
            }
            self.heed(&page);
            items.extend(page.get(&[member]).ok_or_else(no_list)?.elements());
            cursor = page.text_at(&["nextCursor"]);
            // More than is offered is not fetched, and a cursor that comes twice comes for ever.
            let more = cursor.clone().is_some_and(|cursor| seen.insert(cursor));
            if !more || items.len() > ITEMS {
                return Ok(items);
            }
        }
        Ok(items)
    }

    /// What a page of a modern server says of its keeping.
    fn heed(&mut self, page: &Raw) {
        let ttl = page.get(&["ttlMs"]).and_then(|ttl| ttl.as_whole()).and_then(|ttl| u64::try_from(ttl).ok());
        self.ttl_ms = self.ttl_ms.min(ttl.unwrap_or(0));
        self.public &= page.text_at(&["cacheScope"]).as_deref() == Some("public");
    }

    /// One page; `None` if the server has no such method after all.
    async fn page(&self, method: &str, params: Option<Raw>) -> Result<Option<Raw>, Fault> {
        let id = next_id();
        let request = Request { id: id.clone(), method: method.into(), params };
        let outgoing =
            Outgoing { request, client: self.client.clone(), param_headers: Vec::new(), repeatable: true, visit: None };
        let mut exchange = self.link.ask(self.pool, outgoing).await?;
        loop {
            let next = tokio::time::timeout(self.idle, exchange.next()).await.map_err(|_| late())?;
            match next.ok_or_else(no_answer)?? {
                Message::Response(Response { outcome: Ok(result), .. }) => return Ok(Some(result)),
                Message::Response(Response { outcome: Err(error), .. }) if error.code == code::METHOD_NOT_FOUND => {
                    return Ok(None);
                }
                Message::Response(Response { outcome: Err(error), .. }) => return Err(refused(method, &error)),
                Message::Request(request) => self.decline(request).await?,
                Message::Notification(_) => {}
            }
        }
    }

    /// A list is no occasion for questions.
    async fn decline(&self, request: Request) -> Result<(), Fault> {
        let error =
            RpcError { code: code::METHOD_NOT_FOUND, message: "not while lists are fetched".to_owned(), data: None };
        let response = Response { id: Some(request.id), outcome: Err(error) };
        Ok(self.link.answer(self.pool, self.client, response).await?)
    }
}

/// Unique in the process, and of no shape that conversations use.
pub(super) fn next_id() -> Id {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Id::Text(format!("lists-{}", NEXT.fetch_add(1, Ordering::Relaxed)).into())
}

fn refused(method: &str, error: &RpcError) -> Fault {
    let said: String = error.message.chars().filter(|each| !each.is_control()).take(200).collect();
    Fault::new(Code::UpstreamBroken, format!("It answered {method} with error {}: {said}", error.code))
}

fn no_list() -> Fault {
    Fault::new(Code::UpstreamBroken, "It answered a list without the list.")
}

fn no_answer() -> Fault {
    Fault::new(Code::UpstreamBroken, "It ended without an answer.")
}

fn late() -> Fault {
    Fault::new(Code::UpstreamTimeout, "It did not answer in time.")
}
