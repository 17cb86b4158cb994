//! What an answer with tool calls must look like, as a Lark grammar for llguidance.
//!
//! Marks that are control tokens of the vocabulary are written by their number, everything else as text. Arguments are
//! JSON without free white space, as Python's `json.dumps` writes it and as models were trained to.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::tools::{Tool, ToolError, Tools};
use super::{
    ARGS, CALL_BEGIN, CALL_END, CALL_SEP, CALLS_BEGIN, CALLS_END, Dialect, END_ACTION, PYTHON_TAG,
    START_ACTION, TOOL_CALLS, ToolSyntax,
};

/// Which tools an answer may, or must, call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Any or none.
    Auto,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// What a grammar is made for.
#[derive(Clone, Copy, Debug)]
pub struct Grammar<'a> {
    /// How the model writes.
    pub dialect: Dialect,
    /// The tools of the request.
    pub tools: &'a Tools,
    /// Which of them.
    pub choice: &'a Choice,
    /// Whether an answer may hold several calls.
    pub parallel: bool,
    /// Whether the prompt ended inside a block of reasoning.
    pub opens_thinking: bool,
    /// What an answer without a call must be, in the words of Lark; `None` lets it be any text.
    pub text: Option<&'a str>,
}

/// Gives the grammar; `None` if there is nothing to enforce, which is only so for [`Choice::Auto`]. `control` gives the
/// number of a control token by its text.
///
/// # Errors
/// A named tool that is not there; a schema that cannot be written in the marks of the family.
pub fn tool_grammar(
    grammar: &Grammar<'_>,
    control: &dyn Fn(&str) -> Option<u32>,
) -> Result<Option<String>, ToolError> {
    let Some(syntax) = grammar.dialect.tools else {
        return Ok(None);
    };
    let chosen: Vec<&Tool> = match grammar.choice {
        Choice::Auto | Choice::Required => grammar.tools.as_slice().iter().collect(),
        Choice::Named(name) => {
            let tool = grammar.tools.named(name).ok_or_else(|| {
                let message = format!("tool_choice names {name:?}, and no tool is called so");
                ToolError::new("tool_choice", message)
            })?;
            vec![tool]
        }
    };
    if chosen.is_empty() {
        return match grammar.choice {
            Choice::Auto => Ok(None),
            Choice::Required | Choice::Named(_) => Err(ToolError::new(
                "tool_choice",
                "tool_choice asks for a call, and there are no tools",
            )),
        };
    }
    let mut writer = Writer {
        control,
        rules: String::new(),
        values: 0,
    };
    let form = writer.form(syntax, &chosen)?;
    let thinking = writer.thinking(grammar);
    let start = match grammar.choice {
        Choice::Auto => match (grammar.text, writer.free(&form, grammar)) {
            (Some(text), _) => {
                writer.rule("answer", text);
                format!("({} {} | answer)", form.open, form.calls(grammar.parallel))
            }
            (None, Some(start)) => start,
            (None, None) => return Ok(None),
        },
        Choice::Required | Choice::Named(_) => {
            let several = grammar.parallel && *grammar.choice == Choice::Required;
            format!("{} {}", form.open, form.calls(several))
        }
    };
    Ok(Some(format!(
        "start: {thinking}{start}\n{}TEXT: /(?s:.*)/\n",
        writer.rules
    )))
}

/// How the calls of a family are put together, each part in the words of Lark.
#[derive(Default)]
struct Form {
    /// What tells calls from text; empty if nothing does.
    open: String,
    /// The same as plain text, if it is no control token.
    open_text: Option<&'static str>,
    /// The first call, behind `open`.
    first: String,
    /// A further call; `None` if there can be only one.
    further: Option<String>,
    close: String,
}

impl Form {
    fn calls(&self, several: bool) -> String {
        let Self { first, close, .. } = self;
        match &self.further {
            Some(further) if several => format!("{first} ({further})* {close}"),
            Some(_) | None => format!("{first} {close}"),
        }
    }
}

struct Writer<'a> {
    control: &'a dyn Fn(&str) -> Option<u32>,
    rules: String,
    values: usize,
}

/// A text in the words of Lark, which are those of JSON.
fn literal(text: &str) -> String {
    Value::from(text).to_string()
}

