//! Searching conversations: every word must occur somewhere, in the title, a message or a file.

use sqlx::{QueryBuilder, Sqlite, SqlitePool};

/// The most words of a search; more are left out.
const MAX_WORDS: usize = 8;
/// Characters of text on each side of a hit.
const AROUND: usize = 40;

/// One word of a search: the same in the ways in which it may be written. SQLite takes the capitals of English letters
/// for small ones, those of no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word(Vec<String>);

/// The words of a search.
pub(crate) fn words(query: &str) -> Vec<Word> {
    query.split_whitespace().take(MAX_WORDS).map(word).collect()
}

fn word(text: &str) -> Word {
    let lower = text.to_lowercase();
    let mut written = vec![lower.clone()];
    if !text.is_ascii() {
        let mut letters = lower.chars();
        let capital: String = letters
            .next()
            .map(|first| first.to_uppercase().collect())
            .unwrap_or_default();
        written.extend([text.to_owned(), capital + letters.as_str(), text.to_uppercase()]);
        written.sort();
        written.dedup();
    }
    Word(written)
}

/// The pattern of `LIKE … ESCAPE '\'` that finds a text anywhere.
fn like(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// `(column LIKE … OR …)`.
fn push_like(sql: &mut QueryBuilder<Sqlite>, column: &str, word: &Word) {
    for (index, text) in word.0.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { " OR " });
        sql.push(column)
            .push(" LIKE ")
            .push_bind(like(text))
            .push(" ESCAPE '\\'");
    }
    sql.push(")");
}

/// `(content LIKE … OR a file has it)` of a row of `message`.
fn push_in_message(sql: &mut QueryBuilder<Sqlite>, word: &Word) {
    sql.push("(");
    push_like(sql, "message.content", word);
    sql.push(" OR EXISTS (SELECT 1 FROM attachment WHERE message_id = message.id AND ");
    push_like(sql, "attachment.content", word);
    sql.push("))");
}

/// Narrows a query of `conversation` to those with the word.
pub(crate) fn push_has_word(sql: &mut QueryBuilder<Sqlite>, word: &Word) {
    sql.push(" AND (");
    push_like(sql, "title", word);
    sql.push(" OR EXISTS (SELECT 1 FROM message WHERE conversation_id = conversation.id AND ");
    push_in_message(sql, word);
    sql.push("))");
}

/// The first message that has one of the words, the first of them that any has, with the text around it.
pub(crate) async fn first_hit(
    pool: &SqlitePool,
    conversation_id: &str,
    words: &[Word],
) -> Result<Option<(String, Option<String>)>, sqlx::Error> {
    for word in words {
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT id, content FROM message WHERE conversation_id = ");
        sql.push_bind(conversation_id).push(" AND ");
        push_in_message(&mut sql, word);
        sql.push(" ORDER BY seq LIMIT 1");
        let hit: Option<(String, String)> = sql.build_query_as().fetch_optional(pool).await?;
        let Some((id, content)) = hit else { continue };
        if let Some(text) = snippet(&content, words) {
            return Ok(Some((id, Some(text))));
        }
        let mut sql = QueryBuilder::<Sqlite>::new("SELECT content FROM attachment WHERE message_id = ");
        sql.push_bind(id.clone()).push(" AND ");
        push_like(&mut sql, "attachment.content", word);
        sql.push(" ORDER BY place LIMIT 1");
        let content: Option<String> = sql.build_query_scalar().fetch_optional(pool).await?;
        let text = content.and_then(|content| snippet(&content, words));
        return Ok(Some((id, text)));
    }
    Ok(None)
}

/// The text around the first word that occurs, on one line.
fn snippet(text: &str, words: &[Word]) -> Option<String> {
    let chars: Vec<char> = text
        .chars()
        .map(|c| if c.is_whitespace() { ' ' } else { c })
        .collect();
    // One lower-case letter for each letter, so that places in both texts are the same.
    let small = |c: char| c.to_lowercase().next().unwrap_or(c);
    let lower: Vec<char> = chars.iter().copied().map(small).collect();
    let place = words.iter().find_map(|word| {
        let word: Vec<char> = word.0.first()?.chars().map(small).collect();
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
        assert_eq!(
            snippet("schöne Äpfel", &words("ÄPFEL")).as_deref(),
            Some("schöne Äpfel")
        );
    }

    #[test]
    fn signs_of_like_are_letters() {
        assert_eq!(like("50%_\\"), "%50\\%\\_\\\\%");
    }

    #[test]
    fn a_word_is_found_however_its_letters_are_written() {
        assert_eq!(word("EGG"), Word(vec!["egg".into()]));
        assert_eq!(
            word("ÄPfel"),
            Word(vec![
                "ÄPFEL".into(),
                "ÄPfel".into(),
                "Äpfel".into(),
                "äpfel".into()
            ])
        );
    }
}
