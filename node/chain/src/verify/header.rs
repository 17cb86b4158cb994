//! Headers: adjacent and skipping verification from a trusted one, and the way back along the hashes.

use std::{sync::Arc, time::Duration};

use hearth_base::Height;
use tendermint::{
    Hash, Time,
    block::Header,
    block::signed_header::SignedHeader,
    trust_threshold::TrustThresholdFraction,
    validator::{self, Set as ValidatorSet},
};
use tendermint_light_client_verifier::{
    ProdVerifier, Verdict, Verifier,
    errors::VerificationErrorDetail,
    options::Options,
    types::{TrustedBlockState, UntrustedBlockState},
};

use super::{BlockError, Outcome, ProofError, Proven, Statement, block::prove_results, state::prove};
use crate::rpc::wire::{ProofOp, TxOutcome};

/// A header, its commit and the two validator sets it names, as an endpoint sent them.
#[derive(Clone, Debug)]
pub struct LightBlock {
    /// Header and commit.
    pub signed_header: SignedHeader,
    /// The set that signed it.
    pub validators: Arc<ValidatorSet>,
    /// The set that signs the next one.
    pub next_validators: Arc<ValidatorSet>,
}

/// A header that was verified. Only this module makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedHeader {
    header: Header,
    hash: [u8; 32],
}

impl VerifiedHeader {
    /// Its height.
    #[must_use]
    pub fn height(&self) -> Height {
        Height(self.header.height.value())
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// When the block was made.
    #[must_use]
    pub fn time(&self) -> time::OffsetDateTime {
        time::OffsetDateTime::from_unix_timestamp_nanos(self.header.time.unix_timestamp_nanos())
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    }

    /// Checks what an endpoint says of a key in the state before this block.
    ///
    /// # Errors
    /// A proof of something else, or of nothing.
    pub fn prove(
        &self,
        store: &str,
        key: &[u8],
        value: &[u8],
        ops: &[ProofOp],
    ) -> Result<Proven<Statement>, ProofError> {
        let statement = prove(self.app_hash(), store, key, value, ops)?;
        Ok(Proven::new(statement, self.state_height()))
    }

    /// Checks what became of the transactions of the block before, and gives that of the one at `index`.
    ///
    /// # Errors
    /// Results that are not those of the block.
    pub fn prove_outcome(
        &self,
        results: &[TxOutcome],
        index: usize,
    ) -> Result<Option<Proven<Outcome>>, BlockError> {
        let committed = self.header.last_results_hash.unwrap_or_default();
        prove_results(committed.as_bytes(), results)?;
        let outcome = results.get(index).map(|result| Outcome {
            code: result.code,
            gas_used: result.gas_used,
        });
        Ok(outcome.map(|outcome| Proven::new(outcome, self.state_height())))
    }

    /// Its hash, as a value that may decide.
    #[must_use]
    pub fn proven_hash(&self) -> Proven<[u8; 32]> {
        Proven::new(self.hash, self.height())
    }

    /// The block whose state the app hash commits to.
    fn state_height(&self) -> Height {
        Height(self.height().0.saturating_sub(1))
    }

    /// What commits to the state **before** this block, after the one of height − 1.
    #[must_use]
    pub fn app_hash(&self) -> &[u8] {
        self.header.app_hash.as_bytes()
    }

    /// The whole header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }
}

/// A verified header with the validator set of the next one: from here more headers can be verified.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The header.
    pub header: VerifiedHeader,
    /// The set whose hash the header holds as `next_validators_hash`.
    next_validators: Arc<ValidatorSet>,
}

impl Trusted {
    /// Joins a verified header and the set it commits to.
    ///
    /// # Errors
    /// A set of another hash.
    pub fn new(header: VerifiedHeader, next_validators: Arc<ValidatorSet>) -> Result<Trusted, HeaderError> {
        if next_validators.hash() != header.header.next_validators_hash {
            return Err(HeaderError::Forged {
                height: header.height(),
                why: "the next validator set has another hash than the header says".to_owned(),
            });
        }
        Ok(Trusted {
            header,
            next_validators,
        })
    }

