//! Writes one flat JSON object into a buffer that is used again. A line per call is the dearest thing the control plane
//! does, and a general serializer spends most of its time on names and strings that need no escaping.

/// Decimals of microseconds shown as milliseconds.
const MILLI_DECIMALS: u32 = 3;
/// Decimals of nano-dollars shown as dollars.
const NANO_DECIMALS: u32 = 9;

/// An object under way. Names are the program's own words and are written as they are.
pub(crate) struct JsonLine<'b> {
    out: &'b mut Vec<u8>,
    any: bool,
}

impl<'b> JsonLine<'b> {
    /// Opens an object at the end of the buffer.
    pub(crate) fn open(out: &'b mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, any: false }
    }

    /// Closes it.
    pub(crate) fn close(self) {
        self.out.push(b'}');
    }

    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.out.reserve(name.len() + 4);
        if std::mem::replace(&mut self.any, true) {
            self.out.push(b',');
        }
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// Members written before, by a line like this one: what stood between two [`mark`](Self::mark)s, the first of which
    /// was not at the beginning of an object.
    pub(crate) fn again(&mut self, members: &[u8]) {
        self.out.extend_from_slice(members);
    }

    /// How much is written.
    pub(crate) fn mark(&self) -> usize {
        self.out.len()
    }

    /// What is written since a mark.
    pub(crate) fn since(&self, mark: usize) -> &[u8] {
        self.out.get(mark..).unwrap_or_default()
    }

    /// A text from outside, escaped where it must be.
    pub(crate) fn text(&mut self, name: &'static str, text: &str) {
        let out = self.name(name);
        let plain = text.bytes().fold(true, |plain, byte| plain & (byte >= 0x20) & (byte != b'"') & (byte != b'\\'));
        if plain {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        } else {
            // Writing a text to memory does not fail.
            drop(serde_json::to_writer(out, text));
        }
    }

    /// A text, if there is one.
    pub(crate) fn some_text(&mut self, name: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// Anything else, by the serializer: what few lines have.
    pub(crate) fn value(&mut self, name: &'static str, value: &impl serde::Serialize) {
        // Writing to memory does not fail.
        drop(serde_json::to_writer(self.name(name), value));
    }

    /// A whole number.
    pub(crate) fn number(&mut self, name: &'static str, number: u64) {
        push_number(self.name(name), number, 1);
    }

    /// Microseconds as milliseconds.
    pub(crate) fn millis(&mut self, name: &'static str, us: u64) {
        push_decimal(self.name(name), us, MILLI_DECIMALS);
    }

    /// Nano-dollars as dollars.
    pub(crate) fn dollars(&mut self, name: &'static str, nano_usd: i64) {
        let out = self.name(name);
        if nano_usd < 0 {
            out.push(b'-');
        }
        push_decimal(out, nano_usd.unsigned_abs(), NANO_DECIMALS);
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, name: &'static str, flag: bool) {
        self.name(name).extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// A moment: its text up to the second, and its milliseconds.
    pub(crate) fn moment(&mut self, name: &'static str, second: &str, millis: u64) {
        let out = self.name(name);
        out.push(b'"');
        out.extend_from_slice(second.as_bytes());
        if millis > 0 {
            out.push(b'.');
            push_fraction(out, millis, MILLI_DECIMALS, 0);
        }
        out.extend_from_slice(b"Z\"");
    }

    /// The bytes of a number as hexadecimal digits.
    pub(crate) fn hex<const BYTES: usize>(&mut self, name: &'static str, number: [u8; BYTES]) {
        let out = self.name(name);
        let digit = |half: u8| b"0123456789abcdef"[usize::from(half & 0xf)];
        let pairs = number.map(|byte| [digit(byte >> 4), digit(byte)]);
        out.push(b'"');
        out.extend_from_slice(pairs.as_flattened());
        out.push(b'"');
    }

    /// An object in the object.
    pub(crate) fn object(&mut self, name: &'static str, members: impl FnOnce(&mut JsonLine<'_>)) {
        let mut inner = JsonLine::open(self.name(name));
        members(&mut inner);
        inner.close();
    }
}

/// A number with at least so many digits.
fn push_number(out: &mut Vec<u8>, mut number: u64, digits_min: usize) {
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while number >= 10 {
        at -= 2;
        let pair = (number % 100) as u8;
        digits[at..at + 2].copy_from_slice(&[b'0' + pair / 10, b'0' + pair % 10]);
        number /= 100;
    }
    if number > 0 {
        at -= 1;
        digits[at] = b'0' + number as u8;
    }
    out.extend_from_slice(&digits[at.min(digits.len() - digits_min)..]);
}

/// A number of units, each `10^-decimals`, with no more decimals than it needs and at least one.
fn push_decimal(out: &mut Vec<u8>, units: u64, decimals: u32) {
    let one = 10_u64.pow(decimals);
    push_number(out, units / one, 1);
    out.push(b'.');
    push_fraction(out, units % one, decimals, 1);
}

/// The digits behind a point without the zeros at their end, but so many at least.
fn push_fraction(out: &mut Vec<u8>, units: u64, decimals: u32, digits_min: usize) {
    push_number(out, units, decimals as usize);
    let zeros = out.iter().rev().take(decimals as usize - digits_min).take_while(|digit| **digit == b'0').count();
    out.truncate(out.len() - zeros);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut JsonLine<'_>)) -> String {
        let mut out = Vec::new();
        let mut line = JsonLine::open(&mut out);
        write(&mut line);
        line.close();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_the_shortest_that_say_it() {
        for (us, text) in [(0, "0.0"), (1, "0.001"), (120, "0.12"), (1_000, "1.0"), (512_345, "512.345")] {
            assert_eq!(written(|line| line.millis("a", us)), format!("{{\"a\":{text}}}"));
        }
        for (nano, text) in [(0, "0.0"), (123_400, "0.0001234"), (-2_000_000_000, "-2.0"), (1, "0.000000001")] {
            assert_eq!(written(|line| line.dollars("a", nano)), format!("{{\"a\":{text}}}"));
        }
        assert_eq!(written(|line| line.number("a", 0)), r#"{"a":0}"#);
        assert_eq!(written(|line| line.number("a", u64::MAX)), format!("{{\"a\":{}}}", u64::MAX));
    }

    #[test]
    fn texts_are_escaped_as_serde_escapes_them() {
        for text in ["", "plain ü", "a\"b", "back\\slash", "line\nend\u{1}"] {
            let value = serde_json::to_string(text).unwrap();
            assert_eq!(written(|line| line.text("a", text)), format!("{{\"a\":{value}}}"));
        }
    }

    #[test]
    fn members_are_told_apart() {
        let text = written(|line| {
            line.flag("a", true);
            line.some_text("none", None);
            line.hex("b", [0x0a, 0xff]);
            line.object("c", |inner| inner.number("d", 7));
        });
        assert_eq!(text, r#"{"a":true,"b":"0aff","c":{"d":7}}"#);
    }
}
