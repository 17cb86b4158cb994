//! What an operation may make of its arguments, before it runs.

use minijinja::{Error, ErrorKind, Value};

use super::budget::{Budget, NODE_BYTES, broken};

/// A number in a format can ask for so many letters of filling, at most.
const FILLING_BYTES: u64 = 1000;
const FILLING_DIGITS: usize = 3;
/// Comparisons of letters in one operation: some tenths of a second.
const MAX_COMPARISONS: u64 = 1 << 28;

/// What an operation may make of its arguments, before it runs.
pub(super) type Estimate = fn(&Budget, &[Value]) -> Result<u64, Error>;

#[allow(clippy::unnecessary_wraps, reason = "an estimate as the others")]
pub(super) fn nothing(_: &Budget, _: &[Value]) -> Result<u64, Error> {
    Ok(0)
}

/// Letters can grow: `ß` to `SS`, `<` to `&lt;`.
pub(super) fn of_text(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    budget.weigh(args)
}

/// A list made of lists and texts: each item by itself, each letter of a text.
pub(super) fn of_objects(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    budget.weigh(args)?;
    let letters = args.first().and_then(Value::as_str).map_or(0, str::len);
    Ok(NODE_BYTES.saturating_mul(letters as u64))
}

/// Lists of lists, filled up to a number that the template chooses.
pub(super) fn of_filled(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    let count = args.get(1).and_then(Value::as_usize).unwrap_or(0) as u64;
    Ok(of_objects(budget, args)?.saturating_add(NODE_BYTES.saturating_mul(count)))
}

pub(super) fn of_comparison(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    if args.iter().any(|arg| arg.as_object().is_some()) {
        budget.weigh(args)?;
    }
    Ok(0)
}

/// A text among the arguments; a list or map there would be printed unmeasured.
fn text_at(args: &[Value], at: usize) -> Result<&str, Error> {
    let Some(value) = args.get(at).filter(|value| !value.is_kwargs()) else {
        return Ok("");
    };
    if value.as_object().is_some() {
        let text = format!("a text is needed, not a {}", value.kind());
        return Err(Error::new(ErrorKind::InvalidOperation, text));
    }
    Ok(value.as_str().unwrap_or_default())
}

/// What a text or number takes when it is printed.
fn printed_bytes(args: &[Value], at: usize) -> u64 {
    const NUMBER_BYTES: u64 = 40;
    let text = args.get(at).and_then(Value::as_str);
    text.map_or(NUMBER_BYTES, |text| text.len() as u64)
}

/// Each letter is compared with each that is to go.
pub(super) fn of_trim(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    let (text, letters) = (text_at(args, 0)?, text_at(args, 1)?);
    if (text.len() as u64).saturating_mul(letters.len() as u64) > MAX_COMPARISONS {
        return Err(broken("it takes too much work"));
    }
    budget.weigh(args)
}

pub(super) fn of_indent(_: &Budget, args: &[Value]) -> Result<u64, Error> {
    let text = text_at(args, 0)?;
    let lines = text.lines().count() as u64 + 1;
    // The width may come by name; a text that is put before each line is measured as such.
    let width = |value: &Value| match value.as_str() {
        Some(text) => text.len() as u64,
        None => value.as_usize().map_or(0, |width| width as u64),
    };
    let mut widest = args.iter().skip(1).map(width).max().unwrap_or(4);
    if let Some(named) = args.last().filter(|last| last.is_kwargs()) {
        let named = named.get_attr("width").unwrap_or_default();
        widest = widest.max(width(&named)).max(4);
    }
    Ok(lines.saturating_mul(widest).saturating_add(text.len() as u64))
}

pub(super) fn of_pieces(_: &Budget, args: &[Value]) -> Result<u64, Error> {
    let text = text_at(args, 0)?;
    let pieces = match text_at(args, 1)? {
        "" => text.split_whitespace().count().max(text.lines().count()),
        separator => text.matches(separator).count() + 1,
    };
    Ok(NODE_BYTES
        .saturating_mul(pieces as u64)
        .saturating_add(text.len() as u64))
}

pub(super) fn of_replacing(_: &Budget, args: &[Value]) -> Result<u64, Error> {
    let (text, from) = (text_at(args, 0)?, text_at(args, 1)?);
    text_at(args, 2)?;
    let found = text.matches(from).count() as u64;
    Ok(found
        .saturating_mul(printed_bytes(args, 2))
        .saturating_add(text.len() as u64))
}

/// A format can repeat an argument, and fill each of them up to a width.
pub(super) fn of_format(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    let format = text_at(args, 0)?;
    let longest = format
        .split(|letter: char| !letter.is_ascii_digit())
        .map(str::len)
        .max();
    if longest > Some(FILLING_DIGITS) || format.contains('*') {
        let text = "widths of more than 999 letters are not supported in formats";
        return Err(Error::new(ErrorKind::InvalidOperation, text));
    }
    let places = format.matches(['%', '{']).count() as u64;
    let each = budget.weigh(args.get(1..).unwrap_or_default())? + FILLING_BYTES;
    Ok(places.saturating_mul(each).saturating_add(format.len() as u64))
}

/// Methods of texts, maps and lists; `args` begins with the object.
pub(super) fn method_estimate(budget: &Budget, method: &str, args: &[Value]) -> Result<u64, Error> {
    match method {
        "replace" => of_replacing(budget, args),
        "split" | "rsplit" | "splitlines" => of_pieces(budget, args),
        "format" => of_format(budget, args),
        "items" | "keys" | "values" | "count" => of_objects(budget, args).map(|_| 0),
        "strip" | "lstrip" | "rstrip" => of_trim(budget, args),
        "get" | "join" => Ok(0),
        _ => of_text(budget, args),
    }
}
