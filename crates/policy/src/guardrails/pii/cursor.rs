//! Reading bytes of a text that may not be over.

/// What a parser says when the text ends before it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open;

/// A place in a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    start: usize,
    at: usize,
    last: bool,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize, last: bool) -> Self {
        Self { bytes, start: at, at, last }
    }

    /// The next byte; `None` where the text is over, `Open` where it may go on.
    pub(super) fn peek(&self) -> Result<Option<u8>, Open> {
        match self.bytes.get(self.at) {
            Some(byte) => Ok(Some(*byte)),
            None if self.last => Ok(None),
            None => Err(Open),
        }
    }

    /// Takes the next byte.
    pub(super) fn next(&mut self) -> Result<Option<u8>, Open> {
        let byte = self.peek()?;
        self.at += usize::from(byte.is_some());
        Ok(byte)
    }

    /// Takes the next byte if it is such a one.
    pub(super) fn take_if(&mut self, like: impl Fn(u8) -> bool) -> Result<Option<u8>, Open> {
        match self.peek()? {
            Some(byte) if like(byte) => {
                self.at += 1;
                Ok(Some(byte))
            }
            _ => Ok(None),
        }
    }

    /// Takes bytes of a kind, at most `most`, and returns them.
    pub(super) fn take_while(&mut self, most: usize, like: impl Fn(u8) -> bool) -> Result<&'a [u8], Open> {
        let from = self.at;
        while self.at - from < most && self.take_if(&like)?.is_some() {}
        Ok(&self.bytes[from..self.at])
    }

    /// Whether a word or number ends here: no letter or digit follows.
    pub(super) fn ends(&self) -> Result<bool, Open> {
        Ok(!self.peek()?.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
    }

    /// The place of the next byte.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The byte before the beginning.
    pub(super) fn before(&self) -> Option<u8> {
        self.start.checked_sub(1).map(|at| self.bytes[at])
    }

    /// Whether a separator and a digit stand before the beginning: it is a group of a longer number.
    pub(super) fn continues_a_number(&self) -> bool {
        matches!(self.lead(2), [digit, b' ' | b'-' | b'.'] if digit.is_ascii_digit())
    }

    /// Up to `most` bytes before the beginning.
    pub(super) fn lead(&self, most: usize) -> &'a [u8] {
        &self.bytes[self.start.saturating_sub(most)..self.start]
    }

    /// What was taken so far.
    pub(super) fn taken(&self) -> &'a [u8] {
        &self.bytes[self.start..self.at]
    }
}

/// Whether one of the words begins somewhere in the text, in any case.
pub(super) fn mentions<'w>(text: &[u8], words: impl IntoIterator<Item = &'w str>) -> bool {
    let begins = |at: usize| at == 0 || !text[at - 1].is_ascii_alphanumeric();
    words.into_iter().map(str::as_bytes).any(|word| {
        text.windows(word.len()).enumerate().any(|(at, part)| part.eq_ignore_ascii_case(word) && begins(at))
    })
}
