//! Tables for spreadsheets: whole, and streamed as they are read, whatever their length.

use std::{collections::BTreeSet, convert::Infallible, fmt::Write as _};

use axum::{
    body::Body,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use hearth_base::Amount;
use serde::Serialize;

use crate::{
    app::App,
    control::types::{
        BoughtAnswer, EarnedSession, History, Movement, MovementKind, Trust, Upokt, UpoktChange,
    },
    error::ApiError,
    parts::{Answer, Window},
    routes::wallet::named,
    storage::UsageRow,
};

/// Every session that this node served, the newest first.
pub(crate) async fn sessions(State(app): State<App>) -> Result<Response, ApiError> {
    // The first page before the answer begins, so that a failure still has a status.
    let first = app.parts.earn.sessions(Window::page(0)).await?.sessions;
    let head = row(&[
        "session",
        "service",
        "start_height",
        "end_height",
        "answers",
        "state",
        "updated_at",
        "claimed_upokt",
        "minted_upokt",
        "share_upokt",
        "settled_upokt",
        "lost_upokt",
        "slashed_upokt",
        "claim_tx",
        "proof_tx",
        "supplier",
    ]);
    let read = move |offset| {
        let app = app.clone();
        async move { Ok(app.parts.earn.sessions(Window::page(offset)).await?.sessions) }
    };
    let lines = stream::once(async { head }).chain(rows(first, read, session_id, session));
    Ok(table("hearth-sessions.csv", lines))
}

/// The lines of a list that is read page by page, each once.
fn rows<T, R, F>(
    first: Vec<T>,
    read: R,
    id: fn(&T) -> String,
    line: fn(&T) -> String,
) -> impl Stream<Item = String>
where
    T: Send,
    R: Fn(u32) -> F + Send,
    F: Future<Output = Answer<Vec<T>>> + Send,
{
    stream::unfold(Some((read, first, 0, BTreeSet::new())), move |state| async move {
        let (read, page, offset, seen): (R, Vec<T>, u32, BTreeSet<String>) = state?;
        // What began meanwhile shifts the pages; the neighbour that comes again is written once all the same.
        let lines: String = page
            .iter()
            .filter(|one| !seen.contains(&id(one)))
            .map(line)
            .collect();
        if page.len() < Window::PAGE as usize {
            return Some((lines, None));
        }
        let ids = page.iter().map(id).collect();
        let next = offset + Window::PAGE;
        match read(next).await {
            Ok(page) => Some((lines, Some((read, page, next, ids)))),
            Err(error) => {
                tracing::error!(%error, "a table broke off");
                Some((format!("{lines}# broke off: {error}\r\n"), None))
            }
        }
    })
}

/// Every movement of money, the newest first.
pub(crate) async fn history(State(app): State<App>) -> Result<Response, ApiError> {
    let filter = named(&app).await?;
    let mut history = app.parts.money.history(Window::ALL, &filter).await?;
    filter.name(&mut history.movements);
    Ok(table("hearth-activity.csv", stream::iter(history_lines(history))))
}

fn history_lines(history: History) -> impl Iterator<Item = String> + Send {
    // A table that is not whole says so where nobody misses it: in its first line.
    let missing = history.missing.into_iter();
    let notes = missing.map(|one| row(&[format!("# {}", one.message).as_str()]));
    let head = row(&[
        "time",
        "height",
        "kind",
        "direction",
        "amount_upokt",
        "fee_upokt",
        "charge_upokt",
        "balance_change_upokt",
        "stake_change_upokt",
        "account",
        "counterparty",
        "memo",
        "tx",
        "session",
        "supplier",
        "service",
        "proven",
        "label",
        "name",
        "price",
        // As programs that reckon taxes read it.
        "sent_pokt",
        "received_pokt",
        "fee_pokt",
        "currency",
        "id",
    ]);
    let movements = history.movements.into_iter().map(|one| movement(&one));
    notes.chain(std::iter::once(head)).chain(movements)
}

/// Every day of usage, the newest first.
pub(crate) async fn usage(State(app): State<App>) -> Result<Response, ApiError> {
    let first = app.usage.rows(Window::page(0)).await?;
    let head = row(&[
        "date",
        "asker",
        "key_id",
        "key_name",
        "model",
        "requests",
        "errors",
        "prompt_tokens",
        "completion_tokens",
        "cost_upokt",
    ]);
    let read = move |offset| {
        let app = app.clone();
        async move { app.usage.rows(Window::page(offset)).await }
    };
    let lines = stream::once(async { head }).chain(rows(first, read, |one| one.id.clone(), used));
    Ok(table("hearth-usage.csv", lines))
}

/// Every answer that was asked for on the network, the newest first.
pub(crate) async fn receipts(State(app): State<App>) -> Result<Response, ApiError> {
    let first = app.parts.relay.receipts(Window::page(0)).await?.answers;
    let head = row(&[
        "receipt",
        "time",
        "asker",
        "key_id",
        "key_name",
        "service",
        "supplier",
        "application",
        "session",
        "start_height",
        "end_height",
        "charge",
        "cost_upokt",
        "outcome",
        "status",
        "bytes",
        "total_ms",
    ]);
    let read = move |offset| {
        let app = app.clone();
        async move { Ok(app.parts.relay.receipts(Window::page(offset)).await?.answers) }
    };
    let lines = stream::once(async { head }).chain(rows(first, read, receipt_id, bought));
    Ok(table("hearth-receipts.csv", lines))
}

fn receipt_id(one: &BoughtAnswer) -> String {
    one.receipt.id.clone().unwrap_or_default()
}

/// Two suppliers of this node may serve in one session.
fn session_id(one: &EarnedSession) -> String {
    format!("{} {}", one.id, one.supplier)
}

fn bought(one: &BoughtAnswer) -> String {
    let receipt = &one.receipt;
    row(&[
        receipt_id(one).as_str(),
        &word(&one.asked_at),
        &one.asker.as_ref().map(word).unwrap_or_default(),
        one.key_id.as_deref().unwrap_or_default(),
        one.key_name.as_deref().unwrap_or_default(),
        &receipt.service,
        &receipt.supplier,
        &receipt.application,
        &receipt.session_id,
        &receipt.session_start.to_string(),
        &receipt.session_end.to_string(),
        &word(&receipt.charge),
        &one.cost
            .map(|cost| cost.0.upokt().to_string())
            .unwrap_or_default(),
        &one.outcome,
        &one.status.to_string(),
        &one.bytes.to_string(),
        &one.total_ms.to_string(),
    ])
}

fn used(one: &UsageRow) -> String {
    let (sum, counts) = (&one.sum, one.sum.counts);
    row(&[
        one.date.as_str(),
        &word(&sum.asker),
        sum.key_id.as_deref().unwrap_or_default(),
        sum.key_name.as_deref().unwrap_or_default(),
        &sum.model,
        &counts.requests.to_string(),
        &counts.errors.to_string(),
        &counts.prompt_tokens.to_string(),
        &counts.completion_tokens.to_string(),
        &counts.cost.0.upokt().to_string(),
    ])
}

fn session(one: &EarnedSession) -> String {
    let amount = |amount: Option<Upokt>| amount.map(|it| it.0.upokt().to_string());
    row(&[
        one.id.as_str(),
        &one.service,
        &one.start_height.to_string(),
        &one.end_height.to_string(),
        &one.answers.to_string(),
        &word(&one.state),
        &word(&one.updated_at),
        &amount(one.claimed).unwrap_or_default(),
        &amount(one.minted).unwrap_or_default(),
        &amount(Some(one.amount)).unwrap_or_default(),
        &amount(one.settled).unwrap_or_default(),
        &amount(one.lost).unwrap_or_default(),
        &amount(one.slash.as_ref().map(|slash| slash.amount)).unwrap_or_default(),
        one.claim_tx.as_deref().unwrap_or_default(),
        one.proof_tx.as_deref().unwrap_or_default(),
        &one.supplier,
    ])
}

fn movement(one: &Movement) -> String {
    let upokt = |amount: Option<Upokt>| amount.map(|it| it.0.upokt().to_string());
    let fees = fees(one);
    // What changed besides the fees went out or came in.
    let moved = one.balance_change.and(UpoktChange::more(fees));
    let pokt = |amount: Amount| {
        let text = amount.pokt().to_string();
        if amount.is_zero() { String::new() } else { text }
    };
    let (sent, received) = if moved.0 < 0 {
        (pokt(moved.size()), String::new())
    } else {
        (String::new(), pokt(moved.size()))
    };
    row(&[
        word(&one.time).as_str(),
        &one.height.to_string(),
        &word(&one.kind),
        &word(&one.direction),
        &one.amount.0.upokt().to_string(),
        &upokt(one.fee).unwrap_or_default(),
        &upokt(one.charge).unwrap_or_default(),
        &one.balance_change.0.to_string(),
        &one.stake_change.0.to_string(),
        one.account.as_deref().unwrap_or_default(),
        one.counterparty.as_deref().unwrap_or_default(),
        one.memo.as_deref().unwrap_or_default(),
        one.tx.as_deref().unwrap_or_default(),
        one.session_id.as_deref().unwrap_or_default(),
        one.supplier.as_deref().unwrap_or_default(),
        one.service.as_deref().unwrap_or_default(),
        if one.standing.trust == Trust::Proven {
            "yes"
        } else {
            "no"
        },
        one.label.as_deref().unwrap_or_default(),
        one.name.as_deref().unwrap_or_default(),
        // The owner's own rate: nobody here knows what a POKT was worth.
        "",
        &sent,
        &received,
        &pokt(fees),
        "POKT",
        &one.id,
    ])
}

/// What a movement cost in fees and charges. Where there is nothing but a fee it is the amount.
fn fees(one: &Movement) -> Amount {
    let part = |part: Option<Upokt>| part.unwrap_or_default().0;
    let named = part(one.fee).saturating_add(part(one.charge));
    let is_all_fee = matches!(one.kind, MovementKind::Fee | MovementKind::Unstake);
    if is_all_fee && one.balance_change.0 < 0 && one.stake_change.0 == 0 {
        return one.balance_change.size();
    }
    named
}

/// The API's word for a value; empty for none.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}

/// A line after RFC 4180. What a spreadsheet would run as a formula is made text.
fn row(cells: &[&str]) -> String {
    let mut line = String::new();
    for (index, cell) in cells.iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        let digits = cell.strip_prefix('-').unwrap_or(cell);
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // Some spreadsheets read the full-width forms as well.
        let is_formula =
            cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠']) && !is_number;
        let mark = if is_formula { "'" } else { "" };
        // Writing into a string does not fail.
        let _ = if cell.contains(['"', ',', '\r', '\n']) {
            write!(line, "\"{mark}{}\"", cell.replace('"', "\"\""))
        } else {
            write!(line, "{mark}{cell}")
        };
    }
    line.push_str("\r\n");
    line
}

