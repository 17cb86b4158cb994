//! The one conversion of errors into what callers see.

use std::collections::BTreeMap;

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hearth_answers::Code;
use hearth_listen::{BodyError, Refusal};

use crate::{
    control::types::{ErrorBody, ErrorDetail},
    explanations,
};

/// A refusal or failure with its status, a stable code, what happened, what it means and what to do. Where an error
/// brings no meaning or remedy of its own, [`explanations`] has those of its code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub meaning: Option<String>,
    pub remedy: Option<String>,
    pub details: Option<String>,
    pub values: BTreeMap<String, String>,
    pub retry_after_seconds: Option<u64>,
    /// Headers of the answer, beside those that its status brings.
    pub headers: Vec<(HeaderName, HeaderValue)>,
}

impl ApiError {
    /// An error in the words of its code.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            code,
            message: message.into(),
            meaning: None,
            remedy: None,
            details: None,
            values: BTreeMap::new(),
            retry_after_seconds: None,
            headers: Vec::new(),
        }
    }

    /// Adds what it means.
    #[must_use]
    pub fn meaning(mut self, meaning: impl Into<String>) -> ApiError {
        self.meaning = Some(meaning.into());
        self
    }

    /// Adds what the system or another program said.
    #[must_use]
    pub fn details(mut self, details: impl Into<String>) -> ApiError {
        self.details = Some(details.into());
        self
    }

    /// Adds a figure of the message by name, for surfaces that say it in another language.
    #[must_use]
    pub fn value(mut self, name: &str, value: impl ToString) -> ApiError {
        self.values.insert(name.to_owned(), value.to_string());
        self
    }

    /// Adds when it may be tried again.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> ApiError {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> ApiError {
        self.remedy = Some(remedy.into());
        self
    }

    /// The request is wrong, as only a program can make it; a person's slip has a code of its own.
    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    /// What a person gave is refused, for the one fact that `code` stands for.
    pub fn refused(code: &'static str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, code, message)
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

    /// There is no room on the disk.
    pub(crate) fn disk_full() -> ApiError {
        ApiError::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "disk_full",
            "the disk is full, nothing was written",
        )
    }

    /// A body could not be read.
    pub(crate) fn from_body(error: &axum::Error) -> ApiError {
        let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        let listener = causes
            .into_iter()
            .find_map(|error| error.downcast_ref::<BodyError>());
        listener.map_or_else(|| ApiError::bad_request("the body broke off"), ApiError::from)
    }

    /// Something inside failed. The cause goes to the log alone.
    pub fn internal(cause: &(dyn std::error::Error + 'static)) -> ApiError {
        tracing::error!(error = %hearth_base::failure::chain(cause), "a call failed inside");
        ApiError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something inside Hearth failed",
        )
    }

    /// The error as the control API says it.
    #[must_use]
    pub fn detail(&self) -> ErrorDetail {
        let words = explanations::of(self.code);
        ErrorDetail {
            code: self.code.to_owned(),
            message: self.message.clone(),
            meaning: self.meaning.clone().or(words.meaning.map(str::to_owned)),
            remedy: self.remedy.clone().or(words.remedy.map(str::to_owned)),
            details: self.details.clone(),
            values: self.values.clone(),
        }
    }

    /// The error in OpenAI's shape.
    #[must_use]
    pub fn openai(&self) -> hearth_answers::Error {
        hearth_answers::Error {
            status: self.status.as_u16(),
            remedy: self.detail().remedy,
            retry_after_seconds: self
                .retry_after_seconds
                .and_then(|seconds| u32::try_from(seconds).ok()),
            ..hearth_answers::Error::new(Code::Of(self.code), self.message.clone())
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
        response.headers_mut().extend(self.headers.iter().cloned());
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

impl From<Refusal> for ApiError {
    fn from(why: Refusal) -> ApiError {
        match why {
            Refusal::LargeHead { headers, bytes } => ApiError::new(
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
                "large_head",
                format!("a request may have {headers} headers and {bytes} bytes of them"),
            ),
            Refusal::TooMany { retry_after } => ApiError {
                retry_after_seconds: Some(retry_after.as_secs() + 1),
                ..ApiError::new(
                    StatusCode::TOO_MANY_REQUESTS,
                    "too_many",
                    "too many requests at once",
                )
            },
            // The panic's own report says where it is.
            Refusal::Fault => ApiError::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "a fault in this program broke the call off; everything else goes on",
            )
            .remedy("Please report it: the log says where it is."),
        }
    }
}

impl From<&BodyError> for ApiError {
    fn from(error: &BodyError) -> ApiError {
        let text = error.to_string();
        match error {
            BodyError::TooLarge { .. } => ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text),
            BodyError::Crowded => ApiError {
                retry_after_seconds: Some(CROWDED_SECONDS),
                ..ApiError::unavailable("crowded", text)
            },
            BodyError::TooSlow { .. } => ApiError::new(StatusCode::REQUEST_TIMEOUT, "too_slow", text),
            BodyError::BrokenOff(_) => ApiError::bad_request(text),
        }
    }
}

