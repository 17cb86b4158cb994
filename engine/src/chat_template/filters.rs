//! Filters, tests, functions and methods that chat templates use, each measured before it runs. One that is not listed
//! here is unknown to templates.

use std::sync::Arc;

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters, functions, tests};
use minijinja_contrib::pycompat;

use super::budget::{Budget, NODE_BYTES, broken};
use super::operators::{self, BINARY, BUILT, CHAIN, ITEM, KEPT, TICK};

/// A number in a format can ask for so many letters of filling, at most.
const FILLING_BYTES: u64 = 1000;
const FILLING_DIGITS: usize = 3;
/// Comparisons of letters in one operation: some tenths of a second.
const MAX_COMPARISONS: u64 = 1 << 28;

/// What an operation may make of its arguments, before it runs.
type Estimate = fn(&Budget, &[Value]) -> Result<u64, Error>;

/// Gives templates all that they can call.
pub(super) fn add_all(environment: &mut Environment<'_>, budget: &Arc<Budget>) {
    add_operators(environment, budget);
    add_filters(environment, budget);
    add_tests(environment, budget);
    for (name, function) in [
        ("range", Value::from_function(functions::range)),
        ("dict", Value::from_function(functions::dict)),
        ("namespace", Value::from_function(functions::namespace)),
    ] {
        environment.add_function(name, measured(budget, function, of_objects));
    }
    let measure = Arc::clone(budget);
    environment.set_unknown_method_callback(move |state, value, method, args| {
        let mut all = vec![value.clone()];
        all.extend_from_slice(args);
        measure.charge(method_estimate(&measure, method, &all)?)?;
        if method == "join" {
            return join(&measure, args.first().unwrap_or(&Value::UNDEFINED), value);
        }
        measure.settle(pycompat::unknown_method_callback(state, value, method, args)?)
    });
}

fn add_operators(environment: &mut Environment<'_>, budget: &Arc<Budget>) {
    for operator in BINARY {
        let budget = Arc::clone(budget);
        environment.add_function(operator, move |state: &State<'_, '_>, a: Value, b: Value| {
            operators::binary(state, &budget, operator, &a, &b)
        });
    }
    let ours = || Arc::clone(budget);
    let budget = ours();
    environment.add_function(TICK, move || operators::tick(&budget).map(|()| Value::UNDEFINED));
    let budget = ours();
    environment.add_function(BUILT, move |value: Value| operators::built(&budget, value));
    let budget = ours();
    environment.add_function(KEPT, move |value: Value| operators::kept(&budget, value));
    let budget = ours();
    environment.add_function(ITEM, move |of: Value, key: Value| {
        operators::item(&budget, &of, &key)
    });
    let budget = ours();
    environment.add_function(CHAIN, move |state: &State<'_, '_>, links: Rest<Value>| {
        operators::chain(state, &budget, &links)
    });
}

fn add_filters(environment: &mut Environment<'_>, budget: &Arc<Budget>) {
    let list: [(&str, Value, Estimate); 38] = [
        ("abs", Value::from_function(filters::abs), nothing),
        ("attr", Value::from_function(filters::attr), nothing),
        ("bool", Value::from_function(filters::bool), nothing),
        ("count", Value::from_function(filters::length), nothing),
        ("d", Value::from_function(filters::default), nothing),
        ("default", Value::from_function(filters::default), nothing),
        ("first", Value::from_function(filters::first), nothing),
        ("float", Value::from_function(filters::float), nothing),
        ("int", Value::from_function(filters::int), nothing),
        ("length", Value::from_function(filters::length), nothing),
        ("round", Value::from_function(filters::round), nothing),
        ("capitalize", Value::from_function(filters::capitalize), of_text),
        ("e", Value::from_function(filters::escape), of_text),
        ("escape", Value::from_function(filters::escape), of_text),
        ("lower", Value::from_function(filters::lower), of_text),
        ("safe", Value::from_function(safe), of_text),
        ("title", Value::from_function(filters::title), of_text),
        ("trim", Value::from_function(filters::trim), of_trim),
        ("upper", Value::from_function(filters::upper), of_text),
        ("indent", Value::from_function(filters::indent), of_indent),
        ("lines", Value::from_function(filters::lines), of_pieces),
        ("replace", Value::from_function(filters::replace), of_replacing),
        ("split", Value::from_function(filters::split), of_pieces),
        ("format", Value::from_function(filters::format), of_format),
        ("dictsort", Value::from_function(filters::dictsort), of_objects),
        ("items", Value::from_function(filters::items), of_objects),
        ("last", Value::from_function(filters::last), of_objects),
        ("list", Value::from_function(filters::list), of_objects),
        ("map", Value::from_function(filters::map), of_objects),
        ("max", Value::from_function(filters::max), of_objects),
        ("min", Value::from_function(filters::min), of_objects),
        ("reject", Value::from_function(filters::reject), of_objects),
        (
            "rejectattr",
            Value::from_function(filters::rejectattr),
            of_objects,
        ),
        ("reverse", Value::from_function(filters::reverse), of_objects),
        ("select", Value::from_function(filters::select), of_objects),
        (
            "selectattr",
            Value::from_function(filters::selectattr),
            of_objects,
        ),
        ("sort", Value::from_function(filters::sort), of_objects),
        ("unique", Value::from_function(filters::unique), of_objects),
    ];
    for (name, filter, estimate) in list {
        environment.add_filter(name, measured(budget, filter, estimate));
    }
    let measure = Arc::clone(budget);
    environment.add_filter("string", move |value: Value| measure.text_of(&value));
    let measure = Arc::clone(budget);
    environment.add_filter("join", move |values: Value, separator: Option<Value>| {
        join(&measure, &values, &separator.unwrap_or_else(|| Value::from("")))
    });
}

