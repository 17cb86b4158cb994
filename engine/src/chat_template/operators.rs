//! The operators of templates that could make or compare large values, measured first. Semantics are the library's.

use std::collections::BTreeMap;

use minijinja::formatting::{FormatStyle, format as format_values};
use minijinja::value::{Rest, ValueKind};
use minijinja::{Error, ErrorKind, State, Value, tests};

use super::budget::{Budget, NODE_BYTES, broken};
use super::estimates::of_format;

/// Names of functions that no template can write: expressions are rewritten to call them.
pub(super) const TICK: &str = "(tick)";
pub(super) const BUILT: &str = "(built)";
pub(super) const KEPT: &str = "(kept)";
pub(super) const ITEM: &str = "(item)";
pub(super) const CHAIN: &str = "(chain)";
pub(super) const FITTED: &str = "(fitted)";
/// What macros call the arguments by name that they do not have.
pub(super) const KWARGS: &str = "kwargs";
/// All operators of two values.
pub(super) const BINARY: [&str; 12] = [
    "+", "*", "%", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in",
];

/// What one turn of a loop or one call of a macro counts as: what the library keeps of it by itself.
const TURN_BYTES: u64 = 256;

/// One more turn of a loop, or call of a macro.
pub(super) fn tick(budget: &Budget) -> Result<(), Error> {
    budget.check_time()?;
    budget
        .charge(TURN_BYTES)
        .map_err(|_| broken("it takes too much work"))
}

/// A list, tuple or map that an expression wrote, or a part cut out of one.
pub(super) fn built(budget: &Budget, value: Value) -> Result<Value, Error> {
    budget.weigh(std::slice::from_ref(&value))?;
    budget.settle(value)
}

/// What is assigned to a name in a namespace.
pub(super) fn kept(budget: &Budget, value: Value) -> Result<Value, Error> {
    budget.weigh_plain(&value)?;
    Ok(value)
}

/// `of[key]`. Letters of a text are counted from its beginning.
pub(super) fn item(budget: &Budget, of: &Value, key: &Value) -> Result<Value, Error> {
    budget.check_time()?;
    of.get_item(key)
}

/// `a < b <= c …`: value, operator, value, and so on.
pub(super) fn chain(state: &State<'_, '_>, budget: &Budget, links: &Rest<Value>) -> Result<Value, Error> {
    for link in links.windows(3).step_by(2) {
        let [left, operator, right] = link else { continue };
        let holds = binary(state, budget, operator.as_str().unwrap_or_default(), left, right)?;
        if !holds.is_true() {
            return Ok(Value::from(false));
        }
    }
    Ok(Value::from(true))
}

/// One operator of [`BINARY`].
pub(super) fn binary(
    state: &State<'_, '_>,
    budget: &Budget,
    operator: &str,
    left: &Value,
    right: &Value,
) -> Result<Value, Error> {
    match operator {
        "+" => add(budget, left, right),
        "*" => multiply(budget, left, right),
        "%" => remainder(budget, left, right),
        "~" => {
            let (mut text, more) = (budget.text_of(left)?, budget.text_of(right)?);
            budget.charge(more.len() as u64)?;
            text.push_str(&more);
            Ok(Value::from(text))
        }
        "in" | "not in" => {
            budget.weigh(&[left.clone(), right.clone()])?;
            let is_in = tests::is_in(state, left, right)?;
            Ok(Value::from(is_in == (operator == "in")))
        }
        _ => {
            measure_comparison(budget, left, right)?;
            Ok(Value::from(match operator {
                "==" => left == right,
                "!=" => left != right,
                "<" => left < right,
                "<=" => left <= right,
                ">" => left > right,
                _ => left >= right,
            }))
        }
    }
}

/// Two objects are compared item by item; anything else takes one look, or one along two texts.
pub(super) fn measure_comparison(budget: &Budget, left: &Value, right: &Value) -> Result<(), Error> {
    if left.as_object().is_some() && right.as_object().is_some() {
        budget.weigh(&[left.clone(), right.clone()])?;
    }
    budget.check_time()
}

fn add(budget: &Budget, left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(one), Some(other)) = (left.as_str(), right.as_str()) {
        budget.charge((one.len() + other.len()) as u64)?;
        return Ok(Value::from([one, other].concat()));
    }
    if is_list(left) && is_list(right) {
        let mut items = budget.items_of(left)?;
        items.extend(budget.items_of(right)?);
        return Ok(Value::from(items));
    }
    numbers("+", left, right, i128::checked_add, |a, b| a + b)
}

