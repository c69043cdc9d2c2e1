//! The way to a server, as one call takes it: whose link it is, what the server may know of the client, and who hears what it
//! says beside its calls.

use std::sync::Arc;
use std::time::Instant;

use gatehouse_mcp_gateway::Raw;
use gatehouse_mcp_gateway::bridge::capabilities;
use gatehouse_mcp_gateway::era::Revision;
use gatehouse_upstream::Pool;

use super::errand::Cargo;
use super::feed::{Feeds, Source};
use super::sampling;
use super::talk::Context;
use super::voice::Voice;
use crate::link::{Client, Failure, Hello, Link};

/// The server as this call reaches it.
pub(super) struct Way {
    pub(super) link: Arc<dyn Link>,
    pub(super) hello: Arc<Hello>,
    pub(super) revision: Revision,
    pub(super) client: Client,
    pub(super) pool: Pool,
    /// The model that answers what the server asks the client's model.
    pub(super) sampling: Option<Arc<str>>,
}

/// Finds the way to the server and shakes hands, where that was not done before.
pub(super) async fn reach(context: &Context, cargo: &Cargo, voice: &mut Voice) -> Result<Way, Failure> {
    let session = context.session.as_ref().map(|session| &session.id);
    let pool = voice.floor.pool();
    let mut client = client(context, voice);
    let truth = client.capabilities.clone();
    client.capabilities = capabilities::of_client(&truth, context.speaker.revision, Revision::LATEST_LEGACY);
    // A server of the older era hears it once, when it is met, and asks in the middle of calls: a modern client can be asked
    // there only where calls may wait for it.
    if context.is_modern() && !cargo.server.park {
        client.capabilities = unasked(&client.capabilities);
    }
    let sampling = sampling::model(cargo, &client.capabilities);
    client.capabilities = sampling::offered(sampling.as_ref(), client.capabilities);
    if let Some(told) = cargo.manner.told() {
        client.capabilities = told;
    }
    let link = context.inner.desk.links.of(&cargo.server.name, &context.caller.principal, session, &client)?;
    let hello = match link.known() {
        Some(hello) => hello,
        None => {
            let began = Instant::now();
            let hello = link.hello(&pool, &client).await;
            voice.floor.waited_since(began);
            hello?
        }
    };
    let revision = Revision::of(&hello.revision).unwrap_or(Revision::LATEST);
    if hello.modern {
        let capabilities = capabilities::of_client(&truth, context.speaker.revision, revision);
        client.capabilities = sampling::offered(sampling.as_ref(), capabilities);
    } else if context.memory.as_ref().is_some_and(|memory| !memory.hears(&cargo.server.name)) {
        Box::pin(overheard(context, cargo, &link, &client)).await;
    }
    Ok(Way { link, hello, revision, client, pool, sampling })
}

/// A server of the older era says things beside its calls. A session hears them from its first call on.
async fn overheard(context: &Context, cargo: &Cargo, link: &Arc<dyn Link>, client: &Client) {
    let (Some(memory), Some(session)) = (&context.memory, &context.session) else { return };
    let source = Source {
        server: Arc::clone(&cargo.server.name),
        principal: Arc::clone(&context.caller.principal.key),
        session: Some(Arc::clone(&session.id)),
        link: Arc::clone(link),
        client: client.clone(),
        mail: Some(Arc::clone(&memory.mail)),
        speaker: (!cargo.server.shared).then(|| context.speaker.clone()),
    };
    let feed = Feeds::open(&context.inner.desk, source);
    memory.hear(&cargo.server.name, Arc::clone(&feed));
    feed.opened().await;
}

/// The truth about the client, as far as this server may know it: what nobody could answer, nobody may be asked.
fn client(context: &Context, voice: &Voice) -> Client {
    let speaker = &context.speaker;
    let session_level = context.memory.as_ref().and_then(|memory| memory.level());
    let level = speaker.log_level.or(session_level);
    let askable = voice.can_speak() && (context.session.is_some() || context.is_modern());
    let capabilities = if askable { speaker.capabilities.clone() } else { unasked(&speaker.capabilities) };
    Client {
        capabilities,
        info: speaker.info.clone(),
        log_level: level.map(|level| level.as_str().into()),
        traceparent: voice.floor.traceparent().map(Arc::from),
    }
}

/// A client that cannot be asked anything.
fn unasked(capabilities: &Raw) -> Raw {
    if capabilities.is_bare() {
        return capabilities.clone();
    }
    capabilities.without_each(&["sampling", "elicitation", "roots"])
}
