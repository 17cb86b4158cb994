//! From a request to the engine's own form: what cannot be done is refused by the name of the field, what is left open
//! is filled in by what suits the model.

use std::collections::BTreeMap;

use hearth_engine::{
    Constraint, GenerateRequest, Message, ModelHandle, ModelInfo, Priority, Prompt, Sampling, Thinking,
};
use serde_json::{Value, json};

use crate::{
    dialect::{Choice, Dialect, Grammar, Tools, json_rule, tool_grammar},
    error::Error,
    request::{
        ChatMessage, ChatRequest, CompletionRequest, ResponseFormat, SamplingParams, TextPrompt, Tool,
        ToolChoice,
    },
};

/// A text to make.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) request: GenerateRequest,
    /// What the answer begins with.
    pub(crate) echo: String,
    /// Whether it is the first of its prompt, which is counted once.
    pub(crate) counts_prompt: bool,
    /// How the model writes reasoning and calls; `None` for plain text, which is not taken apart.
    pub(crate) dialect: Option<(Dialect, Tools)>,
}

/// Plans the texts of a conversation.
pub(crate) fn chat(chat: &ChatRequest, model: &ModelHandle, priority: Priority) -> Result<Vec<Plan>, Error> {
    let info = model.info();
    if chat.sampling.max_tokens == Some(0) {
        return Err(Error::bad_field(
            "max_tokens",
            "max_tokens is 0: it must be at least 1",
        ));
    }
    let mut dialect = dialect_of(chat, info);
    let (prompt, tools) = prompt(chat, &dialect, info)?;
    if !uses_tools(chat) {
        // JSON in an answer is no call where there is nothing to call.
        dialect.tools = None;
    }
    let made = request(prompt, &chat.sampling, info, priority)?;
    let made = GenerateRequest {
        max_tokens: made.max_tokens.or(info.sampling.max_tokens),
        logprobs: chat.logprobs,
        constraint: constraint(chat, &dialect, &tools, model)?,
        thinking: thinking(chat, &dialect),
        shown_tokens: dialect.marks().into_iter().map(str::to_owned).collect(),
        ..made
    };
    let plan = Plan {
        request: made,
        echo: String::new(),
        counts_prompt: true,
        dialect: Some((dialect, tools)),
    };
    Ok(several(vec![plan], &chat.sampling))
}

fn uses_tools(chat: &ChatRequest) -> bool {
    !chat.tools.is_empty() && chat.tool_choice != ToolChoice::None
}

fn dialect_of(chat: &ChatRequest, info: &ModelInfo) -> Dialect {
    let usual = info.chat_template.as_deref();
    let template = if uses_tools(chat) {
        info.tool_template.as_deref().or(usual)
    } else {
        usual
    };
    Dialect::of(template, info.tool_template.is_some(), &info.architecture)
}

/// The prompt of a conversation, to be counted.
pub(crate) fn conversation(chat: &ChatRequest, model: &ModelHandle) -> Result<Prompt, Error> {
    let info = model.info();
    Ok(prompt(chat, &dialect_of(chat, info), info)?.0)
}

/// The conversation as the model's template gets to see it, and its tools.
fn prompt(chat: &ChatRequest, dialect: &Dialect, model: &ModelInfo) -> Result<(Prompt, Tools), Error> {
    let mut messages = messages(&chat.messages)?;
    if let Some(system) = &model.system
        && messages.iter().all(|message| message.role != "system")
    {
        messages.insert(0, Message::new("system", system.clone()));
    }
    let json: Option<Value> = uses_tools(chat).then(|| chat.tools.iter().map(Tool::to_json).collect());
    let tools = match &json {
        Some(json) => {
            dialect.tool_syntax(&model.name)?;
            Tools::read(json)?
        }
        None => Tools::default(),
    };
    let prompt = Prompt::Chat {
        messages,
        tools: json,
        kwargs: chat.template_kwargs.clone(),
    };
    Ok((prompt, tools))
}

