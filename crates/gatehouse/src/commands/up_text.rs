//! What `gatehouse up` prints when it is ready: where everything is, and lines to paste.

use std::fmt;

use gatehouse_domain::Secret;

/// What there is to say.
#[derive(Debug)]
pub(crate) struct Banner<'a> {
    /// The URL clients use.
    pub(crate) url: &'a str,
    /// The data folder, as a path.
    pub(crate) data_dir: &'a str,
    /// The one-time link that opens the console; none once it was used.
    pub(crate) claim_link: Option<&'a str>,
    /// The key made for this start; none if there was one already.
    pub(crate) key: Option<&'a Secret>,
    /// The model the example calls ask for.
    pub(crate) model: &'a str,
    /// The path of an MCP endpoint with the demo server's tools, if there is one.
    pub(crate) tools: Option<&'a str>,
    /// Names of the environment variables in `OFFERED` that are set and not used by the configuration.
    pub(crate) found: &'a [&'a str],
}

/// Variables that hold provider keys, and the line that would use each.
pub(crate) const OFFERED: &[(&str, &str)] = &[
    ("OPENAI_API_KEY", "openai: {kind: openai, api_key: \"${OPENAI_API_KEY}\"}"),
    ("ANTHROPIC_API_KEY", "claude: {kind: anthropic, api_key: \"${ANTHROPIC_API_KEY}\"}"),
    ("GEMINI_API_KEY", "google: {kind: gemini, api_key: \"${GEMINI_API_KEY}\"}"),
    (
        "AWS_SECRET_ACCESS_KEY",
        "aws: {kind: bedrock, region: us-east-1, access_key_id: \"${AWS_ACCESS_KEY_ID}\", \
         secret_access_key: \"${AWS_SECRET_ACCESS_KEY}\"}",
    ),
    ("MISTRAL_API_KEY", "mistral: {kind: mistral, api_key: \"${MISTRAL_API_KEY}\"}"),
    ("GROQ_API_KEY", "groq: {kind: groq, api_key: \"${GROQ_API_KEY}\"}"),
    ("DEEPSEEK_API_KEY", "deepseek: {kind: deepseek, api_key: \"${DEEPSEEK_API_KEY}\"}"),
    ("XAI_API_KEY", "xai: {kind: xai, api_key: \"${XAI_API_KEY}\"}"),
    ("COHERE_API_KEY", "cohere: {kind: cohere, api_key: \"${COHERE_API_KEY}\"}"),
    ("OPENROUTER_API_KEY", "openrouter: {kind: openrouter, api_key: \"${OPENROUTER_API_KEY}\"}"),
];

/// The text. The one place where the new key is shown; values of other keys never are.
impl fmt::Display for Banner<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Banner { url, data_dir, model, .. } = self;
        writeln!(f, "Gatehouse is ready.\n")?;
        writeln!(f, "  URL      {url}")?;
        writeln!(f, "  data     {data_dir}")?;
        if let Some(link) = self.claim_link {
            writeln!(f, "  admin    {link}   (makes the admin key, works once)")?;
        }
        let key = match self.key {
            Some(key) => {
                writeln!(f, "  key      {}   (shown only now)", key.reveal())?;
                key.reveal()
            }
            None => "$GATEHOUSE_KEY",
        };
        writeln!(f, "\nTry it:\n")?;
        let json = "-H 'content-type: application/json'";
        writeln!(
            f,
            "curl {url}/v1/chat/completions -H \"authorization: Bearer {key}\" {json} \
             -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n"
        )?;
        writeln!(
            f,
            "curl {url}/v1/messages -H \"x-api-key: {key}\" -H 'anthropic-version: 2023-06-01' {json} \
             -d '{{\"model\":\"{model}\",\"max_tokens\":256,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n"
        )?;
        writeln!(
            f,
            "curl {url}/v1beta/models/{model}:generateContent -H \"x-goog-api-key: {key}\" {json} \
             -d '{{\"contents\":[{{\"parts\":[{{\"text\":\"Hello\"}}]}}]}}'"
        )?;
        if let Some(path) = self.tools {
            writeln!(
                f,
                "\ncurl {url}{path} -H \"authorization: Bearer {key}\" {json} \
                 -d '{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{{\"name\":\"add\",\
                 \"arguments\":{{\"a\":2,\"b\":3}}}}}}'"
            )?;
        }
        let offers: Vec<&str> =
            OFFERED.iter().filter(|(name, _)| self.found.contains(name)).map(|(_, line)| *line).collect();
        if !offers.is_empty() {
            writeln!(f, "\nProvider keys found in the environment, not used. To use them, put into gatehouse.yaml:\n")?;
            writeln!(f, "providers:")?;
            for line in offers {
                writeln!(f, "  {line}")?;
            }
        }
        writeln!(f, "\nPoint a client here: gatehouse connect claude-code --url {url} --key …")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config_file;

    fn banner<'a>(key: Option<&'a Secret>, found: &'a [&'a str]) -> Banner<'a> {
        Banner {
            url: "http://127.0.0.1:8080",
            data_dir: "/tmp/data",
            claim_link: Some("http://127.0.0.1:8080/console/claim#c"),
            key,
            model: "demo",
            tools: Some("/mcp"),
            found,
        }
    }

    #[test]
    fn every_line_to_paste_carries_the_key_and_a_body_that_is_json() {
        let key = Secret::new("gh_abc");
        let text = banner(Some(&key), &[]).to_string();
        let curls: Vec<&str> = text.lines().filter(|line| line.starts_with("curl ")).collect();
        assert_eq!(curls.len(), 4);
        for line in curls {
            let body = line.rsplit_once("-d '").unwrap().1.trim_end_matches('\'');
            assert!(serde_json::from_str::<serde_json::Value>(body).is_ok(), "{body}");
            assert!(line.contains("gh_abc"));
        }
    }

    #[test]
    fn an_older_key_is_not_shown_but_named() {
        let text = banner(None, &[]).to_string();
        assert!(text.contains("Bearer $GATEHOUSE_KEY") && !text.contains("shown only now"));
    }

    #[test]
    fn found_provider_keys_are_offered_by_name() {
        let text = banner(None, &["GROQ_API_KEY"]).to_string();
        assert!(text.contains("groq: {kind: groq, api_key: \"${GROQ_API_KEY}\"}"));
        assert!(!text.contains("OPENAI_API_KEY"));
    }

    #[test]
    fn every_offered_line_names_a_kind_there_is() {
        let names = config_file::Names::all();
        for (name, line) in OFFERED {
            let kind = line.split_once("kind: ").unwrap().1.split(',').next().unwrap();
            assert!(names.known().provider_kinds.contains(&kind), "{name}");
        }
    }
}
