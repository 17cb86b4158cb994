//! The beginnings of calls: what stands between a mark and the arguments.

use super::scan::value_end;
use super::tools::{Tools, is_name};
use super::{ARGS, CALL_BEGIN, CALL_ID, CALL_SEP, CALLS_BEGIN, FUNCTION, ToolSyntax};

/// What a text turned out to be, read as a call. Once it is anything but `More`, more text does not change it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    /// It may become one.
    More,
    /// It is none.
    Broken,
    /// A call of `name` whose arguments begin at byte `arguments`, inside so many objects.
    Call {
        name: String,
        arguments: usize,
        objects: usize,
    },
    /// A call without arguments that ends at this byte.
    Bare { name: String, end: usize },
    /// A call whose arguments come before its name: the object begins at this byte.
    Whole { begin: usize },
    /// A call of `name` whose arguments begin at byte `arguments`, each in a mark of its own.
    Xml { name: String, arguments: usize },
}

/// Keys that hold a call's name.
const NAMES: [&str; 3] = ["name", "tool_name", "function"];
/// Keys that hold its arguments.
const ARGUMENTS: [&str; 2] = ["arguments", "parameters"];

/// A text that is read from its beginning to its end.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

/// Why reading stops.
enum Stop {
    More,
    Broken,
}

type Read<T> = Result<T, Stop>;

