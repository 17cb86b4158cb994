//! What is typed into a chat: commands, and questions of one line or several.

/// What stands before and behind text of several lines.
const FENCE: &str = "\"\"\"";

/// What was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Nothing,
    Question(String),
    Command(Command),
    /// A word after a slash that means nothing here.
    Unknown(String),
}

/// What a chat is told to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Command {
    Help,
    New,
    List(String),
    Open(String),
    Model(String),
    System(String),
    Params(String),
    Again,
    Save(String),
    Quit,
}

/// Commands as they are listed.
pub(super) const HELP: [(&str, &str); 12] = [
    ("/new", "begin another chat"),
    ("/list [WORDS]", "chats, those of the page among them"),
    ("/open N", "go on with one of the list"),
    ("/model [NAME|N]", "list the models, or ask another one"),
    ("/system [TEXT|none]", "show or set what the model is told first"),
    (
        "/params [KEY=VALUE …|none]",
        "temperature, top_p, top_k, max_tokens, seed",
    ),
    ("/again", "another answer to the last question"),
    ("/save FILE", "write the chat as Markdown"),
    ("/quit", "leave, as Ctrl-D does"),
    ("\\ at the end of a line", "the question goes on in the next line"),
    ("\"\"\"", "begins and ends a question of several lines"),
    ("Ctrl-C", "stops the answer, or empties the line"),
];

/// Gathers lines until something is whole.
#[derive(Debug, Default)]
pub(super) struct Gatherer {
    text: String,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Empty,
    /// The last line ended in a backslash.
    Continued,
    /// A fence is open.
    Fenced,
}

impl Gatherer {
    /// Whether the next line belongs to what is there.
    pub(super) fn is_open(&self) -> bool {
        self.state != State::Empty
    }

    /// Forgets what was begun.
    pub(super) fn clear(&mut self) {
        *self = Gatherer::default();
    }

    /// Takes a line. `None`: more is to come.
    pub(super) fn take(&mut self, line: &str) -> Option<Input> {
        match self.state {
            State::Empty => {
                if let Some(rest) = line.trim_start().strip_prefix(FENCE) {
                    self.state = State::Fenced;
                    if rest.is_empty() {
                        return None;
                    }
                    return self.fenced(rest);
                }
                // Several lines at once were pasted: they are a question as they stand.
                if line.trim_start().starts_with('/') && !line.contains('\n') {
                    return Some(command(line.trim()));
                }
                self.continued(line)
            }
            State::Continued => self.continued(line),
            State::Fenced => self.fenced(line),
        }
    }

    fn continued(&mut self, line: &str) -> Option<Input> {
        if let Some(begun) = line.strip_suffix('\\') {
            self.text.push_str(begun);
            self.text.push('\n');
            self.state = State::Continued;
            return None;
        }
        self.text.push_str(line);
        Some(self.whole())
    }

    fn fenced(&mut self, line: &str) -> Option<Input> {
        if let Some(last) = line.trim_end().strip_suffix(FENCE) {
            self.text.push_str(last);
            return Some(self.whole());
        }
        self.text.push_str(line);
        self.text.push('\n');
        None
    }

    fn whole(&mut self) -> Input {
        let text = std::mem::take(&mut self.text);
        self.clear();
        let text = text.trim();
        if text.is_empty() {
            Input::Nothing
        } else {
            Input::Question(text.to_owned())
        }
    }
}

/// `/word rest`; two slashes begin a question with a slash.
fn command(line: &str) -> Input {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim().to_owned();
    Input::Command(match word {
        "/help" | "/?" => Command::Help,
        "/new" => Command::New,
        "/list" => Command::List(rest),
        "/open" => Command::Open(rest),
        "/model" => Command::Model(rest),
        "/system" => Command::System(rest),
        "/params" => Command::Params(rest),
        "/again" => Command::Again,
        "/save" => Command::Save(rest),
        "/quit" | "/exit" | "/bye" => Command::Quit,
        _ => {
            return match line.strip_prefix("//") {
                Some(question) => Input::Question(format!("/{question}")),
                None => Input::Unknown(word.to_owned()),
            };
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(lines: &[&str]) -> Vec<Input> {
        let mut gatherer = Gatherer::default();
        lines.iter().filter_map(|line| gatherer.take(line)).collect()
    }

    fn question(text: &str) -> Input {
        Input::Question(text.to_owned())
    }

    #[test]
    fn a_question_may_have_several_lines() {
        assert_eq!(
            typed(&["why?", "", "  "]),
            [question("why?"), Input::Nothing, Input::Nothing]
        );
        assert_eq!(
            typed(&["one \\", "two\\", "three"]),
            [question("one \ntwo\nthree")]
        );
        assert_eq!(
            typed(&["\"\"\"", "/new is", "", "a word\"\"\"", "next"]),
            [question("/new is\n\na word"), question("next")]
        );
        assert_eq!(typed(&["\"\"\"in one\"\"\""]), [question("in one")]);
        assert_eq!(typed(&["\"\"\"", "\"\"\""]), [Input::Nothing]);
        assert_eq!(typed(&["/new\nis pasted"]), [question("/new\nis pasted")]);
    }

    #[test]
    fn a_slash_begins_a_command_and_two_do_not() {
        let is = |line, command| assert_eq!(typed(&[line]), [Input::Command(command)], "{line}");
        is("/help", Command::Help);
        is("  /model  big/qwen ", Command::Model("big/qwen".to_owned()));
        is(
            "/system Be short. Rhyme.",
            Command::System("Be short. Rhyme.".to_owned()),
        );
        is("/save", Command::Save(String::new()));
        assert_eq!(typed(&["/mdoel x"]), [Input::Unknown("/mdoel".to_owned())]);
        assert_eq!(typed(&["//etc/hosts?"]), [question("/etc/hosts?")]);
        assert_eq!(
            typed(&["a \\", "/new"]),
            [question("a \n/new")],
            "it belongs to the question"
        );
    }

    #[test]
    fn what_was_begun_can_be_given_up() {
        let mut gatherer = Gatherer::default();
        assert_eq!(gatherer.take("\"\"\"half"), None);
        assert!(gatherer.is_open());
        gatherer.clear();
        assert!(!gatherer.is_open());
        assert_eq!(gatherer.take("whole"), Some(question("whole")));
    }

    #[test]
    fn what_help_lists_is_known() {
        for (line, _) in HELP.iter().filter(|(line, _)| line.starts_with('/')) {
            let word = line.split(' ').next().unwrap();
            assert!(matches!(typed(&[word])[..], [Input::Command(_)]), "{word}");
        }
    }
}