fn add_tests(environment: &mut Environment<'_>, budget: &Arc<Budget>) {
    environment.add_test("undefined", tests::is_undefined);
    environment.add_test("defined", tests::is_defined);
    environment.add_test("none", tests::is_none);
    environment.add_test("boolean", tests::is_boolean);
    environment.add_test("odd", tests::is_odd);
    environment.add_test("even", tests::is_even);
    environment.add_test("divisibleby", tests::is_divisibleby);
    environment.add_test("number", tests::is_number);
    environment.add_test("integer", tests::is_integer);
    environment.add_test("float", tests::is_float);
    environment.add_test("string", tests::is_string);
    environment.add_test("sequence", tests::is_sequence);
    environment.add_test("iterable", tests::is_iterable);
    environment.add_test("mapping", tests::is_mapping);
    environment.add_test("true", tests::is_true);
    environment.add_test("false", tests::is_false);
    environment.add_test("filter", tests::is_filter);
    environment.add_test("test", tests::is_test);
    for (names, test) in [
        (&["eq", "equalto", "=="][..], Value::from_function(tests::is_eq)),
        (&["ne", "!="], Value::from_function(tests::is_ne)),
        (&["lt", "lessthan", "<"], Value::from_function(tests::is_lt)),
        (&["le", "<="], Value::from_function(tests::is_le)),
        (&["gt", "greaterthan", ">"], Value::from_function(tests::is_gt)),
        (&["ge", ">="], Value::from_function(tests::is_ge)),
        (&["in"], Value::from_function(tests::is_in)),
        (&["sameas"], Value::from_function(tests::is_sameas)),
        (&["startingwith"], Value::from_function(tests::is_startingwith)),
        (&["endingwith"], Value::from_function(tests::is_endingwith)),
        (&["lower"], Value::from_function(tests::is_lower)),
        (&["upper"], Value::from_function(tests::is_upper)),
    ] {
        for name in names {
            environment.add_test(*name, measured(budget, test.clone(), of_comparison));
        }
    }
}

/// Runs an operation of the library after its estimate is taken, and takes what it made.
fn measured(
    budget: &Arc<Budget>,
    operation: Value,
    estimate: Estimate,
) -> impl Fn(&mut State<'_, '_>, Rest<ValueOrKwargs>) -> Result<Value, Error> + Send + Sync + 'static {
    let budget = Arc::clone(budget);
    move |state: &mut State<'_, '_>, args: Rest<ValueOrKwargs>| {
        let args = args.into_values();
        budget.charge(estimate(&budget, &args)?)?;
        budget.settle(operation.call(state, &args)?)
    }
}

fn safe(text: Value) -> Value {
    text
}

#[allow(clippy::unnecessary_wraps, reason = "an estimate as the others")]
fn nothing(_: &Budget, _: &[Value]) -> Result<u64, Error> {
    Ok(0)
}

/// Letters can grow: `ß` to `SS`, `<` to `&lt;`.
fn of_text(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    budget.weigh(args)
}

/// A list made of lists and texts: each item by itself, each letter of a text.
fn of_objects(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    budget.weigh(args)?;
    let letters = args.first().and_then(Value::as_str).map_or(0, str::len);
    Ok(NODE_BYTES.saturating_mul(letters as u64))
}

fn of_comparison(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
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
fn of_trim(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
    let (text, letters) = (text_at(args, 0)?, text_at(args, 1)?);
    if (text.len() as u64).saturating_mul(letters.len() as u64) > MAX_COMPARISONS {
        return Err(broken("it takes too much work"));
    }
    budget.weigh(args)
}

fn of_indent(_: &Budget, args: &[Value]) -> Result<u64, Error> {
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

fn of_pieces(_: &Budget, args: &[Value]) -> Result<u64, Error> {
    let text = text_at(args, 0)?;
    let pieces = match text_at(args, 1)? {
        "" => text.split_whitespace().count().max(text.lines().count()),
        separator => text.matches(separator).count() + 1,
    };
    Ok(NODE_BYTES
        .saturating_mul(pieces as u64)
        .saturating_add(text.len() as u64))
}

fn of_replacing(_: &Budget, args: &[Value]) -> Result<u64, Error> {
    let (text, from) = (text_at(args, 0)?, text_at(args, 1)?);
    text_at(args, 2)?;
    let found = text.matches(from).count() as u64;
    Ok(found
        .saturating_mul(printed_bytes(args, 2))
        .saturating_add(text.len() as u64))
}

/// A format can repeat an argument, and fill each of them up to a width.
fn of_format(budget: &Budget, args: &[Value]) -> Result<u64, Error> {
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
fn method_estimate(budget: &Budget, method: &str, args: &[Value]) -> Result<u64, Error> {
    match method {
        "replace" => of_replacing(budget, args),
        "split" | "splitlines" => of_pieces(budget, args),
        "format" => of_format(budget, args),
        "items" | "keys" | "values" | "count" => of_objects(budget, args).map(|_| 0),
        "strip" | "lstrip" | "rstrip" => of_trim(budget, args),
        "get" | "join" => Ok(0),
        _ => of_text(budget, args),
    }
}

/// Prints values one after another, as `join` does.
fn join(budget: &Budget, values: &Value, separator: &Value) -> Result<Value, Error> {
    let separator = budget.text_of(separator)?;
    let mut out = String::new();
    let not_first = std::iter::once(false).chain(std::iter::repeat(true));
    for (value, not_first) in budget.items_of(values)?.iter().zip(not_first) {
        if not_first {
            budget.charge(separator.len() as u64)?;
            out.push_str(&separator);
        }
        out.push_str(&budget.text_of(value)?);
    }
    Ok(Value::from(out))
}
