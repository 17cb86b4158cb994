//! Filters, tests, functions and methods that chat templates use, each measured before it runs. One that is not listed
//! here is unknown to templates.

use std::sync::Arc;

use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, filters, functions, tests};
use minijinja_contrib::{globals, pycompat};

use super::budget::Budget;
use super::estimates::{
    Estimate, method_estimate, nothing, of_comparison, of_filled, of_format, of_indent, of_objects,
    of_pieces, of_replacing, of_text, of_trim,
};
use super::methods;
use super::operators::{self, BINARY, BUILT, CHAIN, FITTED, ITEM, KEPT, TICK};

/// Gives templates all that they can call.
pub(super) fn add_all(environment: &mut Environment<'_>, budget: &Arc<Budget>) {
    add_operators(environment, budget);
    add_filters(environment, budget);
    add_tests(environment, budget);
    for (name, function) in [
        ("range", Value::from_function(functions::range)),
        ("dict", Value::from_function(functions::dict)),
        ("namespace", Value::from_function(functions::namespace)),
        ("joiner", Value::from_function(globals::joiner)),
        (
            "cycler",
            Value::from_function(|items: Rest<Value>| globals::cycler(items.0)),
        ),
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
        if let Some(made) = methods::call(&measure, value, method, args) {
            return measure.settle(made?);
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
    environment.add_function(FITTED, |called: Value, named: Value| {
        operators::fitted(&called, named)
    });
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
    let list: [(&str, Value, Estimate); 44] = [
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
        ("indent", Value::from_function(indent), of_indent),
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
        ("groupby", Value::from_function(filters::groupby), of_objects),
        ("sum", Value::from_function(filters::sum), of_objects),
        ("batch", Value::from_function(filters::batch), of_filled),
        ("slice", Value::from_function(filters::slice), of_filled),
        ("wordcount", Value::from_function(wordcount), of_text),
        ("forceescape", Value::from_function(filters::escape), of_text),
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
    environment.add_test("callable", is_callable);
    // Nothing is, since nothing is written for a page.
    environment.add_test("escaped", |_: Value| false);
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

/// Whether a value can be called: macros and functions are neither texts nor numbers, and hold no items.
fn is_callable(value: &Value) -> bool {
    let is_macro = value
        .as_object()
        .is_some_and(|object| object.type_name().ends_with("::Macro"));
    let is_plain = value.kind() == ValueKind::Plain;
    is_macro
        || (is_plain
            && value
                .as_object()
                .is_some_and(|object| !object.type_name().ends_with("::Namespace")))
}

/// Puts space before each line but the first, as jinja2 does it: a line break at the end stays.
fn indent(
    text: &str,
    width: Option<Value>,
    first: Option<bool>,
    blank: Option<bool>,
    options: Kwargs,
) -> Result<String, Error> {
    let width = width.map_or_else(|| options.get::<Option<Value>>("width"), |width| Ok(Some(width)))?;
    let is_set = |given: Option<bool>, name: &str| -> Result<bool, Error> {
        Ok(given.or(options.get::<Option<bool>>(name)?).unwrap_or(false))
    };
    let (first, blank) = (is_set(first, "first")?, is_set(blank, "blank")?);
    let space = match width.as_ref().and_then(Value::as_str) {
        Some(space) => space.to_owned(),
        None => " ".repeat(width.and_then(|width| width.as_usize()).unwrap_or(4)),
    };
    let mut made = String::new();
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            made.push('\n');
        }
        if (index > 0 && (blank || !line.is_empty())) || (index == 0 && first) {
            made.push_str(&space);
        }
        made.push_str(line);
    }
    Ok(made)
}

fn wordcount(text: &str) -> usize {
    let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.split(|letter| !is_part(letter))
        .filter(|word| !word.is_empty())
        .count()
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
