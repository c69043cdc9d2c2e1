//! Under which names a model may stand in the catalogue: as it is called, and then with what hosts put around a name
//! taken off. Only decoration is ever removed (dates, versions, regions); a shorter name that means another model
//! (`gpt-5` for `gpt-5-pro`) is never tried, because a wrong price is worse than none.

/// Names to look up, best first, in lower case.
pub(super) fn candidates(kind: &str, model: &str) -> Vec<String> {
    let model = model.to_ascii_lowercase();
    let mut names = vec![model.clone()];
    let mut bare = unhosted(kind, &model);
    loop {
        if !names.iter().any(|name| name == bare) {
            names.push(bare.to_owned());
        }
        match undated(bare).or_else(|| unregioned(kind, bare)) {
            Some(shorter) => bare = shorter,
            None => return names,
        }
    }
}

/// Kinds whose rows hold for a kind too: a host that sells a maker's models at the maker's price.
pub(super) fn kinds<'a>(kind: &'a str, model: &str) -> Vec<&'a str> {
    match kind {
        "azure-openai" => vec![kind, "openai"],
        "vertex" if model.starts_with("claude") => vec![kind, "anthropic"],
        "vertex" => vec![kind, "gemini"],
        _ => vec![kind],
    }
}

/// Without a resource path: `models/x`, `publishers/google/models/x`, `arn:…:foundation-model/x`.
fn unhosted<'a>(kind: &str, name: &'a str) -> &'a str {
    match kind {
        "gemini" | "vertex" | "bedrock" => name.rsplit('/').next().unwrap_or(name),
        _ => name,
    }
}

/// Without the region of a Bedrock inference profile: `us.anthropic.x` to `anthropic.x`.
fn unregioned<'a>(kind: &str, name: &'a str) -> Option<&'a str> {
    const REGIONS: [&str; 9] = ["us", "eu", "apac", "global", "jp", "au", "ca", "sa", "us-gov"];
    let (region, rest) = name.split_once('.')?;
    (kind == "bedrock" && REGIONS.contains(&region)).then_some(rest)
}

/// Without its last date or version: `@20250929`, `:0`, `-v1`, `-latest`, `-2024-08-06`, `-20250929`, `-0613`, `-001`.
fn undated(name: &str) -> Option<&str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((head, _)) = name.split_once('@') {
        return Some(head);
    }
    if let Some((head, version)) = name.rsplit_once(':') {
        return digits(version.trim_end_matches('k')).then_some(head);
    }
    let (head, tail) = name.rsplit_once('-')?;
    if tail == "latest" || (digits(tail) && matches!(tail.len(), 3 | 4 | 8)) {
        return Some(head);
    }
    if tail.strip_prefix('v').is_some_and(digits) {
        return Some(head);
    }
    let mut parts = name.rsplitn(4, '-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let dated = digits(day) && day.len() == 2 && digits(month) && month.len() == 2 && digits(year) && year.len() == 4;
    if dated { parts.next() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoration_comes_off_one_layer_at_a_time() {
        let names = candidates("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
        assert_eq!(names[0], "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
        assert_eq!(names[3], "us.anthropic.claude-sonnet-4-5");
        assert_eq!(names[4], "anthropic.claude-sonnet-4-5");
        assert_eq!(candidates("openai", "gpt-4o-2024-08-06")[1], "gpt-4o");
        assert_eq!(candidates("vertex", "claude-sonnet-4-5@20250929")[1], "claude-sonnet-4-5");
        assert_eq!(candidates("gemini", "models/gemini-2.5-pro")[1], "gemini-2.5-pro");
    }

    #[test]
    fn another_model_is_never_tried() {
        assert_eq!(candidates("openai", "gpt-5-pro"), ["gpt-5-pro"]);
        assert_eq!(candidates("openrouter", "x-ai/grok:free"), ["x-ai/grok:free"]);
        assert_eq!(candidates("openai", "gpt-4o-audio-preview"), ["gpt-4o-audio-preview"]);
    }

    #[test]
    fn hostile_names_end() {
        for name in ["", "-", "@", ":", "----", "a-2024-08-06-2024-08-06", "ü-0001", "\u{1F980}"] {
            assert!(candidates("bedrock", name).len() < 10, "{name}");
        }
    }
}
