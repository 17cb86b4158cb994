//! Fields that ask for what is not served. What would change the answer is refused by name; what changes its price, its
//! speed or somebody's books is passed over (`store`, `metadata`, `user`, `service_tier`, `prediction`, `prompt_cache_key`
//! and the like).

use serde_json::Value;

use crate::{error::Error, json::fields::Fields};

/// Refuses what a conversation asks for and does not get here, in the newest form of OpenAI's API.
pub(crate) fn refuse_of_chat(fields: &mut Fields) -> Result<(), Error> {
    let modalities = fields.list("modalities")?.unwrap_or_default();
    if let Some(other) = modalities.iter().find(|kind| **kind != "text") {
        let message =
            format!("modalities has {other}: answers are text here, say [\"text\"] or leave it out");
        return Err(Error::bad_field("modalities", message));
    }
    refuse(fields, "audio", "answers are text here, leave it out")?;
    refuse(
        fields,
        "web_search_options",
        "nobody searches the web here, send what was found in the messages",
    )?;
    refuse_everywhere(fields)?;
    refuse_verbosity(fields)
}

/// Refuses what every route that writes texts has at OpenAI, and has not here.
pub(crate) fn refuse_everywhere(fields: &mut Fields) -> Result<(), Error> {
    refuse(
        fields,
        "moderation",
        "nobody judges requests and answers here, ask a model of your own for it",
    )
}

/// How much a model says is for it to decide: only what is as good as nothing said is taken.
pub(crate) fn refuse_verbosity(fields: &mut Fields) -> Result<(), Error> {
    let at = fields.path("verbosity");
    match fields.text("verbosity")?.as_deref() {
        None | Some("medium") => Ok(()),
        Some(other) => Err(Error::bad_field(
            &at,
            format!("{at} is \"{other}\": models here have no such switch, ask for it in the instructions"),
        )),
    }
}

fn refuse(fields: &mut Fields, name: &str, instead: &str) -> Result<(), Error> {
    match fields.any(name) {
        None | Some(Value::Bool(false)) => Ok(()),
        Some(Value::Array(list)) if list.is_empty() => Ok(()),
        Some(_) => {
            let at = fields.path(name);
            Err(Error::bad_field(&at, format!("{at} is not served: {instead}")))
        }
    }
}

/// What of the Responses API is not here, beside what it refuses itself.
pub(crate) fn refuse_of_responses(fields: &mut Fields) -> Result<(), Error> {
    refuse(
        fields,
        "context_management",
        "nothing is left out of a conversation here, send less",
    )?;
    refuse_everywhere(fields)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_would_change_the_answer_is_refused_by_name_and_the_rest_passed_over() {
        for (body, param) in [
            (json!({"modalities": ["text", "audio"]}), "modalities"),
            (json!({"audio": {"voice": "alloy", "format": "wav"}}), "audio"),
            (json!({"web_search_options": {}}), "web_search_options"),
            (json!({"moderation": {"model": "omni"}}), "moderation"),
            (json!({"verbosity": "low"}), "verbosity"),
            (json!({"modalities": "text"}), "modalities"),
        ] {
            let error = refuse_of_chat(&mut Fields::of_body(body).unwrap()).unwrap_err();
            assert_eq!((error.status, error.param.as_deref()), (400, Some(param)));
        }
        let harmless = json!({
            "modalities": ["text"], "audio": null, "store": true, "metadata": {"a": "b"}, "user": "u",
            "service_tier": "flex", "prediction": {"type": "content", "content": "x"}, "verbosity": "medium",
            "prompt_cache_key": "k", "prompt_cache_retention": "24h", "prompt_cache_options": {"ttl": "30m"},
            "safety_identifier": "s", "web_search_options": null, "moderation": null,
        });
        refuse_of_chat(&mut Fields::of_body(harmless).unwrap()).unwrap();
        let compacted = json!({"context_management": [{"type": "compaction"}]});
        let error = refuse_of_responses(&mut Fields::of_body(compacted).unwrap()).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("context_management"));
        refuse_of_responses(&mut Fields::of_body(json!({"context_management": []})).unwrap()).unwrap();
    }
}
