//! Signatures that programs ask for: kept until the owner has decided, and a while after.

mod content;

use std::collections::BTreeMap;

use hearth_base::Clock;
use parking_lot::Mutex;

use crate::{
    control::types::{RequestedSignature, SignatureContent, SignatureRequest, SignatureState, Timestamp},
    error::ApiError,
};

pub(crate) use content::{Wanted, messages, of_sign_doc, payees, read};

/// How long the owner has to decide.
const WAITS_MS: i64 = 10 * 60_000;
/// How long the end is told.
const TOLD_MS: i64 = 10 * 60_000;
/// Requests of one program that wait at once.
const MAX_WAITING_EACH: usize = 3;
/// Requests that are kept at once, of some 100 KB at most.
const MAX_KEPT: usize = 60;

/// All requests. They are not kept over a restart: a program asks again.
pub(crate) struct SignatureRequests {
    clock: Clock,
    /// By id. Ids are made in order of time.
    kept: Mutex<BTreeMap<String, Kept>>,
}

/// Who asks: a key, by its id and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AskedBy {
    pub(crate) id: String,
    pub(crate) name: String,
}

struct Kept {
    by: AskedBy,
    address: String,
    content: SignatureContent,
    bytes: Vec<u8>,
    asked_ms: i64,
    decided: Option<Decided>,
}

#[derive(Clone)]
enum Decided {
    Signed(Signed),
    Refused,
}

/// A signature, base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub signature: String,
    pub public_key: String,
}

impl SignatureRequests {
    pub(crate) fn new(clock: Clock) -> SignatureRequests {
        SignatureRequests {
            clock,
            kept: Mutex::default(),
        }
    }

    /// Keeps a request until the owner decides.
    pub(crate) fn ask(
        &self,
        by: AskedBy,
        address: String,
        wanted: Wanted,
    ) -> Result<RequestedSignature, ApiError> {
        let now = self.clock.now_ms();
        let mut kept = self.kept.lock();
        kept.retain(|_, one| one.asked_ms + WAITS_MS + TOLD_MS > now);
        let waiting = |one: &&Kept| one.by.id == by.id && one.is_waiting(now);
        if kept.values().filter(waiting).count() >= MAX_WAITING_EACH || kept.len() >= MAX_KEPT {
            return Err(ApiError::new(
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                "too_many_signatures",
                "too many signatures wait for the owner already",
            )
            .remedy("Wait until they are signed, refused or expired.")
            .retry_after(30));
        }
        let id = uuid::Uuid::now_v7().to_string();
        let one = Kept {
            by,
            address,
            content: wanted.content,
            bytes: wanted.bytes,
            asked_ms: now,
            decided: None,
        };
        let shown = one.told(&id, now);
        kept.insert(id, one);
        Ok(shown)
    }

    /// What became of a request, for the program that made it.
    pub(crate) fn told(&self, by: &AskedBy, id: &str) -> Result<RequestedSignature, ApiError> {
        let now = self.clock.now_ms();
        let kept = self.kept.lock();
        let one = kept.get(id).filter(|one| one.by.id == by.id);
        one.map(|one| one.told(id, now))
            .ok_or_else(|| ApiError::not_found("request of a signature"))
    }

    /// The program wants it no more.
    pub(crate) fn withdraw(&self, by: &AskedBy, id: &str) -> Result<(), ApiError> {
        let mut kept = self.kept.lock();
        if kept.get(id).is_some_and(|one| one.by.id == by.id) {
            kept.remove(id);
            return Ok(());
        }
        Err(ApiError::not_found("request of a signature"))
    }

    /// Forgets all that a program asked for, whose key is no more.
    pub(crate) fn forget(&self, key: &str) {
        self.kept.lock().retain(|_, one| one.by.id != key);
    }

    /// What waits for the owner, the oldest first.
    pub(crate) fn waiting(&self, needs_password: bool) -> Vec<SignatureRequest> {
        let now = self.clock.now_ms();
        let kept = self.kept.lock();
        let waiting = kept.iter().filter(|(_, one)| one.is_waiting(now));
        waiting
            .map(|(id, one)| SignatureRequest {
                id: id.clone(),
                asked_by: one.by.name.clone(),
                address: one.address.clone(),
                asked_at: Timestamp::from_ms(one.asked_ms),
                expires_at: Timestamp::from_ms(one.asked_ms + WAITS_MS),
                content: one.content.clone(),
                needs_password,
            })
            .collect()
    }

    /// The bytes of a request that waits, and whose signature it wants.
    pub(crate) fn to_sign(&self, id: &str) -> Result<(String, Vec<u8>), ApiError> {
        let now = self.clock.now_ms();
        let kept = self.kept.lock();
        let one = kept.get(id).filter(|one| one.is_waiting(now));
        one.map(|one| (one.address.clone(), one.bytes.clone()))
            .ok_or_else(nothing_waits)
    }

    /// The owner has signed, or will not.
    pub(crate) fn decide(&self, id: &str, signed: Option<Signed>) -> Result<(), ApiError> {
        let now = self.clock.now_ms();
        let mut kept = self.kept.lock();
        let one = kept.get_mut(id).filter(|one| one.is_waiting(now));
        let one = one.ok_or_else(nothing_waits)?;
        one.decided = Some(signed.map_or(Decided::Refused, Decided::Signed));
        Ok(())
    }
}

fn nothing_waits() -> ApiError {
    ApiError::conflict(
        "no_signature_wanted",
        "nothing waits under this name: it was decided, withdrawn, or is older than 10 minutes; nothing was signed",
    )
}

impl Kept {
    fn is_waiting(&self, now_ms: i64) -> bool {
        self.decided.is_none() && now_ms < self.asked_ms + WAITS_MS
    }

    fn told(&self, id: &str, now_ms: i64) -> RequestedSignature {
        let (state, signed) = match &self.decided {
            Some(Decided::Signed(signed)) => (SignatureState::Signed, Some(signed.clone())),
            Some(Decided::Refused) => (SignatureState::Refused, None),
            None if self.is_waiting(now_ms) => (SignatureState::Waiting, None),
            None => (SignatureState::Expired, None),
        };
        RequestedSignature {
            id: id.to_owned(),
            state,
            expires_at: Timestamp::from_ms(self.asked_ms + WAITS_MS),
            address: self.address.clone(),
            signature: signed.as_ref().map(|signed| signed.signature.clone()),
            public_key: signed.map(|signed| signed.public_key),
        }
    }
}