    /// The set that signs the next block.
    #[must_use]
    pub fn next_validators(&self) -> &Arc<ValidatorSet> {
        &self.next_validators
    }
}

/// How much is believed.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long a validator set is trusted.
    pub trusting_period: Duration,
    /// How far a header may be ahead of our clock.
    pub clock_drift: Duration,
}

/// Why a header is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("the header at height {height} is forged: {why}")]
    Forged { height: Height, why: String },
    #[error(
        "this computer's clock is {behind:?} behind the chain: the validators signed a header of {header_time}; \
         set the clock"
    )]
    ClockBehind {
        height: Height,
        header_time: String,
        behind: Duration,
    },
    #[error(
        "the newest trusted header, {height} of {header_time}, is older than {trusting_period:?}, so its validators \
         may no longer be trusted; give a newer trust height and hash (or set the clock, if it is wrong)"
    )]
    TrustExpired {
        height: Height,
        header_time: String,
        trusting_period: Duration,
    },
}

impl HeaderError {
    /// Whether the sender is to blame, and not our clock or our age.
    #[must_use]
    pub fn is_lie(&self) -> bool {
        match self {
            HeaderError::Forged { .. } => true,
            HeaderError::ClockBehind { .. } | HeaderError::TrustExpired { .. } => false,
        }
    }
}

/// How far one step led.
#[derive(Clone, Debug)]
pub enum Step {
    /// The header is verified.
    Verified(Box<Trusted>),
    /// Too few of the validators we trust signed it: verify one between first.
    TooFar,
}

/// A validator set from what an endpoint lists. Addresses are computed from the keys, since a set's hash does not
/// commit to them. `None`: together they have more power than a set may, which the library meets with a panic.
#[must_use]
pub fn validator_set(listed: Vec<validator::Info>) -> Option<ValidatorSet> {
    let mut powers = listed.iter().map(|info| info.power.value());
    let total = powers.try_fold(0_u64, u64::checked_add)?;
    if total > ValidatorSet::MAX_TOTAL_VOTING_POWER {
        return None;
    }
    let checked = listed
        .into_iter()
        .map(|info| validator::Info::new(info.pub_key, info.power))
        .collect();
    Some(ValidatorSet::without_proposer(checked))
}

/// Takes the first trusted header on its hash alone.
///
/// # Errors
/// Another hash, chain or height than wanted, or validator sets that the header does not commit to.
pub fn anchor(
    block: LightBlock,
    chain_id: &str,
    height: Height,
    hash: &[u8; 32],
) -> Result<Trusted, HeaderError> {
    let forged = |why: String| HeaderError::Forged { height, why };
    let header = block.signed_header.header;
    if header.chain_id.as_str() != chain_id {
        return Err(forged(format!(
            "it is of chain \"{}\", not \"{chain_id}\"",
            header.chain_id
        )));
    }
    if header.height.value() != height.0 {
        return Err(forged(format!("it has height {}", header.height)));
    }
    let found = hash_of(&header);
    if found != *hash {
        return Err(forged(format!(
            "its hash is {}, not the trusted {}",
            hex::encode(found),
            hex::encode(hash)
        )));
    }
    if block.validators.hash() != header.validators_hash {
        return Err(forged(
            "its validator set has another hash than the header says".to_owned(),
        ));
    }
    Trusted::new(VerifiedHeader { header, hash: found }, block.next_validators)
}

/// Verifies a later header from a trusted one.
///
/// # Errors
/// A forged header, a clock that is behind, trust that is too old.
pub fn advance(trusted: &Trusted, block: LightBlock, now: Time, rules: &Rules) -> Result<Step, HeaderError> {
    let height = Height(block.signed_header.header.height.value());
    let options = Options {
        trust_threshold: TrustThresholdFraction::ONE_THIRD,
        trusting_period: rules.trusting_period,
        clock_drift: rules.clock_drift,
    };
    match verdict(trusted, &block, now, &options) {
        Verdict::Success => {}
        Verdict::NotEnoughTrust(_) => return Ok(Step::TooFar),
        Verdict::Invalid(detail) => return refused(trusted, &block, now, rules, &detail),
    }
    let header = block.signed_header.header;
    let follows = header
        .last_block_id
        .is_some_and(|id| id.hash.as_bytes() == trusted.header.hash);
    if height == trusted.header.height().plus(1) && !follows {
        let why = "it does not name its predecessor's hash".to_owned();
        return Err(HeaderError::Forged { height, why });
    }
    let hash = hash_of(&header);
    let next = Trusted::new(VerifiedHeader { header, hash }, block.next_validators)?;
    Ok(Step::Verified(Box::new(next)))
}

