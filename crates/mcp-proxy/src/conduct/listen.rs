//! Streams that only tell of changes: `subscriptions/listen` of the newer era, the `GET` of the older one. They last for hours
//! without any call to a server of their own, hold nothing of a limit, and end in peace when the gateway shuts down.
//!
//! That a list has changed is ours to say: whatever the reason (a server, an approval, a policy, the configuration), it is said
//! when what *this caller* may see has become another.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use gatehouse_domain::{Action, Code, Fault};
use gatehouse_mcp_gateway::bridge::listen::{Filter, ended};
use gatehouse_mcp_gateway::bridge::notices::{self, Notice};
use gatehouse_mcp_gateway::catalogue::Kind;
use gatehouse_mcp_gateway::era::Method;
use gatehouse_mcp_gateway::gateway::Refusal;
use gatehouse_mcp_gateway::{Id, Message, Notification, Raw, Response};
use gatehouse_pipeline::{Conducted, Floor};
use tokio::time::{MissedTickBehavior, interval_at};

use super::carry::{handed, refused};
use super::ears::Ear;
use super::errand::{Cargo, boxed};
use super::feed::{Feeds, Source, Subscribed, Wish};
use super::local::{dress, used_by};
use super::memory::Mailbox;
use super::reach::reach;
use super::talk::{Context, taken};
use super::voice::{KEEP_ALIVE, Outcome, Voice};
use super::window::{Place, Window};

/// Changes come in swarms; this is how long a swarm is waited for.
const SWARM: Duration = Duration::from_millis(50);

/// A session of the older era hears of a resource from now on.
pub(super) async fn subscribe(context: &Context, voice: &mut Voice, cargo: Cargo) -> Outcome {
    let nothing = || {
        gatehouse_mcp_gateway::bridge::answers::dressed(
            context.speaker.revision,
            Method::Subscribe,
            &Raw::empty(),
            &dress(context),
        )
    };
    let (Some(memory), Some(session)) = (&context.memory, &context.session) else {
        let message = "Subscriptions need a session: send `initialize` first.";
        return Err(boxed(Fault::new(Code::InvalidRequest, message)));
    };
    let mail = Arc::clone(&memory.mail);
    let subscribed = subscribed(context, voice, &cargo, Some(Arc::clone(&session.id)), mail).await?;
    memory.subscribe(&cargo.exposed, subscribed);
    Ok(nothing())
}

async fn subscribed(
    context: &Context,
    voice: &mut Voice,
    cargo: &Cargo,
    session: Option<Arc<str>>,
    mail: Arc<Mailbox>,
) -> Result<Subscribed, Box<Refusal>> {
    let way = reach(context, cargo, voice).await.map_err(|failure| refused(context, failure))?;
    let wish = Wish { uri: Arc::clone(&cargo.name), exposed: Arc::clone(&cargo.exposed) };
    let source = Source {
        server: Arc::clone(&cargo.server.name),
        principal: Arc::clone(&context.caller.principal.key),
        mail: session.is_some().then(|| Arc::clone(&mail)),
        speaker: session.as_ref().filter(|_| !cargo.server.shared).map(|_| context.speaker.clone()),
        session,
        link: way.link,
        client: way.client,
    };
    Feeds::open(&context.inner.desk, source).subscribe(wish, mail).map_err(boxed)
}

