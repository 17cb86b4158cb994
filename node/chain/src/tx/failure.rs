//! Why the chain refuses a transaction, typed.
//!
//! The SDK's own checks have codes. Pocket's handlers mostly answer with codespace `undefined`, code 1 and a text, and
//! a simulation wraps everything in one code, so those are told apart by texts that the chain has kept stable.

use std::fmt;

use hearth_base::{Amount, Kind};

/// Why a transaction was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The fee is below the node's floor.
    InsufficientFee { required: Option<Amount> },
    /// The sender has too little, for the fee or for what is sent.
    InsufficientFunds,
    /// The gas limit was too low.
    OutOfGas,
    /// The account's sequence number is another one.
    WrongSequence { expected: Option<u64> },
    /// Wrong key, chain id or account number.
    BadSignature,
    /// The account is unknown to the chain.
    UnknownAccount,
    /// The node takes no more transactions now.
    MempoolFull,
    /// The transaction's last height or moment has passed.
    TimedOut,
    /// An unordered transaction broke their rules; `used` where its moment was used before.
    Unordered { used: bool },
    /// The memo is too long.
    MemoTooLong,
    /// Bytes that the chain cannot read.
    Undecodable,
    /// An address or amount that is none.
    BadField,
    /// The claim came after its window, or before it where `early`.
    OutsideClaimWindow { early: bool },
    /// The proof came after its window, or before it where `early`.
    OutsideProofWindow { early: bool },
    /// No proof is needed for this claim.
    ProofNotRequired,
    /// There is no such claim.
    ClaimNotFound,
    /// The supplier, application or service is not in the session.
    NotInSession,
    /// The record is there already, or was delegated already.
    AlreadyThere,
    /// There is no such record.
    NotFound,
    /// The record is unbonding.
    Unbonding,
    /// The stake is below the minimum, or not above the former one.
    Stake,
    /// The signer may not do this.
    NotAllowed,
    /// Something else; the text says what.
    Other,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Reason::InsufficientFee { required: Some(fee) } => {
                return write!(f, "the node asks for a fee of {fee}");
            }
            Reason::InsufficientFee { required: None } => "the node asks for a higher fee",
            Reason::InsufficientFunds => "the account does not have enough",
            Reason::OutOfGas => "the gas limit was too low",
            Reason::WrongSequence { .. } => "another transaction of this account came first",
            Reason::BadSignature => "the signature does not fit the account or the chain",
            Reason::UnknownAccount => "the account is not on the chain yet",
            Reason::MempoolFull => "the node has too many transactions waiting",
            Reason::TimedOut => "its time had run out",
            Reason::Unordered { used: true } => "its moment of validity was used before",
            Reason::Unordered { used: false } => "its moment of validity is not allowed",
            Reason::MemoTooLong => "the memo is too long",
            Reason::Undecodable => "the chain cannot read it",
            Reason::BadField => "an address or amount in it is not valid",
            Reason::OutsideClaimWindow { early: true } => "the claim window is not open yet",
            Reason::OutsideClaimWindow { early: false } => "the claim window is closed",
            Reason::OutsideProofWindow { early: true } => "the proof window is not open yet",
            Reason::OutsideProofWindow { early: false } => "the proof window is closed",
            Reason::ProofNotRequired => "no proof is needed",
            Reason::ClaimNotFound => "there is no such claim",
            Reason::NotInSession => "it does not belong to this session",
            Reason::AlreadyThere => "it is there already",
            Reason::NotFound => "something it names does not exist",
            Reason::Unbonding => "the record is unbonding",
            Reason::Stake => "the stake is not enough",
            Reason::NotAllowed => "the signer may not do this",
            Reason::Other => "refused",
        };
        f.write_str(text)
    }
}

