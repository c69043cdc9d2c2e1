//! Where the texts of a body stand: every string of a request or a whole answer that people, models or tools have written,
//! in any of the six dialects, shown to guardrails and replaced in place.
//!
//! The rule is "every string, unless it is known to be none": what a dialect adds tomorrow is looked at, not let through.
//! [`names`] lists what is known. Replaced strings are spliced into the bytes, so that everything else stays as it was.

mod edits;
mod media;
mod names;
mod walk;

pub(crate) use edits::Edits;
pub(crate) use walk::review;

#[cfg(test)]
mod tests;