/// `subscriptions/listen`: what is wanted is said first, as far as it can be had.
pub(super) async fn modern(context: &Context, mut voice: Voice, id: Id, wanted: Filter) -> Conducted {
    if !voice.can_speak() {
        let fault = Fault::new(Code::InvalidRequest, "Listening needs `Accept: text/event-stream`.").with_status(406);
        return voice.finish(&id, Err(boxed(fault))).await;
    }
    let _ear = match ear(context) {
        Ok(ear) => ear,
        Err(fault) => return voice.finish(&id, Err(boxed(fault))).await,
    };
    let capabilities = context.catalogue().capabilities(&context.route, true, &|_| true);
    let mut honoured = wanted.honoured_by(&capabilities);
    honoured.tasks.clear();
    let mail = Arc::new(Mailbox::default());
    let mut held = Vec::new();
    let mut uris = Vec::new();
    for uri in std::mem::take(&mut honoured.uris) {
        // Boxed: the stream lasts for hours, and would hold the room for asking all that time.
        if let Some(subscribed) = Box::pin(wish(context, &mut voice, &uri, &mail)).await {
            held.push(subscribed);
            uris.push(uri);
        }
    }
    honoured.uris = uris;
    voice.floor.linger();
    voice.say(&honoured.acknowledged(&id).into()).await;
    let style = Style { filter: honoured, listen: Some(id.clone()), mail, takeover: None };
    if tell(context, &mut voice, &style, None).await {
        let result = ended(&id, Some(&context.inner.desk.server_info));
        voice.say(&Message::from(Response::result(id, result))).await;
    }
    voice.end()
}

/// One more who listens, if there may be one more.
fn ear(context: &Context) -> Result<Ear, Fault> {
    context.inner.desk.ears.open(&context.caller.principal.key, context.inner.listens)
}

/// One resource of a filter; `None` if there is no such thing for this caller.
async fn wish(context: &Context, voice: &mut Voice, uri: &Arc<str>, mail: &Arc<Mailbox>) -> Option<Subscribed> {
    let catalogue = context.catalogue();
    let place = catalogue.offer(&context.route)?.resource(uri)?;
    let server = Arc::clone(context.inner.servers.get(&place.server)?);
    let canonical: Arc<str> = format!("{}.{}", place.server, place.uri).into();
    if !voice.floor.lists(Action::ReadResource, &canonical) {
        return None;
    }
    let cargo = Cargo::of_resource(server, place.uri, canonical, Arc::clone(uri));
    subscribed(context, voice, &cargo, None, Arc::clone(mail)).await.ok()
}

/// The `GET` of a session: everything that concerns no call of it, or the rest of one that was cut off.
pub(super) async fn stream(context: &Context, mut voice: Voice, after: Option<&str>) -> Conducted {
    let Some(memory) = context.memory.clone() else { return taken(voice.floor) };
    let _ear = match ear(context) {
        Ok(ear) => ear,
        Err(fault) => {
            voice.floor.failed(&fault);
            return Conducted::new(voice.floor, Some(Refusal::from(fault).reply(None)));
        }
    };
    voice.floor.linger();
    if let Some((ring, mut place)) = after.and_then(|event| memory.ring_of(event)) {
        loop {
            let (events, done) = tokio::select! {
                after = ring.after(place) => after,
                () = tokio::time::sleep(KEEP_ALIVE) => {
                    voice.keep_alive().await;
                    continue;
                }
            };
            for (at, event) in events {
                place = at;
                voice.again(event).await;
            }
            if done {
                return voice.end();
            }
        }
    }
    let turn = memory.listener.fetch_add(1, Ordering::Relaxed) + 1;
    memory.rung.notify_waiters();
    let mail = Arc::clone(&memory.mail);
    let window = mail.windows.open(Place::Stream);
    voice.keep_alive().await;
    let style = Style { filter: Filter::of_session(), listen: None, mail, takeover: Some(turn) };
    tell(context, &mut voice, &style, Some(window)).await;
    voice.end()
}

/// How somebody listens.
struct Style {
    filter: Filter,
    /// The subscription every message belongs to (modern).
    listen: Option<Id>,
    mail: Arc<Mailbox>,
    /// Which of a session's streams this is: the next one takes over (legacy).
    takeover: Option<u64>,
}