/// Reads what follows a mark. `strict`: only a call of one of the tools is one, since no mark says so.
pub(super) fn head(syntax: ToolSyntax, text: &str, tools: &Tools, strict: bool) -> Head {
    let mut reader = Reader { text, at: 0 };
    let read = match syntax {
        ToolSyntax::MistralList | ToolSyntax::MistralArgs if !strict => reader.mistral(tools),
        ToolSyntax::DeepSeek | ToolSyntax::DeepSeekFenced if !strict => reader.deepseek(tools),
        ToolSyntax::Tagged { .. } | ToolSyntax::Xml | ToolSyntax::Json if !strict => reader.tagged(tools),
        ToolSyntax::MistralList
        | ToolSyntax::MistralArgs
        | ToolSyntax::DeepSeek
        | ToolSyntax::DeepSeekFenced
        | ToolSyntax::Tagged { .. }
        | ToolSyntax::Xml
        | ToolSyntax::Llama
        | ToolSyntax::CommandR
        | ToolSyntax::CommandAction
        | ToolSyntax::Gemma
        | ToolSyntax::Json => reader.json(tools, strict),
    };
    match read {
        Ok(head) => head,
        Err(Stop::More) => Head::More,
        Err(Stop::Broken) => Head::Broken,
    }
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    /// Takes `mark` if it stands here. Fails while that cannot be told.
    fn takes(&mut self, mark: &str) -> Read<bool> {
        let rest = self.rest();
        if rest.starts_with(mark) {
            self.at += mark.len();
            return Ok(true);
        }
        if mark.starts_with(rest) {
            Err(Stop::More)
        } else {
            Ok(false)
        }
    }

    fn needs(&mut self, mark: &str) -> Read<()> {
        if self.takes(mark)? {
            Ok(())
        } else {
            Err(Stop::Broken)
        }
    }

    /// Takes what stands before `mark`, and the mark.
    fn before(&mut self, mark: &str) -> Read<&'t str> {
        let rest = self.rest();
        let end = rest.find(mark).ok_or(Stop::More)?;
        self.at += end + mark.len();
        Ok(&rest[..end])
    }

    fn name(&self, name: &str, tools: &Tools, strict: bool) -> Read<String> {
        let known = tools.named(name).is_some();
        if known || (!strict && is_name(name)) {
            Ok(name.to_owned())
        } else {
            Err(Stop::Broken)
        }
    }

    /// Gives the head of a call whose arguments stand here, as a value of their own.
    fn value_here(&mut self, name: String) -> Read<Head> {
        self.skip_space();
        match self.rest().bytes().next() {
            None => Err(Stop::More),
            Some(b'{') => Ok(Head::Call {
                name,
                arguments: self.at,
                objects: 0,
            }),
            Some(_) => Err(Stop::Broken),
        }
    }

    fn mistral(&mut self, tools: &Tools) -> Read<Head> {
        self.skip_space();
        let rest = self.rest();
        if ARGS.starts_with(rest) && rest != ARGS {
            return Err(Stop::More);
        }
        // The older form is a list of objects.
        if rest.starts_with('{') || (rest.starts_with('[') && !rest.starts_with(ARGS)) {
            return self.json(tools, false);
        }
        let end = rest.find(['[', '{']).ok_or(Stop::More)?;
        let name = self.name(rest[..end].trim(), tools, false)?;
        self.at += end;
        if self.takes(CALL_ID)? {
            let rest = self.rest();
            self.at += rest.find('[').ok_or(Stop::More)?;
        }
        if !self.rest().starts_with('{') {
            self.needs(ARGS)?;
        }
        self.value_here(name)
    }

    fn deepseek(&mut self, tools: &Tools) -> Read<Head> {
        self.skip_space();
        self.takes(CALLS_BEGIN)?;
        self.skip_space();
        self.needs(CALL_BEGIN)?;
        let kind = self.before(CALL_SEP)?;
        if kind.trim() != "function" {
            let name = self.name(kind.trim(), tools, false)?;
            return self.value_here(name);
        }
        let name = self.before("\n")?;
        let name = self.name(name.trim(), tools, false)?;
        self.skip_space();
        self.fence()?;
        self.value_here(name)
    }

    fn tagged(&mut self, tools: &Tools) -> Read<Head> {
        self.skip_space();
        if self.takes(FUNCTION)? {
            let name = self.before(">")?;
            let name = self.name(name.trim().trim_matches('"'), tools, false)?;
            self.skip_space();
            if self.rest().is_empty() {
                return Err(Stop::More);
            }
            if self.rest().starts_with('{') {
                return self.value_here(name);
            }
            return Ok(Head::Xml {
                name,
                arguments: self.at,
            });
        }
        self.json(tools, false)
    }

    /// Takes the opening of a fence, if there is one.
    fn fence(&mut self) -> Read<()> {
        if self.takes("```")? {
            let line = self.before("\n")?;
            if !line
                .trim()
                .bytes()
                .all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
            {
                return Err(Stop::Broken);
            }
        }
        self.skip_space();
        Ok(())
    }

    /// An object with a name and arguments, perhaps in a fence, perhaps in a list.
    fn json(&mut self, tools: &Tools, strict: bool) -> Read<Head> {
        self.skip_space();
        self.fence()?;
        self.takes("[")?;
        self.skip_space();
        let begin = self.at;
        self.needs("{")?;
        let (mut objects, mut name) = (1, None);
        loop {
            self.skip_space();
            if self.takes("}")? {
                let name = name.filter(|_| objects == 1 && !strict).ok_or(Stop::Broken)?;
                return Ok(Head::Bare { name, end: self.at });
            }
            let key = self.string()?;
            self.skip_space();
            self.needs(":")?;
            self.skip_space();
            let is_text = match self.rest().bytes().next() {
                None => return Err(Stop::More),
                Some(byte) => byte == b'"',
            };
            if NAMES.contains(&key.as_str()) && is_text {
                let text = self.string()?;
                name = Some(self.name(&text, tools, strict)?);
            } else if key == "function" && self.takes("{")? {
                objects += 1;
                continue;
            } else if ARGUMENTS.contains(&key.as_str()) {
                return Ok(match name {
                    Some(name) => Head::Call {
                        name,
                        arguments: self.at,
                        objects,
                    },
                    None => Head::Whole { begin },
                });
            } else {
                self.at += value_end(self.rest()).ok_or(Stop::More)?;
            }
            self.skip_space();
            if !self.takes(",")? && !self.rest().starts_with('}') {
                return Err(Stop::Broken);
            }
        }
    }

    fn string(&mut self) -> Read<String> {
        if self.rest().is_empty() {
            return Err(Stop::More);
        }
        if !self.rest().starts_with('"') {
            return Err(Stop::Broken);
        }
        let end = value_end(self.rest()).ok_or(Stop::More)?;
        let text = &self.rest()[..end];
        self.at += end;
        serde_json::from_str(text).map_err(|_| Stop::Broken)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tools() -> Tools {
        Tools::read(&json!([{"type": "function", "function": {"name": "f"}}])).unwrap()
    }

    const HERMES: ToolSyntax = ToolSyntax::Tagged {
        open: "<tool_call>",
        close: "</tool_call>",
    };

    fn call(name: &str, arguments: usize, objects: usize) -> Head {
        Head::Call {
            name: name.to_owned(),
            arguments,
            objects,
        }
    }

    #[test]
    fn heads_of_all_families_are_read() {
        let read = |syntax, text: &str| head(syntax, text, &tools(), false);
        assert_eq!(read(HERMES, r#" {"name": "g", "arguments": {"#), call("g", 28, 1));
        assert_eq!(
            read(
                HERMES,
                r#"{"type": "function", "function": {"name": "g", "arguments": {"#
            ),
            call("g", 60, 2)
        );
        assert_eq!(read(HERMES, r#"{"arguments": {"#), Head::Whole { begin: 0 });
        assert_eq!(
            read(HERMES, r#"{"name": "g"} "#),
            Head::Bare {
                name: "g".to_owned(),
                end: 13
            }
        );
        let xml = Head::Xml {
            name: "g".to_owned(),
            arguments: 14,
        };
        assert_eq!(read(ToolSyntax::Xml, "\n<function=g>\n<par"), xml);
        assert_eq!(read(ToolSyntax::MistralArgs, "g[ARGS]{"), call("g", 7, 0));
        assert_eq!(
            read(ToolSyntax::MistralArgs, "g[CALL_ID]123[ARGS]{"),
            call("g", 19, 0)
        );
        assert_eq!(
            read(ToolSyntax::MistralArgs, r#"[{"name": "g", "arguments": {"#),
            call("g", 28, 1)
        );
        let fenced = "<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{";
        assert_eq!(read(ToolSyntax::DeepSeek, fenced), call("g", fenced.len() - 1, 0));
        let plain = "<｜tool▁call▁begin｜>g<｜tool▁sep｜>{";
        assert_eq!(
            read(ToolSyntax::DeepSeekFenced, plain),
            call("g", plain.len() - 1, 0)
        );
        let command = "\n```json\n[\n {\"tool_name\": \"g\", \"parameters\": {";
        assert_eq!(
            read(ToolSyntax::CommandR, command),
            call("g", command.len() - 1, 1)
        );
    }

    #[test]
    fn without_a_mark_only_a_known_name_makes_a_call() {
        let read = |text: &str| head(ToolSyntax::Llama, text, &tools(), true);
        assert_eq!(read(r#"{"name": "f", "parameters": {"#), call("f", 28, 1));
        assert_eq!(read(r#"{"name": "Bob", "#), Head::Broken);
        assert_eq!(read(r#"{"n"#), Head::More);
        assert_eq!(read("{1"), Head::Broken);
    }

    #[test]
    fn what_was_decided_stays_so() {
        let text = r#" {"type": "x", "name": "f", "arguments": {"a": 1}}"#;
        let whole = head(HERMES, text, &tools(), false);
        let mut decided = None;
        for end in 0..=text.len() {
            let now = head(HERMES, &text[..end], &tools(), false);
            match &decided {
                None if now != Head::More => decided = Some(now),
                None => {}
                Some(before) => assert_eq!(&now, before, "{end}"),
            }
        }
        assert_eq!(decided, Some(whole));
    }
}
