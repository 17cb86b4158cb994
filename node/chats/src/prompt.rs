//! What a model is told of a conversation.

use crate::Role;

/// One message as a model is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMessage {
    pub role: Role,
    pub content: String,
}

/// A file as a model is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub name: String,
    pub text: String,
    /// The end of the text is left out.
    pub is_cut: bool,
}

/// A question after its files, each by name and between fences that are longer than any in its text.
#[must_use]
pub fn with_files(question: &str, files: &[File]) -> String {
    let mut prompt = String::new();
    for file in files {
        let fence = "`".repeat(longest_run(&file.text).max(2) + 1);
        let cut = if file.is_cut { " (its end is left out)" } else { "" };
        let break_after = if file.text.ends_with('\n') { "" } else { "\n" };
        prompt.push_str(&format!(
            "File: {}{cut}\n{fence}\n{}{break_after}{fence}\n\n",
            file.name, file.text
        ));
    }
    prompt.push_str(question);
    prompt
}

/// The most backticks in a row.
fn longest_run(text: &str) -> usize {
    let runs = text.split(|c| c != '`').map(str::len);
    runs.max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(text: &str) -> File {
        File {
            name: "notes.md".into(),
            text: text.into(),
            is_cut: false,
        }
    }

    #[test]
    fn a_question_follows_its_files() {
        let prompt = with_files("why?", &[file("one\n"), file("two")]);
        assert_eq!(
            prompt,
            "File: notes.md\n```\none\n```\n\nFile: notes.md\n```\ntwo\n```\n\nwhy?"
        );
        assert_eq!(with_files("why?", &[]), "why?");
        let cut = File {
            is_cut: true,
            ..file("x")
        };
        assert!(with_files("", &[cut]).starts_with("File: notes.md (its end is left out)\n"));
    }

    proptest! {
        /// No text of a file ends its fence early, whatever stands in it.
        #[test]
        fn a_file_cannot_leave_its_fence(text in "[`~\\n a-z]{0,60}") {
            let prompt = with_files("q", &[file(&text)]);
            let fence = prompt.lines().nth(1).unwrap().to_owned();
            let closing: Vec<&str> = prompt.lines().skip(2).filter(|line| line.trim() == fence).collect();
            prop_assert_eq!(closing.len(), 1, "{}", prompt);
        }
    }
}
