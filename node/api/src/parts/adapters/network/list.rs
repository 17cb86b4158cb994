//! Endpoints, trials, trust anchors and false answers, as the API tells them.

use std::time::Duration;

use hearth_base::Height;
use hearth_chain::{
    Anchor, Chain, EndpointError, EndpointState as Found, EndpointStatus, Evidence, LightError, QueryError,
    Trial,
};

use super::super::chain_error;
use crate::{
    control::types::{Endpoint, EndpointState, EndpointTrial, FalseAnswer, GiveAnchor, Timestamp},
    error::ApiError,
};

/// All endpoints, in the order in which they are asked.
pub(super) fn endpoints(chain: &Chain) -> Vec<Endpoint> {
    let mut all: Vec<Endpoint> = chain.endpoints().into_iter().map(endpoint).collect();
    all.sort_by_key(|one| (order(one.state), std::cmp::Reverse(one.score)));
    all
}

fn order(state: EndpointState) -> u8 {
    match state {
        EndpointState::Ok => 0,
        EndpointState::Unknown | EndpointState::Stale => 1,
        EndpointState::Limited => 2,
        EndpointState::Down => 3,
        EndpointState::Lied => 4,
        EndpointState::OtherChain => 5,
    }
}

fn endpoint(status: EndpointStatus) -> Endpoint {
    let (state, error) = match status.state {
        Found::Unknown => (EndpointState::Unknown, None),
        Found::Healthy => (EndpointState::Ok, None),
        Found::Stale { why } => (EndpointState::Stale, Some(why)),
        Found::Failing { why } => (EndpointState::Down, Some(why)),
        Found::Limited { why } => (EndpointState::Limited, Some(why)),
        Found::Banned { why } => (EndpointState::Lied, Some(why)),
        Found::OtherChain { found } => (
            EndpointState::OtherChain,
            Some(format!("it serves chain \"{found}\"")),
        ),
    };
    Endpoint {
        id: status.id,
        url: status.name,
        state,
        score: status.score,
        added: status.is_added,
        height: positive(status.height),
        latency_ms: status.latency.map(millis),
        failed_permille: status.failed_permille,
        lies: status.lies,
        asked: status.asked,
        rests_s: status.rests.map(|rest| rest.as_secs().max(1)),
        error,
    }
}

pub(super) fn trial(trial: Trial) -> EndpointTrial {
    EndpointTrial {
        id: trial.id,
        url: trial.name,
        latency_ms: trial.latency.map(millis),
        height: positive(trial.height),
        chain: trial.chain,
        agrees: trial.agrees,
        proves: trial.proves,
        error: trial.trouble,
    }
}

pub(super) fn false_answer(lie: Evidence) -> FalseAnswer {
    FalseAnswer {
        at: Timestamp::from_ms(lie.at_ms),
        endpoint: lie.endpoint,
        why: lie.why,
        question: lie.question,
        answer: String::from_utf8_lossy(&lie.answer).into_owned(),
    }
}

pub(super) fn anchor(given: &GiveAnchor) -> Result<Anchor, ApiError> {
    let mut hash = [0; 32];
    let text = given.hash.trim();
    if given.height == 0 || hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut hash).is_err()
    {
        return Err(ApiError::refused(
            "anchor_wrong",
            "a block is named by its height, 1 or more, and its hash, 64 hex digits",
        )
        .remedy("Copy both from somebody whom you trust. Nothing was changed."));
    }
    Ok(Anchor {
        height: Height(given.height),
        hash,
    })
}

pub(super) fn anchor_error(error: QueryError) -> ApiError {
    match &error {
        QueryError::Light(LightError::Conflict { why }) => ApiError::conflict(
            "anchor_contradicted",
            "no endpoint has this block, or what was verified contradicts it",
        )
        .details(why.clone())
        .remedy("Compare height and hash once more. Nothing was changed."),
        QueryError::Rpc(_)
        | QueryError::Light(_)
        | QueryError::Db(_)
        | QueryError::Refused { .. }
        | QueryError::Unreadable { .. }
        | QueryError::NotProven { .. }
        | QueryError::Old { .. }
        | QueryError::NoSession(_)
        | QueryError::TooMany { .. }
        | QueryError::TooEarly { .. } => chain_error(error),
    }
}

pub(super) fn endpoint_error(error: EndpointError) -> ApiError {
    let text = error.to_string();
    match error {
        EndpointError::Address(_) => ApiError::refused("endpoint_wrong", text)
            .remedy("Write it as https://host/path. Nothing was added."),
        EndpointError::Unknown(_) | EndpointError::Ambiguous(_) => {
            ApiError::refused("endpoint_unknown", text)
                .remedy("`hearth network endpoints` lists them with their ids.")
        }
        EndpointError::Known(_) => ApiError::conflict("endpoint_known", text),
        EndpointError::Last(_) => ApiError::conflict("endpoint_last", text),
        EndpointError::TooMany => ApiError::conflict("endpoints_many", text),
        EndpointError::OtherChain { .. } => ApiError::conflict("endpoint_other_chain", text),
        EndpointError::NoAnswer(_, cause) => ApiError::unavailable("endpoint_silent", text)
            .details(hearth_base::failure::chain(&cause))
            .remedy("Look at its address, and whether it answers. Nothing was added."),
        EndpointError::Db(cause) => ApiError::internal(&cause),
    }
}

fn positive(height: Height) -> Option<u64> {
    (height.0 > 0).then_some(height.0)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
