//! What a server says it wants: the `Bearer` challenge of `WWW-Authenticate` (RFC 9110 §11.6.1, RFC 6750 §3, RFC 9728 §5.1).

use super::Scopes;

/// Bytes of one header that are looked at.
const HEADER_BYTES_MAX: usize = 8 << 10;
/// Headers that are looked at.
const HEADERS_MAX: usize = 8;

/// One `Bearer` challenge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Challenge {
    /// Where the server describes itself.
    pub resource_metadata: Option<String>,
    /// What the request needs.
    pub scope: Option<Scopes>,
    /// `invalid_token`, `insufficient_scope`, …
    pub error: Option<String>,
}

impl Challenge {
    /// The first `Bearer` challenge of the headers. Unreadable ones count as none.
    pub fn find<'a>(headers: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        headers.into_iter().take(HEADERS_MAX).filter(|header| header.len() <= HEADER_BYTES_MAX).find_map(read)
    }

    /// Does it say that the token is good and does not reach far enough?
    #[must_use]
    pub fn wants_more_scope(&self) -> bool {
        self.error.as_deref() == Some("insufficient_scope")
    }
}

fn read(header: &str) -> Option<Challenge> {
    let mut found: Option<Challenge> = None;
    for element in elements(header) {
        let mut parameter = element;
        // `Scheme name=value` begins a challenge; `name=value` goes on with it.
        if let Some((scheme, rest)) = split_scheme(element) {
            if found.is_some() {
                break;
            }
            if scheme.eq_ignore_ascii_case("bearer") {
                found = Some(Challenge::default());
            }
            parameter = rest;
        }
        if let (Some(challenge), Some((name, value))) = (&mut found, split_parameter(parameter)) {
            match &*name.to_ascii_lowercase() {
                "resource_metadata" => challenge.resource_metadata = challenge.resource_metadata.take().or(Some(value)),
                "scope" => challenge.scope = challenge.scope.take().or_else(|| Some(Scopes::read(&value))),
                "error" => challenge.error = challenge.error.take().or(Some(value)),
                _ => {}
            }
        }
    }
    found
}

/// The elements between commas that no quotes hold.
fn elements(header: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    header
        .split(move |letter: char| {
            match letter {
                _ if escaped => escaped = false,
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ',' => return !quoted,
                _ => {}
            }
            false
        })
        .map(str::trim)
        .filter(|element| !element.is_empty())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn split_scheme(element: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = element.split_at(element.find([' ', '\t']).unwrap_or(element.len()));
    let rest = rest.trim_start();
    (is_token(scheme) && !rest.starts_with('=')).then_some((scheme, rest))
}

fn split_parameter(text: &str) -> Option<(&str, String)> {
    let (name, value) = text.split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    if !is_token(name) {
        return None;
    }
    let Some(quoted) = value.strip_prefix('"') else { return is_token(value).then(|| (name, value.to_owned())) };
    let quoted = quoted.strip_suffix('"')?;
    let mut text = String::with_capacity(quoted.len());
    let mut letters = quoted.chars();
    while let Some(letter) = letters.next() {
        text.push(if letter == '\\' { letters.next()? } else { letter });
    }
    Some((name, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(header: &str) -> Option<Challenge> {
        Challenge::find([header])
    }

    #[test]
    fn a_bearer_challenge_says_where_and_what() {
        let found = find(r#"Bearer resource_metadata="https://a.example/m", scope="read write""#).unwrap();
        assert_eq!(found.resource_metadata.as_deref(), Some("https://a.example/m"));
        assert_eq!(found.scope.unwrap().to_string(), "read write");
    }

    #[test]
    fn it_is_found_among_others_and_in_any_spelling() {
        let found = find(r#"Basic realm="a, Bearer x", bEaReR error = insufficient_scope ,scope="s", Digest scope=no"#);
        let found = found.unwrap();
        assert!(found.wants_more_scope());
        assert_eq!(found.scope.unwrap().to_string(), "s");
        assert_eq!(find("Negotiate dG9rZW4="), None);
        assert_eq!(find("Bearer"), Some(Challenge::default()));
    }

    #[test]
    fn quotes_hold_commas_and_escapes() {
        let found =
            find(r#"Bearer error_description="one, \"two\"", resource_metadata="https:\/\/a.example""#).unwrap();
        assert_eq!(found.resource_metadata.as_deref(), Some("https://a.example"));
    }

    #[test]
    fn the_first_of_two_equal_parameters_counts() {
        let found = find(r#"Bearer scope="small", scope="everything""#).unwrap();
        assert_eq!(found.scope.unwrap().to_string(), "small");
    }

    #[test]
    fn garbage_is_no_challenge_and_no_panic() {
        for header in ["", ",,,", "\"", "Bearer \"", "Bearer x=\"\\", "=,=", "Bearer =\"a\"", &"Bearer ".repeat(9000)] {
            assert!(find(header).is_none_or(|found| found == Challenge::default()), "{header:.40}");
        }
    }
}
