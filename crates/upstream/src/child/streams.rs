//! The other way round: this process as somebody's child that speaks over its standard streams.

use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

/// Standard input and output for whoever speaks over them. From then on whatever else writes to standard output writes to
/// standard error: between messages there may be nothing.
///
/// # Errors
/// When the process has no standard streams.
pub fn own_streams() -> io::Result<(File, File)> {
    let input = io::stdin().as_fd().try_clone_to_owned()?;
    let output = io::stdout().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdout(io::stderr())?;
    Ok((input.into(), output.into()))
}
