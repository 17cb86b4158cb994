//! What the source of a template says, and what is changed in it before it is parsed.

use std::borrow::Cow;

/// Marks that open a block of reasoning, as templates end their prompts with them.
const THINKING: [&str; 5] = [
    "<think>",
    "[THINK]",
    "<|START_THINKING|>",
    "<seed:think>",
    "<thinking>",
];

/// Takes out `{% generation %}` and its end, by which training tells the model's own words: to a reader they are
/// blocks like any other.
pub(super) fn prepared(source: &str) -> Cow<'_, str> {
    if !source.contains("generation") {
        return Cow::Borrowed(source);
    }
    let mut made = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(begin) = rest.find("{%") {
        let (before, tag) = rest.split_at(begin);
        made.push_str(before);
        let end = tag.find("%}").map_or(tag.len(), |end| end + 2);
        let (tag, after) = tag.split_at(end);
        let word = tag
            .trim_start_matches("{%")
            .trim_end_matches("%}")
            .trim_matches(['-', '+'])
            .trim();
        match word {
            "generation" => made.push_str(&tag.replacen("generation", "if true", 1)),
            "endgeneration" => made.push_str(&tag.replacen("endgeneration", "endif", 1)),
            _ => made.push_str(tag),
        }
        rest = after;
    }
    made.push_str(rest);
    Cow::Owned(made)
}

/// Whether a template looks at the tools that are sent along: whether `tools` is a name in its code.
pub(crate) fn knows_tools(source: &str) -> bool {
    let mut rest = source;
    while let Some(begin) = rest.find(['{']) {
        rest = &rest[begin + 1..];
        let close = match rest.as_bytes().first() {
            Some(b'%') => "%}",
            Some(b'{') => "}}",
            Some(_) | None => continue,
        };
        let code = &rest[1..];
        let end = code.find(close).unwrap_or(code.len());
        if names(&code[..end], "tools") {
            return true;
        }
        rest = &code[end..];
    }
    false
}

/// Whether `word` stands in code outside quotes, as a name of its own.
fn names(code: &str, word: &str) -> bool {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in code.char_indices() {
        match quote {
            Some(open) => {
                if letter == open && before != '\\' {
                    quote = None;
                }
            }
            None if matches!(letter, '"' | '\'') => quote = Some(letter),
            None => {
                let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
                let rest = &code[at..];
                if rest.starts_with(word)
                    && !is_part(before)
                    && before != '.'
                    && !rest[word.len()..].starts_with(is_part)
                {
                    return true;
                }
            }
        }
        before = letter;
    }
    false
}

/// Whether a prompt ends inside a block of reasoning that it opened.
pub(super) fn opens_thinking(prompt: &str) -> bool {
    let end = prompt.trim_end();
    THINKING.iter().any(|mark| end.ends_with(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_known_by_name() {
        for (source, knows) in [
            ("{%- if tools %}x{% endif %}", true),
            ("{{ tools | tojson }}", true),
            ("{% if not tools is defined %}{% endif %}", true),
            ("{{ 'You have tools' }} tools", false),
            ("{{ messages[0].tools }}{{ my_tools }}", false),
            ("{ tools }", false),
            ("{{ messages", false),
        ] {
            assert_eq!(knows_tools(source), knows, "{source}");
        }
    }

    #[test]
    fn an_open_block_is_seen_at_the_end_only() {
        assert!(opens_thinking("<|im_start|>assistant\n<think>\n"));
        assert!(!opens_thinking("<think>\n\n</think>\n\n"));
        assert!(!opens_thinking("<think> x"));
    }
}
