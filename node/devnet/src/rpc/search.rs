//! Searches over events: a conjunction of conditions such as `tx.height>5 AND message.action='/x'`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Answer, RpcError, Server, args::Args};

/// Results on one page at most.
const MAX_PER_PAGE: usize = 100;
const PER_PAGE: usize = 30;

/// One condition of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Condition {
    pub(super) key: String,
    pub(super) operator: Operator,
    pub(super) value: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    pub(super) fn holds(self, left: u64, right: u64) -> bool {
        match self {
            Operator::Equal => left == right,
            Operator::Less => left < right,
            Operator::LessOrEqual => left <= right,
            Operator::Greater => left > right,
            Operator::GreaterOrEqual => left >= right,
        }
    }
}

/// Reads a query.
pub(super) fn parse(query: &str) -> Result<Vec<Condition>, RpcError> {
    let mut conditions = Vec::new();
    let mut rest = query.trim();
    while !rest.is_empty() {
        let (condition, after) = condition(rest)?;
        conditions.push(condition);
        let after = after.trim_start();
        rest = match after.strip_prefix("AND ") {
            Some(next) => next.trim_start(),
            None if after.is_empty() => "",
            None => return Err(bad(query)),
        };
    }
    if conditions.is_empty() {
        Err(bad(query))
    } else {
        Ok(conditions)
    }
}

fn bad(query: &str) -> RpcError {
    RpcError::internal(format!(
        "failed to parse query: {query}: write conditions such as a.b='c' joined by AND"
    ))
}

fn condition(text: &str) -> Result<(Condition, &str), RpcError> {
    let end = text.find(['=', '<', '>']).ok_or_else(|| bad(text))?;
    let (key, rest) = text.split_at(end);
    let operators = [
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("=", Operator::Equal),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
    let found = operators
        .iter()
        .find_map(|(sign, operator)| Some((*operator, rest.strip_prefix(sign)?)));
    let (operator, rest) = found.ok_or_else(|| bad(text))?;
    let rest = rest.trim_start();
    let (value, rest) = match rest.strip_prefix('\'') {
        Some(quoted) => quoted.split_once('\'').ok_or_else(|| bad(text))?,
        None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
    };
    Ok((
        Condition {
            key: key.trim().to_owned(),
            operator,
            value: value.to_owned(),
        },
        rest,
    ))
}

/// Where something was found: height, and index within the block (-1 for the block itself).
type Places = BTreeSet<(u64, i64)>;

impl Server {
    async fn places(&self, condition: &Condition, of_txs: bool) -> Result<Places, RpcError> {
        let last = self.visible_height();
        let db = &self.core.db;
        let height_key = if of_txs { "tx.height" } else { "block.height" };
        if condition.key == height_key {
            let wanted: u64 = condition
                .value
                .parse()
                .map_err(|_| RpcError::internal("a height is a number"))?;
            let (from, to) = match condition.operator {
                Operator::Equal => (wanted, wanted),
                Operator::Less | Operator::LessOrEqual => (1, wanted),
                Operator::Greater | Operator::GreaterOrEqual => (wanted, last),
            };
            if of_txs {
                let found = db.txs_between(from, to.min(last)).await?;
                return Ok(found
                    .into_iter()
                    .filter(|(height, _)| condition.operator.holds(*height, wanted))
                    .collect());
            }
            let heights =
                (from.max(1)..=to.min(last)).filter(|height| condition.operator.holds(*height, wanted));
            return Ok(heights.map(|height| (height, -1)).collect());
        }
        if condition.key == "tx.hash" {
            let hash = hex::decode(&condition.value).unwrap_or_default();
            return Ok(db
                .tx(&hash)
                .await?
                .map(|row| (row.height, i64::from(row.index)))
                .into_iter()
                .collect());
        }
        if condition.operator != Operator::Equal {
            return Err(RpcError::internal(
                "only heights can be compared by size on this chain",
            ));
        }
        let found = db.find_event(&condition.key, &condition.value).await?;
        Ok(found
            .into_iter()
            .filter(|(height, index)| *height <= last && (*index >= 0) == of_txs)
            .collect())
    }

    async fn find(&self, args: &Args, of_txs: bool) -> Result<(Vec<(u64, i64)>, usize), RpcError> {
        let query = args.text("query")?.unwrap_or_default();
        let mut found: Option<Places> = None;
        for condition in parse(&query)? {
            let places = self.places(&condition, of_txs).await?;
            found = Some(match found {
                Some(found) => found.intersection(&places).copied().collect(),
                None => places,
            });
        }
        let mut places: Vec<(u64, i64)> = found.unwrap_or_default().into_iter().collect();
        let order = args.text("order_by")?.unwrap_or_default();
        match (order.as_str(), of_txs) {
            ("asc", _) | ("", true) => {}
            ("desc", _) | ("", false) => places.reverse(),
            _ => {
                return Err(RpcError::internal(
                    "expected order_by to be either `asc` or `desc` or empty",
                ));
            }
        }
        let total = places.len();
        let per_page = match args.number("per_page")? {
            None => PER_PAGE,
            Some(number) => usize::try_from(number).unwrap_or(0).clamp(1, MAX_PER_PAGE),
        };
        let pages = total.div_ceil(per_page).max(1);
        let page = match args.number("page")? {
            None => 1,
            Some(number) => usize::try_from(number).unwrap_or(0),
        };
        if page == 0 || page > pages {
            return Err(RpcError::internal(format!(
                "page should be within [1, {pages}] range, given {page}"
            )));
        }
        let shown = places
            .into_iter()
            .skip((page - 1) * per_page)
            .take(per_page)
            .collect();
        Ok((shown, total))
    }

    pub(super) async fn tx_search(&self, args: &Args) -> Answer {
        let prove = args.flag("prove")?;
        let (places, total) = self.find(args, true).await?;
        let mut txs = Vec::new();
        for (height, index) in places {
            if let Some(row) = self
                .core
                .db
                .tx_at(height, u32::try_from(index).unwrap_or(0))
                .await?
            {
                txs.push(self.tx_json(&row, prove).await?);
            }
        }
        Ok(json!({"txs": txs, "total_count": total.to_string()}))
    }

    pub(super) async fn block_search(&self, args: &Args) -> Answer {
        let (places, total) = self.find(args, false).await?;
        let mut blocks: Vec<Value> = Vec::new();
        for (height, _) in places {
            blocks.push(self.block_at(height).await?);
        }
        Ok(json!({"blocks": blocks, "total_count": total.to_string()}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read() {
        let read = parse("message.action='/a.B AND c' AND tx.height>=343").unwrap();
        assert_eq!(read[0].key, "message.action");
        assert_eq!(read[0].value, "/a.B AND c");
        assert_eq!(
            (read[1].operator, read[1].value.as_str()),
            (Operator::GreaterOrEqual, "343")
        );
        let read = parse("a.b='\"pokt1\"'").unwrap();
        assert_eq!(read[0].value, "\"pokt1\"");
        for wrong in ["", "a", "a=", "a='b", "a='b' OR c='d'"] {
            assert!(parse(wrong).is_err() || wrong == "a=", "{wrong}");
        }
    }
}