fn multiply(budget: &Budget, left: &Value, right: &Value) -> Result<Value, Error> {
    for (repeated, times) in [(left, right), (right, left)] {
        if repeated.as_str().is_none() && !is_list(repeated) {
            continue;
        }
        let Some(times) = times.as_usize() else {
            return Err(unsupported("*", left, right));
        };
        if let Some(text) = repeated.as_str() {
            budget.charge((text.len() as u64).saturating_mul(times as u64))?;
            return Ok(Value::from(text.repeat(times)));
        }
        let items = budget.items_of(repeated)?;
        budget.charge(
            NODE_BYTES
                .saturating_mul(items.len() as u64)
                .saturating_mul(times as u64),
        )?;
        let repeated: Vec<Value> = std::iter::repeat_n(items, times).flatten().collect();
        return Ok(Value::from(repeated));
    }
    numbers("*", left, right, i128::checked_mul, |a, b| a * b)
}

/// What is left of a division; or a text with values put into it.
fn remainder(budget: &Budget, left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(format) = left.as_str() {
        return formatted(budget, format, right);
    }
    if right.is_number() && !right.is_true() {
        return Err(Error::new(ErrorKind::InvalidOperation, "division by zero"));
    }
    // Python's has the sign of the divisor.
    let whole = |a: i128, b: i128| {
        let rest = a.checked_rem(b)?;
        Some(if rest != 0 && (rest < 0) != (b < 0) {
            rest + b
        } else {
            rest
        })
    };
    numbers("%", left, right, whole, |a, b| a - b * (a / b).floor())
}

/// `'%s and %(name)d' % …`: one value, several in a tuple, or names in a map.
fn formatted(budget: &Budget, format: &str, values: &Value) -> Result<Value, Error> {
    let is_tuple = values.is_tuple();
    let (mut plain, mut args, mut rest) = (String::new(), Vec::new(), format);
    if is_tuple {
        args = budget.items_of(values)?;
    }
    if values.kind() == ValueKind::Map {
        while let Some(at) = rest.find("%(") {
            let (before, named) = rest.split_at(at + 1);
            let Some((name, after)) = named.get(1..).and_then(|named| named.split_once(')')) else {
                break;
            };
            plain.push_str(before);
            args.push(values.get_item(&Value::from(name))?);
            rest = after;
        }
    } else if !is_tuple {
        args.push(values.clone());
    }
    plain.push_str(rest);
    let mut measured = vec![Value::from(plain.as_str())];
    measured.extend(args.iter().cloned());
    budget.charge(of_format(budget, &measured)?)?;
    format_values(FormatStyle::Printf, &plain, &args).map(Value::from)
}

/// Brings arguments by name into the form of the macro that is called: those it does not have become its `kwargs`.
pub(super) fn fitted(called: &Value, named: Value) -> Result<Value, Error> {
    let has_object = called
        .as_object()
        .is_some_and(|object| object.type_name().ends_with("::Macro"));
    if !has_object {
        return Ok(named);
    }
    let own: Vec<Value> = called.get_attr("arguments")?.try_iter()?.collect();
    let (mut kept, mut further) = (BTreeMap::new(), BTreeMap::new());
    for name in named.try_iter()? {
        let value = named.get_item(&name)?;
        let to = if own.contains(&name) || name.as_str() == Some("caller") {
            &mut kept
        } else {
            &mut further
        };
        to.insert(name, value);
    }
    if !further.is_empty() {
        kept.insert(Value::from(KWARGS), Value::from(further));
    }
    Ok(Value::from(kept))
}

fn numbers(
    operator: &str,
    left: &Value,
    right: &Value,
    whole: fn(i128, i128) -> Option<i128>,
    real: fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    let int = |value: &Value| i128::try_from(value.clone()).ok();
    let is_float = |value: &Value| tests::is_float(value);
    if !is_float(left)
        && !is_float(right)
        && let (Some(a), Some(b)) = (int(left), int(right))
    {
        let sum = whole(a, b).ok_or_else(|| broken("it computes with numbers that are too large"))?;
        return Ok(i64::try_from(sum).map_or_else(|_| Value::from(sum), Value::from));
    }
    let float = |value: &Value| f64::try_from(value.clone()).ok();
    match (float(left), float(right)) {
        (Some(a), Some(b)) => Ok(Value::from(real(a, b))),
        _ => Err(unsupported(operator, left, right)),
    }
}

fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

fn unsupported(operator: &str, left: &Value, right: &Value) -> Error {
    let text = format!(
        "tried to use {operator} operator on unsupported types {} and {}",
        left.kind(),
        right.kind()
    );
    Error::new(ErrorKind::InvalidOperation, text)
}
