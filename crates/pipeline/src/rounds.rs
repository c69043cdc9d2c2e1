//! A call that is answered by calls of the gateway's own ([`Rounds`]): each goes through the front door for the same caller,
//! and has a record and a row of the ledger of its own. The call itself sends nothing, so it reserves nothing.

use std::sync::Arc;
use std::time::Instant;

use gatehouse_domain::{Fault, Money, Reply, Round, Rounds};

use crate::inner::Errands;
use crate::journey::Journey;
use crate::stages::read::Read;
use crate::stages::respond::{Answer, COST, REQUEST_ID};

/// Makes its calls until there is an answer. How many there may be is for the rounds to bound.
pub(crate) async fn answer(
    journey: &mut Journey,
    read: &Read,
    mut rounds: Box<dyn Rounds>,
) -> Result<Box<Answer>, Fault> {
    journey.outcome.operation = "rounds";
    let errands = Errands::of(journey, &read.snapshot, &Arc::clone(&read.caller));
    let mut answers = Vec::new();
    let mut cost = None;
    loop {
        match rounds.next(answers)? {
            Round::Make(calls) => {
                let began = Instant::now();
                answers = errands.all(calls).await;
                journey.waited_since(began);
                for paid in answers.iter().filter_map(paid) {
                    cost = Some(cost.unwrap_or(Money::ZERO) + paid);
                }
            }
            Round::Done(mut reply) => {
                reply.headers.remove(&REQUEST_ID);
                reply.headers.remove(&COST);
                if let Some(cost) = cost.and_then(|cost| cost.to_string().try_into().ok()) {
                    reply.headers.insert(COST, cost);
                }
                return Ok(Answer::local(reply));
            }
        }
    }
}

/// What a call of ours cost, as its own answer says.
fn paid(reply: &Reply) -> Option<Money> {
    reply.headers.get(&COST)?.to_str().ok()?.parse().ok().map(Money::from_usd)
}
