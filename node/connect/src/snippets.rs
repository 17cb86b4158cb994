//! What a person copies: the lines of a program's file, or what is typed where a program has none.

use crate::{
    edit::{Format, set},
    places::Places,
    program::Program,
    settings::settings,
    target::Target,
};

/// One piece of text to copy.
#[derive(Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Where it goes: a path, or a word.
    pub label: String,
    /// How it is highlighted: `json`, `toml`, `yaml`, `bash`, `python`, `javascript`, `text`.
    pub language: &'static str,
    pub text: String,
}

/// What connects a program, to copy. `places` names the file where it is that of this computer.
#[must_use]
pub fn snippets(program: Program, target: &Target, places: Option<&Places>) -> Vec<Snippet> {
    if let Some((usual, format)) = usual_file(program) {
        let path = places.and_then(|places| places.file(program));
        let label = path.map_or_else(|| usual.to_owned(), |(path, _)| path.display().to_string());
        let mut all = vec![Snippet {
            label,
            language: format.word(),
            // A file with these settings alone: an empty one takes them all.
            text: set(format, "", &settings(program, target))
                .map_or_else(|_| String::new(), |edited| edited.text),
        }];
        all.extend(beside_the_file(program, target));
        return all;
    }
    let one = |label: &str, language, text| Snippet {
        label: label.to_owned(),
        language,
        text,
    };
    let (base, key, model) = (sh(&target.openai()), sh(&target.key), sh(&target.model));
    match program {
        Program::OpenWebUi => vec![
            one(
                "Docker",
                "bash",
                format!(
                    "docker run -d --name open-webui --network=host \\\n  -e OPENAI_API_BASE_URL={base} \\\n  -e OPENAI_API_KEY={key} \\\n  \
                     -v open-webui:/app/backend/data ghcr.io/open-webui/open-webui:main\n"
                ),
            ),
            one(
                "pip",
                "bash",
                format!("OPENAI_API_BASE_URL={base} \\\nOPENAI_API_KEY={key} \\\nopen-webui serve\n"),
            ),
        ],
        Program::Cline | Program::RooCode => vec![one(
            "API Provider: OpenAI Compatible",
            "text",
            format!(
                "Base URL: {}\nAPI Key: {}\nModel ID: {}\n",
                target.openai(),
                target.key,
                target.model
            ),
        )],
        Program::LiteLlm => vec![one("config.yaml", "yaml", litellm(target))],
        Program::OpenAi => vec![
            one(
                "Shell",
                "bash",
                format!("export OPENAI_BASE_URL={base}\nexport OPENAI_API_KEY={key}\n"),
            ),
            one("Python", "python", python(target)),
            one("Node.js", "javascript", node(target)),
        ],
        Program::Ollama => vec![one(
            "Shell",
            "bash",
            format!("export OLLAMA_HOST={}\nollama run {model}\n", sh(&target.root)),
        )],
        Program::Curl => vec![one("Shell", "bash", curl(target))],
        Program::ClaudeCode
        | Program::Codex
        | Program::OpenCode
        | Program::Continue
        | Program::Aider
        | Program::Zed => Vec::new(),
    }
}

/// A file as people call it where nobody knows their home.
const fn usual_file(program: Program) -> Option<(&'static str, Format)> {
    match program {
        Program::ClaudeCode => Some(("~/.claude/settings.json", Format::Json)),
        Program::Codex => Some(("~/.codex/config.toml", Format::Toml)),
        Program::OpenCode => Some(("~/.config/opencode/opencode.json", Format::Json)),
        Program::Continue => Some(("~/.continue/config.yaml", Format::Yaml)),
        Program::Aider => Some(("~/.aider.conf.yml", Format::Yaml)),
        Program::Zed => Some(("~/.config/zed/settings.json", Format::Json)),
        Program::OpenWebUi
        | Program::Cline
        | Program::RooCode
        | Program::LiteLlm
        | Program::OpenAi
        | Program::Ollama
        | Program::Curl => None,
    }
}

/// What a program needs beside its file: Zed takes its key from the environment, or asks for it.
fn beside_the_file(program: Program, target: &Target) -> Option<Snippet> {
    (!program.keeps_key_in_file()).then(|| Snippet {
        label: "Shell".to_owned(),
        language: "bash",
        text: format!("export HEARTH_API_KEY={}\n", sh(&target.key)),
    })
}

fn litellm(target: &Target) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "model_list:\n  - model_name: {}\n    litellm_params:\n      model: {}\n      api_base: {}\n      api_key: {}\n",
        quoted(&target.model),
        quoted(&format!("openai/{}", target.model)),
        quoted(&target.openai()),
        quoted(&target.key)
    )
}

fn python(target: &Target) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "from openai import OpenAI\n\nclient = OpenAI(base_url={}, api_key={})\nanswer = client.chat.completions.create(\n    \
         model={},\n    messages=[{{\"role\": \"user\", \"content\": \"Why is the sky blue?\"}}],\n)\n\
         print(answer.choices[0].message.content)\n",
        quoted(&target.openai()),
        quoted(&target.key),
        quoted(&target.model)
    )
}

fn node(target: &Target) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "import OpenAI from \"openai\";\n\nconst client = new OpenAI({{ baseURL: {}, apiKey: {} }});\n\
         const answer = await client.chat.completions.create({{\n  model: {},\n  \
         messages: [{{ role: \"user\", content: \"Why is the sky blue?\" }}],\n}});\n\
         console.log(answer.choices[0].message.content);\n",
        quoted(&target.openai()),
        quoted(&target.key),
        quoted(&target.model)
    )
}

fn curl(target: &Target) -> String {
    let body = serde_json::json!({
        "model": target.model,
        "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
    });
    format!(
        "curl {} \\\n  -H 'Authorization: Bearer {}' \\\n  -H 'Content-Type: application/json' \\\n  -d {}\n",
        sh(&format!("{}/chat/completions", target.openai())),
        target.key,
        sh(&body.to_string())
    )
}

/// A word of a shell.
fn sh(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
