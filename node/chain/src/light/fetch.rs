//! What the light client fetches: commits, validator sets, and a head on which several endpoints agree.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::join_all;
use hearth_base::Height;
use serde_json::json;
use tendermint::{Hash, validator::Set as ValidatorSet};
use time::OffsetDateTime;

use super::{EndpointFault, Light, LightError, heard};
use crate::{
    config::Anchor,
    db::Origin,
    rpc::{
        Endpoint, Fault, Heard, Lie, RpcError,
        wire::{CommitAnswer, Status, ValidatorsAnswer},
    },
    verify::{LightBlock, validator_set},
};

/// Validators per page; the most that CometBFT gives.
const PER_PAGE: usize = 100;
/// More validators than any chain of this kind has.
const MAX_VALIDATORS: usize = 10_000;

impl Light {
    /// Fetches a header with its commit and both validator sets. `known` is a set that is probably one of them.
    pub(super) async fn fetch(
        &self,
        endpoint: &Endpoint,
        height: Height,
        known: Option<&Arc<ValidatorSet>>,
    ) -> Result<(LightBlock, Heard), EndpointFault> {
        let (answer, said): (CommitAnswer, Heard) = endpoint
            .call_heard("commit", json!({ "height": height.0.to_string() }))
            .await?;
        let signed_header = answer.signed_header;
        let found = signed_header.header.height.value();
        if found != height.0 {
            let why = format!("asked for the header of {height}, it sent that of {found}");
            return Err(Fault::Lie(Lie::new(why).heard(said)));
        }
        let header = &signed_header.header;
        let validators = self.set(endpoint, height, header.validators_hash, known).await?;
        let next_validators = self
            .set(
                endpoint,
                height.plus(1),
                header.next_validators_hash,
                Some(&validators),
            )
            .await?;
        let block = LightBlock {
            signed_header,
            validators,
            next_validators,
        };
        Ok((block, said))
    }

    /// The set with this hash: the known one, a stored one, or fetched.
    async fn set(
        &self,
        endpoint: &Endpoint,
        height: Height,
        hash: Hash,
        known: Option<&Arc<ValidatorSet>>,
    ) -> Result<Arc<ValidatorSet>, EndpointFault> {
        if let Some(known) = known
            && known.hash() == hash
        {
            return Ok(Arc::clone(known));
        }
        // A stored set that is damaged says nothing against the chain: it is fetched again.
        if let Ok(Some(stored)) = self.db.validators(hash.as_bytes()).await
            && stored.hash() == hash
        {
            return Ok(Arc::new(stored));
        }
        Ok(Arc::new(self.fetch_validators(endpoint, height).await?))
    }

    /// Fetches all pages of a validator set.
    pub(super) async fn fetch_validators(
        &self,
        endpoint: &Endpoint,
        height: Height,
    ) -> Result<ValidatorSet, EndpointFault> {
        let mut all = Vec::new();
        for page in 1..=MAX_VALIDATORS / PER_PAGE {
            let params = json!({
                "height": height.0.to_string(),
                "page": page.to_string(),
                "per_page": PER_PAGE.to_string(),
            });
            let (answer, said): (ValidatorsAnswer, Heard) = endpoint.call_heard("validators", params).await?;
            let n_sent = answer.validators.len();
            if n_sent > PER_PAGE {
                let why = format!("asked for {PER_PAGE} validators of {height}, it sent {n_sent}");
                return Err(heard(Fault::Lie(Lie::new(why)), &said));
            }
            let is_last = n_sent == 0;
            all.extend(answer.validators);
            let total = usize::try_from(answer.total).unwrap_or(0);
            if is_last || all.len() >= total {
                break;
            }
        }
        validator_set(all).ok_or_else(|| {
            let why = format!("its validators of {height} have more power than a set may have");
            Fault::Lie(Lie::new(why))
        })
    }

    /// The newest head on which enough endpoints agree, and when it was made.
    pub(super) async fn agreed_head(&self) -> Result<(Origin, OffsetDateTime), LightError> {
        let candidates = self.pool.candidates();
        let asked: Vec<_> = candidates
            .iter()
            .map(|endpoint| endpoint.call::<Status>("status", json!({})))
            .collect();
        let statuses = join_all(asked).await;
        let heights: Vec<_> = candidates
            .iter()
            .zip(&statuses)
            .filter_map(|(endpoint, status)| {
                let status = status.as_ref().ok()?;
                let height = u64::try_from(status.sync_info.latest_block_height).ok()?;
                (status.node_info.network == self.chain_id.as_str()).then_some((endpoint, height))
            })
            .collect();
        if heights.is_empty() {
            return Err(first_error(statuses)
                .unwrap_or_else(|| self.pool.none_left())
                .into());
        }
        // The slowest decides, so that all can answer; one step back, so that its commit is settled.
        let height = Height(
            heights
                .iter()
                .map(|(_, height)| *height)
                .min()
                .unwrap_or(1)
                .saturating_sub(1)
                .max(1),
        );
        let params = json!({ "height": height.0.to_string() });
        let asked = heights
            .iter()
            .map(|(endpoint, _)| endpoint.call::<CommitAnswer>("commit", params.clone()));
        let answers = join_all(asked).await;
        let mut votes: BTreeMap<[u8; 32], (Vec<String>, OffsetDateTime)> = BTreeMap::new();
        for ((endpoint, _), answer) in heights.iter().zip(answers) {
            let Ok(answer) = answer else { continue };
            let header = answer.signed_header.header;
            let Hash::Sha256(hash) = header.hash() else {
                continue;
            };
            let made_at = OffsetDateTime::from_unix_timestamp_nanos(header.time.unix_timestamp_nanos());
            let made_at = made_at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
            let (voters, _) = votes.entry(hash).or_insert_with(|| (Vec::new(), made_at));
            // Two addresses of one host are one voice.
            if header.height.value() == height.0 && !voters.iter().any(|name| name == endpoint.name()) {
                voters.push(endpoint.name().to_owned());
            }
        }
        let voices = votes.values().map(|(voters, _)| voters.len()).sum::<usize>();
        let distinct = votes.len();
        let best = votes.into_iter().max_by_key(|(_, (voters, _))| voters.len());
        match best {
            Some((hash, (agreed, made_at))) if agreed.len() >= self.agree => {
                let anchor = Anchor { height, hash };
                Ok((Origin { anchor, agreed }, made_at))
            }
            Some(_) if distinct > 1 => {
                let why = format!("{voices} endpoints give {distinct} different headers at height {height}");
                Err(LightError::NoTrust { why })
            }
            Some(_) | None => {
                let why = format!(
                    "{voices} endpoint(s) answer, {} must agree on a first header",
                    self.agree
                );
                Err(LightError::NoTrust { why })
            }
        }
    }
}

fn first_error(answers: Vec<Result<Status, RpcError>>) -> Option<RpcError> {
    answers.into_iter().find_map(Result::err)
}
