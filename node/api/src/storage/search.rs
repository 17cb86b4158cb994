//! Searching conversations: every word must occur somewhere in a title or a message.

/// The most words of a search; more are left out.
const MAX_WORDS: usize = 8;
/// Characters of text on each side of a hit.
const AROUND: usize = 40;

/// The words of a search, in lower case.
pub(super) fn words(query: &str) -> Vec<String> {
    query
        .split_whitespace()
        .take(MAX_WORDS)
        .map(str::to_lowercase)
        .collect()
}

/// The pattern of `LIKE … ESCAPE '\'` that finds a word anywhere.
pub(super) fn like(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// The text around the first word that occurs, on one line.
pub(super) fn snippet(text: &str, words: &[String]) -> Option<String> {
    let chars: Vec<char> = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect();
    // One lower-case letter for each letter, so that places in both texts are the same.
    let lower: Vec<char> = chars
        .iter()
        .map(|c| c.to_lowercase().next().unwrap_or(*c))
        .collect();
    let place = words.iter().find_map(|word| {
        let word: Vec<char> = word.chars().collect();
        lower.windows(word.len().max(1)).position(|window| window == word)
    })?;
    let (from, to) = (
        place.saturating_sub(AROUND),
        (place + 2 * AROUND).min(chars.len()),
    );
    let cut = |is_cut: bool| if is_cut { "…" } else { "" };
    let inner: String = chars[from..to].iter().collect();
    Some(format!(
        "{}{}{}",
        cut(from > 0),
        inner.trim(),
        cut(to < chars.len())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snippet_shows_the_hit() {
        let text = format!("{} the Ember\nglows {}", "x".repeat(100), "y".repeat(100));
        let found = snippet(&text, &words("ember")).unwrap();
        assert!(
            found.contains("the Ember glows") && found.starts_with('…') && found.ends_with('…'),
            "{found}"
        );
        assert_eq!(snippet("abc", &words("zz")), None);
        assert_eq!(snippet("", &words("a")), None);
    }

    #[test]
    fn signs_of_like_are_letters() {
        assert_eq!(like("50%_\\"), "%50\\%\\_\\\\%");
    }
}
