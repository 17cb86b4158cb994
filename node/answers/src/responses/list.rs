//! `GET /v1/responses/{id}/input_items`: a page of the items that an answer was made from.

use serde_json::{Value, json};

use super::Kept;
use crate::{error::Error, openai::HttpAnswer, shape};

/// How many items a page has unless told, and at most.
const ITEMS: (usize, usize) = (20, 100);

/// Which items are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    limit: Option<usize>,
    /// The item after which the page begins.
    after: Option<String>,
    is_ascending: bool,
}

impl ListQuery {
    /// Takes one pair of the query. Unknown ones are passed over: clients send what they like.
    ///
    /// # Errors
    /// A value that is none.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let (_, most) = ITEMS;
        match name {
            "limit" => {
                let limit = value
                    .parse::<usize>()
                    .ok()
                    .filter(|limit| (1..=most).contains(limit));
                self.limit = Some(limit.ok_or_else(|| {
                    Error::bad_field("limit", format!("limit is \"{value}\": it must be 1 to {most}"))
                })?);
            }
            "after" => self.after = Some(value.to_owned()),
            "order" => match value {
                "asc" => self.is_ascending = true,
                "desc" => self.is_ascending = false,
                other => {
                    let message = format!("order is \"{other}\": say \"asc\" or \"desc\"");
                    return Err(Error::bad_field("order", message));
                }
            },
            _ => {}
        }
        Ok(())
    }
}

/// A page of the items that an answer was made from, the newest first unless asked otherwise.
#[must_use]
pub fn item_list(kept: Kept, query: &ListQuery) -> HttpAnswer {
    let mut items = kept.input;
    if !query.is_ascending {
        items.reverse();
    }
    let begin = match &query.after {
        None => 0,
        Some(after) => items
            .iter()
            .position(|item| item["id"] == after.as_str())
            .map_or(items.len(), |at| at + 1),
    };
    let (usual, _) = ITEMS;
    let mut page: Vec<Value> = items.split_off(begin);
    let limit = query.limit.unwrap_or(usual);
    let has_more = page.len() > limit;
    page.truncate(limit);
    let id = |item: Option<&Value>| item.map(|item| item["id"].clone());
    let body = json!({
        "object": "list", "first_id": id(page.first()), "last_id": id(page.last()), "has_more": has_more, "data": page,
    });
    shape::json(200, &body)
}
