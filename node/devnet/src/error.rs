//! Refusals as the chain words them: codespace, code and log of a transaction.

/// Why a transaction is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{codespace} {code}: {log}")]
pub(crate) struct TxError {
    pub(crate) codespace: String,
    pub(crate) code: u32,
    pub(crate) log: String,
}

impl TxError {
    /// An error of a module's own list; `log` is the whole text.
    pub(crate) fn new(codespace: &str, code: u32, log: impl Into<String>) -> TxError {
        TxError {
            codespace: codespace.to_owned(),
            code,
            log: log.into(),
        }
    }

    pub(crate) fn sdk(code: u32, log: impl Into<String>) -> TxError {
        TxError::new("sdk", code, log)
    }

    /// A gRPC status from a message handler, which the SDK does not know: codespace `undefined`, code 1.
    pub(crate) fn grpc(status: Status, text: impl std::fmt::Display) -> TxError {
        TxError::new(
            "undefined",
            1,
            format!("rpc error: code = {} desc = {text}", status.name()),
        )
    }

    /// The error of a message inside a transaction.
    pub(crate) fn in_message(self, index: usize) -> TxError {
        TxError {
            log: format!("failed to execute message; message index: {index}: {}", self.log),
            ..self
        }
    }
}

/// The gRPC codes that Pocket's handlers answer with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    InvalidArgument,
    FailedPrecondition,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    Internal,
}

impl Status {
    const fn name(self) -> &'static str {
        match self {
            Status::InvalidArgument => "InvalidArgument",
            Status::FailedPrecondition => "FailedPrecondition",
            Status::NotFound => "NotFound",
            Status::AlreadyExists => "AlreadyExists",
            Status::PermissionDenied => "PermissionDenied",
            Status::Internal => "Internal",
        }
    }
}
