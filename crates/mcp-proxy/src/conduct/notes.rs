//! Messages that are no requests: notifications, answers to questions, batches, and the ways a session is listened to and ended.

use gatehouse_mcp_gateway::bridge::notices::Notice;
use gatehouse_mcp_gateway::gateway::{What, refuse};
use gatehouse_mcp_gateway::{Notification, Raw, Response};
use gatehouse_pipeline::Conducted;

use super::errand::Errand;
use super::listen;
use super::talk::{Context, Conversation, taken};
use super::voice::Voice;

/// Takes such a message.
pub(super) async fn take(context: &Context, voice: Voice, errand: Errand) -> Conducted {
    match errand {
        Errand::Note(note) => noted(context, &note),
        Errand::Answer(response) => answered(context, response),
        Errand::Stream(after) => return listen::stream(context, voice, after.as_deref()).await,
        Errand::End => {
            if let (Some(memory), Some(session)) = (&context.memory, &context.session) {
                memory.end();
                context.inner.desk.links.end_session(&session.id);
            }
            let mut conducted = taken(voice.floor);
            if let Some(reply) = &mut conducted.reply {
                reply.status = http::StatusCode::NO_CONTENT;
            }
            return conducted;
        }
        Errand::Batch(all) => return batch(context, voice, all).await,
        // The others are requests.
        _ => {}
    }
    taken(voice.floor)
}

/// `initialized` and the like say nothing that is not known; `cancelled` stops a call.
fn noted(context: &Context, note: &Notification) {
    if let (Notice::Cancelled(id), Some(memory)) = (Notice::of(note), &context.memory) {
        memory.cancel(&id);
    }
}

/// An answer that nobody waits for is as good as none.
fn answered(context: &Context, response: Response) {
    if let Some(session) = &context.session {
        context.inner.desk.questions.answer(&session.id, response);
    }
}

/// Each message by itself, as if it had come alone, and the answers together. While one is being answered nothing can be asked
/// or told: whoever wants that sends single messages.
async fn batch(context: &Context, voice: Voice, all: Vec<What>) -> Conducted {
    let mut floor = voice.floor;
    let mut answers = Vec::new();
    let quiet = Context { streams: false, ..context.clone() };
    for what in all {
        let now = floor.now().unix_secs();
        let part = match Conversation::part(&quiet, what, now) {
            Ok(part) => part,
            Err((id, refusal)) => {
                answers.push(Raw::trusted(refusal.reply(id.as_ref()).body));
                continue;
            }
        };
        let part = match floor.admit(Box::new(part)).await {
            Ok(part) => part,
            Err(refused) => {
                answers.push(Raw::trusted(refused.reply.body));
                continue;
            }
        };
        let (back, body) = part.conduct(floor).await.into_body();
        floor = back;
        if !body.is_empty() {
            answers.push(Raw::trusted(body));
        }
    }
    if answers.is_empty() {
        return taken(floor);
    }
    let reply = refuse::json(200, Raw::array(&answers).bytes().clone());
    Conducted::new(floor, Some(reply))
}
