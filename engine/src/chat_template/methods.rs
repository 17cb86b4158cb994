//! Methods of Python's texts and lists that the library does not have, or not with all their arguments.

use minijinja::value::{Kwargs, Tuple, ValueKind};
use minijinja::{Error, ErrorKind, Value};

use super::budget::Budget;

type Made = Result<Value, Error>;

/// Calls a method. `None`: the library has it.
pub(super) fn call(budget: &Budget, value: &Value, method: &str, args: &[Value]) -> Option<Made> {
    if let Some(text) = value.as_str() {
        return of_text(budget, text, method, args);
    }
    let kind = value.kind();
    match (kind, method) {
        (ValueKind::Map, "copy") => Some(Ok(value.clone())),
        (ValueKind::Seq | ValueKind::Iterable, "copy") => Some(budget.items_of(value).map(Value::from)),
        (ValueKind::Seq | ValueKind::Iterable, "index") => Some(index_of(budget, value, args)),
        _ => None,
    }
}

fn of_text(budget: &Budget, text: &str, method: &str, args: &[Value]) -> Option<Made> {
    let one = || text_at(args, 0);
    Some(match method {
        "removeprefix" => one().map(|prefix| Value::from(text.strip_prefix(prefix).unwrap_or(text))),
        "removesuffix" => one().map(|suffix| Value::from(text.strip_suffix(suffix).unwrap_or(text))),
        "zfill" => width_at(args).and_then(|width| padded(budget, text, width, "zfill", '0')),
        "ljust" | "rjust" | "center" => width_at(args).and_then(|width| {
            let fill = args
                .get(1)
                .and_then(Value::as_str)
                .and_then(|fill| fill.chars().next());
            padded(budget, text, width, method, fill.unwrap_or(' '))
        }),
        "startswith" | "endswith" if args.len() > 1 => within(text, args)
            .and_then(|part| is_at_end(part, &args[0], method == "startswith").map(Value::from)),
        "find" | "rfind" | "index" | "rindex" | "count" if args.len() > 1 || method.ends_with("index") => {
            searched(text, method, args)
        }
        "casefold" => Ok(Value::from(text.to_lowercase())),
        "swapcase" => Ok(Value::from(text.chars().map(swapped).collect::<String>())),
        "isdecimal" => Ok(Value::from(
            !text.is_empty() && text.chars().all(char::is_numeric),
        )),
        "istitle" => Ok(Value::from(is_title(text))),
        "isidentifier" => {
            let fits = |letter: char| letter.is_alphanumeric() || letter == '_';
            let begins = text.chars().next().is_some_and(|letter| !letter.is_numeric());
            Ok(Value::from(begins && text.chars().all(fits)))
        }
        "partition" => one().and_then(|mark| parted(text, mark, text.find(mark), false)),
        "rpartition" => one().and_then(|mark| parted(text, mark, text.rfind(mark), true)),
        "rsplit" => split(text, args, true),
        "split" if args.last().is_some_and(Value::is_kwargs) => split(text, args, false),
        "expandtabs" => Ok(Value::from(text.replace('\t', "        "))),
        _ => return None,
    })
}

fn invalid(text: &str) -> Error {
    Error::new(ErrorKind::InvalidOperation, text.to_owned())
}

fn text_at(args: &[Value], at: usize) -> Result<&str, Error> {
    let text = args.get(at).and_then(Value::as_str);
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| invalid("the method needs a text that is not empty"))
}

fn width_at(args: &[Value]) -> Result<usize, Error> {
    let width = args.first().and_then(Value::as_usize);
    width.ok_or_else(|| invalid("the method needs a width"))
}

fn padded(budget: &Budget, text: &str, width: usize, method: &str, fill: char) -> Made {
    let missing = width.saturating_sub(text.chars().count());
    budget.charge((missing as u64).saturating_mul(4))?;
    let filled = |count: usize| fill.to_string().repeat(count);
    Ok(Value::from(match method {
        "zfill" => {
            let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
            let sign = &text[..text.len() - digits.len()];
            format!("{sign}{}{digits}", filled(missing))
        }
        "ljust" => format!("{text}{}", filled(missing)),
        "rjust" => format!("{}{text}", filled(missing)),
        // As Python does it: an odd letter goes left of an even width.
        _ => {
            let left = missing / 2 + (missing & width & 1);
            format!("{}{text}{}", filled(left), filled(missing - left))
        }
    }))
}

