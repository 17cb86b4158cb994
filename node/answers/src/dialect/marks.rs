//! The marks of each family: what calls begin with, and what stands behind them.

use super::{
    CALL_BEGIN, CALL_END, CALLS_BEGIN, CALLS_END, END_ACTION, FUNCTION, PYTHON_TAG, START_ACTION, TOOL_CALLS,
    TOOL_CODE, ToolSyntax,
};

/// What a call was recognised by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A mark of the family.
    Own,
    /// A fence.
    Fence,
    /// Its first bracket.
    Bare,
}

pub(super) const JSON_FENCE: &str = "```json";

/// What a call may begin with anywhere in a text. None of them begins another.
pub(super) fn marks(syntax: ToolSyntax) -> Vec<&'static str> {
    match syntax {
        ToolSyntax::Tagged { open, .. } => vec![open, JSON_FENCE],
        ToolSyntax::Xml => vec!["<tool_call>", FUNCTION, JSON_FENCE],
        ToolSyntax::Llama => vec![PYTHON_TAG, JSON_FENCE],
        ToolSyntax::MistralList | ToolSyntax::MistralArgs => vec![TOOL_CALLS],
        ToolSyntax::DeepSeek | ToolSyntax::DeepSeekFenced => vec![CALLS_BEGIN, CALL_BEGIN],
        ToolSyntax::CommandR => vec!["Action:"],
        ToolSyntax::Gemma => vec![TOOL_CODE, JSON_FENCE],
        ToolSyntax::CommandAction => vec![START_ACTION],
        ToolSyntax::Json => vec![FUNCTION, JSON_FENCE],
    }
}

/// Marks behind a call, and whether they end the calls; and what the next call begins with.
pub(super) type Around = (&'static [(&'static str, bool)], &'static str);

pub(super) fn around(syntax: ToolSyntax, kind: Mark) -> Around {
    const LIST: &[(&str, bool)] = &[(",", false), (";", false), ("]", true)];
    const FENCE: &[(&str, bool)] = &[(",", false), ("]", false), ("```", true)];
    match (kind, syntax) {
        (Mark::Fence, _) => (FENCE, "{"),
        (Mark::Bare, _) => (LIST, "{"),
        (Mark::Own, ToolSyntax::Tagged { close, .. }) => (closed_by(close), "{"),
        (Mark::Own, ToolSyntax::Xml | ToolSyntax::Json) => {
            (&[("</tool_call>", true), ("</function>", false)], FUNCTION)
        }
        (Mark::Own, ToolSyntax::DeepSeek | ToolSyntax::DeepSeekFenced) => (
            &[("```", false), (CALL_END, false), (CALLS_END, true)],
            CALL_BEGIN,
        ),
        (Mark::Own, ToolSyntax::CommandAction) => (&[(END_ACTION, true), (",", false), ("]", false)], "{"),
        (Mark::Own, ToolSyntax::CommandR) => (FENCE, "{"),
        (Mark::Own, ToolSyntax::Llama) => (&[(";", false), (PYTHON_TAG, false)], "{"),
        (Mark::Own, ToolSyntax::MistralList | ToolSyntax::MistralArgs | ToolSyntax::Gemma) => (LIST, "{"),
    }
}

fn closed_by(close: &'static str) -> &'static [(&'static str, bool)] {
    match close {
        "</tool_call>" => &[("</tool_call>", true), (",", false), ("]", false), ("```", false)],
        "<|/tool_call|>" => &[("<|/tool_call|>", true), (",", false), ("]", false)],
        _ => &[("</function_call>", true), (",", false), ("]", false)],
    }
}