impl From<sqlx::Error> for ApiError {
    fn from(error: sqlx::Error) -> ApiError {
        if hearth_store::is_disk_full(&error) {
            return ApiError::disk_full();
        }
        ApiError::internal(&error)
    }
}

impl From<hearth_connect::Error> for ApiError {
    fn from(error: hearth_connect::Error) -> ApiError {
        let (meaning, remedy) = error.words();
        let status = match &error {
            hearth_connect::Error::OnlyShown(_) => StatusCode::BAD_REQUEST,
            hearth_connect::Error::NotConnected(_) => StatusCode::NOT_FOUND,
            hearth_connect::Error::Io { .. } | hearth_connect::Error::Record(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
            hearth_connect::Error::NoFile { .. }
            | hearth_connect::Error::TooLarge { .. }
            | hearth_connect::Error::ReadOnly(_)
            | hearth_connect::Error::OtherOwner(_)
            | hearth_connect::Error::Changed(_)
            | hearth_connect::Error::Edit { .. } => StatusCode::CONFLICT,
        };
        let mut refused = ApiError::new(status, error.code(), error.to_string());
        refused.meaning = Some(meaning.to_owned()).filter(|meaning| !meaning.is_empty());
        refused.remedy = Some(remedy.to_owned()).filter(|remedy| !remedy.is_empty());
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        refused.details = cause.filter(|cause| !refused.message.contains(cause));
        refused
    }
}

/// Bodies arrive within seconds, mostly.
const CROWDED_SECONDS: u64 = 2;

impl From<hearth_answers::Error> for ApiError {
    fn from(error: hearth_answers::Error) -> ApiError {
        let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        ApiError {
            remedy: error.remedy,
            retry_after_seconds: error.retry_after_seconds.map(u64::from),
            values: error
                .values
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
            ..ApiError::new(status, error.code.word(), error.message)
        }
    }
}

/// A refusal of the weight store: its fact decides.
pub(crate) fn of_weights(fact: hearth_weights::Fact, error: &(dyn std::error::Error + 'static)) -> ApiError {
    let text = hearth_base::failure::chain(error);
    let refused = match fact.code {
        "internal" => return ApiError::internal(error),
        "disk_full" => ApiError::disk_full(),
        "stopping" => ApiError::unavailable("stopping", text),
        code => ApiError::refused(code, text),
    };
    fact.values
        .into_iter()
        .fold(refused, |refused, (name, value)| refused.value(name, value))
}

impl From<hearth_chats::Error> for ApiError {
    fn from(error: hearth_chats::Error) -> ApiError {
        use hearth_chats::Error;
        let text = error.to_string();
        match error {
            Error::NotFound(what) => ApiError::not_found(what),
            Error::Refused { code, why } => ApiError::refused(code, why),
            Error::TooLong => ApiError::conflict("too_long", text),
            Error::Busy => ApiError::unavailable("crowded", text).retry_after(CROWDED_SECONDS),
            Error::Database(error) => error.into(),
            Error::System(error) => ApiError::internal(&error),
        }
    }
}

impl From<hearth_outbox::DbError> for ApiError {
    fn from(error: hearth_outbox::DbError) -> ApiError {
        match error {
            hearth_outbox::DbError::Sql(error) => error.into(),
            error @ (hearth_outbox::DbError::Unreadable(_) | hearth_outbox::DbError::Json(_)) => {
                ApiError::internal(&error)
            }
        }
    }
}

impl From<hearth_outbox::PutError> for ApiError {
    fn from(error: hearth_outbox::PutError) -> ApiError {
        match error {
            hearth_outbox::PutError::Forbidden(error) => ApiError::refused("not_signed", error.to_string()),
            hearth_outbox::PutError::Db(error) => error.into(),
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
            Error::WrongPassword { tries_left } => {
                ApiError::new(StatusCode::FORBIDDEN, "wrong_password", text).value("tries_left", tries_left)
            }
            Error::Wait { seconds } => ApiError::new(StatusCode::TOO_MANY_REQUESTS, "wait", text)
                .value("seconds", seconds)
                .retry_after(seconds),
            Error::WeakPassword { least } => {
                ApiError::new(StatusCode::BAD_REQUEST, "weak_password", text).value("least", least)
            }
            Error::Words(error) => words_error(&error),
            Error::OtherWords => ApiError::new(StatusCode::BAD_REQUEST, "other_words", text),
            Error::SamePassword => ApiError::new(StatusCode::BAD_REQUEST, "same_password", text),
            Error::Path(_) => ApiError::new(StatusCode::BAD_REQUEST, "path_wrong", text),
            Error::Hex => ApiError::new(StatusCode::BAD_REQUEST, "key_wrong", text),
            Error::Armor(hearth_wallet::ArmorError::Passphrase) => {
                ApiError::new(StatusCode::FORBIDDEN, "armor_passphrase", text)
            }
            Error::Armor(_) => ApiError::new(StatusCode::BAD_REQUEST, "armor_wrong", text),
            Error::Morse(hearth_wallet::MorseError::Passphrase) => {
                ApiError::new(StatusCode::FORBIDDEN, "morse_passphrase", text)
            }
            Error::Morse(_) => ApiError::new(StatusCode::BAD_REQUEST, "morse_key_wrong", text),
            Error::Label { .. } => ApiError::new(StatusCode::BAD_REQUEST, "label_wrong", text),
            Error::LabelTaken { ref label } => {
                let label = label.clone();
                ApiError::conflict("label_taken", text).value("label", label)
            }
            Error::Known { ref label } => {
                let label = label.clone();
                ApiError::conflict("account_known", text).value("label", label)
            }
            Error::InUse { .. } => ApiError::conflict("account_in_use", text),
            Error::Message { .. } => ApiError::new(StatusCode::BAD_REQUEST, "too_long", text),
            Error::TooMany { .. } => ApiError::conflict("too_many_accounts", text),
            Error::NoWords => ApiError::conflict("no_words", text),
            Error::NoPassword => ApiError::conflict("no_password", text),
            Error::NoKeyFor(_) | Error::NoWorkingKey => ApiError::conflict("no_key_for", text),
            Error::NoEntry(_) => ApiError::new(StatusCode::NOT_FOUND, "no_account", text),
            Error::Watched { .. } => ApiError::conflict("only_watched", text),
            Error::WatchedPurpose => ApiError::conflict("only_watched", text).remedy(
                "Take the purpose from the key that has it first: `hearth wallet use ACCOUNT` names those it keeps.",
            ),
            Error::File { .. } | Error::Random(_) => ApiError::internal(&error),
            Error::Damaged { .. } => {
                tracing::error!(error = %text, "the wallet file is damaged");
                ApiError::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "wallet_damaged",
                    "the wallet file is damaged",
                )
            }
            Error::Newer { .. } => ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "wallet_newer", text),
        }
    }
}

