//! What is written into the file of each program.

use serde_json::{Value, json};

use crate::{edit::Setting, program::Program, target::Target};

/// The most tokens of an answer that a program is told, where it wants to know.
const MOST_OUTPUT: u32 = 8192;
/// What an editor is told where the node does not know how much a model takes: enough for a question with a file.
const ASSUMED_CONTEXT: u32 = 8192;

/// The settings that connect a program; none for one that is only shown what to do.
#[must_use]
pub fn settings(program: Program, target: &Target) -> Vec<Setting> {
    match program {
        Program::ClaudeCode => claude_code(target),
        Program::Codex => codex(target),
        Program::OpenCode => opencode(target),
        Program::Continue => continue_dev(target),
        Program::Aider => vec![
            Setting::new(&["openai-api-base"], target.openai()),
            Setting::new(&["openai-api-key"], target.key.as_str()),
            Setting::new(&["model"], format!("openai/{}", target.model)),
        ],
        Program::Zed => zed(target),
        Program::OpenWebUi
        | Program::Cline
        | Program::RooCode
        | Program::LiteLlm
        | Program::OpenAi
        | Program::Ollama
        | Program::Curl => Vec::new(),
    }
}

/// It appends `/v1/messages` itself, and asks by the names of three sizes of model.
fn claude_code(target: &Target) -> Vec<Setting> {
    let mut settings = vec![
        Setting::new(&["env", "ANTHROPIC_BASE_URL"], target.root.as_str()),
        Setting::new(&["env", "ANTHROPIC_AUTH_TOKEN"], target.key.as_str()),
    ];
    for name in [
        "ANTHROPIC_MODEL",
        "ANTHROPIC_DEFAULT_OPUS_MODEL",
        "ANTHROPIC_DEFAULT_SONNET_MODEL",
        "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    ] {
        settings.push(Setting::new(&["env", name], target.model.as_str()));
    }
    settings
}

/// It speaks the Responses API alone; a key of the file needs no variable in every shell. Tools that run at OpenAI, and
/// those that are packed into a namespace, are refused by a node, so they are turned off.
fn codex(target: &Target) -> Vec<Setting> {
    let provider = |name: &str, value: &str| Setting::new(&["model_providers", "hearth", name], value);
    let mut settings = vec![
        Setting::new(&["model"], target.model.as_str()),
        Setting::new(&["model_provider"], "hearth"),
    ];
    settings.extend(
        target
            .context
            .map(|tokens| Setting::new(&["model_context_window"], tokens)),
    );
    settings.extend([
        Setting::new(&["web_search"], "disabled"),
        Setting::new(&["features", "multi_agent"], false),
        provider("name", "Hearth"),
        provider("base_url", &target.openai()),
        provider("wire_api", "responses"),
        provider("experimental_bearer_token", &target.key),
    ]);
    settings
}

fn opencode(target: &Target) -> Vec<Setting> {
    let provider = |path: &[&str], value: Value| {
        let path: Vec<&str> = ["provider", "hearth"].iter().chain(path).copied().collect();
        Setting::new(&path, value)
    };
    let model = target.model.as_str();
    let mut settings = vec![
        Setting::new(&["$schema"], "https://opencode.ai/config.json").unless_there(),
        provider(&["npm"], "@ai-sdk/openai-compatible".into()),
        provider(&["name"], "Hearth".into()),
        provider(&["options", "baseURL"], target.openai().into()),
        provider(&["options", "apiKey"], target.key.as_str().into()),
        provider(&["models", model, "name"], target.title.as_str().into()),
    ];
    if let Some(context) = target.context {
        let output = (context / 4).clamp(1, MOST_OUTPUT);
        settings.push(provider(&["models", model, "limit", "context"], context.into()));
        settings.push(provider(&["models", model, "limit", "output"], output.into()));
    }
    for name in ["model", "small_model"] {
        settings.push(Setting::new(&[name], format!("hearth/{model}")));
    }
    settings
}

fn continue_dev(target: &Target) -> Vec<Setting> {
    let mut model = json!({
        "name": "Hearth",
        "provider": "openai",
        "model": target.model,
        "apiBase": target.openai(),
        "apiKey": target.key,
        "roles": ["chat", "edit", "apply"],
    });
    if let Some(context) = target.context {
        model["defaultCompletionOptions"] = json!({ "contextLength": context });
    }
    vec![
        Setting::new(&["name"], "Local Config").unless_there(),
        Setting::new(&["version"], "1.0.0").unless_there(),
        Setting::new(&["schema"], "v1").unless_there(),
        Setting::new(&["models", "Hearth"], model),
    ]
}

/// It keeps keys in the key store of the system, never in its settings.
fn zed(target: &Target) -> Vec<Setting> {
    let provider = |name: &str, value: Value| {
        Setting::new(&["language_models", "openai_compatible", "Hearth", name], value)
    };
    let model = json!([{
        "name": target.model,
        "display_name": target.title,
        "max_tokens": target.context.unwrap_or(ASSUMED_CONTEXT),
        "capabilities": {
            "tools": true,
            "images": false,
            "parallel_tool_calls": false,
            "prompt_cache_key": false,
        },
    }]);
    vec![
        provider("api_url", target.openai().into()),
        provider("available_models", model),
        Setting::new(&["agent", "default_model", "provider"], "Hearth"),
        Setting::new(&["agent", "default_model", "model"], target.model.as_str()),
    ]
}