fn table(name: &str, lines: impl Stream<Item = String> + Send + 'static) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    let bytes = lines.map(|line| Ok::<Bytes, Infallible>(line.into()));
    (headers, Body::from_stream(bytes)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_are_text() {
        assert_eq!(row(&["a", "b"]), "a,b\r\n");
        assert_eq!(
            row(&["x,y", "=1+1", "say \"hi\"", "-5", ""]),
            "\"x,y\",'=1+1,\"say \"\"hi\"\"\",-5,\r\n"
        );
        assert_eq!(row(&["-cmd", "@x\n"]), "'-cmd,\"'@x\n\"\r\n");
        // A memo is a stranger's text: a number at its beginning makes it none.
        assert_eq!(
            row(&["-1+cmd|' /C calc'!A0", "＝1+1"]),
            "'-1+cmd|' /C calc'!A0,'＝1+1\r\n"
        );
    }

    #[test]
    fn a_history_that_is_not_whole_says_so_in_its_first_line() {
        let of = |missing: &[&str]| {
            let missing = missing.iter().map(|message| crate::control::types::ErrorDetail {
                message: (*message).to_owned(),
                ..Default::default()
            });
            history_lines(History {
                movements: Vec::new(),
                total: 0,
                payments: Vec::new(),
                missing: missing.collect(),
            })
            .collect::<Vec<String>>()
        };
        assert!(of(&[])[0].starts_with("time,height,"));
        let cut = of(&["older ones are missing"]);
        assert_eq!(cut[0], "# older ones are missing\r\n");
        assert!(cut[1].starts_with("time,height,"));
    }

    #[tokio::test]
    async fn a_table_is_whole_and_has_each_line_once() {
        let list = |number: u32| {
            (0..number)
                .rev()
                .map(|id| id.to_string())
                .collect::<Vec<String>>()
        };
        let first: Vec<String> = list(1203).into_iter().take(Window::PAGE as usize).collect();
        // Two more began after the first page was read.
        let later = list(1205);
        let read = |offset: u32| {
            let page = later
                .iter()
                .skip(offset as usize)
                .take(Window::PAGE as usize)
                .cloned()
                .collect();
            async move { Ok(page) }
        };
        let lines: Vec<String> = rows(first, read, |one| one.clone(), |one| format!("{one}\n"))
            .collect()
            .await;
        let text = lines.concat();
        let ids: BTreeSet<&str> = text.lines().collect();
        assert_eq!((ids.len(), text.lines().count()), (1203, 1203));
        let broken = |_: u32| async { Err(ApiError::bad_request("gone")) };
        let lines: Vec<String> = rows(list(Window::PAGE), broken, Clone::clone, String::clone)
            .collect()
            .await;
        assert!(lines.concat().contains("broke off"), "a cut table says so");
    }
}
