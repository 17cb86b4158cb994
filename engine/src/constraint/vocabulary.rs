//! A model's vocabulary in the form that grammars are matched with.

use std::sync::Arc;

use toktrie::{INVALID_TOKEN, TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};

use crate::tokenizer::Tokenizer;

/// The longest token that is matched. The trie takes no deeper one; longer ones are runs of spaces or of signs.
const MAX_TOKEN_BYTES: usize = 512;
/// The most bytes of all tokens together: the trie has room for four million nodes. Large vocabularies have two.
const MAX_BYTES: usize = 4 << 20;

/// A tokenizer with the trie of its tokens' bytes.
pub(super) struct Vocabulary {
    tokenizer: Arc<Tokenizer>,
    trie: TokTrie,
}

impl Vocabulary {
    pub(super) fn new(tokenizer: &Arc<Tokenizer>) -> Result<Self, String> {
        let mut words: Vec<Vec<u8>> = (0..tokenizer.vocabulary() as u32)
            .map(|token| tokenizer.piece(token).to_vec())
            .collect();
        // The marker is no byte of any text, so only a grammar that names a special token can ask for one.
        for (text, token) in tokenizer.controls() {
            if let Some(word) = words.get_mut(token as usize) {
                *word = [&[TokTrie::SPECIAL_TOKEN_MARKER], text.as_bytes()].concat();
            }
        }
        for word in &mut words {
            if word.len() > MAX_TOKEN_BYTES {
                word.clear();
            }
        }
        let n_bytes: usize = words.iter().map(Vec::len).sum();
        if n_bytes > MAX_BYTES {
            return Err(format!(
                "its tokens have {n_bytes} bytes and may have {MAX_BYTES}"
            ));
        }
        let ends: Vec<TokenId> = tokenizer.ends().collect();
        let first_end = ends.first().copied().unwrap_or(INVALID_TOKEN);
        let info = TokRxInfo::new(words.len() as u32, first_end);
        let trie = TokTrie::from(&info, &words);
        let trie = if ends.is_empty() {
            trie
        } else {
            trie.with_eos_tokens(&ends)
        };
        Ok(Self {
            tokenizer: Arc::clone(tokenizer),
            trie,
        })
    }

    pub(super) fn into_env(self) -> TokEnv {
        Arc::new(self)
    }
}

impl TokenizerEnv for Vocabulary {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<TokenId> {
        let tokens = std::str::from_utf8(bytes).map(|text| self.tokenizer.encode_text(text));
        // Some tokenizers change a text before they split it, which a grammar must not see.
        let same = |tokens: &Vec<TokenId>| {
            let written = tokens.iter().flat_map(|&token| self.tokenizer.piece(token));
            written.eq(bytes)
        };
        tokens
            .ok()
            .filter(same)
            .unwrap_or_else(|| self.trie.greedy_tokenize(bytes))
    }

    fn tokenize_is_canonical(&self) -> bool {
        // The others put a space before whatever they split.
        self.tokenizer.is_byte_level()
    }
}