/// What the answer must look like.
fn constraint(
    chat: &ChatRequest,
    dialect: &Dialect,
    tools: &Tools,
    model: &ModelHandle,
) -> Result<Option<Constraint>, Error> {
    let form = form(&chat.response_format);
    if dialect.tools.is_none() {
        return Ok(form);
    }
    let choice = match &chat.tool_choice {
        ToolChoice::Auto => Choice::Auto,
        ToolChoice::Required => Choice::Required,
        ToolChoice::Named(name) => Choice::Named(name.clone()),
        ToolChoice::None => return Ok(form),
    };
    let text = match (&choice, &chat.response_format) {
        // A call that must come leaves no room for anything else.
        (Choice::Required | Choice::Named(_), _) | (Choice::Auto, ResponseFormat::Text) => None,
        (Choice::Auto, ResponseFormat::JsonObject) => Some(json_of(&json!({ "type": "object" }), false)),
        (Choice::Auto, ResponseFormat::JsonSchema { schema, strict, .. }) => Some(json_of(schema, *strict)),
        (Choice::Auto, ResponseFormat::Regex(_) | ResponseFormat::Grammar(_) | ResponseFormat::Choice(_)) => {
            return Err(Error::bad_field(
                "response_format",
                "a regex or grammar cannot be kept beside tools that may be called: leave out one of both, or set \
                 tool_choice to \"none\"",
            ));
        }
    };
    let grammar = Grammar {
        // The engine lets reasoning pass before the form counts.
        dialect: Dialect {
            thinks: false,
            ..*dialect
        },
        tools,
        choice: &choice,
        parallel: chat.parallel_tool_calls.unwrap_or(true),
        opens_thinking: false,
        text: text.as_deref(),
    };
    let control = |text: &str| model.control_token(text);
    Ok(tool_grammar(&grammar, &control)?.map(Constraint::Lark))
}

/// JSON of a schema as a rule of a grammar.
fn json_of(schema: &Value, strict: bool) -> String {
    match schema {
        Value::Object(fields) => json_rule(fields.clone(), strict),
        // `true` is any JSON, `false` none.
        other @ Value::Null
        | other @ Value::Bool(_)
        | other @ Value::Number(_)
        | other @ Value::String(_)
        | other @ Value::Array(_) => format!("%json {other}"),
    }
}

fn form(format: &ResponseFormat) -> Option<Constraint> {
    Some(match format {
        ResponseFormat::Text => return None,
        ResponseFormat::JsonObject => Constraint::JsonObject,
        ResponseFormat::JsonSchema { schema, .. } => Constraint::JsonSchema(schema.clone()),
        ResponseFormat::Regex(regex) => Constraint::Regex(regex.clone()),
        ResponseFormat::Grammar(grammar) => Constraint::Lark(grammar.clone()),
        ResponseFormat::Choice(texts) => {
            // Lark's texts are written as JSON's.
            let texts: Vec<String> = texts
                .iter()
                .map(|text| Value::from(text.as_str()).to_string())
                .collect();
            Constraint::Lark(format!("start: {}", texts.join(" | ")))
        }
    })
}

fn thinking(chat: &ChatRequest, dialect: &Dialect) -> Option<Thinking> {
    let (open, close) = dialect.thinking;
    (dialect.thinks || chat.thinking_tokens.is_some()).then(|| Thinking {
        open: open.to_owned(),
        close: close.to_owned(),
        max_tokens: chat.thinking_tokens,
    })
}