/// Tells of changes until the gateway shuts down (`true`), the session ends or another stream takes over (`false`).
async fn tell(context: &Context, voice: &mut Voice, style: &Style, mut window: Option<Window>) -> bool {
    let mut catalogue = context.inner.desk.refresher.catalogue();
    let mut stirred = context.inner.desk.stirred();
    let mut prints = Prints::of(context, &voice.floor, &style.filter);
    let mut quiet = interval_at(tokio::time::Instant::now() + KEEP_ALIVE, KEEP_ALIVE);
    quiet.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut draining = std::pin::pin!(voice.floor.draining());
    loop {
        let rung = async {
            match &context.memory {
                Some(memory) => memory.rung.notified().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = &mut draining => return true,
            note = style.mail.take() => {
                if is_loud_enough(context, &note) {
                    say(voice, style, note).await;
                }
            }
            handed = handed(window.as_mut()) => {
                voice.say(&handed.request.clone().into()).await;
                handed.settle();
            }
            _ = quiet.tick() => {
                style.mail.touch();
                voice.keep_alive().await;
            }
            () = rung => {
                let over = context.memory.as_ref().is_some_and(|memory| {
                    memory.has_ended() || style.takeover.is_some_and(|turn| memory.listener.load(Ordering::Relaxed) != turn)
                });
                if over {
                    return false;
                }
            }
            changed = changed(&mut catalogue, &mut stirred) => {
                if !changed || !voice.floor.renew() {
                    return false;
                }
                let now = Prints::of(context, &voice.floor, &style.filter);
                for note in now.against(&prints) {
                    say(voice, style, note).await;
                }
                prints = now;
            }
        }
    }
}

/// A log message goes to a session as far as it wants them.
fn is_loud_enough(context: &Context, note: &Notification) -> bool {
    let least = context.memory.as_ref().and_then(|memory| memory.level());
    match (Notice::of(note), least) {
        (Notice::Log(level), Some(least)) => level >= least,
        _ => true,
    }
}

/// Something has changed, and whatever changed right after it.
async fn changed(
    catalogue: &mut tokio::sync::watch::Receiver<Arc<gatehouse_mcp_gateway::catalogue::Catalogue>>,
    stirred: &mut tokio::sync::watch::Receiver<u64>,
) -> bool {
    let alive = tokio::select! {
        changed = catalogue.changed() => changed.is_ok(),
        changed = stirred.changed() => changed.is_ok(),
    };
    tokio::time::sleep(SWARM).await;
    catalogue.mark_unchanged();
    stirred.mark_unchanged();
    alive
}

async fn say(voice: &mut Voice, style: &Style, note: Notification) {
    let note = match &style.listen {
        Some(listen) => notices::with_subscription(&note, listen),
        None => note,
    };
    voice.say(&note.into()).await;
}

/// What a caller can see, as one number for each list.
struct Prints([Option<u64>; 3]);

impl Prints {
    fn of(context: &Context, floor: &Floor, filter: &Filter) -> Self {
        let catalogue = context.catalogue();
        let print = |wanted: bool, kinds: &[Kind]| {
            if !wanted {
                return None;
            }
            let mut hasher = DefaultHasher::new();
            let offer = catalogue.offer(&context.route)?;
            for kind in kinds {
                let entries = offer.entries(*kind).iter().filter(|entry| context.is_for_caller(entry));
                for entry in entries.filter(|entry| floor.lists(used_by(*kind), &entry.canonical)) {
                    (&entry.exposed, entry.json.bytes()).hash(&mut hasher);
                }
            }
            Some(hasher.finish())
        };
        Self([
            print(filter.tools, &[Kind::Tool]),
            print(filter.prompts, &[Kind::Prompt]),
            print(filter.resources, &[Kind::Resource, Kind::Template]),
        ])
    }

    /// What is to be said of the difference.
    fn against<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = Notification> + 'a {
        let names = ["tools", "prompts", "resources"];
        let both = self.0.iter().zip(&before.0).zip(names);
        both.filter(|((now, before), _)| now != before)
            .map(|(_, name)| Notification::new(format!("notifications/{name}/list_changed"), None))
    }
}