impl Writer<'_> {
    fn mark(&self, text: &str) -> String {
        (self.control)(text).map_or_else(|| literal(text), |token| format!("<[{token}]>"))
    }

    fn rule(&mut self, name: &str, body: &str) {
        // Writing into a text does not fail.
        let _ = writeln!(self.rules, "{name}: {body}");
    }

    /// Reasoning before all else.
    fn thinking(&mut self, grammar: &Grammar<'_>) -> String {
        let (open, close) = grammar.dialect.thinking;
        if !grammar.opens_thinking && !grammar.dialect.thinks {
            return String::new();
        }
        match (self.control)(close) {
            Some(token) => self.rule("thought", &format!("TEXT <[{token}]>")),
            None => self.rule("thought[lazy]", &format!("TEXT {}", literal(close))),
        }
        self.rule("pause", r"/\n{0,2}/");
        if grammar.opens_thinking {
            return "thought pause ".to_owned();
        }
        format!("({} thought pause)? ", self.mark(open))
    }

    /// Text, and calls wherever the model opens one; `None` if a call cannot be told from text by its opening.
    fn free(&mut self, form: &Form, grammar: &Grammar<'_>) -> Option<String> {
        let calls = form.calls(grammar.parallel);
        match form.open_text {
            None => {
                if form.open.is_empty() {
                    return None;
                }
                self.rule("opened", &format!("TEXT {}", form.open));
            }
            Some(text) => self.rule("opened[lazy]", &format!("TEXT {}", literal(text))),
        }
        Some(if grammar.parallel {
            format!("(opened {calls})* TEXT")
        } else {
            format!("(TEXT | opened {calls})")
        })
    }

    fn form(&mut self, syntax: ToolSyntax, tools: &[&Tool]) -> Result<Form, ToolError> {
        Ok(match syntax {
            ToolSyntax::Tagged { open, close } => {
                let call = self.json_call(tools, "\n{\"name\": ", ", \"arguments\": ", "}\n");
                self.between_tags(open, close, call)
            }
            ToolSyntax::Xml => {
                let call = self.xml_call(tools)?;
                self.between_tags("<tool_call>", "</tool_call>", call)
            }
            ToolSyntax::Llama => {
                let call = self.json_call(tools, "{\"name\": ", ", \"parameters\": ", "}");
                // Nothing tells a call from text for certain, and the family's template knows one call a turn.
                let mark = (self.control)(PYTHON_TAG).map(|token| format!("<[{token}]>? "));
                Form {
                    first: format!("{}{call}", mark.unwrap_or_default()),
                    ..Form::default()
                }
            }
            ToolSyntax::MistralList => {
                let call = self.json_call(tools, "{\"name\": ", ", \"arguments\": ", "}");
                Form {
                    first: format!("/ ?\\[/ {call}"),
                    further: Some(format!("\", \" {call}")),
                    close: "\"]\"".to_owned(),
                    ..self.opened(TOOL_CALLS)
                }
            }
            ToolSyntax::MistralArgs => {
                let args = self.mark(ARGS);
                let call = self.choice(tools, |writer, tool| {
                    Ok(format!("{} {args} {}", literal(&tool.name), writer.json(tool)))
                })?;
                let form = self.opened(TOOL_CALLS);
                Form {
                    further: Some(format!("{} {call}", form.open)),
                    first: call,
                    ..form
                }
            }
            ToolSyntax::DeepSeek | ToolSyntax::DeepSeekFenced => self.deepseek(syntax, tools)?,
            ToolSyntax::CommandR => {
                let call = self.json_call(tools, "{\"tool_name\": ", ", \"parameters\": ", "}");
                Form {
                    first: format!("\"[\\n\" {call}"),
                    further: Some(format!("\",\\n\" {call}")),
                    close: "\"\\n]\\n```\"".to_owned(),
                    ..self.opened("Action: ```json\n")
                }
            }
            ToolSyntax::CommandAction => {
                let before = "{\"tool_call_id\": \"0\", \"tool_name\": ";
                let call = self.json_call(tools, before, ", \"parameters\": ", "}");
                Form {
                    first: format!("\"[\\n    \" {call}"),
                    further: Some(format!("\",\\n    \" {call}")),
                    close: format!("\"\\n]\" {}", self.mark(END_ACTION)),
                    ..self.opened(START_ACTION)
                }
            }
            ToolSyntax::Gemma | ToolSyntax::Json => {
                let call = self.json_call(tools, "```json\n{\"name\": ", ", \"arguments\": ", "}\n```");
                // A fence of JSON may hold anything else: only a call that must be made is enforced.
                Form {
                    further: Some(format!("\"\\n\" {call}")),
                    first: call,
                    ..Form::default()
                }
            }
        })
    }

    fn opened(&self, open: &'static str) -> Form {
        let is_text = (self.control)(open).is_none();
        Form {
            open: self.mark(open),
            open_text: is_text.then_some(open),
            ..Form::default()
        }
    }

    fn between_tags(&self, open: &'static str, close: &str, call: String) -> Form {
        let form = self.opened(open);
        let close = self.mark(close);
        Form {
            further: Some(format!("{close} \"\\n\" {} {call}", form.open)),
            first: call,
            close,
            ..form
        }
    }

    fn deepseek(&mut self, syntax: ToolSyntax, tools: &[&Tool]) -> Result<Form, ToolError> {
        let (begin, separator, end) = (self.mark(CALL_BEGIN), self.mark(CALL_SEP), self.mark(CALL_END));
        let call = self.choice(tools, |writer, tool| {
            let arguments = writer.json(tool);
            Ok(if syntax == ToolSyntax::DeepSeek {
                format!("{begin} {} {separator} {arguments} {end}", literal(&tool.name))
            } else {
                let name = literal(&format!("{}\n```json\n", tool.name));
                format!("{begin} \"function\" {separator} {name} {arguments} \"\\n```\" {end}")
            })
        })?;
        let between = if syntax == ToolSyntax::DeepSeek {
            ""
        } else {
            "\"\\n\" "
        };
        Ok(Form {
            further: Some(format!("{between}{call}")),
            first: call,
            close: self.mark(CALLS_END),
            ..self.opened(CALLS_BEGIN)
        })
    }

    /// One rule that is a call of one of the tools.
    fn choice(
        &mut self,
        tools: &[&Tool],
        mut write: impl FnMut(&mut Self, &Tool) -> Result<String, ToolError>,
    ) -> Result<String, ToolError> {
        let mut names = Vec::new();
        for (index, tool) in tools.iter().enumerate() {
            let body = write(self, tool)?;
            let name = format!("call_{index}");
            self.rule(&name, &body);
            names.push(name);
        }
        self.rule("call", &names.join(" | "));
        Ok("call".to_owned())
    }

    fn json_call(&mut self, tools: &[&Tool], before: &str, between: &str, after: &str) -> String {
        let names: Vec<String> = (0..tools.len()).map(|index| format!("call_{index}")).collect();
        for (name, tool) in names.iter().zip(tools) {
            let head = format!("{before}{}{between}", literal(&tool.name));
            let body = format!("{} {} {}", literal(&head), self.json(tool), literal(after));
            self.rule(name, &body);
        }
        self.rule("call", &names.join(" | "));
        "call".to_owned()
    }

    /// The arguments of a tool as one JSON object.
    fn json(&self, tool: &Tool) -> String {
        json_rule(tool.parameters.clone(), tool.strict)
    }

    fn xml_call(&mut self, tools: &[&Tool]) -> Result<String, ToolError> {
        self.choice(tools, |writer, tool| {
            let mut body = literal(&format!("\n<function={}>\n", tool.name));
            let required = tool.parameters.get("required").and_then(Value::as_array);
            let properties = tool.parameters.get("properties").and_then(Value::as_object);
            if properties.is_none()
                && tool
                    .parameters
                    .keys()
                    .any(|key| key.ends_with("Of") || key == "$ref")
            {
                let message = format!(
                    "this model needs the arguments of {:?} as plain properties",
                    tool.name
                );
                return Err(ToolError::new("tools", message));
            }
            for (key, schema) in properties.into_iter().flatten() {
                if !super::tools::is_name(key) {
                    let message =
                        format!("this model cannot write an argument called {key:?}: use letters and digits");
                    return Err(ToolError::new("tools", message));
                }
                let value = writer.xml_value(tool, schema);
                let argument = format!("{} {value}", literal(&format!("<parameter={key}>\n")));
                let is_required = required.is_some_and(|list| list.iter().any(|name| name == key.as_str()));
                body.push_str(&if is_required {
                    format!(" {argument}")
                } else {
                    format!(" ({argument})?")
                });
            }
            body.push_str(" \"</function>\\n\"");
            Ok(body)
        })
    }

    /// An argument in marks of its own: a string as it is, anything else as JSON.
    fn xml_value(&mut self, tool: &Tool, schema: &Value) -> String {
        const END: &str = "\n</parameter>\n";
        let is_text = schema.get("type").is_some_and(|kind| kind == "string");
        let words: Option<Vec<&str>> = schema
            .get("enum")
            .and_then(Value::as_array)
            .map(|words| words.iter().filter_map(Value::as_str).collect());
        match words {
            Some(words) if is_text && !words.is_empty() => {
                let words: Vec<String> = words.into_iter().map(literal).collect();
                return format!("({}) {}", words.join(" | "), literal(END));
            }
            _ if is_text => {
                self.values += 1;
                let name = format!("value_{}", self.values);
                self.rule(&format!("{name}[lazy]"), "TEXT \"</parameter>\"");
                return format!("{name} \"\\n\"");
            }
            _ => {}
        }
        let mut schema = schema.as_object().cloned().unwrap_or_default();
        for shared in ["$defs", "definitions"] {
            if let Some(definitions) = tool.parameters.get(shared) {
                schema.insert(shared.to_owned(), definitions.clone());
            }
        }
        format!("{} {}", json_rule(schema, tool.strict), literal(END))
    }
}

/// JSON of a schema as a rule, without free white space, of which some models make no end.
pub(crate) fn json_rule(mut schema: Map<String, Value>, strict: bool) -> String {
    let options = json!({
        "whitespace_flexible": false,
        "item_separator": ", ",
        "key_separator": ": ",
        // What a schema says beyond the library's means is not enforced, unless that was asked for.
        "lenient": !strict,
    });
    schema.insert("x-guidance".to_owned(), options);
    format!("%json {}", Value::Object(schema))
}
