//! The allocator, and how it gives memory back.

use std::env;
use std::process::Command;

/// glibc's allocator costs about 15 % of a call.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// mimalloc's option: milliseconds until a freed page goes back to the system.
const PURGE_DELAY: &str = "MIMALLOC_PURGE_DELAY";

/// Has freed pages given back at once, unless the environment says otherwise.
///
/// With its usual delay mimalloc gives pages back when some later page is freed, so that a gateway which is idle after load
/// keeps what the load took. It reads its options from the environment before `main`, hence the program starts itself over
/// with this one set: the process stays the same, and a few milliseconds are all it takes.
pub(crate) fn give_pages_back_at_once() {
    if env::var_os(PURGE_DELAY).is_none()
        && let (Ok(program), mut arguments) = (env::current_exe(), env::args_os())
        && let Some(name) = arguments.next()
    {
        start_over(Command::new(program).args(arguments).env(PURGE_DELAY, "0"), name);
    }
}

#[cfg(unix)]
fn start_over(program: &mut Command, name: std::ffi::OsString) {
    use std::os::unix::process::CommandExt as _;
    // Returns only if it could not be done; then pages go back later.
    let _not_done = program.arg0(name).exec();
}

#[cfg(not(unix))]
fn start_over(_: &mut Command, _: std::ffi::OsString) {}
