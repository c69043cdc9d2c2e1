//! The house seen from outside. Every test starts the built binary and talks to it over the wire; the sentence in its
//! name is the specification. `make test` builds the binary first.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail like tests do"
)]

/// One test per dialect out of one function that takes it.
macro_rules! each_dialect {
    ($sentence:ident, $test:expr) => {
        mod $sentence {
            #[allow(unused_imports, reason = "not every test needs everything in scope")]
            use super::*;

            #[test]
            fn openai_chat() {
                ($test)(Dialect::OpenAiChat);
            }
            #[test]
            fn openai_responses() {
                ($test)(Dialect::OpenAiResponses);
            }
            #[test]
            fn anthropic() {
                ($test)(Dialect::Anthropic);
            }
            #[test]
            fn gemini() {
                ($test)(Dialect::Gemini);
            }
            #[test]
            fn bedrock() {
                ($test)(Dialect::Bedrock);
            }
            #[test]
            fn cohere() {
                ($test)(Dialect::Cohere);
            }
        }
    };
}

mod admin;
mod harness;
mod llm;
mod mcp;
mod oauth;
mod records;
mod tools;