impl Reason {
    /// What a caller does about it.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Reason::InsufficientFee { .. }
            | Reason::OutOfGas
            | Reason::WrongSequence { .. }
            | Reason::MempoolFull
            | Reason::TimedOut
            | Reason::OutsideClaimWindow { early: true }
            | Reason::OutsideProofWindow { early: true }
            | Reason::Unordered { .. } => Kind::Retry,
            Reason::InsufficientFunds
            | Reason::BadSignature
            | Reason::UnknownAccount
            | Reason::MemoTooLong
            | Reason::Undecodable
            | Reason::BadField
            | Reason::OutsideClaimWindow { early: false }
            | Reason::OutsideProofWindow { early: false }
            | Reason::ProofNotRequired
            | Reason::ClaimNotFound
            | Reason::NotInSession
            | Reason::AlreadyThere
            | Reason::NotFound
            | Reason::Unbonding
            | Reason::Stake
            | Reason::NotAllowed
            | Reason::Other => Kind::Skip,
        }
    }
}

impl Reason {
    /// Whether every endpoint refuses these bytes for the same reason, at any height. All else hangs on an endpoint's
    /// settings, on how far it follows the chain, or on its honesty.
    #[must_use]
    pub fn lies_in_the_bytes(&self) -> bool {
        match self {
            Reason::MemoTooLong | Reason::Undecodable | Reason::BadField => true,
            Reason::InsufficientFee { .. }
            | Reason::OutOfGas
            | Reason::WrongSequence { .. }
            | Reason::MempoolFull
            | Reason::TimedOut
            | Reason::OutsideClaimWindow { .. }
            | Reason::OutsideProofWindow { .. }
            | Reason::Unordered { .. }
            | Reason::InsufficientFunds
            | Reason::BadSignature
            | Reason::UnknownAccount
            | Reason::ProofNotRequired
            | Reason::ClaimNotFound
            | Reason::NotInSession
            | Reason::AlreadyThere
            | Reason::NotFound
            | Reason::Unbonding
            | Reason::Stake
            | Reason::NotAllowed
            | Reason::Other => false,
        }
    }

    /// Whether the same bytes may still be taken later. `false`: what they say of fee, gas, time or signature has to
    /// be signed anew.
    #[must_use]
    pub fn same_bytes_may_pass(&self) -> bool {
        match self {
            Reason::InsufficientFee { .. }
            | Reason::OutOfGas
            | Reason::WrongSequence { .. }
            | Reason::TimedOut
            | Reason::Unordered { used: false }
            | Reason::BadSignature
            | Reason::MemoTooLong
            | Reason::Undecodable
            | Reason::BadField => false,
            Reason::MempoolFull
            | Reason::OutsideClaimWindow { .. }
            | Reason::OutsideProofWindow { .. }
            | Reason::Unordered { used: true }
            | Reason::InsufficientFunds
            | Reason::UnknownAccount
            | Reason::ProofNotRequired
            | Reason::ClaimNotFound
            | Reason::NotInSession
            | Reason::AlreadyThere
            | Reason::NotFound
            | Reason::Unbonding
            | Reason::Stake
            | Reason::NotAllowed
            | Reason::Other => true,
        }
    }
}

impl Reason {
    /// The reason with what the chain said, where that tells more.
    #[must_use]
    pub fn words(&self, codespace: &str, code: i64, log: &str) -> String {
        // What it says of money is for programmers.
        match (self, shortage(log)) {
            (Reason::InsufficientFunds, Some((there, needed))) => format!(
                "the account has {} POKT, {} are needed",
                there.pokt(),
                needed.pokt()
            ),
            (Reason::InsufficientFunds, None) => self.to_string(),
            _ => format!("{self}: {log} ({codespace} {code})"),
        }
    }
}

/// Tells the reason of a refusal from its codespace, code and text.
#[must_use]
pub fn reason_of(codespace: &str, code: i64, log: &str) -> Reason {
    // Code 6 wraps whatever a simulation met.
    let wrapped = codespace == "sdk" && code == 6;
    if codespace == "sdk" && !wrapped {
        return sdk(code, log);
    }
    by_text(log)
}