/// Verifies the header before a verified one, by its hash.
///
/// # Errors
/// A header of another height or hash than the later one names.
pub fn step_back(later: &VerifiedHeader, header: Header) -> Result<VerifiedHeader, HeaderError> {
    let height = Height(header.height.value());
    let hash = hash_of(&header);
    let named = later.header.last_block_id.map(|id| id.hash.as_bytes().to_vec());
    if height.plus(1) != later.height() || named.as_deref() != Some(hash.as_slice()) {
        let why = format!("its hash is not the one that header {} names", later.height());
        return Err(HeaderError::Forged { height, why });
    }
    Ok(VerifiedHeader { header, hash })
}

/// Takes back a header that was verified and stored before.
///
/// # Errors
/// A header whose hash is not the stored one: the store was damaged.
pub(crate) fn restore(header: Header, hash: &[u8]) -> Result<VerifiedHeader, HeaderError> {
    let found = hash_of(&header);
    if found != hash {
        let why = "the stored header does not have its stored hash".to_owned();
        return Err(HeaderError::Forged {
            height: Height(header.height.value()),
            why,
        });
    }
    Ok(VerifiedHeader { header, hash: found })
}

fn verdict(trusted: &Trusted, block: &LightBlock, now: Time, options: &Options) -> Verdict {
    let untrusted = UntrustedBlockState {
        signed_header: &block.signed_header,
        validators: &block.validators,
        next_validators: Some(&block.next_validators),
    };
    let header = &trusted.header.header;
    let state = TrustedBlockState {
        chain_id: &header.chain_id,
        header_time: header.time,
        height: header.height,
        next_validators: &trusted.next_validators,
        next_validators_hash: header.next_validators_hash,
    };
    ProdVerifier::default().verify_update_header(untrusted, state, options, now)
}

/// Says whose fault a refusal is.
fn refused(
    trusted: &Trusted,
    block: &LightBlock,
    now: Time,
    rules: &Rules,
    detail: &VerificationErrorDetail,
) -> Result<Step, HeaderError> {
    let height = Height(block.signed_header.header.height.value());
    let time = block.signed_header.header.time;
    if matches!(detail, VerificationErrorDetail::NotWithinTrustPeriod(_)) {
        return Err(HeaderError::TrustExpired {
            height: trusted.header.height(),
            header_time: trusted.header.header.time.to_rfc3339(),
            trusting_period: rules.trusting_period,
        });
    }
    if matches!(detail, VerificationErrorDetail::HeaderFromTheFuture(_)) {
        let behind = time.duration_since(now).unwrap_or_default();
        // The time is looked at before the signatures are.
        let patient = Options {
            trust_threshold: TrustThresholdFraction::ONE_THIRD,
            trusting_period: rules.trusting_period,
            clock_drift: behind.saturating_add(Duration::from_secs(1)),
        };
        match verdict(trusted, block, now, &patient) {
            // The validators signed that time, so our clock is wrong.
            Verdict::Success => {
                return Err(HeaderError::ClockBehind {
                    height,
                    header_time: time.to_rfc3339(),
                    behind,
                });
            }
            // Anybody may have made it: the headers between tell.
            Verdict::NotEnoughTrust(_) => return Ok(Step::TooFar),
            Verdict::Invalid(_) => {}
        }
    }
    Err(HeaderError::Forged {
        height,
        why: detail.to_string(),
    })
}

fn hash_of(header: &Header) -> [u8; 32] {
    match header.hash() {
        Hash::Sha256(hash) => hash,
        Hash::None => [0; 32],
    }
}
