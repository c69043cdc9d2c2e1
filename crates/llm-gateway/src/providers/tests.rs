use bytes::Bytes;
use gatehouse_domain::{Code, Now, Outbound, Secret, WriteContext};
use http::HeaderMap;

use super::kind::Place;
use super::*;

const DOCS: &str = include_str!("../../../../docs/providers.md");
const CHAT: Operation = Operation::Chat { stream: false };
const STREAM: Operation = Operation::Chat { stream: true };

fn key() -> Settings {
    Settings { api_key: Some(Secret::new("k-1")), ..Settings::default() }
}

/// Settings with which this kind is ready.
fn enough(kind: &ProviderKind) -> Settings {
    Settings {
        base_url: kind.default_base_url.is_none().then(|| "http://127.0.0.1:9000".to_owned()),
        region: Some("eu-west-1".to_owned()),
        ..key()
    }
}

fn sent(kind: &str, settings: &Settings, dialect: DialectName, operation: Operation, model: &str) -> Outbound {
    let provider = resolve("p", kind, settings).unwrap_or_else(|problems| panic!("{problems:?}"));
    let client_headers = HeaderMap::new();
    let ask = Ask { model, dialect, operation, client_headers: &client_headers, path: None };
    outbound(&provider, ask, Bytes::from_static(b"{}"), &context(None)).unwrap()
}

fn context(token: Option<&str>) -> WriteContext<'_> {
    WriteContext { now: Now(std::time::SystemTime::UNIX_EPOCH), token, traceparent: None }
}

fn at(base_url: &str) -> Settings {
    Settings { base_url: Some(base_url.to_owned()), ..key() }
}

fn path(kind: &str, settings: &Settings, dialect: DialectName, operation: Operation, model: &str) -> String {
    sent(kind, settings, dialect, operation, model).path.to_string()
}

#[test]
fn the_list_is_sorted_and_whole() {
    assert_eq!(ALL.len(), 28);
    assert!(ALL.is_sorted_by(|a, b| a.name < b.name));
}

#[test]
fn every_kind_is_documented() {
    for kind in ALL {
        assert!(DOCS.contains(&format!("| `{}` |", kind.name)), "docs/providers.md lacks {}", kind.name);
        for variable in kind.key_env {
            assert!(DOCS.contains(variable), "docs/providers.md lacks {variable}");
        }
        assert!(kind.default_base_url.is_none_or(|url| DOCS.contains(url)), "{}", kind.name);
    }
}

#[test]
fn every_kind_answers_a_caller_of_every_dialect() {
    for kind in ALL {
        for model in ["some-model", "claude-sonnet-4-5"] {
            for caller in DialectName::ALL {
                let dialect = kind.dialect_for(caller, model, Wants::default()).unwrap();
                let made = sent(kind.name, &enough(kind), dialect, STREAM, model);
                assert!(made.path.as_str().starts_with('/'), "{}", kind.name);
                assert!(made.headers["user-agent"].to_str().unwrap().starts_with("gatehouse/"));
            }
        }
    }
}

#[test]
fn every_key_is_sent_once_and_marked_sensitive() {
    for kind in ALL {
        for native in kind.native {
            let model = if (native.covers)("m") { "m" } else { "claude-4" };
            let made = sent(kind.name, &enough(kind), native.dialect, CHAT, model);
            let carriers: Vec<_> =
                made.headers.iter().filter(|(_, value)| value.as_bytes().ends_with(b"k-1")).collect();
            assert_eq!(carriers.len(), 1, "{}", kind.name);
            assert!(carriers[0].1.is_sensitive(), "{}", kind.name);
        }
    }
}

