//! How a command fails: what happened, what to do next, and the exit code. docs/cli.md lists the codes.

use std::fmt;
use std::process::ExitCode;

/// A command that did not do what it was asked.
#[derive(Debug)]
pub(crate) struct Failure {
    kind: Kind,
    message: String,
    next: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Something is wrong in the world: exit code 1.
    Problem,
    /// The command line is: exit code 2, as clap's own errors.
    Usage,
    /// Somebody left the pipe: exit code 0, silently, as `gatehouse schema | head` should.
    PipeClosed,
}

impl Failure {
    /// Something is wrong. `next` says what to do about it; it may be empty if the message does.
    pub(crate) fn problem(message: impl fmt::Display, next: impl Into<String>) -> Self {
        Self { kind: Kind::Problem, message: message.to_string(), next: next.into() }
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl fmt::Display, next: impl Into<String>) -> Self {
        Self { kind: Kind::Usage, message: message.to_string(), next: next.into() }
    }

    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self.kind {
            Kind::Problem => ExitCode::from(1),
            Kind::Usage => ExitCode::from(2),
            Kind::PipeClosed => ExitCode::SUCCESS,
        }
    }

    /// Whether there is anything to say.
    pub(crate) fn is_silent(&self) -> bool {
        self.kind == Kind::PipeClosed
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.message)?;
        if self.next.is_empty() { Ok(()) } else { write!(f, "\n  next: {}", self.next) }
    }
}

/// Writing to standard output failed.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let kind = if error.kind() == std::io::ErrorKind::BrokenPipe { Kind::PipeClosed } else { Kind::Problem };
        Self { kind, message: format!("cannot write: {error}"), next: String::new() }
    }
}

/// The errors of the store say what to do where there is something to do.
impl From<gatehouse_store::StoreError> for Failure {
    fn from(error: gatehouse_store::StoreError) -> Self {
        let next = if error.is_busy() { "try again in a moment" } else { "gatehouse doctor looks at the data folder" };
        Self::problem(error, next)
    }
}
