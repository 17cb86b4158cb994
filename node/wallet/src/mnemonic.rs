//! Recovery words: 24 words of BIP-39, English list, no extra passphrase.

use zeroize::Zeroizing;

/// Bytes of entropy behind 24 words.
const ENTROPY_BYTES: usize = 32;

/// Recovery words that passed their checksum.
pub struct Words(bip39::Mnemonic);

/// Why a text is no recovery words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WordsError {
    #[error("{0} words: recovery words are 12 or 24")]
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

    /// Reads words as people type them: any spaces, any case.
    ///
    /// # Errors
    /// A wrong number of words, a word outside the list, or words that fail their checksum.
    pub fn parse(text: &str) -> Result<Words, WordsError> {
        let words = Zeroizing::new(text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>());
        if words.len() != 12 && words.len() != 24 {
            return Err(WordsError::Count(words.len()));
        }
        let joined = Zeroizing::new(words.join(" "));
        bip39::Mnemonic::parse_in_normalized(bip39::Language::English, &joined)
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

    /// The 64-byte seed that keys are derived from.
    pub(crate) fn seed(&self) -> Zeroizing<[u8; 64]> {
        Zeroizing::new(self.0.to_seed_normalized(""))
    }
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
