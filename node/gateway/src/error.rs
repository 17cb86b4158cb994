//! What can go wrong, and whose fault it is.

use std::time::Duration;

use hearth_answers::judge::NoAnswer;
use hearth_base::{Amount, Failure, Kind, ServiceId};
use hearth_pocket::{Address, SignError, relay::RelayError, ring::RingError, stream::StreamError};

use crate::{
    chain_queries::ChainQueryError,
    receipt::Charge,
    refusal::{Refusal, RefusalReason},
};

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The request cannot be sent as it is.
    Caller,
    /// Something on this node stands in the way: a locked key, a limit, a shutdown.
    Node,
    /// The application that pays: not delegated, out of stake.
    Application,
    /// The supplier that was asked.
    Supplier,
    /// The chain cannot be asked, or has nobody to ask.
    Network,
}

/// Why a request got no answer, or an answer broke off.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no wallet yet, so no key to sign requests: create or import one")]
    NoKey,
    #[error(transparent)]
    Sign(#[from] SignError),
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error("the chain has not been reached yet: wait until the node follows it")]
    NoHead,
    #[error("there is no service \"{service}\" on this chain: check the model's name")]
    UnknownService { service: ServiceId },
    #[error(
        "nobody pays for service \"{service}\": stake an application for it and delegate it to gateway {gateway}"
    )]
    NoApplication { service: ServiceId, gateway: Address },
    #[error(
        "application {application} has not delegated to gateway {gateway}, and gateway.direct_signing is off: delegate it, \
         or set that to let the application sign for itself"
    )]
    NotDelegated { application: Address, gateway: Address },
    #[error(
        "application {application} has delegated to no gateway, and this node has no key of one: set gateway.direct_signing to \
         let the application sign for itself"
    )]
    DirectOff { application: Address },
    #[error(
        "application {application} has delegated to no gateway and may be spent without a limit, so anybody could sign \
         for all of its stake: delegate it to a gateway, or stake it again with a limit for each session"
    )]
    Unguarded { application: Address },
    #[error(
        "application {application} is on its way out, so suppliers take nothing from it: stake it again, or another one"
    )]
    Leaving { application: Address },
    #[error(
        "the chain does not know the public key of application {application}: it must send a transaction first"
    )]
    NoApplicationKey { application: Address },
    #[error(
        "application {application} has no stake left above the minimum, and only that can be spent: with what suppliers may \
         still claim, one more answer of {price} could bring it below; add stake, or wait until former sessions are settled"
    )]
    OutOfStake { application: Address, price: Amount },
    #[error(
        "answers of the network have cost {} POKT today, and one more of {} POKT would exceed the cap of {} POKT a day",
        spent.pokt(), price.pokt(), cap.pokt()
    )]
    DailyCap {
        cap: Amount,
        spent: Amount,
        price: Amount,
    },
    #[error(
        "an answer of \"{service}\" costs {price} by now, and {most} were set aside for it: nothing was sent"
    )]
    PriceRose {
        service: ServiceId,
        price: Amount,
        most: Amount,
    },
    #[error("what was spent cannot be written down, so nothing more is spent: is the disk full?")]
    Store(#[from] sqlx::Error),
    #[error(
        "no supplier serves \"{service}\" in this session at an address that may be asked; a new stake counts from the \
         next session"
    )]
    NoSupplier { service: ServiceId },
    #[error("{limit} answers are in progress already: wait for one of them")]
    Busy { limit: usize },
    #[error("the request has {bytes} bytes, at most {limit} can be sent")]
    RequestTooLarge { bytes: usize, limit: usize },
    #[error("the gateway is stopping")]
    Stopping,
    #[error(transparent)]
    Network(#[from] ChainQueryError),
    #[error("supplier {operator}: {error}")]
    Supplier { operator: String, error: SupplierError },
}

