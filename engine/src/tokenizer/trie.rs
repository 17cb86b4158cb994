//! Texts of tokens, found by walking along a text.

use std::collections::HashMap;

use super::{TokenizerError, bad_value};

/// The longest token that is looked for: what bounds the time that a text takes.
const LONGEST_BYTES: usize = 1024;

/// Tokens by their bytes.
#[derive(Debug, Default)]
pub(super) struct Trie {
    steps: HashMap<(u32, u8), u32>,
    tokens: Vec<Option<u32>>,
}

impl Trie {
    pub(super) fn new<'t>(tokens: impl Iterator<Item = (&'t str, u32)>) -> Result<Self, TokenizerError> {
        let mut trie = Self {
            steps: HashMap::new(),
            tokens: vec![None],
        };
        for (text, token) in tokens {
            if text.len() > LONGEST_BYTES {
                let found = format!("a token of {} bytes", text.len());
                return Err(bad_value(
                    "tokenizer.ggml.tokens",
                    found,
                    "tokens of at most 1024 bytes",
                ));
            }
            let mut node = 0;
            for byte in text.bytes() {
                let next = trie.tokens.len() as u32;
                node = *trie.steps.entry((node, byte)).or_insert(next);
                if node == next {
                    trie.tokens.push(None);
                }
            }
            if node > 0 {
                trie.tokens[node as usize] = Some(token);
            }
        }
        Ok(trie)
    }

    /// Gives every token that `text` begins with, the shortest first, with its length.
    pub(super) fn prefixes<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = (usize, u32)> + 't {
        let mut node = 0;
        let walk = (1..).zip(text).map_while(move |(len, &byte)| {
            node = *self.steps.get(&(node, byte))?;
            Some(self.tokens[node as usize].map(|token| (len, token)))
        });
        walk.flatten()
    }
}
