//! Walks `golden/`: every translation between every pair of dialects, pinned as files (see `golden/README.md`).
//!
//! `UPDATE_GOLDEN=1` rewrites the outputs in place of comparing them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gatehouse_domain::{Code, Fault};
use gatehouse_llm_gateway::dialects::{Dialect, Listener, Quirks, Speaker, ThinkingStyle, UpstreamError, all, bedrock};
use gatehouse_llm_gateway::form::{Ask, Dropped, Event, Issuer};

type Outputs = BTreeMap<String, Vec<u8>>;

#[test]
fn requests_translate_as_pinned() {
    walk("requests", |case| {
        let ask = (case.dialect.read_ask)(&case.input).map_err(|fault| format!("{fault} at {:?}", fault.param))?;
        let mut outputs = Outputs::new();
        for dialect in all().iter().filter(|dialect| dialect.name != case.dialect.name) {
            let mut dropped = Dropped::default();
            let body = (dialect.write_ask)(&ask, &speaker(dialect, &ask), &mut dropped).map_err(|f| f.to_string())?;
            outputs.insert(format!("out.{}.json", dialect.name), pretty(&body)?);
            if !dropped.is_empty() {
                outputs.insert(format!("dropped.{}.txt", dialect.name), (dropped.names().join("\n") + "\n").into());
            }
        }
        Ok(outputs)
    });
}

#[test]
fn answers_translate_as_pinned() {
    walk("answers", |case| {
        let answer = (case.dialect.read_answer)(&case.input).map_err(|fault| fault.to_string())?;
        let listener = listener(case.dialect);
        all()
            .iter()
            .map(|dialect| {
                let body = pretty(&(dialect.write_answer)(&answer, &listener))?;
                Ok((format!("out.{}.json", dialect.name), body))
            })
            .collect()
    });
}

#[test]
fn streams_translate_as_pinned_however_they_are_cut() {
    walk("streams", |case| {
        let wire = to_wire(case.dialect, &case.input)?;
        let whole = decode(case.dialect, &[&wire]);
        for cut in 1..wire.len() {
            let (head, tail) = wire.split_at(cut);
            if decode(case.dialect, &[head, tail]) != whole {
                return Err(format!("cut at byte {cut}, it reads differently"));
            }
        }
        if decode(case.dialect, &wire.chunks(1).collect::<Vec<_>>()) != whole {
            return Err("byte by byte, it reads differently".to_owned());
        }
        in_order(&whole.0)?;
        let listener = listener(case.dialect);
        all()
            .iter()
            .map(|dialect| {
                let mut encoder = (dialect.encoder)(&listener);
                let mut out = Vec::new();
                for event in &whole.0 {
                    encoder.event(event, &mut out);
                }
                // A stream that was cut short is told to the client as the gateway would.
                if let Some(fault) = &whole.1 {
                    encoder.event(&Event::Failed(fault.clone()), &mut out);
                }
                Ok((format!("out.{}", stream_suffix(dialect)), from_wire(dialect, out)?))
            })
            .collect()
    });
}

#[test]
fn errors_translate_as_pinned() {
    walk("errors", |case| {
        let status = case.status.ok_or("its name has no status")?;
        let error = (case.dialect.read_error)(status, &case.input);
        let fault = fault_of(status, error);
        all()
            .iter()
            .map(|dialect| Ok((format!("out.{}.json", dialect.name), pretty(&(dialect.write_error)(&fault))?)))
            .collect()
    });
}

/// One folder of a group.
struct Case {
    dialect: &'static Dialect,
    status: Option<u16>,
    input: Vec<u8>,
}

/// Runs `translate` on each case of a group and compares, or writes, what comes out.
fn walk(group: &str, translate: impl Fn(&Case) -> Result<Outputs, String>) {
    let update = std::env::var_os("UPDATE_GOLDEN").is_some();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(group);
    let mut complaints = Vec::new();
    let mut cases = 0;
    for folder in folders(&root) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(case) = read_case(&folder) else { continue };
        cases += 1;
        match translate(&case) {
            Err(complaint) => complaints.push(format!("{group}/{name}: {complaint}")),
            Ok(outputs) if update => complaints.extend(write_outputs(&folder, &outputs).err()),
            Ok(outputs) => complaints.extend(compare(&folder, &outputs).map(|what| format!("{group}/{name}/{what}"))),
        }
    }
    assert!(complaints.is_empty(), "{} of {cases} cases:\n{}", complaints.len(), complaints.join("\n"));
    assert!(cases > 0, "golden/{group} holds no case");
}

