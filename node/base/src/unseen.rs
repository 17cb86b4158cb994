//! Letters that nobody sees, and that could make a text say something else than what is shown.

/// Whether a letter is not drawn, or turns the direction of those around it. Control characters are not among these: what
/// ends a line does.
#[must_use]
pub fn is_unseen(letter: char) -> bool {
    matches!(
        letter,
        // A hyphen that is only drawn at the end of a line.
        '\u{ad}'
            // Fillers, which take the place of a letter.
            | '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}'
            | '\u{17b4}' | '\u{17b5}' | '\u{2800}'
            // Joiners of letters.
            | '\u{34f}'
            // Of no width, of direction, line ends that are none elsewhere.
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            // Notes to a text.
            | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}'
            // Tags, of which whole sentences can be made.
            | '\u{e0000}'..='\u{e007f}'
            // Other forms of a letter, of which there is none here.
            | '\u{e0100}'..='\u{e01ef}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_of_tags_is_unseen_and_letters_of_any_script_are_not() {
        let tags = "pay"
            .chars()
            .filter_map(|c| char::from_u32(0xe0000 + u32::from(c)));
        assert!(tags.clone().count() == 3 && tags.into_iter().all(is_unseen));
        for unseen in ['\u{ad}', '\u{3164}', '\u{202e}', '\u{206a}', '\u{feff}'] {
            assert!(is_unseen(unseen), "{unseen:?}");
        }
        assert!(!"aé中あ한ع‘’–€ \n\t🙂".chars().any(is_unseen));
    }
}
