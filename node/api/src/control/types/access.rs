//! Signing in, the login for the network, API keys and what they may do.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Timestamp, Upokt};

/// What is swapped for a sign-in: the token of the data directory, or the password of the login.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignIn {
    pub token: Option<String>,
    pub password: Option<String>,
}

/// A sign-in: its cookie comes with the answer's head.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedIn {
    /// Goes with every call as `X-Hearth-Page`, beside the cookie, which other ports of this host get as well.
    pub page_key: String,
}

/// Sets the password that other computers sign in with.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SetLogin {
    /// At least 10 characters.
    pub password: String,
}

/// The password is set.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginSet {
    /// The key of the caller's new sign-in; none for who showed the token.
    pub page_key: Option<String>,
}

/// Whether a login is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LoginState {
    pub set: bool,
}

/// What a key opens. None opens the control API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Chat and text of models on this computer.
    Local,
    /// Models of the network, which cost money.
    Network,
    /// Embeddings, wherever the model runs; over the network `network` is needed, too.
    Embeddings,
    /// Asking the owner for signatures; none is given without one's word on the page.
    Signatures,
}

impl Scope {
    /// All of them.
    pub const ALL: [Scope; 4] = [Scope::Local, Scope::Network, Scope::Embeddings, Scope::Signatures];

    /// As it is written.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Scope::Local => "local",
            Scope::Network => "network",
            Scope::Embeddings => "embeddings",
            Scope::Signatures => "signatures",
        }
    }
}

/// What a key may do. What is absent is not limited.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct KeyLimits {
    pub scopes: Vec<Scope>,
    /// Names of models; `*` stands for any letters. None: every model.
    pub models: Vec<String>,
    /// Origins of the pages that may use it, `http://localhost:5173`; programs that are no browser pass. None: any page,
    /// but browsers show the answer only to the origins of the settings.
    pub origins: Vec<String>,
    pub requests_per_minute: Option<u32>,
    /// Of prompts and answers together.
    pub tokens_per_minute: Option<u32>,
    /// The most that its answers of the network may cost in a day (UTC), in upokt.
    pub daily_budget: Option<Upokt>,
    /// The most that they may cost in all.
    pub total_budget: Option<Upokt>,
    pub expires_at: Option<Timestamp>,
}

impl Default for KeyLimits {
    fn default() -> KeyLimits {
        KeyLimits {
            // Signatures are asked for by keys that were made for it.
            scopes: vec![Scope::Local, Scope::Network, Scope::Embeddings],
            models: Vec::new(),
            origins: Vec::new(),
            requests_per_minute: None,
            tokens_per_minute: None,
            daily_budget: None,
            total_budget: None,
            expires_at: None,
        }
    }
}

/// A key of the OpenAI API. The key itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKey {
    pub id: String,
    pub name: String,
    /// Its first characters, to tell keys apart.
    pub prefix: String,
    pub limits: KeyLimits,
    pub created_at: Timestamp,
    pub last_used_at: Option<Timestamp>,
    /// Since when nobody may call with it.
    pub revoked_at: Option<Timestamp>,
    /// What its answers cost today (UTC), those that are being made included.
    pub spent_today: Upokt,
    /// What they cost in all.
    pub spent: Upokt,
}

/// All API keys, those that were revoked included.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyList {
    pub keys: Vec<ApiKey>,
}

/// Asks for a new API key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    pub name: String,
    #[serde(default)]
    pub limits: KeyLimits,
}

/// What changes about a key; what is absent stays. Limits are replaced as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ApiKeyPatch {
    pub name: Option<String>,
    pub limits: Option<KeyLimits>,
}

/// A new API key with its secret, which is not kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedApiKey {
    pub key: ApiKey,
    pub secret: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::types::{
        CheckWords, Connected, CreateWallet, CreatedWallet, ImportWallet, RecoveryWords, SendOrder,
        UnlockWallet,
    };

    #[test]
    fn what_holds_a_secret_cannot_be_logged_by_accident() {
        assert!(hearth_base::has_debug!(ApiKey));
        let secrets = [
            hearth_base::has_debug!(SignIn),
            hearth_base::has_debug!(SignedIn),
            hearth_base::has_debug!(SetLogin),
            hearth_base::has_debug!(LoginSet),
            hearth_base::has_debug!(CreatedApiKey),
            hearth_base::has_debug!(CreateWallet),
            hearth_base::has_debug!(CreatedWallet),
            hearth_base::has_debug!(ImportWallet),
            hearth_base::has_debug!(UnlockWallet),
            hearth_base::has_debug!(RecoveryWords),
            hearth_base::has_debug!(CheckWords),
            hearth_base::has_debug!(SendOrder),
            hearth_base::has_debug!(Connected),
        ];
        assert_eq!(secrets, [false; 13]);
    }
}
