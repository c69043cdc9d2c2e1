//! Writes one flat JSON object into a buffer that is used again. A line per call is the dearest thing the control plane
//! does, and a general serializer spends most of its time on names and strings that need no escaping.
//!
//! What writes a member is compiled into where its name stands: a text of known length is stored, not copied by a call.

/// Decimals of microseconds shown as milliseconds.
const MILLI_DECIMALS: usize = 3;
/// Decimals of nano-dollars shown as dollars.
const NANO_DECIMALS: usize = 9;

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

    #[inline(always)]
    fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.out.extend_from_slice(if std::mem::replace(&mut self.any, true) { b",\"" } else { b"\"" });
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
    #[inline(always)]
    pub(crate) fn number(&mut self, name: &'static str, number: u64) {
        push_number(self.name(name), number);
    }

    /// Microseconds as milliseconds.
    #[inline(always)]
    pub(crate) fn millis(&mut self, name: &'static str, us: u64) {
        push_decimal::<MILLI_DECIMALS>(self.name(name), us);
    }

    /// Nano-dollars as dollars.
    #[inline(always)]
    pub(crate) fn dollars(&mut self, name: &'static str, nano_usd: i64) {
        let out = self.name(name);
        if nano_usd < 0 {
            out.push(b'-');
        }
        push_decimal::<NANO_DECIMALS>(out, nano_usd.unsigned_abs());
    }

    /// `true` or `false`.
    #[inline(always)]
    pub(crate) fn flag(&mut self, name: &'static str, flag: bool) {
        self.name(name).extend_from_slice(if flag { b"true" } else { b"false" });
    }

    /// A moment: its text up to the second, and its milliseconds.
    #[inline(always)]
    pub(crate) fn moment(&mut self, name: &'static str, second: &str, millis: u64) {
        let out = self.name(name);
        out.push(b'"');
        out.extend_from_slice(second.as_bytes());
        if millis > 0 {
            out.push(b'.');
            push_fraction::<MILLI_DECIMALS>(out, millis, 0);
        }
        out.extend_from_slice(b"Z\"");
    }

    /// Numbers one after the other as hexadecimal digits, eight each.
    #[inline(always)]
    pub(crate) fn hex<const WORDS: usize>(&mut self, name: &'static str, words: [u32; WORDS]) {
        let out = self.name(name);
        out.push(b'"');
        out.extend_from_slice(words.map(hex_digits).as_flattened());
        out.push(b'"');
    }

    /// An object in the object.
    #[inline(always)]
    pub(crate) fn object(&mut self, name: &'static str, members: impl FnOnce(&mut JsonLine<'_>)) {
        let mut inner = JsonLine::open(self.name(name));
        members(&mut inner);
        inner.close();
    }
}

/// The digits of a number, all eight at once: each byte of a word becomes one.
fn hex_digits(number: u32) -> [u8; 8] {
    let spread = |bits: u64, low: u64, by: u32| (bits & low) | (bits & !low) << by;
    let halves = spread(number.into(), 0xFFFF, 16);
    let bytes = spread(halves, 0x0000_00FF_0000_00FF, 8);
    let digits = spread(bytes, 0x000F_000F_000F_000F, 4);
    let letters = ((digits + 0x0606_0606_0606_0606) >> 4) & 0x0101_0101_0101_0101;
    (digits + 0x3030_3030_3030_3030 + letters * u64::from(b'a' - b'0' - 10)).to_be_bytes()
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    if number < 10 {
        return out.push(b'0' + number as u8);
    }
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
    out.extend_from_slice(&digits[at..]);
}

/// A number of units, each `10^-DECIMALS`, with no more decimals than it needs and at least one.
fn push_decimal<const DECIMALS: usize>(out: &mut Vec<u8>, units: u64) {
    let one = const { 10_u64.pow(DECIMALS as u32) };
    push_number(out, units / one);
    out.push(b'.');
    push_fraction::<DECIMALS>(out, units % one, 1);
}

/// The digits behind a point without the zeros at their end, but so many at least.
fn push_fraction<const DECIMALS: usize>(out: &mut Vec<u8>, mut units: u64, digits_min: usize) {
    let mut digits = [b'0'; DECIMALS];
    for digit in digits.iter_mut().rev() {
        *digit += (units % 10) as u8;
        units /= 10;
    }
    let end = digits.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
    out.extend_from_slice(&digits[..end.max(digits_min)]);
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
            line.hex("b", [0x0a90_f0ff, 0x1234_abcd]);
            line.object("c", |inner| inner.number("d", 7));
        });
        assert_eq!(text, r#"{"a":true,"b":"0a90f0ff1234abcd","c":{"d":7}}"#);
    }
}
