//! The one conversion of errors into what callers see.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearth_openai::ErrorType;

use crate::control::types::{ErrorBody, ErrorDetail};

/// A refusal or failure with its status, a stable code, what happened and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub remedy: Option<String>,
    pub retry_after_seconds: Option<u64>,
}

impl ApiError {
    /// An error without a remedy of its own: the message says it.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            code,
            message: message.into(),
            remedy: None,
            retry_after_seconds: None,
        }
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> ApiError {
        self.remedy = Some(remedy.into());
        self
    }

    /// The request is wrong.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// The named thing is not there.
    #[must_use]
    pub fn not_found(what: &str) -> ApiError {
        ApiError::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("there is no such {what}"),
        )
    }

    /// It cannot be done in the present state.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::CONFLICT, code, message)
    }

    /// It may work later.
    pub fn unavailable(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, code, message)
    }

    /// Something inside failed. The cause goes to the log alone.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> ApiError {
        tracing::error!(error = %hearth_base::failure::chain(cause), "a call failed inside");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something inside Hearth failed",
        )
        .remedy("Try again; if it stays, look at the log.")
    }

    /// The error as the control API says it.
    #[must_use]
    pub fn detail(&self) -> ErrorDetail {
        ErrorDetail {
            code: self.code.to_owned(),
            message: self.message.clone(),
            remedy: self.remedy.clone(),
        }
    }

    /// The error in OpenAI's shape.
    #[must_use]
    pub fn openai(&self) -> hearth_openai::Error {
        let kind = match self.status.as_u16() {
            401 => ErrorType::AuthenticationError,
            403 => ErrorType::PermissionError,
            404 => ErrorType::NotFoundError,
            429 => ErrorType::RateLimitError,
            500.. => ErrorType::ServerError,
            _ => ErrorType::InvalidRequestError,
        };
        let message = match &self.remedy {
            Some(remedy) => format!("{}. {remedy}", self.message.trim_end_matches('.')),
            None => self.message.clone(),
        };
        hearth_openai::Error {
            retry_after_seconds: self
                .retry_after_seconds
                .and_then(|seconds| u32::try_from(seconds).ok()),
            ..hearth_openai::Error::new(self.status.as_u16(), kind, self.code, message)
        }
    }

    /// The answer in OpenAI's shape.
    pub(crate) fn into_openai_response(self) -> Response {
        let status = self.status;
        let error = self.openai();
        let mut response =
            (status, [(header::CONTENT_TYPE, "application/json")], error.body()).into_response();
        self.add_headers(&mut response);
        response
    }

    fn add_headers(&self, response: &mut Response) {
        if let Some(seconds) = self.retry_after_seconds {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(ErrorBody { error: self.detail() })).into_response();
        self.add_headers(&mut response);
        response
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> ApiError {
        if error
            .as_database_error()
            .and_then(|error| error.code())
            .as_deref()
            == Some(SQLITE_FULL)
        {
            return ApiError::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "disk_full",
                "the disk is full, nothing was written",
            )
            .remedy("Free space, then try again.");
        }
        ApiError::internal(&error)
    }
}

/// SQLite's code for a full disk or a database at its size limit.
const SQLITE_FULL: &str = "13";

impl From<hearth_openai::Error> for ApiError {
    fn from(error: hearth_openai::Error) -> ApiError {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        ApiError {
            retry_after_seconds: error.retry_after_seconds.map(u64::from),
            ..ApiError::new(status, error.code, error.message)
        }
    }
}

impl From<hearth_wallet::Error> for ApiError {
    fn from(error: hearth_wallet::Error) -> ApiError {
        use hearth_wallet::Error;
        let text = error.to_string();
        match error {
            Error::None => ApiError::conflict("no_wallet", text),
            Error::Exists(_) => {
                ApiError::conflict("wallet_exists", "there is a wallet already; nothing was changed")
            }
            Error::WrongPassword { .. } => ApiError::new(StatusCode::FORBIDDEN, "wrong_password", text),
            Error::Wait { seconds } => ApiError {
                retry_after_seconds: Some(seconds),
                ..ApiError::new(StatusCode::TOO_MANY_REQUESTS, "wait", text)
            },
            Error::WeakPassword { .. } => ApiError::new(StatusCode::BAD_REQUEST, "weak_password", text),
            Error::Words(_) => ApiError::new(StatusCode::BAD_REQUEST, "bad_words", text),
            Error::OtherWords => ApiError::new(StatusCode::BAD_REQUEST, "other_words", text),
            Error::File { .. } | Error::Random(_) => ApiError::internal(&error),
            Error::Damaged { .. } => {
                tracing::error!(error = %text, "the wallet file is damaged");
                ApiError::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "wallet_damaged",
                    "the wallet file is damaged",
                )
                .remedy("Restore the wallet from its recovery words.")
            }
            Error::Newer { .. } => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "wallet_newer", text),
            Error::Store(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_error_says_nothing_of_its_cause() {
        let error = ApiError::internal(&std::io::Error::other("/home/me/secret"));
        assert!(!error.to_string().contains("secret"));
        assert_eq!(error.openai().status, 500);
    }

    #[test]
    fn a_wrong_password_is_refused_with_the_tries_left() {
        let error = ApiError::from(hearth_wallet::Error::WrongPassword { tries_left: 3 });
        assert_eq!(
            (error.status, error.code),
            (StatusCode::FORBIDDEN, "wrong_password")
        );
        assert!(error.message.contains('3'), "{error}");
    }
}
