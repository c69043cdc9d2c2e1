//! The LLM gateway: what a client of any dialect may rely on.

mod alerts;
mod bad_input;
mod breakers;
mod broken_providers;
mod budgets;
mod cancel;
mod drain;
mod embeddings;
mod fallback;
mod guardrail_webhooks;
mod guardrails;
mod identity;
mod keys;
mod ledger;
mod money;
mod operations;
mod policies;
mod principals;
mod relay;
mod reload;
mod responses;
mod translate;
