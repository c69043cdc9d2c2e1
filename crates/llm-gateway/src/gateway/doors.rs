//! Which path leads where. The path decides the dialect; docs/paths.md is this table in prose.

use gatehouse_domain::Door;
use http::Method;

/// What an entrance of the LLM gateway does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(crate) enum Entrance {
    /// Answer a conversation. `Door::subject` is the model where the path carries it.
    Chat,
    /// The same, streamed because the path says so (Gemini, Bedrock).
    ChatStream,
    /// Make vectors.
    Embed,
    /// Count the tokens of a conversation.
    CountTokens,
    /// List models.
    Models,
    /// One model.
    Model,
    /// A stored response: read it.
    StoredRead,
    /// A stored response: delete it.
    StoredDelete,
    /// A stored response that still runs: stop it.
    StoredCancel,
    /// The input items of a stored response.
    StoredInput,
    /// A path of the contract that a later release serves.
    NotYet,
    /// A path of a known API that does not exist.
    Unknown,
    /// A path that exists, asked with another method.
    WrongMethod,
}

impl Entrance {
    const ALL: [Self; 13] = [
        Self::Chat,
        Self::ChatStream,
        Self::Embed,
        Self::CountTokens,
        Self::Models,
        Self::Model,
        Self::StoredRead,
        Self::StoredDelete,
        Self::StoredCancel,
        Self::StoredInput,
        Self::NotYet,
        Self::Unknown,
        Self::WrongMethod,
    ];

    pub(crate) fn of(door: &Door) -> Self {
        Self::ALL.into_iter().find(|entrance| *entrance as u16 == door.code).unwrap_or(Self::Unknown)
    }

    const fn operation(self) -> &'static str {
        match self {
            Self::Chat | Self::ChatStream => "chat",
            Self::Embed => "embeddings",
            Self::CountTokens => "count_tokens",
            Self::Models | Self::Model => "models",
            Self::StoredRead | Self::StoredDelete | Self::StoredCancel | Self::StoredInput => "stored_response",
            Self::NotYet | Self::Unknown | Self::WrongMethod => "none",
        }
    }
}

/// The entrance of a path, or `None` if it belongs to somebody else.
pub(crate) fn door(method: &Method, path: &str) -> Option<Door> {
    let (dialect, entrance, subject, wanted) = place(path)?;
    let entrance = if entrance == Entrance::StoredRead && method == Method::DELETE {
        Entrance::StoredDelete
    } else if wanted.is_some_and(|wanted| wanted != method) {
        Entrance::WrongMethod
    } else {
        entrance
    };
    let subject = subject.map(decode);
    Some(Door { dialect, operation: entrance.operation(), code: entrance as u16, subject })
}

type Place<'a> = (&'static str, Entrance, Option<&'a str>, Option<&'static Method>);

/// Dialect, entrance, raw subject and the method it takes (`None` = any).
fn place(path: &str) -> Option<Place<'_>> {
    const POST: Option<&Method> = Some(&Method::POST);
    const GET: Option<&Method> = Some(&Method::GET);
    let found = match path {
        "/v1/chat/completions" => ("openai_chat", Entrance::Chat, None, POST),
        "/v1/responses" => ("openai_responses", Entrance::Chat, None, POST),
        "/v1/responses/input_tokens" => ("openai_responses", Entrance::CountTokens, None, POST),
        "/v1/messages" => ("anthropic", Entrance::Chat, None, POST),
        "/v1/messages/count_tokens" => ("anthropic", Entrance::CountTokens, None, POST),
        "/v1/embeddings" => ("openai_chat", Entrance::Embed, None, POST),
        "/v2/chat" => ("cohere", Entrance::Chat, None, POST),
        "/v2/embed" => ("cohere", Entrance::Embed, None, POST),
        "/v1/models" => ("openai_chat", Entrance::Models, None, GET),
        "/v1beta/models" => ("gemini", Entrance::Models, None, GET),
        "/v2/rerank" => ("cohere", Entrance::NotYet, None, None),
        "/v1/completions" | "/v1/moderations" | "/v1/rerank" | "/v1/realtime" => {
            ("openai_chat", Entrance::NotYet, None, None)
        }
        _ => return deeper(path),
    };
    Some(found)
}

