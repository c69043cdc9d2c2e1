//! Items: the pieces requests and answers are made of.

mod input;
mod output;
mod read;

pub(super) use input::{ItemOut, input_items};
pub(super) use output::{AnnotationOut, CallOut, MessageOut, OutputItems, PartOut, PartText, ReasoningOut};
pub(super) use read::{AnnotationIn, Item, Said};
