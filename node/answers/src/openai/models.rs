//! `/v1/models`.

use serde::{Deserialize, Serialize};

/// The list of models.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelList {
    pub object: String,
    pub data: Vec<ModelItem>,
}

impl ModelList {
    /// A list of these.
    #[must_use]
    pub fn new(data: Vec<ModelItem>) -> ModelList {
        ModelList {
            object: "list".to_owned(),
            data,
        }
    }
}

/// One model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelItem {
    pub id: String,
    pub object: String,
    pub created: i64,
    pub owned_by: String,
}

impl ModelItem {
    /// A model of this name.
    pub fn new(id: impl Into<String>, created: i64, owned_by: impl Into<String>) -> ModelItem {
        ModelItem {
            id: id.into(),
            object: "model".to_owned(),
            created,
            owned_by: owned_by.into(),
        }
    }
}
