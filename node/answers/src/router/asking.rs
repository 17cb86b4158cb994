//! Asks one backend after another, or two at once where the first is slow to begin.

use std::{collections::VecDeque, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::FuturesUnordered};
use tokio::time::Instant;

use super::{Candidate, Named, Router};
use crate::{answer::Answer, error::Error, principal::Principal, request::Request};

/// What one of those that were asked gave: its name, where others may stand in for it.
type Asked<'a> = BoxFuture<'a, (Option<&'a str>, Result<Answer, Error>)>;

impl Router {
    /// The first answer that begins. What is asked besides is dropped then, which cancels it.
    pub(super) async fn first_of(
        &self,
        candidates: Vec<Candidate<'_>>,
        request: Request,
        principal: &Principal,
    ) -> Result<Answer, Error> {
        let mut left = VecDeque::from(candidates);
        let mut asked: FuturesUnordered<Asked<'_>> = FuturesUnordered::new();
        let mut next_at = None;
        let mut last = None;
        loop {
            if asked.is_empty() {
                let Some(next) = left.pop_front() else {
                    break;
                };
                next_at = hedge_after(&next, &request).map(|after| Instant::now() + after);
                asked.push(self.ask(next, &request, principal));
            }
            let may_hedge = left.front().is_some_and(is_at_hand);
            tokio::select! {
                Some((name, answered)) = asked.next() => match (name, answered) {
                    (Some(name), Err(error)) if error.is_of_the_backend() => {
                        tracing::info!(backend = name, %error, "a backend fails, the next one is asked");
                        last = Some(error);
                    }
                    (_, answered) => return answered,
                },
                () = sleep_until(next_at), if may_hedge => {
                    if let Some(next) = left.pop_front() {
                        tracing::info!(backend = next.one_of, "a backend is slow to begin, the next one is asked as well");
                        next_at = hedge_after(&next, &request).map(|after| Instant::now() + after);
                        asked.push(self.ask(next, &request, principal));
                    }
                }
            }
        }
        Err(last.unwrap_or_else(|| Error::no_model(request.model.as_deref().unwrap_or_default())))
    }

    fn ask<'a>(&'a self, candidate: Candidate<'a>, request: &Request, principal: &'a Principal) -> Asked<'a> {
        self.count(&candidate);
        let Candidate {
            backend,
            model,
            named,
            one_of,
        } = candidate;
        let place = named.map(Named::take_place);
        let asked = request.clone().for_model(model);
        Box::pin(async move {
            let answered = backend.answer(asked, principal).await;
            let answered = answered.map(|answer| match place {
                Some(place) => place.kept_by(answer),
                None => answer,
            });
            (one_of, answered)
        })
    }
}

/// How long one is waited for alone. An answer that comes whole has no first part by which to tell that it is slow.
fn hedge_after(candidate: &Candidate<'_>, request: &Request) -> Option<Duration> {
    candidate.one_of?;
    candidate.named?.hedge_after.filter(|_| request.stream)
}

/// Whether one may be asked although another is at it: it is well, and has nothing better to do.
fn is_at_hand(candidate: &Candidate<'_>) -> bool {
    let model = candidate.model.as_deref().unwrap_or_default();
    candidate.named.is_some_and(|named| named.has_place(model)) && !candidate.backend.health().is_failing()
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
