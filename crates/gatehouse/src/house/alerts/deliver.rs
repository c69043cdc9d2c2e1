//! Posting events, as Standard Webhooks has it: an id that stays the same over every try, a time, and a signature over both and
//! the body. What is not taken is tried again, later each time, and given up in the end.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use gatehouse_catalog::Alert;
use gatehouse_domain::{Now, Payload, Secret, Timeouts};
use gatehouse_upstream::{Egress, Pool};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use super::Event;
use crate::house::House;

/// How often breakers are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long after each try that failed the next one comes; after the last the event is given up.
const AGAIN_AFTER: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];
/// One try, from connecting to the answer's head.
const TRY: Duration = Duration::from_secs(10);
/// Tries under way at once.
const AT_ONCE: usize = 8;
/// Events that wait for a try at most, over all addresses.
const WAITING_MAX: usize = 4096;

/// An event on its way to one address.
struct Parcel {
    to: Arc<str>,
    id: String,
    at_unix_ms: u64,
    body: Bytes,
    tried: usize,
    due: Instant,
}

/// Delivers what is rung, for ever.
pub(in crate::house) async fn deliver(house: Arc<House>, pool: Pool) {
    let heard = house.bell.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    let Some(mut heard) = heard else { return };
    let mut waiting: Vec<Parcel> = Vec::new();
    let mut trying = JoinSet::new();
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let due = waiting.iter().map(|parcel| parcel.due).min().filter(|_| trying.len() < AT_ONCE);
        tokio::select! {
            Some(event) = heard.recv() => address(&house, &event, &mut waiting),
            Some(tried) = trying.join_next() => if let Ok(Err(parcel)) = tried { again(&house, parcel, &mut waiting) },
            _ = looks.tick() => house.bell.look_at_breakers(&house.health),
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
        }
        let now = Instant::now();
        while trying.len() < AT_ONCE
            && let Some(at) = waiting.iter().position(|parcel| parcel.due <= now)
        {
            let parcel = waiting.swap_remove(at);
            // An address that is not in force any more is not told.
            let wanted = house.config(|config| config.alerts.iter().find(|alert| alert.name == parcel.to).cloned());
            if let Some(alert) = wanted.flatten() {
                trying.spawn(post(pool.clone(), alert, parcel));
            }
        }
    }
}

/// A parcel for everybody who wants to hear of the event.
fn address(house: &House, event: &Event, waiting: &mut Vec<Parcel>) {
    let Some(alerts) = house.config(|config| config.alerts.clone()) else { return };
    for alert in alerts.iter().filter(|alert| alert.on.contains(&event.on)) {
        if waiting.len() >= WAITING_MAX {
            house.bell.dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            continue;
        }
        let id = format!("msg_{}", uuid::Uuid::now_v7().simple());
        let timestamp = jiff::Timestamp::from_millisecond(i64::try_from(event.at_unix_ms).unwrap_or(i64::MAX));
        let timestamp = timestamp.map(|at| at.to_string()).unwrap_or_default();
        let body = json!({"type": event.name, "timestamp": timestamp, "data": event.data}).to_string().into();
        let (to, at_unix_ms) = (Arc::clone(&alert.name), event.at_unix_ms);
        waiting.push(Parcel { to, id, at_unix_ms, body, tried: 0, due: Instant::now() });
    }
}

fn again(house: &House, mut parcel: Parcel, waiting: &mut Vec<Parcel>) {
    let Some(after) = AGAIN_AFTER.get(parcel.tried) else {
        house.bell.dropped.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        tracing::error!(alert = &*parcel.to, id = parcel.id, "an alert was not taken and is given up");
        return;
    };
    parcel.tried += 1;
    parcel.due = Instant::now() + *after;
    waiting.push(parcel);
}

/// One try. What was not taken comes back.
async fn post(pool: Pool, alert: Alert, parcel: Parcel) -> Result<(), Parcel> {
    match tokio::time::timeout(TRY, taken(&pool, &alert, &parcel)).await.unwrap_or(Err("it did not answer in time")) {
        Ok(()) => Ok(()),
        Err(problem) => {
            tracing::warn!(
                alert = &*alert.name,
                id = parcel.id,
                tried = parcel.tried + 1,
                problem,
                "an alert was not taken"
            );
            Err(parcel)
        }
    }
}

async fn taken(pool: &Pool, alert: &Alert, parcel: &Parcel) -> Result<(), &'static str> {
    let request = request(alert, parcel, Now(SystemTime::now())).ok_or("its URL cannot be used")?;
    let timeouts = Timeouts { connect: TRY, first_byte: TRY, between_chunks: TRY, total: TRY };
    let egress = if alert.allow_private { Egress::Trusted } else { Egress::Public };
    let sent = pool.send_through(egress, &alert.url.origin, &timeouts, request).await;
    let sent = sent.map_err(|_| "it cannot be reached, or its address is private and `allow_private` is not set")?;
    if sent.head.status.is_success() { Ok(()) } else { Err("its answer is no success") }
}

fn request(alert: &Alert, parcel: &Parcel, now: Now) -> Option<Request<Payload>> {
    let mut request = Request::new(Payload::from(parcel.body.clone()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = if alert.url.path.is_empty() { "/" } else { &alert.url.path }.parse().ok()?;
    let authority: http::Uri = alert.url.text.parse().ok()?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(authority.authority()?.as_str()).ok()?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("webhook-id", HeaderValue::from_str(&parcel.id).ok()?);
    // The time of the try, not of the event: receivers refuse what is old.
    let sent_at = now.unix_secs().max(parcel.at_unix_ms / 1000).to_string();
    headers.insert("webhook-timestamp", HeaderValue::from_str(&sent_at).ok()?);
    if let Some(secret) = &alert.secret {
        let mut signature = HeaderValue::from_str(&signature(secret, &parcel.id, &sent_at, &parcel.body)).ok()?;
        signature.set_sensitive(true);
        headers.insert("webhook-signature", signature);
    }
    Some(request)
}

/// `v1,` and the HMAC-SHA256 over id, time and body, in base64. A secret that begins with `whsec_` is base64 behind it.
fn signature(secret: &Secret, id: &str, sent_at: &str, body: &[u8]) -> String {
    let written = secret.reveal();
    let decoded = written.strip_prefix("whsec_").and_then(|text| BASE64_STANDARD.decode(text).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, decoded.as_deref().unwrap_or(written.as_bytes()));
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{id}.{sent_at}.").as_bytes());
    context.update(body);
    format!("v1,{}", BASE64_STANDARD.encode(context.sign()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_the_one_of_the_specification() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signed = signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
