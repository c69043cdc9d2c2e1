//! Small pages without scripts: the frame around each, and how texts get into it.

use std::fmt::Write as _;

/// A page: title and what stands under it, as HTML. Texts must have gone through [`escape`].
#[must_use]
pub fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title} - Gatehouse</title>\
         <style>{STYLE}</style></head><body><main><h1>{title}</h1>{body}</main></body></html>\n"
    )
}

/// What a browser may do with a page: show it, in no frame, and send its form here, from where the answer may lead to
/// `redirect` (browsers hold the redirect after a form against the same list).
#[must_use]
pub fn policy(redirect: Option<&str>) -> String {
    let target = redirect.map(form_target).unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'{target}; frame-ancestors 'none'; base-uri 'none'"
    )
}

/// A text as HTML shows it, in an element or in a quoted attribute.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => {
                // Infallible: a String takes everything.
                _ = write!(out, "&#{};", 0xfffd);
            }
            c => out.push(c),
        }
    }
    out
}

/// Scheme and host of an address as a source of a policy; the scheme alone for apps.
fn form_target(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once(':') else { return String::new() };
    let host: String =
        rest.strip_prefix("//").unwrap_or_default().chars().take_while(|c| !"/?#".contains(*c)).collect();
    let sound = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.:[]".contains(&byte));
    match scheme {
        "http" | "https" if sound(&host) => format!(" {scheme}://{host}"),
        _ if sound(scheme) => format!(" {scheme}:"),
        _ => String::new(),
    }
}

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;margin:0;color:#1b1f24;background:#f6f7f9}\
main{margin:3rem auto;max-width:30rem;padding:1.5rem 2rem;background:#fff;border:1px solid #d0d7de;border-radius:.5rem}\
h1{font-size:1.4rem;margin:.2rem 0 1rem}dl{margin:1rem 0}dt{font-weight:600}dd{margin:0 0 .6rem;overflow-wrap:anywhere}\
label{display:block;font-weight:600;margin:1rem 0 .3rem}input{font:inherit;width:100%;box-sizing:border-box;padding:.5rem}\
button,.button{font:inherit;display:inline-block;margin:1rem .5rem 0 0;padding:.5rem 1rem;border-radius:.3rem;\
border:1px solid #57606a;background:#fff;color:inherit;text-decoration:none;cursor:pointer}\
.main{background:#0b5fbd;border-color:#0b5fbd;color:#fff}:focus-visible{outline:3px solid #f2a100;outline-offset:2px}\
.warn{border-left:4px solid #b35900;padding:.1rem .8rem;background:#fff6e9}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_a_text() {
        assert_eq!(escape("<b a=\"x\" c='y'>&\n"), "&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;&#65533;");
        assert!(page("<script>", "").contains("<h1>&lt;script&gt;</h1>"));
    }

    #[test]
    fn the_policy_names_where_the_answer_leads_and_nothing_else() {
        for (uri, expected) in [
            ("https://app.example.com/cb?x=1", "form-action 'self' https://app.example.com;"),
            ("http://127.0.0.1:3000/cb", "form-action 'self' http://127.0.0.1:3000;"),
            ("cursor://x/cb", "form-action 'self' cursor:;"),
            ("https://a;b/cb", "form-action 'self' https:;"),
        ] {
            assert!(policy(Some(uri)).contains(expected), "{uri}: {}", policy(Some(uri)));
        }
        assert!(policy(None).contains("form-action 'self';") && policy(None).contains("frame-ancestors 'none'"));
    }
}
