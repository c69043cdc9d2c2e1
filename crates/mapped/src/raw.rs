//! The only unsafe code of the project. Each block says why it is sound; what it relies on is kept by the types of this file.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use rustix::mm::Advice;

use crate::pages::Clean;

/// A file mapped whole, which grows by appends: bytes below the published end never change again, and one [`Pen`] writes
/// behind it. Shared.
#[derive(Debug)]
pub struct Appended {
    map: MmapRaw,
    published: AtomicUsize,
}

/// What writes behind the published end of a file. There is one for each.
#[derive(Debug)]
pub struct Pen {
    file: Arc<Appended>,
    /// The published end.
    at: usize,
}

impl Appended {
    /// Maps the first `size` bytes of a file (a multiple of the page size), none of them published yet.
    ///
    /// The file's blocks must have been allocated, and nobody else may write to it or cut it while it is mapped: a store to a
    /// block that cannot be had, or behind the end, ends the process with a signal.
    ///
    /// # Errors
    /// The system's, if it does not map.
    pub fn map(file: &File, size: usize) -> io::Result<Pen> {
        let map = MmapOptions::new().len(size).map_raw(file)?;
        Ok(Pen { file: Arc::new(Self { map, published: AtomicUsize::new(0) }), at: 0 })
    }

    /// How many bytes there are, published or not.
    #[must_use]
    pub fn size(&self) -> usize {
        self.map.len()
    }

    /// How many of them are published.
    #[must_use]
    pub fn end(&self) -> usize {
        self.published.load(Ordering::Acquire)
    }

    /// What has been published so far.
    #[must_use]
    #[expect(unsafe_code, reason = "a view of mapped bytes that nobody writes to any more")]
    pub fn published(&self) -> &[u8] {
        let end = self.end().min(self.map.len());
        // SAFETY: the mapping is at least `end` bytes long and lives as long as `self`. Bytes below `published` were written
        // before the release store that this acquire load has seen, and the only writer, `Pen`, writes from `published` on.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr(), end) }
    }

    /// Waits until these bytes are on the disk.
    ///
    /// # Errors
    /// The system's.
    pub fn sync(&self, from: usize, length: usize) -> io::Result<()> {
        self.map.flush_range(from, length)
    }
}

impl Pen {
    /// The file it writes to.
    #[must_use]
    pub fn file(&self) -> &Arc<Appended> {
        &self.file
    }

    /// How many bytes are left behind the published end.
    #[must_use]
    pub fn room(&self) -> usize {
        self.file.map.len() - self.at
    }

    /// Writes `ahead` bytes behind the published end. What does not fit is not written.
    #[expect(unsafe_code, reason = "a store into the mapping, for which there is no safe view while others read")]
    pub fn put(&mut self, ahead: usize, bytes: &[u8]) {
        if ahead.checked_add(bytes.len()).is_none_or(|end| end > self.room()) {
            return;
        }
        // SAFETY: the bytes written are inside the mapping and not below `self.at`, which is `published`, so no reader looks
        // at them. `Pen` is the only writer: `map` makes one per mapping, it is not `Clone`, and `&mut self` keeps it to one
        // thread at a time. That the file has its blocks is what `map` asks for.
        unsafe {
            let to = self.file.map.as_mut_ptr().add(self.at + ahead);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len());
        }
    }

    /// Stores a word at the published end, after everything that [`Self::put`] has written and in one piece: whoever maps the
    /// file after this process was killed finds the word only with all that. Nothing is stored at an end that is no multiple
    /// of four.
    #[expect(unsafe_code, reason = "the word must be one atomic store")]
    pub fn put_word(&mut self, word: u32) {
        if self.room() < size_of::<u32>() || !self.at.is_multiple_of(align_of::<AtomicU32>()) {
            return;
        }
        // SAFETY: a word fits at `self.at`, which is a multiple of four, and mappings begin at pages, so it is aligned; nobody
        // else reads or writes it, see `put`.
        let place = unsafe { AtomicU32::from_ptr(self.file.map.as_mut_ptr().add(self.at).cast()) };
        place.store(word.to_le(), Ordering::Release);
    }

    /// Publishes this many more bytes, at most all there are.
    pub fn publish(&mut self, bytes: usize) {
        self.at += bytes.min(self.room());
        self.file.published.store(self.at, Ordering::Release);
    }
}

/// Takes pages out of memory until they are used again.
#[expect(unsafe_code, reason = "there is no safe door to madvise")]
pub(crate) fn drop_pages(clean: &Clean) -> bool {
    let (start, length) = clean.span();
    // SAFETY: `MADV_DONTNEED` has the next access find what the mapped file holds. `Clean` is a private mapping of a file that
    // cannot be written to and of which the system says that no page differs from the file, so that is what stands there now.
    // It is the program itself, which is never unmapped: nothing else can have come to its address since the system was asked.
    unsafe { rustix::mm::madvise(std::ptr::without_provenance_mut(start), length, Advice::LinuxDontNeed).is_ok() }
}

/// Has the allocator give back what it holds free: what has been free for a while, or `all` of it, which takes longer. It sees
/// the heap of the calling thread and what no thread owns.
#[expect(unsafe_code, reason = "there is no safe door to mimalloc's own functions")]
pub fn collect(all: bool) {
    // SAFETY: callable at any time and from any thread, says mimalloc's documentation; a program with another allocator has
    // empty heaps there.
    unsafe { libmimalloc_sys::mi_collect(all) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: usize = 4096;

    fn pen() -> Pen {
        let file = tempfile::tempfile().unwrap();
        file.set_len(SIZE as u64).unwrap();
        Appended::map(&file, SIZE).unwrap()
    }

    #[test]
    fn readers_see_what_is_published_and_nothing_behind_it() {
        let mut pen = pen();
        pen.put(4, b"payload!");
        pen.put_word(8);
        assert_eq!(pen.file().published(), b"");
        pen.publish(12);
        assert_eq!(pen.file().published(), b"\x08\0\0\0payload!");
        pen.put(0, b"next");
        assert_eq!(pen.file().end(), 12);
    }

    #[test]
    fn nothing_is_written_that_does_not_fit() {
        let mut pen = pen();
        pen.publish(SIZE - 2);
        pen.put(0, b"abc");
        pen.put(usize::MAX, b"a");
        pen.put_word(7);
        pen.publish(usize::MAX);
        assert_eq!(pen.file().published(), [0; SIZE]);
        assert_eq!(pen.room(), 0);
    }
}