/// The part of a text between the positions that stand behind the first argument.
fn within<'t>(text: &'t str, args: &[Value]) -> Result<&'t str, Error> {
    let letters = text.chars().count();
    let position = |at: usize, usual: usize| -> Result<usize, Error> {
        match args.get(at) {
            None => Ok(usual),
            Some(value) if value.is_none() => Ok(usual),
            Some(value) => {
                let position = value
                    .as_i64()
                    .ok_or_else(|| invalid("a position must be a number"))?;
                let counted = if position < 0 {
                    position.saturating_add(letters as i64).max(0)
                } else {
                    position
                };
                Ok(usize::try_from(counted).unwrap_or(0).min(letters))
            }
        }
    };
    let (from, to) = (position(1, 0)?, position(2, letters)?);
    let byte = |letter: usize| text.char_indices().nth(letter).map_or(text.len(), |(at, _)| at);
    Ok(&text[byte(from)..byte(to.max(from))])
}

fn is_at_end(text: &str, marks: &Value, at_start: bool) -> Result<bool, Error> {
    let is_there = |mark: &str| {
        if at_start {
            text.starts_with(mark)
        } else {
            text.ends_with(mark)
        }
    };
    if let Some(mark) = marks.as_str() {
        return Ok(is_there(mark));
    }
    let mut found = false;
    for mark in marks.try_iter()?.checked() {
        let mark = mark?;
        found |= is_there(
            mark.as_str()
                .ok_or_else(|| invalid("the method compares texts"))?,
        );
    }
    Ok(found)
}

fn searched(text: &str, method: &str, args: &[Value]) -> Made {
    let mark = args
        .first()
        .and_then(Value::as_str)
        .ok_or_else(|| invalid("the method searches for a text"))?;
    let part = within(text, args)?;
    if method == "count" {
        return Ok(Value::from(part.matches(mark).count()));
    }
    let found = if method.starts_with('r') {
        part.rfind(mark)
    } else {
        part.find(mark)
    };
    match found {
        Some(at) => {
            let before = part.as_ptr() as usize - text.as_ptr() as usize + at;
            Ok(Value::from(text[..before].chars().count()))
        }
        None if method.ends_with("index") => Err(invalid("substring not found")),
        None => Ok(Value::from(-1)),
    }
}

fn swapped(letter: char) -> char {
    let swapped = if letter.is_uppercase() {
        letter.to_lowercase().next()
    } else {
        letter.to_uppercase().next()
    };
    swapped.unwrap_or(letter)
}

fn is_title(text: &str) -> bool {
    let (mut in_word, mut has_letters) = (false, false);
    for letter in text.chars() {
        if letter.is_alphabetic() && letter.is_uppercase() == in_word {
            return false;
        }
        has_letters |= letter.is_alphabetic();
        in_word = letter.is_alphabetic();
    }
    has_letters
}

fn parted(text: &str, mark: &str, at: Option<usize>, from_the_end: bool) -> Made {
    let parts = match at {
        Some(at) => [&text[..at], mark, &text[at + mark.len()..]],
        None if from_the_end => ["", "", text],
        None => [text, "", ""],
    };
    Ok(Value::from(Tuple::from(parts.map(Value::from))))
}

fn split(text: &str, args: &[Value], from_the_end: bool) -> Made {
    let named = args.last().filter(|last| last.is_kwargs()).cloned();
    let named = named.map(Kwargs::try_from).transpose()?;
    let argument = |at: usize, name: &str| -> Option<Value> {
        let by_place = args.get(at).filter(|value| !value.is_kwargs()).cloned();
        by_place.or_else(|| named.as_ref()?.get::<Value>(name).ok())
    };
    let most = argument(1, "maxsplit")
        .and_then(|most| most.as_usize())
        .map_or(usize::MAX, |most| most.saturating_add(1));
    let mark = argument(0, "sep").filter(|mark| !mark.is_none());
    let mut parts: Vec<&str> = match mark.as_ref().and_then(Value::as_str) {
        Some("") => return Err(invalid("empty separator")),
        Some(mark) if from_the_end => text.rsplitn(most, mark).collect(),
        Some(mark) => text.splitn(most, mark).collect(),
        None if most == usize::MAX => text.split_whitespace().collect(),
        None if from_the_end => text.trim().rsplitn(most, char::is_whitespace).collect(),
        None => text.trim().splitn(most, char::is_whitespace).collect(),
    };
    if from_the_end && (mark.is_some() || most != usize::MAX) {
        parts.reverse();
    }
    Ok(Value::from_iter(parts.into_iter().map(Value::from)))
}

fn index_of(budget: &Budget, list: &Value, args: &[Value]) -> Made {
    let wanted = args
        .first()
        .ok_or_else(|| invalid("the method searches for a value"))?;
    budget.weigh(&[list.clone(), wanted.clone()])?;
    let place = budget.items_of(list)?.iter().position(|item| item == wanted);
    place
        .map(Value::from)
        .ok_or_else(|| invalid("the value is not in the list"))
}
