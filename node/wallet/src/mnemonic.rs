//! Recovery words: 24 words of BIP-39, English list. Words of other wallets may be 12 to 24, and have a passphrase.

use std::borrow::Cow;

use bip39::Language;
use zeroize::Zeroizing;

/// Bytes of entropy behind 24 words.
const ENTROPY_BYTES: usize = 32;
/// How many words BIP-39 knows: each three carry four more bytes.
const COUNTS: [usize; 5] = [12, 15, 18, 21, 24];
/// The longest text that is read: 24 words with numbers and quotes are some 400 bytes.
const MAX_BYTES: usize = 16 * 1024;
/// No two words of the list begin with the same four letters.
const TELLING_LETTERS: usize = 4;

/// Recovery words that passed their checksum.
pub struct Words(bip39::Mnemonic);

/// Why a text is no recovery words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    #[error("{0} words: recovery words are 12, 15, 18, 21 or 24")]
    Count(usize),
    // The word itself may be part of a secret with a slip in it, so only its place is told.
    #[error("word {0} is not in the list of recovery words: look for a slip in writing")]
    Unknown(usize),
    #[error("these words do not belong together: one is wrong or two are swapped")]
    Checksum,
    #[error("the computer gives no random numbers: {0}")]
    Random(String),
}

impl Words {
    /// New words from the computer's random numbers.
    ///
    /// # Errors
    /// A computer without a source of random numbers.
    pub fn generate() -> Result<Words, WordsError> {
        let mut entropy = Zeroizing::new([0_u8; ENTROPY_BYTES]);
        getrandom::fill(entropy.as_mut()).map_err(|error| WordsError::Random(error.to_string()))?;
        // 32 bytes are a length that BIP-39 knows; the error is passed on all the same.
        bip39::Mnemonic::from_entropy(entropy.as_ref())
            .map(Words)
            .map_err(|_| WordsError::Count(0))
    }

    /// Reads words as people type, print and paste them: any white space, commas, numbers before the words, quotes,
    /// any case, full-width letters, only the first four letters of each word.
    ///
    /// # Errors
    /// A wrong number of words, a word outside the list, or words that fail their checksum.
    pub fn parse(text: &str) -> Result<Words, WordsError> {
        let words = Zeroizing::new(words_of(text));
        if !COUNTS.contains(&words.len()) {
            return Err(WordsError::Count(words.len()));
        }
        let joined = Zeroizing::new(words.join(" "));
        bip39::Mnemonic::parse_in_normalized(Language::English, &joined)
            .map(Words)
            .map_err(|error| match error {
                bip39::Error::UnknownWord(index) => WordsError::Unknown(index + 1),
                bip39::Error::BadWordCount(count) => WordsError::Count(count),
                bip39::Error::BadEntropyBitCount(_)
                | bip39::Error::InvalidChecksum
                | bip39::Error::AmbiguousLanguages(_) => WordsError::Checksum,
            })
    }

    /// The words with single spaces.
    #[must_use]
    pub fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.to_string())
    }

    /// The word at `place`, counted from 1.
    #[must_use]
    pub fn word(&self, place: usize) -> Option<&'static str> {
        self.0.words().nth(place.checked_sub(1)?)
    }

    /// The 64-byte seed that keys are derived from. Another passphrase gives another seed; every one gives a seed.
    pub(crate) fn seed(&self, passphrase: &str) -> Zeroizing<[u8; 64]> {
        // In the normal form that BIP-39 asks for (NFKD).
        Zeroizing::new(self.0.to_seed(passphrase))
    }
}

/// The words of a text, in order, without what people and programs put around them.
fn words_of(text: &str) -> Vec<String> {
    let mut end = text.len().min(MAX_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    // Full-width letters and no-break spaces become plain ones (NFKD, as BIP-39 asks for).
    let mut plain = Cow::Borrowed(&text[..end]);
    bip39::Mnemonic::normalize_utf8_cow(&mut plain);
    let plain = Zeroizing::new(plain.to_lowercase());
    let plain = in_json(&plain).unwrap_or(&plain);
    let mut numbers = Vec::new();
    let mut words = Vec::new();
    for token in plain
        .split(is_between)
        .map(|token| token.replace(is_invisible, ""))
    {
        let token = Zeroizing::new(token);
        let word = token.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = &token[..token.len() - word.len()];
        if let Ok(number) = digits.parse::<usize>() {
            numbers.push(number);
        }
        if !word.is_empty() {
            words.push(whole(word).to_owned());
        }
    }
    by_number(&numbers, words)
}

/// The words in what `hearth wallet export --json` and `hearth wallet create --json` print, once all of it is there:
/// the text, or the list, of the field `words`. Nothing of it is copied.
fn in_json(text: &str) -> Option<&str> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || is_invisible(c));
    let fields = text.strip_prefix('{')?.strip_suffix('}')?;
    let (_, value) = fields.split_once("\"words\"")?;
    let value = value.trim_start().strip_prefix(':')?.trim_start();
    let end = match value.chars().next()? {
        '"' => '"',
        '[' => ']',
        _ => return None,
    };
    value[1..].split_once(end).map(|(words, _)| words)
}

/// Spaces, commas and the marks of lists and quotations.
fn is_between(c: char) -> bool {
    c.is_whitespace() || c.is_ascii_punctuation() || "“”„‟‘’‚‛«»‹›「」『』•·–—、。".contains(c)
}

/// The byte order mark, and what programs put into text for breaking lines.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{ad}')
}

