//! The programs that can be connected.

/// A program, or a kind of them, that asks models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    ClaudeCode,
    Codex,
    OpenCode,
    Continue,
    Aider,
    Zed,
    OpenWebUi,
    Cline,
    RooCode,
    LiteLlm,
    OpenAi,
    Ollama,
    Curl,
}

impl Program {
    /// All of them: first those whose file can be written.
    pub const ALL: [Program; 13] = [
        Program::ClaudeCode,
        Program::Codex,
        Program::OpenCode,
        Program::Continue,
        Program::Aider,
        Program::Zed,
        Program::OpenWebUi,
        Program::Cline,
        Program::RooCode,
        Program::LiteLlm,
        Program::OpenAi,
        Program::Ollama,
        Program::Curl,
    ];

    /// As it is written on the command line and in the API.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Program::ClaudeCode => "claude-code",
            Program::Codex => "codex",
            Program::OpenCode => "opencode",
            Program::Continue => "continue",
            Program::Aider => "aider",
            Program::Zed => "zed",
            Program::OpenWebUi => "open-webui",
            Program::Cline => "cline",
            Program::RooCode => "roo-code",
            Program::LiteLlm => "litellm",
            Program::OpenAi => "openai",
            Program::Ollama => "ollama",
            Program::Curl => "curl",
        }
    }

    /// Its name.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Program::ClaudeCode => "Claude Code",
            Program::Codex => "Codex",
            Program::OpenCode => "opencode",
            Program::Continue => "Continue",
            Program::Aider => "Aider",
            Program::Zed => "Zed",
            Program::OpenWebUi => "Open WebUI",
            Program::Cline => "Cline",
            Program::RooCode => "Roo Code",
            Program::LiteLlm => "LiteLLM",
            Program::OpenAi => "OpenAI SDK",
            Program::Ollama => "Ollama client",
            Program::Curl => "curl",
        }
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Program::ClaudeCode => "coding agent in the terminal, Anthropic's API",
            Program::Codex => "coding agent in the terminal, Responses API",
            Program::OpenCode => "coding agent in the terminal",
            Program::Continue => "assistant in VS Code and JetBrains",
            Program::Aider => "pair programming in the terminal",
            Program::Zed => "editor with an agent",
            Program::OpenWebUi => "chat in the browser",
            Program::Cline => "coding agent in VS Code and JetBrains",
            Program::RooCode => "coding agent in VS Code",
            Program::LiteLlm => "proxy between programs and models",
            Program::OpenAi => "programs of your own, in any language",
            Program::Ollama => "programs that speak Ollama's API",
            Program::Curl => "from a shell",
        }
    }

    /// The command that starts it, where it has one.
    pub(crate) const fn command(self) -> Option<&'static str> {
        match self {
            Program::ClaudeCode => Some("claude"),
            Program::Codex => Some("codex"),
            Program::OpenCode => Some("opencode"),
            Program::Continue => Some("cn"),
            Program::Aider => Some("aider"),
            Program::Zed => Some("zed"),
            Program::OpenWebUi => Some("open-webui"),
            Program::Cline => Some("cline"),
            Program::LiteLlm => Some("litellm"),
            Program::Ollama => Some("ollama"),
            Program::Curl => Some("curl"),
            Program::RooCode | Program::OpenAi => None,
        }
    }

    /// The program of an id, or of another name that it goes by.
    #[must_use]
    pub fn named(text: &str) -> Option<Program> {
        let text = text.to_ascii_lowercase();
        let id = match text.as_str() {
            "claude" => "claude-code",
            "openwebui" => "open-webui",
            "roo" => "roo-code",
            other => other,
        };
        Program::ALL.into_iter().find(|program| program.id() == id)
    }

    /// Whether the key lies in its file; otherwise the person gives it to the program.
    #[must_use]
    pub const fn keeps_key_in_file(self) -> bool {
        !matches!(self, Program::Zed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_by_their_names() {
        for program in Program::ALL {
            assert_eq!(Program::named(program.id()), Some(program));
        }
        assert_eq!(Program::named("Claude"), Some(Program::ClaudeCode));
        assert_eq!(Program::named("emacs"), None);
    }
}
