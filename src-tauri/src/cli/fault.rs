//! Why a command ends with another code than 0, in the one shape of all surfaces: what happened, what it means, what
//! to do, and the technical text.

use hearth_node::{NodeError, control::ErrorDetail};

/// It failed.
pub(crate) const FAILED: u8 = 1;
/// It was asked for wrongly.
pub(crate) const WRONG_USE: u8 = 2;
/// Something that it needs is not there yet.
pub(crate) const NOT_READY: u8 = 3;

/// What the API refuses because something is not there yet, rather than because it failed.
const NOT_READY_CODES: [&str; 9] = [
    "application_not_ready",
    "chain_unreachable",
    "faucet_unreachable",
    "gateway_not_ready",
    "key_locked",
    "network_unavailable",
    "no_login",
    "no_wallet",
    "stopping",
];

/// Why a command ends with another code than 0.
#[derive(Debug)]
pub(crate) enum Exit {
    /// Everything is said already; this is the code.
    Said(u8),
    Fault(Box<Fault>),
}

impl Exit {
    /// Whether it is the fault with this code.
    pub(crate) fn is(&self, code: &str) -> bool {
        matches!(self, Exit::Fault(fault) if fault.detail.code == code)
    }
}

/// What a command gives back.
pub(crate) type Done = Result<(), Exit>;

/// What went wrong, and the exit code for it.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", .detail.message)]
pub(crate) struct Fault {
    pub(crate) exit: u8,
    pub(crate) detail: ErrorDetail,
}

impl Fault {
    fn new(exit: u8, code: &str, message: impl Into<String>) -> Fault {
        Fault {
            exit,
            detail: ErrorDetail {
                code: code.to_owned(),
                message: message.into(),
                ..ErrorDetail::default()
            },
        }
    }

    pub(crate) fn failed(code: &str, message: impl Into<String>) -> Fault {
        Fault::new(FAILED, code, message)
    }

    pub(crate) fn wrong_use(message: impl Into<String>) -> Fault {
        Fault::new(WRONG_USE, "wrong_use", message)
    }

    pub(crate) fn not_ready(code: &str, message: impl Into<String>) -> Fault {
        Fault::new(NOT_READY, code, message)
    }

    /// What the daemon refused.
    pub(crate) fn refused(status: u16, detail: ErrorDetail) -> Fault {
        // A payment that was not seen is no payment that is not ready.
        let later = status == 503 && detail.code != "not_seen";
        let exit = if later || NOT_READY_CODES.contains(&detail.code.as_str()) {
            NOT_READY
        } else {
            FAILED
        };
        Fault { exit, detail }
    }

    pub(crate) fn meaning(mut self, meaning: impl Into<String>) -> Fault {
        self.detail.meaning = Some(meaning.into());
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Fault {
        self.detail.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn details(mut self, details: impl Into<String>) -> Fault {
        self.detail.details = Some(details.into());
        self
    }
}

impl From<Fault> for Exit {
    fn from(fault: Fault) -> Exit {
        Exit::Fault(Box::new(fault))
    }
}

impl From<anyhow::Error> for Exit {
    fn from(error: anyhow::Error) -> Exit {
        match error.downcast::<Fault>() {
            Ok(fault) => fault.into(),
            Err(error) => {
                let code = error
                    .downcast_ref::<NodeError>()
                    .map_or("failed", NodeError::code);
                let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
                let mut fault = Fault::failed(code, error.to_string());
                // A cause that its error tells already is no news.
                let told = causes.iter().all(|cause| fault.detail.message.contains(cause));
                if !told {
                    fault = fault.details(causes.join(": "));
                }
                fault.into()
            }
        }
    }
}

impl From<NodeError> for Exit {
    fn from(error: NodeError) -> Exit {
        anyhow::Error::from(error).into()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn fault(exit: Exit) -> Fault {
        match exit {
            Exit::Fault(fault) => *fault,
            Exit::Said(code) => panic!("said, {code}"),
        }
    }

    #[test]
    fn causes_are_details_and_a_fault_stays_what_it_is() {
        let io = std::io::Error::other("the disk is on fire");
        let failed = fault(
            Err::<(), _>(io)
                .context("the file cannot be read")
                .unwrap_err()
                .into(),
        );
        assert_eq!((failed.exit, failed.detail.code.as_str()), (1, "failed"));
        assert_eq!(failed.detail.message, "the file cannot be read");
        assert_eq!(failed.detail.details.as_deref(), Some("the disk is on fire"));
        let inner = anyhow::Error::from(Fault::not_ready("no_model", "no model").remedy("add one"));
        let through = fault(inner.into());
        assert_eq!((through.exit, through.detail.code.as_str()), (3, "no_model"));
        assert_eq!(through.detail.remedy.as_deref(), Some("add one"));
    }

    #[test]
    fn what_is_not_there_yet_has_a_code_of_its_own() {
        let refused = |status, code: &str| {
            let detail = ErrorDetail {
                code: code.to_owned(),
                ..ErrorDetail::default()
            };
            Fault::refused(status, detail).exit
        };
        assert_eq!(refused(409, "no_wallet"), NOT_READY);
        assert_eq!(refused(503, "engine_overloaded"), NOT_READY);
        assert_eq!(refused(503, "not_seen"), FAILED);
        assert_eq!(refused(403, "wrong_password"), FAILED);
    }
}