#[test]
fn paths_are_those_of_the_owners() {
    use DialectName::{Anthropic, Bedrock, Cohere, Gemini, OpenAiChat, OpenAiResponses};
    let embed = Operation::Embed { many: false };
    let none = &key();
    let expected = [
        ("openai", OpenAiChat, CHAT, "gpt-5", "/v1/chat/completions"),
        ("openai", OpenAiResponses, STREAM, "gpt-5", "/v1/responses"),
        ("openai", OpenAiChat, embed, "e", "/v1/embeddings"),
        ("anthropic", Anthropic, STREAM, "c", "/v1/messages"),
        ("anthropic", Anthropic, Operation::CountTokens, "c", "/v1/messages/count_tokens"),
        ("gemini", Gemini, CHAT, "models/g-1", "/v1beta/models/g-1:generateContent"),
        ("gemini", Gemini, STREAM, "g/../x", "/v1beta/models/g%2F..%2Fx:streamGenerateContent?alt=sse"),
        ("gemini", Gemini, Operation::Embed { many: true }, "e", "/v1beta/models/e:batchEmbedContents"),
        ("cohere", Cohere, CHAT, "c", "/v2/chat"),
        ("groq", OpenAiChat, CHAT, "m", "/openai/v1/chat/completions"),
        ("deepseek", Anthropic, CHAT, "m", "/anthropic/v1/messages"),
        ("moonshot", Anthropic, CHAT, "m", "/anthropic/v1/messages"),
        ("zai", OpenAiChat, CHAT, "m", "/api/paas/v4/chat/completions"),
        ("zai", Anthropic, CHAT, "m", "/api/anthropic/v1/messages"),
        ("openrouter", Anthropic, CHAT, "m", "/api/v1/messages"),
        ("fireworks", Anthropic, CHAT, "m", "/inference/v1/messages"),
        ("ollama", OpenAiChat, CHAT, "m", "/v1/chat/completions"),
        ("perplexity", OpenAiChat, CHAT, "m", "/chat/completions"),
        ("github-models", OpenAiChat, CHAT, "openai/gpt-5", "/inference/chat/completions"),
    ];
    for (kind, dialect, operation, model, path_expected) in expected {
        assert_eq!(path(kind, none, dialect, operation, model), path_expected, "{kind}");
    }
    let aws = Settings { region: Some("us-east-1".to_owned()), ..key() };
    let converse = "/model/us.anthropic.claude-v1%3A0/converse-stream";
    assert_eq!(path("bedrock", &aws, Bedrock, STREAM, "us.anthropic.claude-v1:0"), converse);
}

#[test]
fn a_base_url_may_be_given_with_or_without_its_version() {
    use DialectName::{Anthropic, Gemini, OpenAiChat};
    for url in ["http://h", "http://h/", "http://h/v1", "http://h/v1/"] {
        for kind in ["openai", "openai-compatible", "vllm", "demo"] {
            assert_eq!(path(kind, &at(url), OpenAiChat, CHAT, "m"), "/v1/chat/completions", "{kind} at {url}");
        }
        assert_eq!(path("anthropic", &at(url), Anthropic, CHAT, "m"), "/v1/messages", "{url}");
    }
    assert_eq!(path("openai", &at("http://h/proxy"), OpenAiChat, CHAT, "m"), "/proxy/chat/completions");
    assert_eq!(path("gemini", &at("http://h/v1beta"), Gemini, CHAT, "m"), "/v1beta/models/m:generateContent");
}

#[test]
fn azure_takes_the_v1_paths_unless_a_dated_version_is_asked_for() {
    let version = |version: Option<&str>| {
        let settings = Settings { api_version: version.map(str::to_owned), ..at("https://r.openai.azure.com") };
        path("azure-openai", &settings, DialectName::OpenAiChat, CHAT, "my gpt")
    };
    assert_eq!(version(None), "/openai/v1/chat/completions");
    assert_eq!(version(Some("preview")), "/openai/v1/chat/completions?api-version=preview");
    let dated = "/openai/deployments/my%20gpt/chat/completions?api-version=2024-10-21";
    assert_eq!(version(Some("2024-10-21")), dated);
}

