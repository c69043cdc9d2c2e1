//! `GET /v1/responses/{id}/input_items`: the items of a request, page by page.

use gatehouse_domain::{Code, Fault};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Record;
use crate::dialects::openai_shared::wire::{invalid, json_into};

/// Items on a page unless asked otherwise.
const LIMIT_DEFAULT: usize = 20;
/// Most items on a page.
const LIMIT_MAX: usize = 100;

/// Which way a list runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Oldest first.
    Ascending,
    /// Newest first: the API's default.
    #[default]
    Descending,
}

/// Which part of a list is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Most items; 20 if absent.
    pub limit: Option<usize>,
    /// Only items after the one with this id.
    pub after: Option<String>,
    /// Which way.
    pub order: Order,
}

impl Page {
    /// Reads the query string's parameters; unknown ones are ignored.
    ///
    /// # Errors
    /// `InvalidRequest` with `param` for a `limit` outside 1 to 100 or an unknown `order`.
    pub fn read<'a>(query: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, Fault> {
        let mut page = Self::default();
        for (name, value) in query {
            match (name, value) {
                ("limit", value) => {
                    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
                    page.limit = Some(limit.ok_or_else(|| invalid("limit", "must be a number from 1 to 100"))?);
                }
                ("after", value) => page.after = Some(value.to_owned()),
                ("order", "asc") => page.order = Order::Ascending,
                ("order", "desc") => page.order = Order::Descending,
                ("order", _) => return Err(invalid("order", "must be `asc` or `desc`")),
                _ => {}
            }
        }
        Ok(page)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Identified {
    id: String,
}

#[derive(Serialize)]
struct List<'a> {
    object: &'static str,
    data: Vec<&'a RawValue>,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
    has_more: bool,
}

/// One page of a record's input items.
///
/// # Errors
/// `InvalidRequest` if `after` names no item of the list.
pub fn input_items_page(record: &Record, page: &Page) -> Result<Vec<u8>, Fault> {
    let mut items: Vec<(String, &RawValue)> = record.input.iter().map(|raw| (id_of(raw), &**raw)).collect();
    if page.order == Order::Descending {
        items.reverse();
    }
    let start =
        match &page.after {
            None => 0,
            Some(after) => items.iter().position(|(id, _)| id == after).map(|at| at + 1).ok_or_else(|| {
                Fault::new(Code::InvalidRequest, "`after` names no item of this response.").at("after")
            })?,
        };
    let limit = page.limit.unwrap_or(LIMIT_DEFAULT).min(LIMIT_MAX);
    let shown = &items[start..items.len().min(start + limit)];
    let list = List {
        object: "list",
        data: shown.iter().map(|(_, raw)| *raw).collect(),
        first_id: shown.first().map(|(id, _)| id.as_str()),
        last_id: shown.last().map(|(id, _)| id.as_str()),
        has_more: start + shown.len() < items.len(),
    };
    let mut out = Vec::with_capacity(1024);
    json_into(&mut out, &list);
    Ok(out)
}

fn id_of(raw: &RawValue) -> String {
    serde_json::from_str(raw.get()).map(|Identified { id }| id).unwrap_or_default()
}
