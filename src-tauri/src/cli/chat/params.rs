//! `/params`: how answers are made.

use std::str::FromStr;

use hearth_node::control::AnswerParams;

/// The parameters with what was typed in place of theirs: `temperature=0.2 max_tokens=200`, or `none`.
pub(super) fn changed(params: &AnswerParams, text: &str) -> Result<AnswerParams, String> {
    if text == "none" {
        return Ok(AnswerParams::default());
    }
    let mut params = params.clone();
    for pair in text.split_whitespace() {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| format!("\"{pair}\" is no KEY=VALUE, as temperature=0.2"))?;
        match name {
            "temperature" => params.temperature = within(name, value_of(name, value)?, 2.0)?,
            "top_p" => params.top_p = within(name, value_of(name, value)?, 1.0)?,
            "top_k" => params.top_k = value_of(name, value)?,
            "seed" => params.seed = value_of(name, value)?,
            "max_tokens" => params.max_tokens = value_of(name, value)?,
            _ => {
                return Err(format!(
                    "{name} is not known: it is temperature, top_p, top_k, max_tokens or seed"
                ));
            }
        }
    }
    Ok(params)
}

fn value_of<T: FromStr>(name: &str, value: &str) -> Result<Option<T>, String> {
    if value == "none" {
        return Ok(None);
    }
    value
        .parse()
        .map(Some)
        .map_err(|_| format!("{name} is \"{value}\": it must be a number, or none"))
}

/// A number from 0 to `most`.
fn within(name: &str, value: Option<f64>, most: f64) -> Result<Option<f64>, String> {
    match value {
        Some(number) if !(0.0..=most).contains(&number) => {
            Err(format!("{name} is {number}: it must be from 0 to {most}"))
        }
        fine => Ok(fine),
    }
}

/// What is set.
pub(super) fn words(params: &AnswerParams) -> String {
    let set = [
        params.temperature.map(|value| format!("temperature={value}")),
        params.top_p.map(|value| format!("top_p={value}")),
        params.top_k.map(|value| format!("top_k={value}")),
        params.max_tokens.map(|value| format!("max_tokens={value}")),
        params.seed.map(|value| format!("seed={value}")),
    ];
    let set: Vec<String> = set.into_iter().flatten().collect();
    if set.is_empty() {
        "As the model has it.".to_owned()
    } else {
        set.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_set_one_by_one_and_taken_away() {
        let set = changed(&AnswerParams::default(), "temperature=0.2  max_tokens=200 seed=7").unwrap();
        assert_eq!(words(&set), "temperature=0.2 max_tokens=200 seed=7");
        let fewer = changed(&set, "seed=none top_p=0.5").unwrap();
        assert_eq!(words(&fewer), "temperature=0.2 top_p=0.5 max_tokens=200");
        assert_eq!(changed(&fewer, "none").unwrap(), AnswerParams::default());
        assert_eq!(words(&AnswerParams::default()), "As the model has it.");
        for (text, word) in [
            ("hot", "KEY=VALUE"),
            ("heat=1", "not known"),
            ("top_k=-1", "must be a number"),
            ("temperature=9", "from 0 to 2"),
            ("top_p=NaN", "from 0 to 1"),
        ] {
            let error = changed(&set, text).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
