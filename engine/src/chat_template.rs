//! Renders conversations by the chat template inside a model file.
//!
//! Templates are written for Python's jinja2 as transformers configures it (`trim_blocks`, `lstrip_blocks`,
//! loop controls, Python's string methods, `raise_exception`, `strftime_now`, `tojson` as `json.dumps`).
//! They come with the model, so they are foreign code: fuel bounds the number of their steps, and a budget bounds
//! the bytes that they make and their time. A parsed template is rewritten so that no step escapes it.

mod budget;
mod dates;
mod filters;
mod json;
mod operators;
mod rewrite;

use std::sync::Arc;

use minijinja::machinery::{CodeGenerator, eval, make_string_output, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value, context};

use crate::request::{GenerateError, Message};
use budget::Budget;
use dates::strftime;
use json::python_json;

/// Instructions one rendering may take. A hundred messages through the largest public template take about
/// a hundredth of it.
const FUEL: u64 = 5_000_000;
/// The longest template; public ones have some ten thousand bytes.
const MAX_TEMPLATE_BYTES: usize = 256 * 1024;
/// How deep macros and loops may call themselves. A call of a macro counts four.
const MAX_RECURSION: usize = 200;
/// Stack of a thread that renders: the deepest recursion and the deepest value together take about a tenth.
pub(crate) const STACK_BYTES: usize = 16 << 20;

/// What a template gets to see.
pub(crate) struct TemplateInput<'a> {
    pub(crate) messages: &'a [Message],
    pub(crate) tools: Option<&'a serde_json::Value>,
    pub(crate) bos: &'a str,
    pub(crate) eos: &'a str,
    /// Seconds since 1970, if the caller told the time.
    pub(crate) unix_now: Option<i64>,
    /// Bytes of all texts in messages and tools.
    pub(crate) input_bytes: usize,
}

/// Renders the conversation with the opening of an answer at its end.
pub(crate) fn render(template: &str, input: &TemplateInput<'_>) -> Result<String, GenerateError> {
    let messages: Vec<serde_json::Value> = input.messages.iter().map(message_value).collect();
    let context = context! {
        messages => Serde(messages),
        tools => input.tools.map(|tools| Value::from(Serde(tools.clone()))),
        add_generation_prompt => true,
        bos_token => input.bos,
        eos_token => input.eos,
    };
    let budget = Arc::new(Budget::begin(input.input_bytes));
    run(template, context, input.unix_now, &budget).map_err(|error| refusal(&error))
}

fn run(template: &str, context: Value, unix_now: Option<i64>, budget: &Arc<Budget>) -> Result<String, Error> {
    if template.len() > MAX_TEMPLATE_BYTES {
        return Err(budget::broken("it is longer than 256 KiB"));
    }
    let environment = environment(unix_now, budget);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    let parsed = rewrite::guarded(&parse(template, NAME, syntax)?)?;
    let mut code = CodeGenerator::new(NAME, template);
    code.compile_stmt(&parsed);
    let (instructions, blocks) = code.finish();
    let mut text = String::new();
    let mut output = make_string_output(&mut text);
    eval(
        &environment,
        &instructions,
        context,
        &blocks,
        &mut output,
        AutoEscape::None,
    )?;
    Ok(text)
}

/// What the template is called in the library's messages.
const NAME: &str = "chat_template";

fn message_value(message: &Message) -> serde_json::Value {
    let mut object = serde_json::Map::new();
    object.insert("role".to_owned(), message.role.clone().into());
    object.insert("content".to_owned(), message.content.clone().into());
    for (key, value) in &message.extra {
        object.insert(key.clone(), value.clone());
    }
    object.into()
}

fn environment(unix_now: Option<i64>, budget: &Arc<Budget>) -> Environment<'static> {
    let mut environment = Environment::empty();
    // With it errors carry copies of all variables.
    environment.set_debug(false);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(MAX_RECURSION);
    filters::add_all(&mut environment, budget);
    let measure = Arc::clone(budget);
    environment.set_formatter(move |output, _, value| {
        output.write_str(&measure.text_of(value)?).map_err(Error::from)
    });
    let measure = Arc::clone(budget);
    environment.add_function("raise_exception", move |text: Value| -> Result<Value, Error> {
        let text = measure.text_of(&text)?;
        let shown: String = text.chars().take(MAX_REFUSAL_LETTERS).collect();
        Err(Error::new(ErrorKind::InvalidOperation, shown))
    });
    let measure = Arc::clone(budget);
    environment.add_function("strftime_now", move |format: Value| -> Result<String, Error> {
        let format = measure.text_of(&format)?;
        match unix_now {
            Some(_) if format.len() > MAX_DATE_BYTES => {
                Err(budget::broken("it asks for a date in more than 200 letters"))
            }
            Some(now) => Ok(strftime(&format, now)),
            None => Err(Error::new(
                ErrorKind::InvalidOperation,
                "it asks for the date, which is not known here",
            )),
        }
    });
    let measure = Arc::clone(budget);
    environment.add_filter(
        "tojson",
        move |value: Value, options: Kwargs| -> Result<String, Error> {
            let indent: Option<usize> = options.get("indent")?;
            python_json(&measure, &value, indent.map(|n| n.min(16)))
        },
    );
    environment
}

/// The longest format of a date.
const MAX_DATE_BYTES: usize = 200;
/// As much of a template's own refusal is shown.
const MAX_REFUSAL_LETTERS: usize = 500;

/// A template that breaks its bounds is at fault itself; any other error is its word about the conversation.
fn refusal(error: &Error) -> GenerateError {
    let detail = error.detail();
    let too_deep = detail.is_some_and(|detail| detail.contains("recursion limit"));
    if too_deep {
        let reason = "it calls itself without end".to_owned();
        return GenerateError::TemplateBroken { reason };
    }
    if error.kind() == ErrorKind::OutOfFuel {
        let reason = detail.unwrap_or("it takes too much work").to_owned();
        return GenerateError::TemplateBroken { reason };
    }
    GenerateError::Template {
        reason: detail.map_or_else(|| error.kind().to_string(), str::to_owned),
    }
}

#[cfg(test)]
mod tests;
