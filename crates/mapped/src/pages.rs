//! The program's own pages: which of them are nothing but a copy of a file, and giving those back.
//!
//! Reading the configuration, building documents and opening the database pass through millions of bytes of code that no
//! call passes again. The pages stay in memory until the system is short of it. Given back, those that are used return
//! one by one, from the system's cache and in microseconds; the others do not.

use std::fs;
use std::num::NonZeroUsize;

use crate::raw::drop_pages;

/// A mapping of the program's own file of which every page is as the file has it, and stays so: private, not writable,
/// nothing of it copied. It is there as long as the process is.
pub(crate) struct Clean {
    start: usize,
    length: NonZeroUsize,
}

impl Clean {
    /// Its address, and how many bytes it has.
    pub(crate) fn span(&self) -> (usize, usize) {
        (self.start, self.length.get())
    }
}

/// Gives back the code and the constants of this process, from where what is in use returns by itself.
///
/// Takes about a millisecond, and costs whoever runs next a few hundred page faults. Where the system does not tell which
/// pages are clean (anything but Linux), nothing happens.
pub fn give_back() {
    let program = fs::read_link("/proc/self/exe").ok().and_then(|path| path.into_os_string().into_string().ok());
    let (Some(program), Ok(listing)) = (program, fs::read_to_string("/proc/self/smaps")) else { return };
    for clean in clean(&listing, &program) {
        drop_pages(&clean);
    }
}

/// The clean mappings of a program in a listing (`proc_pid_smaps(5)`): each is a line
/// `start-end rwxp offset device inode path`, and lines `Name: value` below it.
fn clean(listing: &str, program: &str) -> Vec<Clean> {
    let mut found = Vec::new();
    let mut candidate = None;
    for line in listing.lines() {
        if let Some(mapping) = mapping(line, program) {
            candidate = mapping;
        } else if let Some(copied) = line.strip_prefix("Anonymous:")
            && let Some(clean) = candidate.take()
            && copied.trim() == "0 kB"
        {
            found.push(clean);
        }
    }
    found
}

/// The head of a mapping: `Some(None)` if it is one that may not be given back.
fn mapping(line: &str, program: &str) -> Option<Option<Clean>> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let readable = matches!(words.next()?, "r--p" | "r-xp");
    let ours = line.find('/').is_some_and(|path| &line[path..] == program);
    let length = end.checked_sub(start).and_then(NonZeroUsize::new);
    Some(length.filter(|_| readable && ours).map(|length| Clean { start, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTING: &str = "\
55d0a0000000-55d0a0800000 r--p 00000000 fe:00 4242                       /usr/bin/gatehouse
Size:               8192 kB
Anonymous:             0 kB
55d0a0800000-55d0a2400000 r-xp 00800000 fe:00 4242                       /usr/bin/gatehouse
Anonymous:             0 kB
55d0a2400000-55d0a2500000 r--p 02400000 fe:00 4242                       /usr/bin/gatehouse
Anonymous:           640 kB
55d0a2500000-55d0a2600000 rw-p 02500000 fe:00 4242                       /usr/bin/gatehouse
Anonymous:             0 kB
7f0000000000-7f0000100000 r--s 00000000 fe:00 77                         /var/lib/gatehouse/1.seg
Anonymous:             0 kB
7f0000200000-7f0000300000 r--p 00000000 00:00 0
Anonymous:             0 kB
7f0000400000-7f0000500000 r-xp 00000000 fe:00 78                         /usr/lib/libc.so.6
Anonymous:             0 kB
7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0                          [vdso]
Anonymous:             0 kB
";

    #[test]
    fn only_what_of_the_program_is_private_unwritable_and_as_the_file_has_it_is_given_back() {
        let found: Vec<_> = clean(LISTING, "/usr/bin/gatehouse").iter().map(Clean::span).collect();
        assert_eq!(found, [(0x55d0_a000_0000, 8 << 20), (0x55d0_a080_0000, 28 << 20)]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_program_holds_less_of_itself_then_and_goes_on() {
        // Passed through once, so that it is in memory; the few pages of this very function return at once.
        let held = || {
            let listing = fs::read_to_string("/proc/self/statm").unwrap();
            listing.split(' ').nth(2).and_then(|shared| shared.parse::<u64>().ok()).unwrap()
        };
        let before = held();
        give_back();
        assert!(held() < before, "{before} pages before, {} after", held());
    }
}