/// The word of the list that begins like this, if its telling letters are there; else what was typed.
fn whole(word: &str) -> &str {
    if Language::English.find_word(word).is_some() || word.len() < TELLING_LETTERS {
        return word;
    }
    let mut found = Language::English.words_by_prefix_iter(word);
    match (found.next(), found.next()) {
        (Some(only), None) => only,
        (Some(_) | None, _) => word,
    }
}

/// Words in the order of their numbers, where each has one: a table may run down its columns.
fn by_number(numbers: &[usize], words: Vec<String>) -> Vec<String> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    if words.is_empty() || !sorted.iter().copied().eq(1..=words.len()) {
        return words;
    }
    let mut numbered: Vec<(usize, String)> = numbers.iter().copied().zip(words).collect();
    numbered.sort_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, word)| word).collect()
}

impl std::fmt::Debug for Words {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Words({} hidden)", self.0.word_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_words_are_24_and_parse_again() {
        let words = Words::generate().unwrap();
        let text = words.text();
        assert_eq!(text.split(' ').count(), 24);
        assert_eq!(*Words::parse(&text.to_uppercase()).unwrap().text(), *text);
        assert_eq!(words.word(1), text.split(' ').next());
        assert_eq!(words.word(25), None);
        assert_eq!(words.word(0), None);
        assert!(!format!("{words:?}").contains(words.word(1).unwrap()));
    }

    /// A test vector of BIP-39 whose words all differ, so that their order shows.
    const WORDS: &str = "void come effort suffer camp survey warrior heavy shoot primary clutch crush open amazing \
                         screen patrol group space point ten exist slush involve unfold";

    fn listed(line: impl Fn(usize, &str) -> String) -> String {
        let lines = WORDS.split(' ').enumerate();
        lines.map(|(index, word)| line(index + 1, word)).collect()
    }

    #[test]
    fn words_are_read_as_people_type_print_and_paste_them() {
        let wide = |word: &str| -> String {
            word.bytes()
                .map(|byte| char::from_u32(u32::from(byte - b'a') + 0xff41).unwrap())
                .collect()
        };
        let first_four = |word: &str| word.chars().take(4).collect::<String>();
        let columns = {
            // Down the columns of a table, as some programs print it.
            let words: Vec<&str> = WORDS.split(' ').collect();
            (0..12)
                .map(|row| {
                    format!(
                        "{}. {}   {}. {}\n",
                        row + 1,
                        words[row],
                        row + 13,
                        words[row + 12]
                    )
                })
                .collect::<String>()
        };
        let printed = listed(|number, word| {
            let end = if number % 4 == 0 { "\n" } else { "" };
            format!("{number:>2} {word:<14}{end}")
        });
        for (case, text) in [
            ("W08", listed(|number, word| format!("{number}. {word}\n"))),
            ("W08b", printed),
            ("brackets", listed(|number, word| format!("{number}) {word} "))),
            ("glued", listed(|number, word| format!("{number}.{word}\t"))),
            ("glued more", listed(|number, word| format!("{number}{word} "))),
            ("bullets", listed(|_, word| format!("• {word}\r\n"))),
            ("columns", columns),
            ("W09", WORDS.replace(' ', ",")),
            ("W09", WORDS.replace(' ', ", ")),
            ("W11", listed(|_, word| format!("{}\u{3000}", wide(word)))),
            ("W12", listed(|_, word| format!("{} ", first_four(word)))),
            ("W13", format!("\"{WORDS}\"")),
            ("W13", listed(|_, word| format!("“{word}” "))),
            ("byte order mark", format!("\u{feff}{WORDS}\r\n")),
            ("no-break spaces", WORDS.replace(' ', "\u{a0}")),
            ("case", WORDS.to_uppercase()),
            ("invisible", WORDS.replace("void", "vo\u{200b}id")),
            (
                "export --json",
                format!("\u{feff}{{\n  \"words\": \"{WORDS}\"\n}}\n"),
            ),
            (
                "create --json",
                format!(
                    "{{\"wallet\": {{\"main\": \"pokt1abc\"}}, \"words\": [\"{}\"]}}",
                    WORDS.replace(' ', "\",\n \"")
                ),
            ),
        ] {
            let words = Words::parse(&text).unwrap_or_else(|error| panic!("{case}: {error}: {text}"));
            assert_eq!(*words.text(), WORDS, "{case}");
        }
    }

    #[test]
    fn fifteen_to_twenty_one_words_are_words_too() {
        for bytes in [16, 20, 24, 28, 32] {
            let text = bip39::Mnemonic::from_entropy(&vec![7; bytes])
                .unwrap()
                .to_string();
            assert_eq!(*Words::parse(&text).unwrap().text(), text, "W18");
        }
    }

    #[test]
    fn a_word_that_could_be_two_is_not_guessed() {
        assert_eq!(whole("abou"), "about");
        // "act", "action", "actor", "actress", "actual"
        assert_eq!(whole("act"), "act");
        assert_eq!(whole("acti"), "action");
        assert_eq!(whole("abo"), "abo");
        assert_eq!(whole("abandom"), "abandom");
        assert!(Words::parse(&"\u{3000}é1".repeat(100_000)).is_err());
    }

    #[test]
    fn slips_are_told_apart() {
        let twelve = "abandon ".repeat(11);
        assert!(Words::parse(&format!("{twelve} about")).is_ok());
        assert_eq!(Words::parse(&twelve).unwrap_err(), WordsError::Count(11));
        assert_eq!(
            Words::parse(&format!("{twelve} abandon")).unwrap_err(),
            WordsError::Checksum
        );
        assert_eq!(
            Words::parse(&format!("{twelve} hearth")).unwrap_err(),
            WordsError::Unknown(12)
        );
    }
}
