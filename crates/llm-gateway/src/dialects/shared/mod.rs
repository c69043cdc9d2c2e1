//! What more than one dialect needs and none of them owns, one file a concern.
//!
//! Requests: `place` names the field a JSON error is about, `turns` groups a conversation for dialects that want roles to
//! alternate, `marks` deals out cache breakpoints, `json_tool` forces structured output, `foreign` names what cannot
//! cross, `mime` knows media types and data URLs. Both ways: `words` makes tool names, call ids and arguments fit,
//! `carried` takes foreign signatures through a client's fields, `compact` keeps JSON on one line. Errors: `refusal`
//! reads bodies of any kind.

pub(super) mod carried;
pub(super) mod compact;
pub(super) mod foreign;
pub(super) mod json_tool;
pub(super) mod marks;
pub(super) mod mime;
pub(super) mod place;
pub(super) mod refusal;
pub(super) mod turns;
pub(super) mod words;
