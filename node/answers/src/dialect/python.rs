//! Calls written in Python, as Gemma does: `print(default_api.get_weather(city="Paris"))`.

use serde_json::{Map, Number, Value};

/// Lists nested deeper are no arguments.
const MAX_DEPTH: usize = 32;

/// Reads calls, one below the other or in a list. `None` if the text is anything else.
pub(super) fn calls(text: &str) -> Option<Vec<(String, Map<String, Value>)>> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let mut reader = Reader {
        rest: inner.unwrap_or(text),
    };
    let mut calls = Vec::new();
    loop {
        reader.skip(&[' ', '\t', '\r', '\n', ',', ';']);
        if reader.rest.is_empty() {
            return (!calls.is_empty()).then_some(calls);
        }
        calls.push(reader.call()?);
    }
}

struct Reader<'t> {
    rest: &'t str,
}

impl<'t> Reader<'t> {
    fn skip(&mut self, letters: &[char]) {
        self.rest = self.rest.trim_start_matches(letters);
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn takes(&mut self, mark: &str) -> bool {
        self.space();
        let rest = self.rest.strip_prefix(mark);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn word(&mut self) -> &'t str {
        self.space();
        let fits = |letter: char| letter.is_alphanumeric() || "_.-".contains(letter);
        let end = self.rest.find(|letter| !fits(letter)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn call(&mut self) -> Option<(String, Map<String, Value>)> {
        let name = self.word();
        if !self.takes("(") {
            return None;
        }
        if name == "print" {
            // Once: a model that goes on with it must not fill the stack.
            let call = self.printed()?;
            return self.takes(")").then_some(call);
        }
        self.arguments_of(name)
    }

    /// The call inside `print(…)`.
    fn printed(&mut self) -> Option<(String, Map<String, Value>)> {
        let name = self.word();
        (name != "print" && self.takes("(")).then_some(())?;
        self.arguments_of(name)
    }

    fn arguments_of(&mut self, name: &str) -> Option<(String, Map<String, Value>)> {
        let name = name.strip_prefix("default_api.").unwrap_or(name);
        let mut arguments = Map::new();
        while !self.takes(")") {
            let key = self.word();
            if key.is_empty() || !self.takes("=") {
                return None;
            }
            arguments.insert(key.to_owned(), self.value(MAX_DEPTH)?);
            if !self.takes(",") && !self.rest.trim_start().starts_with(')') {
                return None;
            }
        }
        (!name.is_empty()).then(|| (name.to_owned(), arguments))
    }

    fn value(&mut self, left: usize) -> Option<Value> {
        let left = left.checked_sub(1)?;
        self.space();
        match self.rest.chars().next()? {
            '"' | '\'' => self.string().map(Value::String),
            '[' | '(' => {
                let is_list = self.takes("[");
                let close = if is_list || !self.takes("(") { "]" } else { ")" };
                let mut items = Vec::new();
                while !self.takes(close) {
                    items.push(self.value(left)?);
                    if !self.takes(",") && !self.rest.trim_start().starts_with(close) {
                        return None;
                    }
                }
                Some(Value::Array(items))
            }
            '{' => {
                self.takes("{");
                let mut fields = Map::new();
                while !self.takes("}") {
                    let key = self.string()?;
                    if !self.takes(":") {
                        return None;
                    }
                    fields.insert(key, self.value(left)?);
                    if !self.takes(",") && !self.rest.trim_start().starts_with('}') {
                        return None;
                    }
                }
                Some(Value::Object(fields))
            }
            _ => self.scalar(),
        }
    }

    fn scalar(&mut self) -> Option<Value> {
        let end = self
            .rest
            .find([',', ')', ']', '}', '\n'])
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        match word.trim() {
            "True" | "true" => Some(Value::Bool(true)),
            "False" | "false" => Some(Value::Bool(false)),
            "None" | "null" => Some(Value::Null),
            number => {
                let whole = number.parse::<i64>().ok().map(Number::from);
                let number = whole.or_else(|| Number::from_f64(number.parse().ok()?))?;
                Some(Value::Number(number))
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.space();
        let quote = self
            .rest
            .chars()
            .next()
            .filter(|quote| matches!(quote, '"' | '\''))?;
        let mut text = String::new();
        let mut letters = self.rest.char_indices().skip(1);
        while let Some((at, letter)) = letters.next() {
            if letter == quote {
                self.rest = &self.rest[at + 1..];
                return Some(text);
            }
            if letter != '\\' {
                text.push(letter);
                continue;
            }
            match letters.next()?.1 {
                'n' => text.push('\n'),
                't' => text.push('\t'),
                'r' => text.push('\r'),
                escaped @ ('\\' | '\'' | '"') => text.push(escaped),
                other => text.extend(['\\', other]),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_in_python_are_read() {
        let text = "print(default_api.f(city='Pa\\'ris', n=3, x=-1.5, ok=True, no=None, l=[1, \"b\"], d={'k': (1,)}))\ng()";
        let calls = calls(text).unwrap();
        assert_eq!(calls[0].0, "f");
        assert_eq!(
            Value::Object(calls[0].1.clone()),
            json!({"city": "Pa'ris", "n": 3, "x": -1.5, "ok": true, "no": null, "l": [1, "b"], "d": {"k": [1]}})
        );
        assert_eq!(calls[1], ("g".to_owned(), Map::new()));
        assert_eq!(super::calls("[f(a=1), g()]").unwrap().len(), 2);
    }

    #[test]
    fn anything_else_is_none() {
        for text in [
            "",
            "x = 1",
            "f(1)",
            "f(a=)",
            "f(a=1",
            "import os",
            "f(a=\"x)",
            "f(a=b)",
        ] {
            assert_eq!(calls(text), None, "{text}");
        }
        assert_eq!(calls(&format!("f(a={})", "[".repeat(100))), None);
    }
}