#[test]
fn vertex_serves_gemini_and_claude_with_the_token_of_a_service_account() {
    let (json, _) = vertex_token::tests::key_file();
    let settings = Settings { credentials: Some(json), location: Some("global".to_owned()), ..Settings::default() };
    let provider = resolve("v", "vertex", &settings).map_err(|problems| format!("{problems:?}")).unwrap();
    assert_eq!(provider.origin.host.as_ref(), "aiplatform.googleapis.com");
    let client_headers = HeaderMap::new();
    let write = |dialect, model, token| {
        let ask = Ask { model, dialect, operation: STREAM, client_headers: &client_headers, path: None };
        outbound(&provider, ask, Bytes::from_static(b"{}"), &context(token))
    };
    let gemini = write(DialectName::Gemini, "gemini-3", Some("ya29.t")).unwrap();
    let place = "/v1/projects/p/locations/global/publishers";
    assert_eq!(gemini.path.as_str(), format!("{place}/google/models/gemini-3:streamGenerateContent?alt=sse"));
    assert_eq!(gemini.headers["authorization"], "Bearer ya29.t");
    let claude = write(DialectName::Anthropic, "claude-x@20250929", Some("ya29.t")).unwrap();
    assert_eq!(claude.path.as_str(), format!("{place}/anthropic/models/claude-x@20250929:streamRawPredict"));
    assert!(claude.headers.get("anthropic-version").is_none());
    assert_eq!(write(DialectName::Gemini, "gemini-3", None).unwrap_err().code, Code::UpstreamCredentials);
    assert_eq!(write(DialectName::Anthropic, "gemini-3", Some("t")).unwrap_err().code, Code::NotTranslatable);
}

#[test]
fn bedrock_signs_with_access_keys_and_bears_an_api_key() {
    let keys = Settings {
        region: Some("eu-west-1".to_owned()),
        access_key_id: Some("AKIDEXAMPLE".to_owned()),
        secret_access_key: Some(Secret::new("secret")),
        ..Settings::default()
    };
    let made = sent("bedrock", &keys, DialectName::Bedrock, CHAT, "m");
    assert!(made.headers["authorization"].to_str().unwrap().contains("/eu-west-1/bedrock/aws4_request"));
    let bearing = Settings { region: Some("eu-west-1".to_owned()), ..key() };
    let made = sent("bedrock", &bearing, DialectName::Bedrock, CHAT, "m");
    assert_eq!(made.headers["authorization"], "Bearer k-1");
}

#[test]
fn only_headers_that_mean_something_to_the_provider_pass() {
    let client: HeaderMap = [
        ("authorization", "Bearer mine"),
        ("x-api-key", "mine"),
        ("cookie", "mine"),
        ("openai-organization", "mine"),
        ("x-forwarded-for", "mine"),
        ("accept", "text/plain"),
        ("user-agent", "mine"),
        ("host", "mine"),
        ("idempotency-key", "i"),
        ("openai-beta", "o"),
        ("anthropic-beta", "a, b"),
        ("anthropic-version", "2099-01-01"),
    ]
    .iter()
    .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_static(value)))
    .collect();
    let headers = |kind: &str, dialect| {
        let provider = resolve("p", kind, &key()).map_err(|problems| format!("{problems:?}")).unwrap();
        let ask = Ask { model: "m", dialect, operation: CHAT, client_headers: &client, path: None };
        outbound(&provider, ask, Bytes::new(), &context(None)).unwrap().headers
    };
    for (kind, dialect) in [("openai", DialectName::OpenAiChat), ("anthropic", DialectName::Anthropic)] {
        let headers = headers(kind, dialect);
        assert!(headers.values().all(|value| !value.to_str().unwrap().contains("mine")), "{kind}: {headers:?}");
        assert_eq!(headers["idempotency-key"], "i");
        assert_eq!(headers["accept-encoding"], "identity");
    }
    let openai = headers("openai", DialectName::OpenAiChat);
    assert_eq!(openai["openai-beta"], "o");
    assert!(openai.get("anthropic-beta").is_none());
    let anthropic = headers("anthropic", DialectName::Anthropic);
    assert_eq!(
        (&anthropic["anthropic-beta"], &anthropic["anthropic-version"]),
        (&"a,b".parse().unwrap(), &"2099-01-01".parse().unwrap())
    );
    assert!(headers("deepseek", DialectName::Anthropic).get("anthropic-beta").is_none());
}