/// What a supplier did wrong.
#[derive(Debug, thiserror::Error)]
pub enum SupplierError {
    #[error(transparent)]
    PrivateAddress(hearth_outbound::Refused),
    #[error("its endpoint {url} cannot be reached")]
    Connect {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    #[error("it did not begin to answer within {}", seconds(.after))]
    FirstByte { after: Duration },
    #[error("it did not finish its answer within {}", seconds(.after))]
    Total { after: Duration },
    #[error("it refused: {0}")]
    Refused(Refusal),
    #[error("its answer is no relay response")]
    Undecodable,
    #[error("its answer is not what it signed: {0}")]
    Unverified(RelayError),
    #[error("its answer carries no HTTP answer")]
    NoHttpAnswer,
    #[error("its stream changed from status {first} to {then}")]
    StatusChanged { first: u32, then: u32 },
    #[error(transparent)]
    Stream(StreamError),
    #[error("its answer broke off after {bytes} bytes")]
    BrokenOff { bytes: u64 },
    #[error("its answer is empty")]
    Empty,
    #[error("its answer has more than {limit} bytes")]
    TooLarge { limit: usize },
    #[error("its answer has more than {limit} parts")]
    TooManyParts { limit: u32 },
    #[error("what it signed is no answer: {0}")]
    NoAnswer(NoAnswer),
    #[error("its stream ended with an error of its own")]
    ErrorEvent,
}

fn seconds(time: &Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

impl SupplierError {
    /// What the supplier can claim for it.
    #[must_use]
    pub fn charge(&self) -> Charge {
        match self {
            SupplierError::PrivateAddress(_) | SupplierError::Connect { .. } => Charge::Unpaid,
            SupplierError::Refused(refusal) if refusal.is_the_miners => Charge::Unpaid,
            // Nobody is paid for a backend's failure; whatever else was signed can be claimed all the same.
            SupplierError::NoAnswer(NoAnswer::Status(500..)) => Charge::Unpaid,
            SupplierError::Refused(_)
            | SupplierError::NoAnswer(_)
            | SupplierError::FirstByte { .. }
            | SupplierError::Total { .. }
            | SupplierError::Undecodable
            | SupplierError::Unverified(_)
            | SupplierError::NoHttpAnswer
            | SupplierError::StatusChanged { .. }
            | SupplierError::Stream(_)
            | SupplierError::BrokenOff { .. }
            | SupplierError::TooLarge { .. }
            | SupplierError::TooManyParts { .. }
            | SupplierError::ErrorEvent
            | SupplierError::Empty => Charge::Unknown,
        }
    }

    /// Whether the request reached the supplier, which could then claim it.
    #[must_use]
    pub fn reached(&self) -> bool {
        !matches!(
            self,
            SupplierError::PrivateAddress(_) | SupplierError::Connect { .. }
        )
    }

    /// Whether no honest supplier does this.
    #[must_use]
    pub fn is_dishonest(&self) -> bool {
        match self {
            SupplierError::Unverified(_) | SupplierError::StatusChanged { .. } => true,
            SupplierError::PrivateAddress(_)
            | SupplierError::Connect { .. }
            | SupplierError::FirstByte { .. }
            | SupplierError::Total { .. }
            | SupplierError::Refused(_)
            | SupplierError::Undecodable
            | SupplierError::NoHttpAnswer
            | SupplierError::Stream(_)
            | SupplierError::BrokenOff { .. }
            | SupplierError::TooLarge { .. }
            | SupplierError::TooManyParts { .. }
            | SupplierError::NoAnswer(_)
            | SupplierError::ErrorEvent
            | SupplierError::Empty => false,
        }
    }

    fn fault(&self) -> Fault {
        match self {
            SupplierError::Refused(refusal) => match refusal.why {
                RefusalReason::Exhausted => Fault::Application,
                // The stake was proven here before the supplier was asked: its view of the chain is behind ours.
                RefusalReason::NotStaked => Fault::Network,
                RefusalReason::Ring | RefusalReason::BadRequest => Fault::Node,
                RefusalReason::TooLarge => Fault::Caller,
                RefusalReason::Session
                | RefusalReason::WrongSupplier
                | RefusalReason::UnknownService
                | RefusalReason::Unavailable
                | RefusalReason::Backend
                | RefusalReason::Timeout
                | RefusalReason::Other => Fault::Supplier,
            },
            SupplierError::PrivateAddress(_)
            | SupplierError::Connect { .. }
            | SupplierError::FirstByte { .. }
            | SupplierError::Total { .. }
            | SupplierError::Undecodable
            | SupplierError::Unverified(_)
            | SupplierError::NoHttpAnswer
            | SupplierError::StatusChanged { .. }
            | SupplierError::Stream(_)
            | SupplierError::BrokenOff { .. }
            | SupplierError::TooLarge { .. }
            | SupplierError::TooManyParts { .. }
            | SupplierError::NoAnswer(_)
            | SupplierError::ErrorEvent
            | SupplierError::Empty => Fault::Supplier,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            SupplierError::PrivateAddress(_) | SupplierError::Connect { .. } => "supplier_unreachable",
            SupplierError::FirstByte { .. } | SupplierError::Total { .. } => "supplier_timeout",
            SupplierError::Refused(refusal) => match refusal.why {
                RefusalReason::Exhausted => "stake_exhausted",
                RefusalReason::TooLarge => "request_too_large",
                RefusalReason::Timeout => "supplier_timeout",
                RefusalReason::UnknownService => "supplier_lacks_service",
                RefusalReason::Session
                | RefusalReason::WrongSupplier
                | RefusalReason::Unavailable
                | RefusalReason::Backend
                | RefusalReason::Ring
                | RefusalReason::BadRequest
                | RefusalReason::NotStaked
                | RefusalReason::Other => "supplier_refused",
            },
            SupplierError::Undecodable
            | SupplierError::Unverified(_)
            | SupplierError::NoHttpAnswer
            | SupplierError::StatusChanged { .. }
            | SupplierError::Stream(_)
            | SupplierError::Empty => "answer_not_verified",
            SupplierError::TooLarge { .. } | SupplierError::TooManyParts { .. } => "answer_too_large",
            SupplierError::NoAnswer(_) => "no_answer",
            SupplierError::BrokenOff { .. } | SupplierError::ErrorEvent => "answer_broke_off",
        }
    }
}

impl Error {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Error::UnknownService { .. } | Error::RequestTooLarge { .. } => Fault::Caller,
            Error::NoKey
            | Error::Sign(_)
            | Error::Ring(_)
            | Error::Busy { .. }
            | Error::DailyCap { .. }
            | Error::PriceRose { .. }
            | Error::Store(_)
            | Error::Stopping => Fault::Node,
            Error::NoApplication { .. }
            | Error::NotDelegated { .. }
            | Error::DirectOff { .. }
            | Error::Unguarded { .. }
            | Error::Leaving { .. }
            | Error::NoApplicationKey { .. }
            | Error::OutOfStake { .. } => Fault::Application,
            Error::NoHead | Error::NoSupplier { .. } | Error::Network(_) => Fault::Network,
            Error::Supplier { error, .. } => error.fault(),
        }
    }