fn sdk(code: i64, log: &str) -> Reason {
    match code {
        2 => Reason::Undecodable,
        4 | 8 => Reason::BadSignature,
        5 => Reason::InsufficientFunds,
        7 | 10 => Reason::BadField,
        9 => Reason::UnknownAccount,
        11 => Reason::OutOfGas,
        12 => Reason::MemoTooLong,
        13 => Reason::InsufficientFee {
            required: required_fee(log),
        },
        18 => by_text(log),
        20 => Reason::MempoolFull,
        30 | 42 => Reason::TimedOut,
        32 => Reason::WrongSequence {
            expected: expected_sequence(log),
        },
        _ => by_text(log),
    }
}

fn by_text(log: &str) -> Reason {
    let has = |text: &str| log.contains(text);
    if has("incorrect account sequence") {
        return Reason::WrongSequence {
            expected: expected_sequence(log),
        };
    }
    if has("insufficient fee") {
        return Reason::InsufficientFee {
            required: required_fee(log),
        };
    }
    if has("unordered") {
        return Reason::Unordered {
            used: has("already used timeout"),
        };
    }
    let early = has("is less than session's earliest");
    let texts: [(&str, Reason); 31] = [
        ("claim window", Reason::OutsideClaimWindow { early }),
        ("proof window", Reason::OutsideProofWindow { early }),
        ("proof not required", Reason::ProofNotRequired),
        ("claim not found", Reason::ClaimNotFound),
        ("session ID does not match", Reason::NotInSession),
        ("not found in session", Reason::NotInSession),
        ("invalid session", Reason::NotInSession),
        ("out of gas", Reason::OutOfGas),
        ("signature verification failed", Reason::BadSignature),
        ("invalid pubkey", Reason::BadSignature),
        ("insufficient funds", Reason::InsufficientFunds),
        ("not enough funds", Reason::InsufficientFunds),
        ("unknown address", Reason::UnknownAccount),
        ("tx timeout", Reason::TimedOut),
        ("memo too large", Reason::MemoTooLong),
        ("mempool is full", Reason::MempoolFull),
        ("already delegated", Reason::AlreadyThere),
        ("already exists", Reason::AlreadyThere),
        ("in unbonding period", Reason::Unbonding),
        ("no longer active", Reason::Unbonding),
        ("must stake at least", Reason::Stake),
        ("must be higher than previous stake", Reason::Stake),
        ("not allowed to", Reason::NotAllowed),
        ("does not match owner", Reason::NotAllowed),
        ("does not match the new owner", Reason::NotAllowed),
        ("unauthorized", Reason::NotAllowed),
        ("only the operator account", Reason::NotAllowed),
        ("not found", Reason::NotFound),
        ("does not exist", Reason::NotFound),
        ("invalid address", Reason::BadField),
        ("invalid coins", Reason::BadField),
    ];
    texts
        .into_iter()
        .find(|(text, _)| has(text))
        .map_or(Reason::Other, |(_, reason)| reason)
}

/// Reads `required: 80upokt` out of the log.
fn required_fee(log: &str) -> Option<Amount> {
    let (_, rest) = log.split_once("required: ")?;
    let coins = rest.split(':').next()?;
    coins
        .split(',')
        .find_map(|coin| coin.trim().strip_suffix("upokt")?.parse().ok())
}

/// Reads what is there and what is needed out of `spendable balance 1upokt is smaller than 2upokt` or `1upokt < 2upokt`.
fn shortage(log: &str) -> Option<(Amount, Amount)> {
    let (there, needed) = log
        .split_once(" is smaller than ")
        .or_else(|| log.split_once(" < "))?;
    let amount = |coin: &str| coin.strip_suffix("upokt")?.parse().ok();
    let there = there.split_whitespace().next_back()?;
    let needed = needed.split([' ', ':']).next()?;
    Some((amount(there)?, amount(needed)?))
}

/// Reads `expected 2, got 7` out of the log.
fn expected_sequence(log: &str) -> Option<u64> {
    let (_, rest) = log.split_once("expected ")?;
    rest.split(',').next()?.trim().parse().ok()
}
