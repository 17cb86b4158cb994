//! Where programs keep their settings. The paths come in as values: only the configuration reads the environment.

use std::path::PathBuf;

use crate::{edit::Format, program::Program};

/// Folders of the person who runs this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    pub home: PathBuf,
    /// `~/.config`, or what `XDG_CONFIG_HOME` says.
    pub config: PathBuf,
    /// What `CLAUDE_CONFIG_DIR` says.
    pub claude: Option<PathBuf>,
    /// What `CODEX_HOME` says.
    pub codex: Option<PathBuf>,
    /// Folders in which commands lie.
    pub commands: Vec<PathBuf>,
}

impl Places {
    /// The file with a program's settings; `None` where it has none that is written.
    #[must_use]
    pub fn file(&self, program: Program) -> Option<(PathBuf, Format)> {
        let claude = self.claude.clone().unwrap_or_else(|| self.home.join(".claude"));
        let codex = self.codex.clone().unwrap_or_else(|| self.home.join(".codex"));
        match program {
            Program::ClaudeCode => Some((claude.join("settings.json"), Format::Json)),
            Program::Codex => Some((codex.join("config.toml"), Format::Toml)),
            Program::OpenCode => {
                let folder = self.config.join("opencode");
                let commented = folder.join("opencode.jsonc");
                let path = if commented.exists() {
                    commented
                } else {
                    folder.join("opencode.json")
                };
                Some((path, Format::Json))
            }
            Program::Continue => Some((self.home.join(".continue/config.yaml"), Format::Yaml)),
            Program::Aider => Some((self.home.join(".aider.conf.yml"), Format::Yaml)),
            Program::Zed => Some((self.zed().join("settings.json"), Format::Json)),
            Program::OpenWebUi
            | Program::Cline
            | Program::RooCode
            | Program::LiteLlm
            | Program::OpenAi
            | Program::Ollama
            | Program::Curl => None,
        }
    }

    /// Zed keeps to `~/.config` on macOS, and has a folder of its own on Windows.
    fn zed(&self) -> PathBuf {
        if cfg!(windows) {
            self.home.join("AppData/Roaming/Zed")
        } else {
            self.config.join("zed")
        }
    }

    /// Whether a program is on this computer, as far as its command or its folder tell.
    #[must_use]
    pub fn has(&self, program: Program) -> bool {
        let endings: &[&str] = if cfg!(windows) { &["exe", "cmd"] } else { &[""] };
        let in_folder = |folder: &PathBuf, command: &str| {
            endings
                .iter()
                .any(|ending| folder.join(command).with_extension(ending).is_file())
        };
        let has_command = program
            .command()
            .is_some_and(|command| self.commands.iter().any(|folder| in_folder(folder, command)));
        // A file that lies in the home folder itself says nothing by its folder.
        let has_folder = self.file(program).is_some_and(|(path, _)| {
            path.exists()
                || path
                    .parent()
                    .is_some_and(|folder| folder != self.home && folder.is_dir())
        });
        has_command || has_folder
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_program_is_found_by_its_command_or_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let mut places = Places {
            home: root.join("home"),
            config: root.join("home/.config"),
            claude: None,
            codex: None,
            commands: vec![root.join("bin")],
        };
        assert!(Program::ALL.into_iter().all(|program| !places.has(program)));
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::write(root.join("bin/codex"), "").unwrap();
        fs::create_dir_all(root.join("home/.config/zed")).unwrap();
        if !cfg!(windows) {
            assert!(places.has(Program::Codex) && places.has(Program::Zed));
        }
        assert!(!places.has(Program::Aider), "the home folder is no sign of it");
        places.codex = Some(root.join("elsewhere"));
        assert_eq!(
            places.file(Program::Codex).unwrap().0,
            root.join("elsewhere/config.toml")
        );
        fs::create_dir_all(root.join("home/.config/opencode")).unwrap();
        fs::write(root.join("home/.config/opencode/opencode.jsonc"), "{}").unwrap();
        assert!(
            places
                .file(Program::OpenCode)
                .unwrap()
                .0
                .ends_with("opencode.jsonc")
        );
        assert_eq!(places.file(Program::Curl), None);
    }
}