    /// Whether the supplier would answer, but not now: the same may be asked again soon.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        matches!(
            self,
            Error::Supplier { error: SupplierError::Refused(refusal), .. }
                if refusal.why == RefusalReason::Unavailable
        )
    }

    /// A stable word for scripts.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::NoKey => "no_wallet",
            Error::Sign(SignError::Locked { .. }) => "key_locked",
            Error::Sign(_) | Error::Ring(_) => "signing_failed",
            Error::NoHead | Error::Network(_) => "chain_unreachable",
            Error::UnknownService { .. } => "unknown_service",
            Error::NoApplication { .. } => "no_application",
            Error::NotDelegated { .. } => "not_delegated",
            Error::DirectOff { .. } => "direct_signing_off",
            Error::Unguarded { .. } => "application_unguarded",
            Error::Leaving { .. } => "application_leaving",
            Error::NoApplicationKey { .. } => "no_application_key",
            Error::OutOfStake { .. } => "out_of_stake",
            Error::DailyCap { .. } => "daily_cap_reached",
            Error::PriceRose { .. } => "price_rose",
            Error::Store(_) => "not_written_down",
            Error::NoSupplier { .. } => "no_supplier",
            Error::Busy { .. } => "busy",
            Error::RequestTooLarge { .. } => "request_too_large",
            Error::Stopping => "stopping",
            Error::Supplier { error, .. } => error.code(),
        }
    }
}

impl Failure for Error {
    fn kind(&self) -> Kind {
        match self {
            Error::NoHead | Error::Busy { .. } | Error::NoSupplier { .. } | Error::OutOfStake { .. } => {
                Kind::Retry
            }
            Error::DailyCap { .. } | Error::PriceRose { .. } | Error::Store(_) => Kind::Retry,
            Error::Network(error) => error.kind(),
            Error::Supplier { .. } => Kind::Retry,
            Error::NoKey
            | Error::Sign(_)
            | Error::Ring(_)
            | Error::UnknownService { .. }
            | Error::NoApplication { .. }
            | Error::NotDelegated { .. }
            | Error::DirectOff { .. }
            | Error::Unguarded { .. }
            | Error::Leaving { .. }
            | Error::NoApplicationKey { .. }
            | Error::RequestTooLarge { .. } => Kind::Skip,
            Error::Stopping => Kind::Stop,
        }
    }
}