fn folders(root: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    folders
}

/// `in.<dialect>.<rest>`; `None` for a dialect that is not built in.
fn read_case(folder: &Path) -> Option<Case> {
    let inputs: Vec<_> = files(folder).into_iter().filter(|name| name.starts_with("in.")).collect();
    assert_eq!(inputs.len(), 1, "{} needs exactly one input", folder.display());
    let mut pieces = inputs[0].split('.').skip(1);
    let name = pieces.next().unwrap_or_default();
    let status = pieces.next().and_then(|status| status.parse().ok());
    let dialect = all().iter().find(|dialect| dialect.name == name)?;
    Some(Case { dialect, status, input: fs::read(folder.join(&inputs[0])).unwrap_or_default() })
}

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn is_output(name: &str) -> bool {
    name.starts_with("out.") || name.starts_with("dropped.")
}

fn write_outputs(folder: &Path, outputs: &Outputs) -> Result<(), String> {
    for stale in files(folder).iter().filter(|name| is_output(name) && !outputs.contains_key(*name)) {
        fs::remove_file(folder.join(stale)).map_err(|error| format!("{stale}: {error}"))?;
    }
    for (name, bytes) in outputs {
        fs::write(folder.join(name), bytes).map_err(|error| format!("{name}: {error}"))?;
    }
    Ok(())
}

fn compare(folder: &Path, outputs: &Outputs) -> impl Iterator<Item = String> {
    let stale = files(folder).into_iter().filter(|name| is_output(name) && !outputs.contains_key(name));
    let stale = stale.map(|name| format!("{name} is no longer made")).collect::<Vec<_>>();
    let changed = outputs.iter().filter_map(|(name, bytes)| {
        let pinned = fs::read(folder.join(name)).unwrap_or_default();
        (pinned != *bytes).then(|| format!("{name}: {}", first_difference(&pinned, bytes)))
    });
    stale.into_iter().chain(changed.collect::<Vec<_>>())
}

fn first_difference(pinned: &[u8], made: &[u8]) -> String {
    let (pinned, made) = (String::from_utf8_lossy(pinned), String::from_utf8_lossy(made));
    let line = pinned.lines().zip(made.lines()).take_while(|(pinned, made)| pinned == made).count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(nothing)").to_owned();
    format!("line {}\n  pinned: {}\n  made:   {}", line + 1, at(&pinned), at(&made))
}

/// JSON with one field a line, in the order it was written, numbers as they were written.
fn pretty(body: &[u8]) -> Result<Vec<u8>, String> {
    serde_json::from_slice::<&serde_json::value::RawValue>(body).map_err(|error| format!("not JSON: {error}"))?;
    let mut out = Vec::with_capacity(body.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut bytes = body.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if in_string {
            out.push(byte);
            in_string = escaped || byte != b'"';
            escaped = byte == b'\\' && !escaped;
            continue;
        }
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => {}
            b'{' | b'[' => {
                out.push(byte);
                while bytes.next_if(u8::is_ascii_whitespace).is_some() {}
                if let Some(close) = bytes.next_if(|next| *next == byte + 2) {
                    out.push(close);
                } else {
                    depth += 1;
                    new_line(&mut out, depth);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                new_line(&mut out, depth);
                out.push(byte);
            }
            b',' => {
                out.push(byte);
                new_line(&mut out, depth);
            }
            b':' => out.extend_from_slice(b": "),
            _ => {
                in_string = byte == b'"';
                out.push(byte);
            }
        }
    }
    out.push(b'\n');
    Ok(out)
}

fn new_line(out: &mut Vec<u8>, depth: usize) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

/// Decodes a stream given in these pieces: its events, and the fault if it could not be read to its end.
fn decode(dialect: &Dialect, pieces: &[&[u8]]) -> (Vec<Event>, Option<Fault>) {
    let mut decoder = (dialect.decoder)();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(fault) = decoder.feed(piece, &mut events) {
            return (events, Some(fault));
        }
    }
    let fault = decoder.end(&mut events).err();
    (events, fault)
}

