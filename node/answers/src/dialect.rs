//! How a family of models writes reasoning and tool calls into its answers: told by what its chat template says.
//!
//! [`Dialect::of`] finds the family, [`Parser`] takes an answer apart while it is written, [`tool_grammar`] says to the
//! engine what an answer with tool calls must look like, [`Tools`] are the tools of a request, checked. Nothing here
//! reads or writes anything outside.

mod call;
mod grammar;
mod marks;
mod parser;
mod python;
mod scan;
mod tools;
mod written;

use hearth_engine::ModelInfo;

pub(crate) use grammar::json_rule;
pub use grammar::{Choice, Grammar, tool_grammar};
pub use parser::{Parser, Piece};
pub use tools::{Tool, ToolError, Tools};

/// How a family writes tool calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToolSyntax {
    /// `{"name": …, "arguments": …}` between two marks: `<tool_call>` and `</tool_call>` for Hermes and Qwen.
    Tagged {
        /// What a call begins with.
        open: &'static str,
        /// What it ends with.
        close: &'static str,
    },
    /// `<tool_call><function=NAME><parameter=KEY>VALUE</parameter></function></tool_call>`, as Qwen3-Coder.
    Xml,
    /// `{"name": …, "parameters": …}`, after `<|python_tag|>` or bare, as Llama 3.
    Llama,
    /// `[TOOL_CALLS][{"name": …, "arguments": …}]`, as Mistral up to 2024.
    MistralList,
    /// `[TOOL_CALLS]NAME[ARGS]{…}`, as Mistral since then.
    MistralArgs,
    /// `<｜tool▁call▁begin｜>function<｜tool▁sep｜>NAME` and the arguments in a fence, as DeepSeek V3 and R1.
    DeepSeekFenced,
    /// `<｜tool▁call▁begin｜>NAME<｜tool▁sep｜>{…}`, as DeepSeek since V3.1.
    DeepSeek,
    /// `Action:` and a list of `{"tool_name": …, "parameters": …}` in a fence, as Command R.
    CommandR,
    /// The same list between `<|START_ACTION|>` and `<|END_ACTION|>`, as Command R since 2024.
    CommandAction,
    /// A call in Python or JSON in a fence called `tool_code`, as Gemma.
    Gemma,
    /// JSON, bare, in a fence or behind `<function=NAME>`: what is left for templates that know tools and show no marks
    /// of those above.
    Json,
}

/// How a family writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// How it calls tools; `None` if its template knows none.
    pub tools: Option<ToolSyntax>,
    /// What reasoning stands between.
    pub thinking: (&'static str, &'static str),
    /// Whether the template speaks of reasoning. If not, an answer that begins with the mark is split all the same.
    pub thinks: bool,
}

/// Marks around reasoning, the usual ones first.
const THINKING: [(&str, &str); 5] = [
    ("<think>", "</think>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<seed:think>", "</seed:think>"),
    ("<thinking>", "</thinking>"),
];
/// Marks around calls in JSON.
const TAGS: [(&str, &str); 3] = [
    ("<tool_call>", "</tool_call>"),
    ("<|tool_call|>", "<|/tool_call|>"),
    ("<function_call>", "</function_call>"),
];
pub(crate) const START_ACTION: &str = "<|START_ACTION|>";
pub(crate) const END_ACTION: &str = "<|END_ACTION|>";
pub(crate) const PYTHON_TAG: &str = "<|python_tag|>";
pub(crate) const TOOL_CALLS: &str = "[TOOL_CALLS]";
pub(crate) const ARGS: &str = "[ARGS]";
pub(crate) const CALL_ID: &str = "[CALL_ID]";
pub(crate) const CALLS_BEGIN: &str = "<｜tool▁calls▁begin｜>";
pub(crate) const CALLS_END: &str = "<｜tool▁calls▁end｜>";
pub(crate) const CALL_BEGIN: &str = "<｜tool▁call▁begin｜>";
pub(crate) const CALL_END: &str = "<｜tool▁call▁end｜>";
pub(crate) const CALL_SEP: &str = "<｜tool▁sep｜>";
pub(crate) const FUNCTION: &str = "<function=";
pub(crate) const PARAMETER: &str = "<parameter=";
pub(crate) const PARAMETER_END: &str = "</parameter>";
pub(crate) const TOOL_CODE: &str = "```tool_code";