/// Plans the texts of a completion.
pub(crate) fn completion(
    completion: &CompletionRequest,
    model: &ModelHandle,
    priority: Priority,
) -> Result<Vec<Plan>, Error> {
    let prompts = completion
        .prompts
        .iter()
        .map(|prompt| {
            let echo = match prompt {
                _ if !completion.echo => String::new(),
                TextPrompt::Text(text) => text.clone(),
                TextPrompt::Tokens(tokens) => model.detokenize(tokens, false)?,
            };
            let prompt = match prompt {
                TextPrompt::Text(text) => Prompt::Text(text.clone()),
                TextPrompt::Tokens(tokens) => Prompt::Tokens(tokens.clone()),
            };
            let made = request(prompt, &completion.sampling, model.info(), priority)?;
            let made = GenerateRequest {
                // OpenAI's own default for this route.
                max_tokens: made.max_tokens.or(Some(16)),
                logprobs: completion.logprobs,
                prompt_logprobs: completion.echo && completion.logprobs.is_some(),
                constraint: form(&completion.response_format),
                ..made
            };
            Ok(Plan {
                request: made,
                echo,
                counts_prompt: true,
                dialect: None,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(several(prompts, &completion.sampling))
}

/// `n` texts of each prompt, each with a seed of its own.
fn several(prompts: Vec<Plan>, sampling: &SamplingParams) -> Vec<Plan> {
    let n = u64::from(sampling.n.unwrap_or(1));
    let copies = |plan: Plan| {
        (0..n).map(move |index| {
            let mut plan = plan.clone();
            let seed = &mut plan.request.sampling.seed;
            *seed = seed.map(|seed| seed.wrapping_add(index));
            plan.counts_prompt = index == 0;
            plan
        })
    };
    prompts.into_iter().flat_map(copies).collect()
}

fn request(
    prompt: Prompt,
    asked: &SamplingParams,
    model: &ModelInfo,
    priority: Priority,
) -> Result<GenerateRequest, Error> {
    Ok(GenerateRequest {
        max_tokens: asked.max_tokens,
        stop: asked.stop.clone(),
        stop_tokens: asked.stop_token_ids.clone(),
        sampling: merged_sampling(asked, model.sampling.sampling(), model)?,
        priority,
        ..GenerateRequest::new(prompt)
    })
}

/// What the caller asked for, else what suits the model.
fn merged_sampling(asked: &SamplingParams, default: Sampling, model: &ModelInfo) -> Result<Sampling, Error> {
    let outside = |token: &&u32| usize::try_from(**token).is_ok_and(|token| token >= model.vocabulary);
    if let Some(token) = asked.logit_bias.keys().find(outside) {
        let vocabulary = model.vocabulary;
        return Err(Error::bad_field(
            &format!("logit_bias.{token}"),
            format!("token {token} is not in the model's vocabulary of {vocabulary}"),
        ));
    }
    Ok(Sampling {
        temperature: asked.temperature.unwrap_or(default.temperature),
        // Zero keeps the best token, as clients mean it.
        top_p: asked.top_p.unwrap_or(default.top_p).max(1e-6),
        top_k: asked.top_k.unwrap_or(default.top_k),
        min_p: asked.min_p.unwrap_or(default.min_p),
        seed: asked.seed,
        repetition_penalty: asked.repetition_penalty.unwrap_or(default.repetition_penalty),
        presence_penalty: asked.presence_penalty.unwrap_or(default.presence_penalty),
        frequency_penalty: asked.frequency_penalty.unwrap_or(default.frequency_penalty),
        logit_bias: asked.logit_bias.clone(),
    })
}

/// A message as the chat template sees it.
/// The messages in the form that templates know. A call and its answer in the older form (`function_call` and the role
/// `function`) become those of a tool.
fn messages(from: &[ChatMessage]) -> Result<Vec<Message>, Error> {
    let mut called = None;
    let mut messages = Vec::with_capacity(from.len());
    for (index, from) in from.iter().enumerate() {
        let mut message = message(index, from)?;
        let older = message.extra.remove("function_call").filter(Value::is_object);
        if let Some(call) = older.filter(|_| !message.extra.contains_key("tool_calls")) {
            let id = format!("call{index:05}");
            let call = json!([{ "id": id, "type": "function", "function": call }]);
            message.extra.insert("tool_calls".to_owned(), call);
            called = Some(id);
        } else if from.role == "function"
            && let Some(id) = called.take()
        {
            message
                .extra
                .entry("tool_call_id".to_owned())
                .or_insert(id.into());
        }
        messages.push(message);
    }
    Ok(messages)
}

fn message(index: usize, from: &ChatMessage) -> Result<Message, Error> {
    let content = match &from.content {
        None => String::new(),
        Some(content) => content.text().map_err(|kind| {
            Error::bad_field(
                &format!("messages[{index}].content"),
                format!("a part of type \"{kind}\" is not supported: this model reads text"),
            )
        })?,
    };
    // Newer clients call the system's message the developer's; templates know the older word.
    let role = match from.role.as_str() {
        "developer" => "system",
        // The older word for a tool's answer.
        "function" => "tool",
        role => role,
    };
    let extra: BTreeMap<String, Value> = from.extra.clone().into_iter().collect();
    Ok(Message {
        role: role.to_owned(),
        content,
        extra,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_older_form_reach_the_template_as_tools() {
        let message = |role: &str, name: &str, value: Value| ChatMessage {
            extra: [(name.to_owned(), value)].into_iter().collect(),
            ..ChatMessage::new(role, "")
        };
        let call = json!({"name": "f", "arguments": "{}"});
        let parallel = json!([{"id": "a", "function": call}, {"id": "b", "function": call}]);
        let made = messages(&[
            message("assistant", "function_call", call.clone()),
            message("function", "name", "f".into()),
            message("assistant", "tool_calls", parallel.clone()),
            message("tool", "tool_call_id", "a".into()),
            message("tool", "tool_call_id", "b".into()),
        ])
        .unwrap();
        let calls = &made[0].extra["tool_calls"][0];
        assert_eq!((&calls["function"], &calls["type"]), (&call, &json!("function")));
        assert!(!made[0].extra.contains_key("function_call"));
        assert_eq!(made[1].role, "tool");
        assert_eq!(made[1].extra["tool_call_id"], calls["id"]);
        assert_eq!(made[2].extra["tool_calls"], parallel);
        assert_eq!(made[4].extra["tool_call_id"], "b");
    }
}