#[test]
fn tools_with_reasoning_go_to_openai_by_way_of_responses() {
    let both = Wants { tools: true, reasoning: true };
    let openai = kind("openai").unwrap();
    assert_eq!(openai.dialect_for(DialectName::Anthropic, "gpt-5", both), Some(DialectName::OpenAiResponses));
    assert_eq!(openai.dialect_for(DialectName::Anthropic, "gpt-4o", both), Some(DialectName::OpenAiChat));
    assert_eq!(openai.dialect_for(DialectName::OpenAiChat, "gpt-5", both), Some(DialectName::OpenAiChat));
    let place = Place::default();
    let count = openai.dialect_offering(Operation::CountTokens, DialectName::Anthropic, &place, "gpt-5");
    assert_eq!(count, None);
}

#[test]
fn what_is_missing_is_named_with_a_way_out() {
    let refused = |kind: &str, settings: &Settings| resolve("p", kind, settings).err().unwrap_or_default();
    let none = Settings::default();
    let openai = refused("openai", &none);
    assert_eq!(openai[0].field, "api_key");
    assert!(openai[0].hint.as_deref().unwrap().contains("${OPENAI_API_KEY}"));
    let empty = Settings { api_key: Some(Secret::new("")), ..Settings::default() };
    assert_eq!(refused("openai", &empty)[0].field, "api_key", "a variable that resolved to nothing is no key");
    let fields: Vec<_> = refused("bedrock", &none).iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["region", "access_key_id"]);
    let id = Settings { access_key_id: Some("AKIDEXAMPLE".to_owned()), ..Settings::default() };
    let fields: Vec<_> = refused("bedrock", &id).iter().map(|problem| problem.field).collect();
    assert_eq!(fields, ["region", "secret_access_key"]);
    let elsewhere = Settings { region: Some("evil.example/".to_owned()), ..key() };
    assert_eq!(refused("bedrock", &elsewhere)[0].field, "region");
    assert_eq!(refused("vertex", &none)[0].field, "credentials");
    assert_eq!(refused("openai-compatible", &none)[0].field, "base_url");
    let unknown = refused("open-ai", &none);
    assert_eq!(unknown[0].hint.as_deref(), Some("did you mean `openai`?"));
}

#[test]
fn a_bad_address_is_refused() {
    for url in ["", "/v1", "h:8000/v1", "ftp://h", "http://", "https://u:p@h/v1", "http://h/v1?key=x", "http://a b/"] {
        let refused = resolve("p", "openai-compatible", &at(url)).err().unwrap_or_default();
        assert_eq!(refused.first().map(|problem| problem.field), Some("base_url"), "{url}");
    }
    let secret = resolve("p", "openai", &at("https://u:hush@h/v1")).err().unwrap();
    assert!(!format!("{secret:?}").contains("hush"));
    let v6 = resolve("p", "openai", &at("http://[::1]:8000/v1")).map_err(|problems| format!("{problems:?}")).unwrap();
    assert_eq!((v6.origin.host.as_ref(), v6.origin.port, v6.origin.tls), ("::1", 8000, false));
}

#[test]
fn configured_headers_are_sent_and_framing_ones_refused() {
    let with = |name: &str, value: &str| Settings { headers: vec![(name.to_owned(), Secret::new(value))], ..key() };
    let made = sent("openai", &with("x-team", "blue"), DialectName::OpenAiChat, CHAT, "m");
    assert_eq!(made.headers["x-team"], "blue");
    for (name, value) in [("host", "x"), ("content-length", "1"), ("bad name", "x"), ("x-a", "b\r\nc: d")] {
        assert!(resolve("p", "openai", &with(name, value)).is_err(), "{name}");
    }
}