impl Dialect {
    /// Finds the dialect of a model by the template that is rendered when tools are sent, or else by its only one. A
    /// model without a template has no tools.
    #[must_use]
    pub fn of(template: Option<&str>, knows_tools: bool, architecture: &str) -> Self {
        let source = template.unwrap_or_default();
        let said = THINKING
            .into_iter()
            .find(|(open, close)| source.contains(open) || source.contains(close));
        Self {
            tools: knows_tools.then(|| ToolSyntax::of(source, architecture)),
            thinking: said.unwrap_or(THINKING[0]),
            thinks: said.is_some(),
        }
    }

    /// Finds the dialect of a loaded model.
    #[must_use]
    pub fn of_model(model: &ModelInfo) -> Self {
        let template = model.tool_template.as_ref().or(model.chat_template.as_ref());
        Self::of(
            template.map(AsRef::as_ref),
            model.tool_template.is_some(),
            &model.architecture,
        )
    }

    /// Gives how the model calls tools.
    ///
    /// # Errors
    /// In words if it has none: tools are never dropped unsaid.
    pub fn tool_syntax(&self, model: &str) -> Result<ToolSyntax, ToolError> {
        self.tools.ok_or_else(|| {
            let message = format!(
                "{model} does not support tools: its chat template knows none. Choose a model that does, such as \
                 Qwen2.5 or Llama 3.1, or leave tools out"
            );
            ToolError::new("tools", message)
        })
    }

    /// The marks that answers may hold. Where they are control tokens, the engine must be asked to show them.
    #[must_use]
    pub fn marks(&self) -> Vec<&'static str> {
        let mut marks = vec![self.thinking.0, self.thinking.1];
        if let Some(syntax) = self.tools {
            marks.extend(syntax.marks());
        }
        marks
    }
}

impl ToolSyntax {
    fn of(source: &str, architecture: &str) -> Self {
        let says = |text: &str| source.contains(text);
        if says(FUNCTION) && says(PARAMETER) {
            return Self::Xml;
        }
        if says(START_ACTION) {
            return Self::CommandAction;
        }
        if says(TOOL_CALLS) {
            return if says(ARGS) {
                Self::MistralArgs
            } else {
                Self::MistralList
            };
        }
        if says(CALL_BEGIN) || says(CALLS_BEGIN) {
            return if says("```json") {
                Self::DeepSeekFenced
            } else {
                Self::DeepSeek
            };
        }
        // Templates that show arguments in marks of their own write no JSON between the usual ones.
        let tag = TAGS
            .into_iter()
            .find(|(open, _)| says(open) && !says("<arg_key>"));
        if let Some((open, close)) = tag {
            return Self::Tagged { open, close };
        }
        if says("Action:") && says("tool_name") {
            return Self::CommandR;
        }
        if says(PYTHON_TAG) || (says("<|start_header_id|>") && says("parameters")) {
            return Self::Llama;
        }
        if says("tool_code") || says("<start_of_turn>") || architecture.starts_with("gemma") {
            return Self::Gemma;
        }
        Self::Json
    }

    fn marks(self) -> Vec<&'static str> {
        match self {
            Self::Tagged { open, close } => vec![open, close],
            Self::Xml => vec!["<tool_call>", "</tool_call>"],
            Self::Llama => vec![PYTHON_TAG],
            Self::MistralList | Self::MistralArgs => vec![TOOL_CALLS, ARGS, CALL_ID],
            Self::DeepSeekFenced | Self::DeepSeek => {
                vec![CALLS_BEGIN, CALLS_END, CALL_BEGIN, CALL_END, CALL_SEP]
            }
            Self::CommandAction => vec![START_ACTION, END_ACTION],
            Self::CommandR | Self::Gemma | Self::Json => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
