//! Embeddings in three dialects, each to each.

use gatehouse_tests::wire::embeddings::VECTOR;
use gatehouse_tests::{Dialect, House, Upstream};
use serde_json::{Value, json};

/// The dialects that have embeddings, named by their chat dialect.
const WITH_EMBEDDINGS: [Dialect; 3] = [Dialect::OpenAiChat, Dialect::Gemini, Dialect::Cohere];

fn request(dialect: Dialect, model: &str) -> (String, Value) {
    match dialect {
        Dialect::Gemini => (
            format!("/v1beta/models/{model}:embedContent"),
            json!({"content": {"parts": [{"text": "A sentence."}]}, "taskType": "SEMANTIC_SIMILARITY"}),
        ),
        Dialect::Cohere => (
            "/v2/embed".to_owned(),
            json!({"model": model, "texts": ["A sentence."], "input_type": "search_document", "embedding_types": ["float"]}),
        ),
        _ => ("/v1/embeddings".to_owned(), json!({"model": model, "input": "A sentence."})),
    }
}

fn vector(dialect: Dialect, answer: &Value) -> Vec<f64> {
    let vector = match dialect {
        Dialect::Gemini => &answer["embedding"]["values"],
        Dialect::Cohere => &answer["embeddings"]["float"][0],
        _ => &answer["data"][0]["embedding"],
    };
    vector.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

#[test]
fn every_dialect_gets_vectors_from_every_provider() {
    for caller in WITH_EMBEDDINGS {
        for provider in WITH_EMBEDDINGS {
            let upstream = Upstream::start();
            let gate = House::with_one(provider, &upstream).start();
            let (path, body) = request(caller, "fast");
            let answer = gate.client().post(&path, &body);
            let expected: Vec<f64> = VECTOR.into_iter().map(f64::from).collect();
            let pair = format!("{} by {}", caller.name(), provider.name());
            assert_eq!(vector(caller, &answer.json()), expected, "{pair}: {}", answer.text());
            assert_eq!(gate.ledger_of(1)[0].input_tokens, 5, "{pair}");
        }
    }
}

#[test]
fn many_texts_get_as_many_vectors_in_their_order() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Gemini, &upstream).start();
    let answer = gate.client().post("/v1/embeddings", &json!({"model": "fast", "input": ["one", "two", "three"]}));
    let indexes: Vec<u64> =
        answer.json()["data"].as_array().unwrap().iter().filter_map(|row| row["index"].as_u64()).collect();
    assert_eq!((answer.status, indexes), (200, vec![0, 1, 2]));
}

#[test]
fn a_provider_without_embeddings_is_a_clear_refusal() {
    let upstream = Upstream::start();
    let gate = House::with_one(Dialect::Anthropic, &upstream).start();
    let answer = gate.client().post("/v1/embeddings", &json!({"model": "fast", "input": "A sentence."}));
    assert!((400..=501).contains(&answer.status), "{}", answer.text());
    assert!(Dialect::OpenAiChat.error_message(&answer.json()).is_some(), "{}", answer.text());
    assert_eq!(upstream.served(), 0);
}
