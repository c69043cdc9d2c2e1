//! One journal file: allocated whole, mapped, appended to by one writer while one reader follows.
//!
//! ```text
//! 0        8        16      20      24     28    32
//! | magic  | number | lane  | size  | crc  | pad | record | record | … | zeros
//!                                                 record = length u32, crc32 u32, payload, padding to 8 bytes
//! ```
//!
//! The length is the commit word: it is stored last, with release ordering, over zeros. A process killed in the middle of
//! a record leaves a zero length, at which reading ends; after a power cut, which may keep any subset of pages, the
//! checksum tells. Integers are little-endian.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use gatehouse_mapped::{Appended, Pen};
use rustix::fs::{FallocateFlags, fallocate};

use crate::StoreError;

const MAGIC: &[u8; 8] = b"GHJRNL01";
const HEADER: usize = 32;
const RECORD_HEADER: usize = 8;
/// The lane of segments that hold intents carried over from older segments.
pub(super) const CARRY_LANE: u32 = u32::MAX;
/// A file larger than any this version writes is not read.
const LARGEST: u64 = 64 << 20;

/// A mapped segment.
#[derive(Debug)]
pub(crate) struct Segment {
    number: u64,
    lane: u32,
    file: Arc<Appended>,
    synced: AtomicUsize,
    sealed: AtomicBool,
}

/// The end of a segment that records are appended at. There is one per segment; dropping it seals the segment.
#[derive(Debug)]
pub(crate) struct Tail {
    segment: Arc<Segment>,
    pen: Pen,
}

/// A segment file an earlier process left.
#[derive(Debug)]
pub(crate) struct LeftFile {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    /// Whose it was; `None` if its header says nothing.
    pub(crate) lane: Option<u32>,
}

/// A left file's contents, read into memory.
#[derive(Debug)]
pub(crate) enum LeftSegment {
    /// Everything behind its header: records, then zeros.
    Records(Vec<u8>),
    /// Prepared and never used.
    Blank,
    /// Not a segment of this version.
    Foreign,
}

/// How many bytes of a segment a payload takes.
pub(super) const fn footprint(payload: usize) -> usize {
    (RECORD_HEADER + payload).next_multiple_of(8)
}

/// How many bytes of a segment are for records.
pub(super) const fn capacity(segment_bytes: usize) -> usize {
    segment_bytes - HEADER
}

pub(super) fn path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:016x}.seg"))
}

impl Segment {
    /// Makes a segment of `size` bytes (a multiple of the page size), its blocks allocated.
    pub(super) fn create(dir: &Path, number: u64, lane: u32, size: usize) -> io::Result<Tail> {
        let path = path(dir, number);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let made = allocate(&file, size).and_then(|()| Appended::map(&file, size));
        let mut pen = match made {
            Ok(pen) => pen,
            Err(error) => {
                // A file left behind would be found blank at the next start; this only saves the space now.
                drop(fs::remove_file(&path));
                return Err(error);
            }
        };
        pen.put(0, &header(number, lane, size));
        pen.publish(HEADER);
        let file = Arc::clone(pen.file());
        let segment = Self { number, lane, file, synced: AtomicUsize::new(0), sealed: AtomicBool::new(false) };
        Ok(Tail { segment: Arc::new(segment), pen })
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn lane(&self) -> u32 {
        self.lane
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.file.size() as u64
    }

    /// No record will follow those published by now.
    pub(crate) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// The records published so far.
    pub(crate) fn records(&self) -> &[u8] {
        self.file.published().get(HEADER..).unwrap_or_default()
    }

    /// Waits until what was published by now is on the disk. `true` the first time: then the folder's entry needs a sync of
    /// its own.
    pub(super) fn sync(&self) -> io::Result<bool> {
        let end = self.file.end();
        let from = self.synced.load(Ordering::Relaxed);
        if from >= end {
            return Ok(false);
        }
        self.file.sync(from, end - from)?;
        self.synced.store(end, Ordering::Relaxed);
        Ok(from == 0)
    }

    /// Is there nothing left to sync, for ever?
    pub(super) fn sync_is_done(&self) -> bool {
        // In this order: what was published before the seal is seen after it.
        self.is_sealed() && self.synced.load(Ordering::Relaxed) >= self.file.end()
    }
}

impl Tail {
    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Bytes left for records, their headers and padding.
    pub(super) fn room(&self) -> usize {
        self.pen.room()
    }