/// One code for each slip, so that the page can say in its language which word it is.
fn words_error(error: &hearth_wallet::WordsError) -> ApiError {
    use hearth_wallet::WordsError;
    let refused = |code| ApiError::new(StatusCode::BAD_REQUEST, code, error.to_string());
    match error {
        WordsError::Count(count) => refused("words_count").value("count", count),
        WordsError::Unknown(place) => refused("word_unknown").value("place", place),
        WordsError::Checksum => refused("bad_words"),
        WordsError::Random(_) => ApiError::internal(error),
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
        assert_eq!(error.detail().values["tries_left"], "3");
    }

    #[test]
    fn a_refused_model_has_the_code_and_the_figures_of_its_fact() {
        let of = |code, values: &[(&'static str, &str)]| {
            let values = values.iter().map(|(name, value)| (*name, (*value).to_owned()));
            let fact = hearth_weights::Fact {
                code,
                values: values.collect(),
            };
            of_weights(fact, &std::io::Error::other("/home/me/x"))
        };
        let refused = of("model_version", &[("file", "m.gguf"), ("version", "1")]);
        assert_eq!(
            (refused.status, refused.code),
            (StatusCode::BAD_REQUEST, "model_version")
        );
        assert_eq!(refused.detail().values["version"], "1");
        assert_eq!(of("disk_full", &[]).status, StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(of("stopping", &[]).status, StatusCode::SERVICE_UNAVAILABLE);
        let inside = of("internal", &[]);
        assert_eq!(inside.status, StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!inside.message.contains("/home"), "{inside}");
    }

    #[test]
    fn an_error_says_what_it_means_and_what_to_do() {
        let detail = ApiError::conflict("no_wallet", "there is no wallet yet").detail();
        assert!(detail.meaning.is_some() && detail.remedy.is_some(), "{detail:?}");
        // Its own words are closer to the fact than those of its code.
        let own = ApiError::conflict("no_wallet", "none")
            .remedy("Do this.")
            .detail();
        assert_eq!(own.remedy.as_deref(), Some("Do this."));
        let words = |error| ApiError::from(hearth_wallet::Error::Words(error)).detail();
        let unknown = words(hearth_wallet::WordsError::Unknown(7));
        assert_eq!(
            (unknown.code.as_str(), unknown.values["place"].as_str()),
            ("word_unknown", "7")
        );
        assert_eq!(words(hearth_wallet::WordsError::Count(11)).code, "words_count");
    }
}
