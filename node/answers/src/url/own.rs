//! Whether an answer is of the model that was asked for.

use serde::Deserialize;

use super::list::List;
use crate::error::{Code, Error};

/// The model that was asked for, among those of its server.
#[derive(Clone, Debug)]
pub(super) struct Own {
    asked: String,
    list: List,
}

impl Own {
    pub(super) fn new(asked: &str, list: List) -> Own {
        Own {
            asked: asked.to_owned(),
            list,
        }
    }

    /// Looks at an answer, or at a part of one. Says whether it names its model at all.
    ///
    /// # Errors
    /// The server answered with another of its models.
    pub(super) fn check(&self, json: &[u8]) -> Result<bool, Error> {
        #[derive(Deserialize)]
        struct Named {
            model: Option<String>,
        }
        let Ok(Named {
            model: Some(answered),
        }) = serde_json::from_slice(json)
        else {
            return Ok(false);
        };
        if self.list.is_another(&self.asked, &answered) {
            let message = format!(
                "it answers with its model \"{answered}\" where \"{}\" was asked for",
                self.asked
            );
            return Err(Error::new(Code::BackendFailed, message));
        }
        Ok(true)
    }
}