fn deeper(path: &str) -> Option<Place<'_>> {
    const POST: Option<&Method> = Some(&Method::POST);
    const GET: Option<&Method> = Some(&Method::GET);
    if let Some(rest) = path.strip_prefix("/v1/responses/") {
        return Some(match rest.split_once('/') {
            None => ("openai_responses", Entrance::StoredRead, Some(rest), (!rest.is_empty()).then_some(&Method::GET)),
            Some((id, "cancel")) => ("openai_responses", Entrance::StoredCancel, Some(id), POST),
            Some((id, "input_items")) => ("openai_responses", Entrance::StoredInput, Some(id), GET),
            Some(_) => ("openai_responses", Entrance::Unknown, None, None),
        });
    }
    if let Some(rest) = path
        .strip_prefix("/v1beta/models/")
        .or_else(|| path.strip_prefix("/v1/models/").filter(|rest| rest.contains(':') && gemini_verb(rest)))
    {
        return Some(gemini(rest));
    }
    if let Some(model) = path.strip_prefix("/v1/models/") {
        return Some(("openai_chat", Entrance::Model, Some(model), GET));
    }
    if let Some(rest) = path.strip_prefix("/model/") {
        return Some(match rest.rsplit_once('/') {
            Some((model, "converse")) => ("bedrock", Entrance::Chat, Some(model), POST),
            Some((model, "converse-stream")) => ("bedrock", Entrance::ChatStream, Some(model), POST),
            _ => ("bedrock", Entrance::Unknown, None, None),
        });
    }
    let not_yet = ["/v1/images/", "/v1/audio/", "/v1/files", "/v1/batches", "/v1/realtime/", "/v1/uploads"];
    if not_yet.iter().any(|prefix| path.starts_with(prefix)) {
        return Some(("openai_chat", Entrance::NotYet, None, None));
    }
    let unknown = [("/v1/messages/", "anthropic"), ("/v1beta/", "gemini"), ("/v2/", "cohere"), ("/v1/", "openai_chat")];
    let (_, dialect) = unknown.into_iter().find(|(prefix, _)| path.starts_with(prefix))?;
    Some((dialect, Entrance::Unknown, None, None))
}

fn gemini_verb(rest: &str) -> bool {
    rest.rsplit_once(':').is_some_and(|(_, verb)| {
        matches!(
            verb,
            "generateContent" | "streamGenerateContent" | "countTokens" | "embedContent" | "batchEmbedContents"
        )
    })
}

fn gemini(rest: &str) -> Place<'_> {
    const POST: Option<&Method> = Some(&Method::POST);
    let Some((model, verb)) = rest.rsplit_once(':').filter(|_| gemini_verb(rest)) else {
        return ("gemini", Entrance::Model, Some(rest), Some(&Method::GET));
    };
    let entrance = match verb {
        "generateContent" => Entrance::Chat,
        "streamGenerateContent" => Entrance::ChatStream,
        "countTokens" => Entrance::CountTokens,
        _ => Entrance::Embed,
    };
    ("gemini", entrance, Some(model), POST)
}

/// Percent-decoding (RFC 3986 §2.1); what is not valid stays as it is.
fn decode(raw: &str) -> String {
    if !raw.contains('%') {
        return raw.to_owned();
    }
    let bytes = raw.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = raw.get(at + 1..at + 3).filter(|_| *byte == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                at += 3;
            }
            None => {
                decoded.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).unwrap_or_else(|_| raw.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(method: &Method, path: &str) -> Option<(&'static str, Entrance, Option<String>)> {
        door(method, path).map(|door| (door.dialect, Entrance::of(&door), door.subject))
    }

    #[test]
    fn the_path_decides_the_dialect() {
        let model = |name: &str| Some(name.to_owned());
        for (path, dialect, entrance, subject) in [
            ("/v1/chat/completions", "openai_chat", Entrance::Chat, None),
            ("/v1/messages", "anthropic", Entrance::Chat, None),
            ("/v1/responses/resp_1/cancel", "openai_responses", Entrance::StoredCancel, model("resp_1")),
            ("/v1beta/models/a%2Fb:streamGenerateContent", "gemini", Entrance::ChatStream, model("a/b")),
            ("/v1/models/gemini-3:generateContent", "gemini", Entrance::Chat, model("gemini-3")),
            (
                "/model/us.anthropic.claude-v1%3A0/converse",
                "bedrock",
                Entrance::Chat,
                model("us.anthropic.claude-v1:0"),
            ),
            ("/v1/images/generations", "openai_chat", Entrance::NotYet, None),
            ("/v1/nonsense", "openai_chat", Entrance::Unknown, None),
        ] {
            assert_eq!(at(&Method::POST, path), Some((dialect, entrance, subject)), "{path}");
        }
        assert_eq!(at(&Method::GET, "/v1/models/ft:gpt"), Some(("openai_chat", Entrance::Model, model("ft:gpt"))));
        assert_eq!(
            at(&Method::DELETE, "/v1/responses/r"),
            Some(("openai_responses", Entrance::StoredDelete, model("r")))
        );
    }

    #[test]
    fn a_wrong_method_is_told_and_a_foreign_path_is_left_alone() {
        assert_eq!(at(&Method::GET, "/v1/messages").map(|found| found.1), Some(Entrance::WrongMethod));
        for path in ["/", "/api/v1/keys", "/healthz", "/mcp", "/v1", "/v0.1/servers"] {
            assert_eq!(at(&Method::GET, path), None, "{path}");
        }
    }
}
