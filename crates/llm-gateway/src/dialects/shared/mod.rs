//! What more than one dialect needs and none of them owns.
//!
//! `place` names the field a JSON error is about, `turns` groups a conversation for dialects that want roles to
//! alternate, `words` makes tool names, call ids and arguments fit, `carried` takes foreign
//! signatures through a client's thinking blocks, `marks` deals out cache breakpoints, `json_tool` forces structured
//! output, `foreign` names what cannot cross, `refusal` reads error bodies of any kind.

pub(super) mod carried;
pub(super) mod foreign;
pub(super) mod json_tool;
pub(super) mod marks;
pub(super) mod place;
pub(super) mod refusal;
pub(super) mod turns;
pub(super) mod words;
