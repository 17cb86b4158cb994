//! The address book, and what the owner calls movements of money.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// Somebody whom the owner pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    pub address: String,
    /// No two have the same, however it is written.
    pub name: String,
    pub note: Option<String>,
    pub created_at: Timestamp,
}

/// The whole address book, by name. What is exported is read again by the import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactList {
    pub contacts: Vec<Contact>,
}

/// Keeps a contact; one of the same address is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SaveContact {
    pub address: String,
    pub name: String,
    #[serde(default)]
    pub note: Option<String>,
}

/// Contacts of another address book: all of them or none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportContacts {
    pub contacts: Vec<SaveContact>,
}

/// An address that begins and ends like another one, as attackers make them: whoever compares the ends alone takes it
/// for that one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LooksLike {
    /// The known address.
    pub address: String,
    /// Its name in the address book.
    pub name: Option<String>,
    /// In how many letters both differ.
    pub differs: u32,
}

/// What the owner calls a movement; an empty text takes it back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LabelMovement {
    /// The movement's id.
    pub movement: String,
    pub label: String,
}
