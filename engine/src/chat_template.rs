//! Renders conversations by the chat template inside a model file.
//!
//! Templates are written for Python's jinja2 as transformers configures it (`trim_blocks`, `lstrip_blocks`,
//! loop controls, Python's string methods, `raise_exception`, `strftime_now`, `tojson` as `json.dumps`).
//! They come with the model, so they are foreign code: fuel bounds the number of their steps, and a budget bounds
//! the bytes that they make and their time. A parsed template is rewritten so that no step escapes it.

mod budget;
mod conversation;
mod dates;
mod defaults;
mod estimates;
mod filters;
mod json;
mod methods;
mod operators;
mod rewrite;
mod source;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use minijinja::machinery::{CodeGenerator, eval, make_string_output, parse};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Value};

use crate::checkpoint::Gguf;
use crate::request::{GenerateError, Message, Rendered};
use budget::Budget;
pub(crate) use conversation::normal;
use dates::strftime;
use defaults::{Default, default_for};
use json::{Style, python_json};
pub(crate) use source::knows_tools;

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
#[derive(Clone, Copy)]
pub(crate) struct TemplateInput<'a> {
    pub(crate) messages: &'a [Message],
    pub(crate) tools: Option<&'a serde_json::Value>,
    /// Further names that the caller wants the template to see.
    pub(crate) kwargs: &'a serde_json::Map<String, serde_json::Value>,
    pub(crate) bos: &'a str,
    pub(crate) eos: &'a str,
    /// Seconds since 1970, if the caller told the time.
    pub(crate) unix_now: Option<i64>,
    /// Bytes of all texts in messages, tools and further names.
    pub(crate) input_bytes: usize,
}

/// The templates of a model.
pub(crate) struct Templates {
    /// The usual one.
    pub(crate) chat: Option<Arc<str>>,
    /// The one for requests with tools; `None` if the model knows none.
    pub(crate) tools: Option<Arc<str>>,
    /// What stands in for a missing one.
    default: &'static Default,
}

/// Names that say what a conversation is; no caller gives them another meaning.
const OWN_NAMES: [&str; 4] = ["messages", "tools", "bos_token", "eos_token"];
/// As long other forms of a refused conversation are tried.
const PATIENCE: Duration = Duration::from_secs(3);

impl Templates {
    /// Takes the templates out of a model's header. `has_token` knows the vocabulary.
    pub(crate) fn from_gguf(gguf: &Gguf, has_token: impl Fn(&str) -> bool) -> Self {
        let named = |key: &str| gguf.optional_text(key).map(Arc::<str>::from);
        let chat = named("tokenizer.chat_template");
        let tools = named("tokenizer.chat_template.tool_use");
        Self {
            tools: tools.or_else(|| chat.clone().filter(|source| knows_tools(source))),
            chat,
            default: default_for(has_token),
        }
    }

    /// Renders a conversation with the opening of an answer at its end. One that the template refuses, or drops a part
    /// of, is brought into another form; what was done is reported.
    pub(crate) fn render(&self, input: &TemplateInput<'_>) -> Result<Rendered, GenerateError> {
        if let Some(name) = OWN_NAMES.iter().find(|name| input.kwargs.contains_key(**name)) {
            return Err(GenerateError::BadParameter {
                field: "chat_template_kwargs",
                value: (*name).to_owned(),
                range: "names other than messages, tools, bos_token and eos_token",
            });
        }
        let wants_tools = input
            .tools
            .is_some_and(|tools| tools.as_array().is_none_or(|list| !list.is_empty()));
        let of_the_file = if wants_tools { &self.tools } else { &self.chat };
        let (source, mut fallbacks) = match of_the_file {
            Some(source) => (source.as_ref(), Vec::new()),
            None if wants_tools => {
                return Err(GenerateError::Template {
                    reason: "it knows no tools: choose a model that does, or leave tools out".to_owned(),
                });
            }
            None => (self.default.source, vec![self.default.name]),
        };
        let (text, changes) = render_somehow(source, input)?;
        fallbacks.extend(changes);
        Ok(Rendered {
            opens_thinking: source::opens_thinking(&text),
            text,
            fallbacks,
        })
    }
}

