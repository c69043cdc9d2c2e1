//! `application/x-www-form-urlencoded`, read strictly: a parameter that stands twice is an error (RFC 6749 §3.1), because two
//! readers may take a different one each.

use super::{Oops, Wrong};

/// Parameters of one request at most.
const FIELDS_MAX: usize = 64;
/// Bytes of a request at most.
const BYTES_MAX: usize = 64 << 10;

/// Parameters by name, each once.
#[derive(Clone, Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a body or a query.
    ///
    /// # Errors
    /// [`Wrong::Request`] if it is too long, not UTF-8, has a broken escape or a parameter twice.
    pub fn read(text: &str) -> Result<Self, Oops> {
        let oops = |what: &'static str| Oops::new(Wrong::Request, what);
        if text.len() > BYTES_MAX {
            return Err(oops("the request is longer than 64 KiB"));
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            if fields.len() == FIELDS_MAX {
                return Err(oops("the request has more than 64 parameters"));
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = decode(name).zip(decode(value));
            let (name, value) = decoded.ok_or_else(|| oops("a parameter is not percent-encoded UTF-8"))?;
            if fields.iter().any(|(known, _)| *known == name) {
                return Err(oops("a parameter stands twice"));
            }
            fields.push((name, value));
        }
        Ok(Self(fields))
    }

    /// A parameter; without a value it counts as left out (RFC 6749 §3.1).
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// [`Wrong::Request`] if it is not.
    pub fn need(&self, name: &str) -> Result<&str, Oops> {
        self.get(name).ok_or_else(|| Oops::new(Wrong::Request, format!("the parameter {name} is missing")))
    }
}

/// Percent-decodes a text, `+` for a space.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| u8::try_from(char::from(byte?).to_digit(16)?).ok();
                digit(rest.next())? << 4 | digit(rest.next())?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Percent-encodes everything that is not unreserved (RFC 3986 §2.3).
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Parameters as a query or body.
#[must_use]
pub fn pairs(fields: &[(&str, &str)]) -> String {
    let each: Vec<String> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    each.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_what_is_read() {
        let odd = "a b+c%&=é\n\"";
        let form = Form::read(&pairs(&[("state", odd), ("empty", "")])).unwrap();
        assert_eq!(form.get("state"), Some(odd));
        assert_eq!(form.get("empty"), None, "without a value it counts as left out");
        assert_eq!(Form::read("scope=a+b").unwrap().get("scope"), Some("a b"));
    }

    #[test]
    fn a_parameter_that_stands_twice_is_refused_however_it_is_spelt() {
        for text in ["code=1&code=2", "code=1&c%6Fde=2", "a&a"] {
            assert_eq!(Form::read(text).unwrap_err().wrong, Wrong::Request, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let many: String = (0..65).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        for text in ["a=%", "a=%4", "a=%zz", "a=%ff", &"a".repeat(70_000), &many] {
            assert!(Form::read(text).is_err());
        }
    }
}
