//! Cuts a forwarded stream at the ends of its events. What a client gets is byte for byte what the provider sent, but
//! never half an event: if the provider breaks off in the middle of one, the error the gateway then writes stands on its
//! own, where a client can read it.

use bytes::{Bytes, BytesMut};
use gatehouse_domain::{Code, Fault};
use memchr::memmem;

use crate::dialects::bedrock::frames;
use crate::sse::EVENT_BYTES_MAX;

/// How a stream tells where an event ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events: at an empty line.
    Lines,
    /// AWS event stream: each frame begins with its length.
    Frames,
}

/// Holds an unfinished event back until its end has come.
#[derive(Debug)]
pub(crate) struct WholeEvents {
    framing: Framing,
    held: BytesMut,
}

impl WholeEvents {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, held: BytesMut::new() }
    }

    /// Takes bytes, cut anywhere, and gives back what is whole; usually that is all of them, uncopied.
    ///
    /// # Errors
    /// `UpstreamBroken` for an event longer than any real one.
    pub(crate) fn feed(&mut self, bytes: Bytes) -> Result<Bytes, Fault> {
        if self.held.is_empty() {
            let end = self.end(&bytes, 0)?;
            self.hold(&bytes[end..])?;
            return Ok(bytes.slice(..end));
        }
        // An end of event may lie across the cut, so the last bytes before it are looked at again.
        let from = self.held.len().saturating_sub(3);
        self.hold(&bytes)?;
        let end = self.end(&self.held, from)?;
        Ok(self.held.split_to(end).freeze())
    }

    /// The unfinished event at the end of a stream that ended properly.
    pub(crate) fn rest(&mut self) -> Bytes {
        self.held.split().freeze()
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        if self.held.len() > EVENT_BYTES_MAX {
            return Err(Fault::new(Code::UpstreamBroken, "the provider sent an event without end in a stream"));
        }
        self.held.extend_from_slice(bytes);
        Ok(())
    }

    /// One past the last whole event; lines are searched from `from` on.
    fn end(&self, bytes: &[u8], from: usize) -> Result<usize, Fault> {
        match self.framing {
            Framing::Lines => Ok(last_empty_line(&bytes[from..]).map_or(0, |end| from + end)),
            Framing::Frames => last_frame(bytes),
        }
    }
}

fn last_empty_line(bytes: &[u8]) -> Option<usize> {
    if bytes.ends_with(b"\n\n") || bytes.ends_with(b"\r\n\r\n") {
        return Some(bytes.len());
    }
    let after = |ending: &[u8]| memmem::rfind(bytes, ending).map(|at| at + ending.len());
    after(b"\n\n").max(after(b"\r\n\r\n")).max(after(b"\r\r"))
}

fn last_frame(bytes: &[u8]) -> Result<usize, Fault> {
    let mut at = 0;
    while let Some(length) = frames::declared_length(&bytes[at..])? {
        if length > bytes.len() - at {
            break;
        }
        at += length;
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = "event: a\ndata: 1\n\n: ping\r\n\r\ndata: 2\n\n";

    fn fed(events: &mut WholeEvents, chunk: &[u8]) -> Bytes {
        events.feed(Bytes::copy_from_slice(chunk)).unwrap()
    }

    #[test]
    fn every_byte_passes_wherever_the_stream_is_cut() {
        for cut in 0..=STREAM.len() {
            let mut events = WholeEvents::new(Framing::Lines);
            let first = fed(&mut events, &STREAM.as_bytes()[..cut]);
            let second = fed(&mut events, &STREAM.as_bytes()[cut..]);
            assert_eq!([first, second].concat(), STREAM.as_bytes(), "cut at {cut}");
        }
    }

    #[test]
    fn half_an_event_is_held_back() {
        let mut events = WholeEvents::new(Framing::Lines);
        assert_eq!(&fed(&mut events, b"data: 1\n\ndata: {\"ha")[..], b"data: 1\n\n");
        assert_eq!(&events.rest()[..], b"data: {\"ha");
    }

    #[test]
    fn frames_are_cut_by_their_declared_length() {
        let frame =
            frames::from_jsonl("{\"event\":\"messageStop\",\"payload\":{\"stopReason\":\"end_turn\"}}").unwrap();
        let mut events = WholeEvents::new(Framing::Frames);
        let twice = [&frame[..], &frame[..frame.len() - 1]].concat();
        assert_eq!(&fed(&mut events, &twice)[..], &frame[..]);
        assert_eq!(&fed(&mut events, &frame[frame.len() - 1..])[..], &frame[..]);
    }

    #[test]
    fn an_event_without_end_is_given_up() {
        let mut events = WholeEvents::new(Framing::Lines);
        let block = Bytes::from(vec![b'x'; 1 << 20]);
        assert!((0..20).any(|_| events.feed(block.clone()).is_err()));
    }
}
