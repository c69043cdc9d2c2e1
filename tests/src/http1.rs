//! Just enough HTTP/1.1, by hand: the harness must be able to send and to read what a good library refuses.

/// First line and headers of a message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    pub(crate) first_line: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Head {
    /// Takes a whole head off the front of the buffer.
    pub(crate) fn take(buffer: &mut Vec<u8>) -> Option<Self> {
        let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
        buffer.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let first_line = lines.next().unwrap_or_default().to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self { first_line, headers })
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn framing(&self) -> Framing {
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            Framing::Chunked
        } else if let Some(length) = self.header("content-length").and_then(|length| length.parse().ok()) {
            Framing::Length(length)
        } else {
            Framing::UntilClose
        }
    }
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// What one look at the buffer gave.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Bytes of the body.
    Data(Vec<u8>),
    /// The body is whole.
    End,
    /// More bytes are needed.
    Wait,
}

impl Framing {
    /// Takes the next part of a body off the front of the buffer. `Length` counts itself down.
    pub(crate) fn take(&mut self, buffer: &mut Vec<u8>) -> Part {
        match self {
            Self::Length(0) => Part::End,
            _ if buffer.is_empty() => Part::Wait,
            Self::Length(left) => {
                let len = buffer.len().min(*left);
                *left -= len;
                Part::Data(buffer.drain(..len).collect())
            }
            Self::UntilClose => Part::Data(std::mem::take(buffer)),
            Self::Chunked => take_chunk(buffer),
        }
    }
}

fn take_chunk(buffer: &mut Vec<u8>) -> Part {
    let Some(line_end) = buffer.windows(2).position(|window| window == b"\r\n") else { return Part::Wait };
    let size_text = String::from_utf8_lossy(&buffer[..line_end]).into_owned();
    let size = usize::from_str_radix(size_text.split(';').next().unwrap_or_default().trim(), 16)
        .unwrap_or_else(|_| panic!("a chunk size, not {size_text:?}"));
    let data_start = line_end + 2;
    if buffer.len() < data_start + size + 2 {
        return Part::Wait;
    }
    let data: Vec<u8> = buffer[data_start..data_start + size].to_vec();
    buffer.drain(..data_start + size + 2);
    if size == 0 { Part::End } else { Part::Data(data) }
}

/// Bytes as one chunk of a chunked body.
pub(crate) fn chunk(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The end of a chunked body.
pub(crate) const LAST_CHUNK: &[u8] = b"0\r\n\r\n";
