//! What a server says because of a call and besides its result: to its client under the names that client knows, as far as it
//! wants to hear it.

use gatehouse_mcp_gateway::bridge::notices::{self, Notice};
use gatehouse_mcp_gateway::era::LogLevel;
use gatehouse_mcp_gateway::{Id, Notification};

use super::errand::Cargo;
use super::reach::Way;
use super::result;
use super::talk::Context;
use super::voice::Voice;

/// A notification that belongs to the call, under the names its client knows.
pub(super) async fn pass_on(
    context: &Context,
    cargo: &Cargo,
    way: &Way,
    voice: &mut Voice,
    note: Notification,
    token: Option<&Id>,
) {
    let note = match Notice::of(&note) {
        Notice::Progress(_) => match token {
            Some(token) => notices::with_token(&note, token),
            None => return,
        },
        Notice::Log(level) => match wanted(context) {
            Some(least) if level >= least => note,
            _ => return,
        },
        // Changes are told to those who listen, and by us.
        Notice::ToolsChanged | Notice::PromptsChanged | Notice::ResourcesChanged | Notice::Updated(_) => return,
        Notice::Cancelled(_) | Notice::Acknowledged | Notice::Initialized | Notice::RootsChanged => return,
        notice if notice.is_known_to(context.speaker.revision) => {
            let (principal, server) = (&context.caller.principal.key, &cargo.server.name);
            result::renamed_note(&context.inner.desk, principal, server, &note)
        }
        Notice::Other if way.revision.era() == context.speaker.revision.era() => note,
        _ => return,
    };
    voice.say(&note.into()).await;
}

/// The least log message the client wants: a modern one none, unless it says so with the call.
fn wanted(context: &Context) -> Option<LogLevel> {
    if context.is_modern() {
        return context.speaker.log_level;
    }
    Some(context.memory.as_ref().and_then(|memory| memory.level()).unwrap_or(LogLevel::Debug))
}