/// Renders a conversation as it is, or else with as few changes as the template asks for.
fn render_somehow(
    template: &str,
    input: &TemplateInput<'_>,
) -> Result<(String, Vec<&'static str>), GenerateError> {
    let since = Instant::now();
    let first = render(template, input);
    let needed = match &first {
        Ok(text) => match conversation::dropped(input.messages, text) {
            Some(change) => Some(change),
            None => return first.map(|text| (text, Vec::new())),
        },
        // A template at fault is at fault with any conversation.
        Err(GenerateError::Template { .. }) => None,
        Err(_) => return first.map(|text| (text, Vec::new())),
    };
    let possible = conversation::possible(input.messages);
    let mut choices: Vec<u32> = (1..1 << possible.len()).collect();
    choices.sort_by_key(|choice| choice.count_ones());
    for choice in choices {
        let chosen = possible
            .iter()
            .enumerate()
            .filter(|(bit, _)| choice & 1 << bit != 0);
        let changes: Vec<&'static str> = chosen.map(|(_, change)| *change).collect();
        if needed.is_some_and(|needed| !changes.contains(&needed)) || since.elapsed() > PATIENCE {
            continue;
        }
        let messages = conversation::changed(input.messages, &changes);
        let changed = TemplateInput {
            messages: &messages,
            ..*input
        };
        if let Ok(text) = render(template, &changed)
            && conversation::dropped(&messages, &text).is_none()
        {
            return Ok((text, changes));
        }
    }
    first.map(|text| (text, Vec::new()))
}

/// The text that an answer goes on with, where the conversation ends with a part of it that is to be continued.
fn begun_answer<'a>(input: &TemplateInput<'a>) -> Option<&'a str> {
    let is_asked = input.kwargs.get("continue_final_message") == Some(&true.into());
    let last = input.messages.last().filter(|last| last.role == "assistant")?;
    let text = last.content.trim();
    (is_asked && !text.is_empty()).then_some(text)
}

/// Renders the conversation with the opening of an answer at its end, or up to the end of one that is begun.
pub(crate) fn render(template: &str, input: &TemplateInput<'_>) -> Result<String, GenerateError> {
    let begun = begun_answer(input);
    let messages: Vec<serde_json::Value> = input.messages.iter().map(message_value).collect();
    let mut names: BTreeMap<String, Value> = input
        .kwargs
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(Serde(value.clone()))))
        .collect();
    names
        .entry("add_generation_prompt".to_owned())
        .or_insert(Value::from(begun.is_none()));
    let tools = input.tools.map(|tools| Value::from(Serde(tools.clone())));
    for (name, value) in [
        ("messages", Value::from(Serde(messages))),
        ("tools", Value::from(tools)),
        ("bos_token", Value::from(input.bos)),
        ("eos_token", Value::from(input.eos)),
    ] {
        names.insert(name.to_owned(), value);
    }
    names.entry("documents".to_owned()).or_insert(Value::from(()));
    let context = Value::from(names);
    let budget = Arc::new(Budget::begin(input.input_bytes));
    let mut text = run(template, context, input.unix_now, &budget).map_err(|error| refusal(&error))?;
    if let Some(begun) = begun {
        // What the template puts behind a finished answer is not wanted.
        let at = text.rfind(begun).ok_or_else(|| GenerateError::Template {
            reason: "it changes the answer that is to be continued".to_owned(),
        })?;
        text.truncate(at + begun.len());
    }
    Ok(text)
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
    let template = source::prepared(template);
    let template = template.as_ref();
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
            python_json(&measure, &value, &Style::from_options(&options)?)
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
mod fallback_tests;
#[cfg(test)]
mod tests;