/// What `form::Event` promises about the order of events.
fn in_order(events: &[Event]) -> Result<(), String> {
    let mut open = BTreeSet::new();
    let mut stopped = BTreeSet::new();
    let mut started = false;
    for (at, event) in events.iter().enumerate() {
        let last = at + 1 == events.len();
        let fine = match event {
            Event::Start { .. } => !std::mem::replace(&mut started, true),
            Event::Open { choice, .. } => started && !stopped.contains(choice) && open.insert(*choice),
            Event::Delta { choice, .. } => open.contains(choice),
            Event::Close { choice } => open.remove(choice),
            Event::Stop { choice, .. } => !open.contains(choice) && stopped.insert(*choice),
            Event::Usage(_) => started,
            Event::Ping => true,
            Event::End => last && open.is_empty() && !stopped.is_empty(),
            Event::Failed(_) => last,
        };
        if !fine {
            return Err(format!("event {at} is out of order: {event:?}"));
        }
    }
    Ok(())
}

fn stream_suffix(dialect: &Dialect) -> String {
    format!("{}.{}", dialect.name, if dialect.name == "bedrock" { "jsonl" } else { "sse" })
}

/// Dialects whose streams are binary: name, golden file to wire, wire to golden file.
const BINARY: &[(&str, FromGolden, ToGolden)] = &[("bedrock", bedrock::frames::from_jsonl, bedrock::frames::to_jsonl)];

type FromGolden = fn(&str) -> Result<Vec<u8>, Fault>;
type ToGolden = fn(&[u8]) -> Result<String, Fault>;

/// A golden stream as it comes over the wire.
fn to_wire(dialect: &Dialect, golden: &[u8]) -> Result<Vec<u8>, String> {
    match BINARY.iter().find(|(name, ..)| *name == dialect.name) {
        Some((_, from_golden, _)) => from_golden(&String::from_utf8_lossy(golden)).map_err(|fault| fault.to_string()),
        None => Ok(golden.to_vec()),
    }
}

/// A stream as golden files hold it.
fn from_wire(dialect: &Dialect, wire: Vec<u8>) -> Result<Vec<u8>, String> {
    match BINARY.iter().find(|(name, ..)| *name == dialect.name) {
        Some((.., to_golden)) => to_golden(&wire).map(String::into_bytes).map_err(|fault| fault.to_string()),
        None => Ok(wire),
    }
}

/// Whose models a dialect's owner serves.
fn issuer(dialect: &Dialect) -> Issuer {
    match dialect.name {
        "openai_chat" | "openai_responses" => Issuer::OpenAi,
        "anthropic" | "bedrock" => Issuer::Anthropic,
        "gemini" => Issuer::Google,
        _ => Issuer::Other,
    }
}

fn speaker<'a>(dialect: &Dialect, ask: &Ask) -> Speaker<'a> {
    Speaker {
        model: "target-model",
        stream: ask.stream,
        issuer: issuer(dialect),
        default_output_cap: 4096,
        thinking: ThinkingStyle::Unknown,
        quirks: Quirks::default(),
    }
}

fn listener(upstream: &Dialect) -> Listener {
    Listener {
        ask: Arc::new(Ask { model: "client-model".to_owned(), stream_usage: true, ..Ask::default() }),
        id: "0193a1b2c3d47e5f8a9b0c1d2e3f4a00".to_owned(),
        created: 1_763_800_000,
        issuer: issuer(upstream),
        input_estimate: 11,
    }
}

/// The fault the gateway makes of an upstream's error, as far as these files need it.
fn fault_of(status: u16, error: UpstreamError) -> Fault {
    let code = match status {
        401 | 403 => Code::UpstreamCredentials,
        429 => Code::UpstreamLimited,
        503 | 529 => Code::UpstreamOverloaded,
        400..500 => Code::UpstreamRejected,
        _ => Code::UpstreamBroken,
    };
    let mut fault = Fault::new(code, error.message);
    fault.param = error.param;
    fault.upstream_type = error.kind.or(error.code);
    fault
}
