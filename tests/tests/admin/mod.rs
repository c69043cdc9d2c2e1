//! What is declared through the admin API: in force at once, and the same as if the file had said it.

mod export;
mod guests;
mod holders;
mod kinds;
mod secrets;
