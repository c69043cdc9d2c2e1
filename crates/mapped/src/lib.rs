//! Mapped memory behind safe doors: a [file that grows by appends](Appended), which is what the journal is made of,
//! [the program's own pages](give_back), which it need not hold when nothing runs in them, and [free heap](collect).
//!
//! All of the project's unsafe code is in `raw.rs`, short enough to be read in one go. Nothing else here or elsewhere may
//! say the word.

mod pages;
mod raw;

pub use pages::give_back;
pub use raw::{Appended, Pen, collect};
