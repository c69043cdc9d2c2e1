//! The allocator, and how it gives memory back.

use std::env;
use std::process::Command;

/// glibc's allocator costs about 15 % of a call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Options of mimalloc. Free pages go back after 20 ms: at once, and calls under load would ask for them again and again; after
/// the usual second, and a burst of streams holds a quarter more. No page given away when it is full: a large block would else be
/// used once and go back, and each body of 64 KB come into memory that has to be asked for page by page.
const OPTIONS: [(&str, &str); 2] = [("MIMALLOC_PURGE_DELAY", "20"), ("MIMALLOC_PAGE_FULL_RETAIN", "-1")];

/// Has free pages given back soon and full ones kept, unless the environment says otherwise.
///
/// mimalloc looks for free pages only when something is freed, so cores ask it to every second (`server/src/cores.rs`). It
/// reads its options from the environment before `main`, hence the program starts itself over with these set: the process
/// stays the same, and a few milliseconds are all it takes.
pub(crate) fn give_pages_back() {
    let unset: Vec<_> = OPTIONS.into_iter().filter(|(name, _)| env::var_os(name).is_none()).collect();
    if !unset.is_empty()
        && let (Ok(program), mut arguments) = (env::current_exe(), env::args_os())
        && let Some(name) = arguments.next()
    {
        start_over(Command::new(program).args(arguments).envs(unset), name);
    }
}

#[cfg(unix)]
fn start_over(program: &mut Command, name: std::ffi::OsString) {
    use std::os::unix::process::CommandExt as _;
    // Returns only if it could not be done; then memory costs more.
    let _not_done = program.arg0(name).exec();
}

#[cfg(not(unix))]
fn start_over(_: &mut Command, _: std::ffi::OsString) {}
