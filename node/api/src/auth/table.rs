//! The table: which zone of the surface asks for what.

use axum::http::StatusCode;

use crate::error::ApiError;

/// What a caller showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    Nothing,
    /// A valid API key.
    Key,
    /// The token of the data directory or a cookie that was swapped for it.
    Owner,
}

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// From this computer, not through a proxy.
    pub(crate) loopback: bool,
    pub(crate) credential: Credential,
}

/// The parts of the surface that differ in who may call them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    Health,
    /// The files of the UI: they hold no state, and the sign-in page is one of them.
    Page,
    /// Swapping a token or password for a cookie.
    SignIn,
    Ready,
    Metrics,
    Ipfs,
    OpenAi,
    /// Ollama's API, whose paths lie beside those of the control API.
    Ollama,
    Control,
}

impl Zone {
    /// The zone of a path. What is unknown belongs to the strictest one that answers there.
    pub(crate) fn of(path: &str) -> Zone {
        let below = |prefix: &str| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match path {
            "/health" => Zone::Health,
            "/ready" => Zone::Ready,
            "/metrics" => Zone::Metrics,
            "/api/v1/auth/session" => Zone::SignIn,
            _ if is_ollamas(path) => Zone::Ollama,
            _ if below("/api") => Zone::Control,
            "/tokenize" | "/detokenize" => Zone::OpenAi,
            _ if below("/v1") => Zone::OpenAi,
            _ if below("/ipfs") => Zone::Ipfs,
            _ => Zone::Page,
        }
    }

    /// Whether models are asked here: programs, browsers' pages among them, call these and nothing else.
    pub(crate) fn is_for_programs(self) -> bool {
        matches!(self, Zone::OpenAi | Zone::Ollama)
    }

    /// Whether an API key counts here.
    pub(crate) fn takes_keys(self) -> bool {
        match self {
            Zone::Ready | Zone::Metrics | Zone::Ipfs | Zone::OpenAi | Zone::Ollama => true,
            Zone::Health | Zone::Page | Zone::SignIn | Zone::Control => false,
        }
    }

    /// Whether `caller` may call here.
    pub(crate) fn admits(self, caller: Caller) -> Result<(), ApiError> {
        let ok = match self {
            Zone::Health | Zone::Page | Zone::SignIn => true,
            Zone::Ready | Zone::Ipfs | Zone::OpenAi | Zone::Ollama => {
                caller.loopback || caller.credential != Credential::Nothing
            }
            Zone::Metrics => caller.credential != Credential::Nothing,
            Zone::Control => caller.credential == Credential::Owner,
        };
        if ok {
            return Ok(());
        }
        Err(match (self, caller.credential) {
            (Zone::Control, Credential::Key) => ApiError::new(
                StatusCode::FORBIDDEN,
                "token_needed",
                "an API key does not open the control API",
            )
            .remedy("Send the token of the data directory (api-token), or sign in."),
            (Zone::Control, Credential::Nothing | Credential::Owner) => ApiError::new(
                StatusCode::UNAUTHORIZED,
                "token_needed",
                "the control API needs the token of this node",
            )
            .remedy(if caller.loopback {
                "Open the URL that Hearth printed at its start, or send the token as a bearer."
            } else {
                "Sign in with the password of this node, or send the token as a bearer."
            }),
            (
                Zone::Health
                | Zone::Page
                | Zone::SignIn
                | Zone::Ready
                | Zone::Metrics
                | Zone::Ipfs
                | Zone::OpenAi
                | Zone::Ollama,
                Credential::Nothing | Credential::Key | Credential::Owner,
            ) => ApiError::new(
                StatusCode::UNAUTHORIZED,
                "key_needed",
                "this call needs an API key",
            )
            .remedy("Make one under Settings, API and keys, and send it as a bearer."),
        })
    }
}

/// Whether a path is one of Ollama's API. They are named one by one: all else below `/api` is the owner's.
fn is_ollamas(path: &str) -> bool {
    let Some(name) = path.strip_prefix("/api/") else {
        return false;
    };
    matches!(
        name,
        "version"
            | "tags"
            | "ps"
            | "show"
            | "chat"
            | "generate"
            | "embed"
            | "embeddings"
            | "pull"
            | "push"
            | "create"
            | "copy"
            | "delete"
    ) || name
        .strip_prefix("blobs/")
        .is_some_and(|digest| !digest.contains('/'))
}

/// Whether `caller` may use a network model, which spends money: with a key, or on devnet, where it is play money.
pub(crate) fn may_spend(caller: Caller, is_devnet: bool) -> Result<(), ApiError> {
    if is_devnet || caller.credential != Credential::Nothing {
        return Ok(());
    }
    Err(ApiError::new(
        StatusCode::UNAUTHORIZED,
        "key_needed",
        "a network model spends money, so it needs an API key",
    )
    .remedy("Make one under Settings, API and keys, and send it as a bearer. Local models need none."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_designs() {
        // For each zone: loopback with nothing, key, owner; from elsewhere with nothing, key, owner.
        let table = [
            ("/health", [true; 6]),
            ("/", [true; 6]),
            ("/assets/app.js", [true; 6]),
            ("/api/v1/auth/session", [true; 6]),
            ("/ready", [true, true, true, false, true, true]),
            ("/v1/models", [true, true, true, false, true, true]),
            ("/v1", [true, true, true, false, true, true]),
            ("/ipfs/bafy", [true, true, true, false, true, true]),
            ("/metrics", [false, true, true, false, true, true]),
            ("/api/v1/status", [false, false, true, false, false, true]),
            ("/api", [false, false, true, false, false, true]),
            ("/api/tags/x", [false, false, true, false, false, true]),
            ("/tokenize", [true, true, true, false, true, true]),
            ("/api/chat", [true, true, true, false, true, true]),
            ("/api/tags", [true, true, true, false, true, true]),
            ("/api/blobs/sha256:00", [true, true, true, false, true, true]),
            // Nothing of the owner's opens by a path that looks like one of those.
            ("/api/chat/v1/status", [false, false, true, false, false, true]),
            (
                "/api/blobs/../v1/status",
                [false, false, true, false, false, true],
            ),
            ("/api/v1/chat", [false, false, true, false, false, true]),
            ("/api/tags/../v1/keys", [false, false, true, false, false, true]),
            ("/api/v1/auth/login", [false, false, true, false, false, true]),
        ];
        for (path, expected) in table {
            let zone = Zone::of(path);
            let callers = [true, false].into_iter().flat_map(|loopback| {
                [Credential::Nothing, Credential::Key, Credential::Owner]
                    .map(|credential| Caller { loopback, credential })
            });
            let found: Vec<bool> = callers.map(|caller| zone.admits(caller).is_ok()).collect();
            assert_eq!(found, expected, "{path}");
        }
    }

    #[test]
    fn money_needs_a_key_except_on_devnet() {
        let nothing = Caller {
            loopback: true,
            credential: Credential::Nothing,
        };
        assert!(may_spend(nothing, false).is_err());
        assert!(may_spend(nothing, true).is_ok());
        assert!(
            may_spend(
                Caller {
                    credential: Credential::Key,
                    ..nothing
                },
                false
            )
            .is_ok()
        );
    }
}
