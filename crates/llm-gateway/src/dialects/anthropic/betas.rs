//! Which `anthropic-beta` values reach a host. Anthropic knows them all; Bedrock and Vertex refuse a request that names
//! one they do not know; nobody else wants any.

/// Who hosts the Claude model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosting {
    /// Anthropic.
    Anthropic,
    /// Amazon Bedrock.
    Bedrock,
    /// Google Vertex AI.
    Vertex,
    /// Anyone else.
    Other,
}

const BEDROCK: &[&str] = &[
    "compact-2026-01-12",
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "dev-full-thinking-2025-05-14",
    "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "output-128k-2025-02-19",
    "token-efficient-tools-2025-02-19",
    "tool-examples-2025-10-29",
    "tool-search-tool-2025-10-19",
];

const VERTEX: &[&str] = &[
    "compact-2026-01-12",
    "computer-use-2024-10-22",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-2025-08-07",
    "context-management-2025-06-27",
    "effort-2025-11-24",
    "fine-grained-tool-streaming-2025-05-14",
    "interleaved-thinking-2025-05-14",
    "token-efficient-tools-2025-02-19",
    "tool-search-tool-2025-10-19",
    "web-search-2025-03-05",
];

/// The value of `anthropic-beta` to send to this host, or `None` to send none. Order stays; doubles go.
#[must_use]
pub fn allowed(header: &str, hosting: Hosting) -> Option<String> {
    let known: &[&str] = match hosting {
        Hosting::Anthropic => &[],
        Hosting::Bedrock => BEDROCK,
        Hosting::Vertex => VERTEX,
        Hosting::Other => return None,
    };
    let mut kept: Vec<&str> = Vec::new();
    for beta in header.split(',').map(str::trim).filter(|beta| !beta.is_empty()) {
        if (hosting == Hosting::Anthropic || known.contains(&beta)) && !kept.contains(&beta) {
            kept.push(beta);
        }
    }
    (!kept.is_empty()).then(|| kept.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAUDE_CODE: &str = "claude-code-20250219, interleaved-thinking-2025-05-14,oauth-2025-04-20,";

    #[test]
    fn anthropic_gets_everything() {
        let all = "claude-code-20250219,interleaved-thinking-2025-05-14,oauth-2025-04-20";
        assert_eq!(allowed(CLAUDE_CODE, Hosting::Anthropic).as_deref(), Some(all));
    }

    #[test]
    fn clouds_get_what_they_know_and_others_nothing() {
        for hosting in [Hosting::Bedrock, Hosting::Vertex] {
            assert_eq!(allowed(CLAUDE_CODE, hosting).as_deref(), Some("interleaved-thinking-2025-05-14"));
            assert_eq!(allowed("claude-code-20250219", hosting), None);
        }
        assert_eq!(allowed(CLAUDE_CODE, Hosting::Other), None);
    }
}