    /// Appends a record and publishes it. `false`, and nothing is written, if there is no room for it.
    pub(super) fn append(&mut self, payload: &[u8]) -> bool {
        let size = footprint(payload.len());
        let Ok(length) = u32::try_from(payload.len()) else { return false };
        if payload.is_empty() || size > self.room() {
            return false;
        }
        self.pen.put(4, &crc32fast::hash(payload).to_le_bytes());
        self.pen.put(RECORD_HEADER, payload);
        self.pen.put_word(length);
        self.pen.publish(size);
        true
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.segment.sealed.store(true, Ordering::Release);
    }
}

/// Reserves every block now, so that a full disk is an error here and never a signal at a store. File systems that know no
/// reservation get zeros written instead; those that copy on write (btrfs, ZFS) keep neither promise on a full disk.
fn allocate(file: &File, size: usize) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, size as u64) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
            let zeros = vec![0; size];
            (&*file).write_all(&zeros)
        }
        Err(error) => Err(error.into()),
    }
}

fn header(number: u64, lane: u32, size: usize) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&number.to_le_bytes());
    header[16..20].copy_from_slice(&lane.to_le_bytes());
    header[20..24].copy_from_slice(&u32::try_from(size).unwrap_or(0).to_le_bytes());
    let crc = crc32fast::hash(&header[..24]);
    header[24..28].copy_from_slice(&crc.to_le_bytes());
    header
}

/// The segment files of a folder, oldest first. Other files are left alone.
pub(super) fn list(dir: &Path) -> Result<Vec<LeftFile>, StoreError> {
    let mut left = Vec::new();
    for entry in fs::read_dir(dir).map_err(StoreError::file("read the folder", dir))? {
        let entry = entry.map_err(StoreError::file("read the folder", dir))?;
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".seg"));
        let Some(number) = number.and_then(|digits| u64::from_str_radix(digits, 16).ok()) else { continue };
        let bytes = entry.metadata().map_err(StoreError::file("look at", &entry.path()))?.len();
        let lane = read_lane(&entry.path()).map_err(StoreError::file("read", &entry.path()))?;
        left.push(LeftFile { number, bytes, lane });
    }
    left.sort_unstable_by_key(|left| left.number);
    Ok(left)
}

/// Reads a left file whole; they are small.
pub(super) fn read_left(path: &Path) -> io::Result<LeftSegment> {
    if fs::metadata(path)?.len() > LARGEST {
        return Ok(LeftSegment::Foreign);
    }
    let mut bytes = fs::read(path)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(LeftSegment::Blank);
    }
    if lane(&bytes).is_none() {
        return Ok(LeftSegment::Foreign);
    }
    bytes.drain(..HEADER);
    Ok(LeftSegment::Records(bytes))
}

/// The lane a header names; `None` if it is not a whole header of this version.
fn lane(bytes: &[u8]) -> Option<u32> {
    let head = bytes.first_chunk::<HEADER>()?;
    let whole = &head[..8] == MAGIC && crc32fast::hash(&head[..24]).to_le_bytes() == head[24..28];
    whole.then(|| u32::from_le_bytes([head[16], head[17], head[18], head[19]]))
}

fn read_lane(path: &Path) -> io::Result<Option<u32>> {
    let mut head = Vec::with_capacity(HEADER);
    File::open(path)?.take(HEADER as u64).read_to_end(&mut head)?;
    Ok(lane(&head))
}

/// What stands at the beginning of `bytes`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A whole record's payload, and how many bytes it takes.
    Record(&'a [u8], usize),
    /// Nothing was ever written from here on.
    End,
    /// A record that was being written, or is damaged.
    Torn,
}

/// Takes the next record apart. Never looks beyond `bytes`.
pub(super) fn next(bytes: &[u8]) -> Next<'_> {
    let Some((head, rest)) = bytes.split_first_chunk::<RECORD_HEADER>() else {
        return if bytes.iter().all(|byte| *byte == 0) { Next::End } else { Next::Torn };
    };
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    if length == 0 {
        return if bytes.iter().all(|byte| *byte == 0) { Next::End } else { Next::Torn };
    }
    let payload = usize::try_from(length).ok().and_then(|length| rest.get(..length));
    match payload {
        Some(payload) if crc32fast::hash(payload).to_le_bytes() == head[4..] => {
            Next::Record(payload, footprint(payload.len()).min(bytes.len()))
        }
        _ => Next::Torn,
    }
}
