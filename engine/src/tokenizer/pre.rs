//! Where byte-level vocabularies cut text before they join bytes, by the names that GGUF files give to it
//! (`tokenizer.ggml.pre`). The patterns are those of the families' own `tokenizer.json`.

use super::TokenizerError;
use super::cuts::Cut::{self, Find, Spaces, Threes, TrailingSpace, Words};

/// How one family reads text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// Text is cut at each of them, one after another.
    pub(super) cuts: &'static [Cut],
    /// Whether letters and their accents are composed first.
    pub(super) composes: bool,
    /// Whether a word that is a token as a whole is taken before any merge.
    pub(super) whole_words: bool,
    /// Whether texts begin with BOS unless the header says otherwise.
    pub(super) begins_with_bos: bool,
    /// How tokens write their bytes.
    pub(super) spelling: Spelling,
}

/// How the tokens of a vocabulary write their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// Each byte as one letter, as GPT-2 does it.
    Letters,
    /// As they are, but spaces as `▁`; lines of nothing are one token if `lines`.
    Marked { lines: bool },
    /// As they are.
    Plain,
}

const QWEN2: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+";
const QWEN35: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+";
/// Qwen 2's without English contractions.
const UFAKZEKA: &str = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+";
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+";
const MINICPM5: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+";
const SEED_CODER: &str =
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+";
const BAILING: &str =
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+";
const EXAONE_MOE: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+";
const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+";
const GPT_4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+";
/// GPT-4o's with single digits.
const YOUTU: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+";
const KIMI: &str = r"[\p{Han}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+";
/// Letters with case, as DeepSeek LLM lists them: by number, since some of them are others once composed.
const CASED: &str = concat!(
    r"\s?[",
    r"\u{41}-\u{5a}\u{61}-\u{7a}\u{b5}\u{c0}-\u{d6}\u{d8}-\u{f6}\u{f8}-\u{1ba}\u{1bc}-\u{1bf}",
    r"\u{1c4}-\u{293}\u{295}-\u{2af}\u{370}-\u{373}\u{376}\u{377}\u{37b}-\u{37d}\u{37f}\u{386}",
    r"\u{388}-\u{38a}\u{38c}\u{38e}-\u{3a1}\u{3a3}-\u{3f5}\u{3f7}-\u{481}\u{48a}-\u{52f}",
    r"\u{531}-\u{556}\u{10a0}-\u{10c5}\u{13a0}-\u{13f5}\u{13f8}-\u{13fd}\u{1c90}-\u{1cba}",
    r"\u{1cbd}-\u{1cbf}\u{1d00}-\u{1d2b}\u{1d6b}-\u{1d77}\u{1d79}-\u{1d9a}\u{1e00}-\u{1f15}",
    r"\u{1f18}-\u{1f1d}\u{1f20}-\u{1f45}\u{1f48}-\u{1f4d}\u{1f50}-\u{1f57}\u{1f59}\u{1f5b}\u{1f5d}",
    r"\u{1f5f}-\u{1f7d}\u{1f80}-\u{1fb4}\u{1fb6}-\u{1fbc}\u{1fbe}\u{1fc2}-\u{1fc4}\u{1fc6}-\u{1fcc}",
    r"\u{1fd0}-\u{1fd3}\u{1fd6}-\u{1fdb}\u{1fe0}-\u{1fec}\u{1ff2}-\u{1ff4}\u{1ff6}-\u{1ffc}\u{2102}",
    r"\u{2107}\u{210a}-\u{2113}\u{2115}\u{2119}-\u{211d}\u{2124}\u{2126}\u{2128}\u{212a}-\u{212d}",
    r"\u{212f}-\u{2134}\u{2139}\u{213c}-\u{213f}\u{2145}-\u{2149}\u{214e}\u{2183}\u{2184}",
    r"\u{2c00}-\u{2c7b}\u{2c7e}-\u{2ce4}\u{2ceb}-\u{2cee}\u{2cf2}\u{2cf3}\u{a640}-\u{a66d}",
    r"\u{a680}-\u{a69b}\u{a722}-\u{a76f}\u{a771}-\u{a787}\u{a78b}-\u{a78e}\u{ab70}-\u{abbf}",
    r"\u{fb00}-\u{fb06}\u{fb13}-\u{fb17}\u{ff21}-\u{ff3a}\u{ff41}-\u{ff5a}\u{10400}-\u{1044f}",
    r"\u{104b0}-\u{104d3}\u{104d8}-\u{104fb}\u{10c80}-\u{10cb2}\u{10cc0}-\u{10cf2}\u{118a0}-\u{118df}",
    r"\u{1e900}-\u{1e943}",
    r"]+",
);
const HAN_AND_HANGUL: &str = r"[\u{4e00}-\u{9fa5}\u{800}-\u{4e00}\u{ac00}-\u{d7ff}]+";
const HAN_AND_KANA: &str = "[一-龥぀-ゟ゠-ヿ]+";
const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+"##;
const SPARK: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+|[\r\n]|\s+"##;
const BLOOM: &str = r" ?[^(\s|.,!?…。，、।۔،)]+";

/// What GPT-2 calls words.
const GPT2_WORDS: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+";
/// Scripts without spaces between words, as AFMoE lists them.
const UNSPACED: &str =
    "[一-鿿㐀-䶿豈-\u{faff}぀-ゟ゠-ヿ･-ﾟ⼀-⿟เ-\u{e7f}\u{e80}-\u{eff}ក-\u{17ff}က-႟ꩠ-ꩿꧠ-\u{a9ff}가-\u{d7af}ᄀ-ᇿ]+";

/// Words as GPT-2 has them; `\s+` also takes line ends.
const GPT2: Cut = Words {
    pattern: GPT2_WORDS,
    lines: false,
};

const fn words(pattern: &'static str) -> Cut {
    Words { pattern, lines: true }
}

const fn cut(cuts: &'static [Cut]) -> Rules {
    Rules {
        cuts,
        composes: false,
        whole_words: false,
        begins_with_bos: false,
        spelling: Spelling::Letters,
    }
}

fn composed(rules: Rules) -> Rules {
    Rules {
        composes: true,
        ..rules
    }
}

fn whole(rules: Rules) -> Rules {
    Rules {
        whole_words: true,
        ..rules
    }
}

fn with_bos(rules: Rules) -> Rules {
    Rules {
        begins_with_bos: true,
        ..rules
    }
}

fn spelled(spelling: Spelling, rules: Rules) -> Rules {
    Rules { spelling, ..rules }
}

/// Gives the rules by their name; what is not here is not known.
pub(super) fn rules(pre: &str) -> Result<Rules, TokenizerError> {
    let known = with_words_of_gpt2(pre)
        .or_else(|| with_words_of_their_own(pre))
        .or_else(|| in_steps(pre));
    known.ok_or_else(|| TokenizerError::Unsupported {
        part: "pre-tokenizer",
        name: pre.to_owned(),
    })
}

/// Families that cut as GPT-2 does, more or less.
fn with_words_of_gpt2(pre: &str) -> Option<Rules> {
    Some(match pre {
        "default" => cut(&[
            Find(r"[\p{P}\$\+<=>\^~\|]+"),
            GPT2,
            Find(r"\p{N}+"),
            Find("[0-9][0-9][0-9]"),
        ]),
        "gpt-2" | "gpt2" | "phi-2" | "jais" | "trillion" | "granite-docling" | "exaone4" | "gigachat"
        | "mellum" | "a.x-4.0" | "jina-es" | "jina-de" | "jina-v2-es" | "jina-v2-de" | "jina-v1-en"
        | "jina-v2-code" | "roberta-bpe" => cut(&[GPT2]),
        // Their vocabulary is that of GPT-NeoX.
        "mpt" | "olmo" | "modern-bert" => composed(cut(&[GPT2])),
        "smollm" | "starcoder" | "refact" | "codeshell" | "exaone" | "minerva-7b" | "mellum2" => {
            cut(&[Find(r"\p{N}"), GPT2])
        }
        "command-r" => composed(cut(&[Find(r"\p{N}"), GPT2])),
        "falcon" => cut(&[Find(r"[\p{P}\$\+<=>\^~\|`]+"), GPT2, Find("[0-9][0-9][0-9]")]),
        "superbpe" => cut(&[
            Find(r"\p{N}+"),
            Threes {
                run: r"\d+",
                alone: false,
            },
        ]),
        "poro-chat" | "bloom" | "gpt3-finnish" => cut(&[Find(BLOOM)]),
        "viking" => cut(&[Find(BLOOM), Find(r"\p{N}")]),
        "chameleon" => with_bos(cut(&[
            Find("<sentinel:[0-9]+>"),
            Find("IMGIMG[A-I]{1,4}Z"),
            Find(r"[\t\n]|    |  "),
            Find(r"\p{N}"),
            Find(r"[\p{P}!-/:-@\[-`{-~]"),
            GPT2,
        ])),
        _ => return None,
    })
}

/// Families with one pattern.
fn with_words_of_their_own(pre: &str) -> Option<Rules> {
    Some(match pre {
        "qwen2" | "deepseek-r1-qwen" | "stablelm2" | "hunyuan" | "megrez" | "solar-open" | "kormo"
        | "f2llmv2" | "grok-2" => composed(cut(const { &[words(QWEN2)] })),
        "qwen35" => composed(cut(const { &[words(QWEN35)] })),
        "ufakzeka" => cut(const { &[words(UFAKZEKA)] }),
        "llama-bpe" | "llama3" | "llama-v3" | "falcon3" | "falcon-h1" | "pixtral" | "midm-2.0" | "lfm2"
        | "jina-v5-nano" => with_bos(whole(cut(const { &[words(LLAMA3)] }))),
        "dbrx" | "smaug-bpe" | "chatglm-bpe" => cut(const { &[words(LLAMA3)] }),
        "glm4" | "glm5" => whole(cut(const { &[words(LLAMA3)] })),
        "tekken" => with_bos(whole(cut(const { &[words(TEKKEN)] }))),
        "gpt-4o" | "llama4" | "kanana2" | "talkie" | "minimax-m2" => cut(const { &[words(GPT_4O)] }),
        "granite-embed-multi-97m" => whole(cut(const { &[words(GPT_4O)] })),
        "kimi-k2" => cut(const { &[words(KIMI)] }),
        "bailingmoe" | "bailingmoe2" | "llada-moe" => cut(const { &[words(BAILING)] }),
        "seed-coder" => cut(const { &[words(SEED_CODER)] }),
        "exaone-moe" => cut(const { &[words(EXAONE_MOE)] }),
        _ => return None,
    })
}

/// Families that cut digits, scripts or lines first, and those that mark spaces.
fn in_steps(pre: &str) -> Option<Rules> {
    Some(match pre {
        "minicpm5" => whole(cut(const { &[Find(r"\p{N}{1,3}"), words(MINICPM5)] })),
        "jais-2" => cut(const { &[words(LLAMA3), Spaces] }),
        "tiny_aya" | "cohere2moe" => cut(const { &[TINY_AYA_THREES, words(GPT_4O)] }),
        "afmoe" => cut(const {
            &[
                Threes {
                    run: r"\p{N}+",
                    alone: false,
                },
                Find(UNSPACED),
                words(DEEPSEEK3),
            ]
        }),
        "youtu" => whole(cut(const {
            &[
                Find("[가-힣ㄱ-ㆎ]+|[！…“”‘’—：；，、-〿︰-﹏]+|[ㄅ-ㄯ]+|[一-龥぀-ゟ゠-ヿ]+"),
                words(YOUTU),
            ]
        })),
        "deepseek-llm" => cut(&[
            Find(r"[\r\n]"),
            Find(CASED),
            Find(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"),
            TrailingSpace,
            Find(HAN_AND_HANGUL),
            Find(r"\p{N}+"),
        ]),
        "deepseek-coder" => cut(&[
            Find(r"[\r\n]"),
            Find(r"\s?\p{L}+"),
            Find(r"\s?\p{P}+"),
            Find(HAN_AND_HANGUL),
            Find(r"\p{N}"),
        ]),
        "deepseek-v3" | "hunyuan-dense" | "joyai-llm" | "hy_v4" => {
            cut(const { &[Find(r"\p{N}{1,3}"), Find(HAN_AND_KANA), words(DEEPSEEK3)] })
        }
        "spark2_5" => cut(&[
            Find(r"\p{N}{1,3}"),
            Find(HAN_AND_KANA),
            Words {
                pattern: SPARK,
                lines: false,
            },
            Find(r"\p{N}"),
        ]),
        "laguna" => cut(const { &[LINES, words(QWEN2)] }),
        "gemma4" | "granite-embed-multi-311m" => {
            with_bos(spelled(Spelling::Marked { lines: true }, cut(&[LINES])))
        }
        "sarvam-moe" => spelled(Spelling::Marked { lines: false }, cut(&[LINES])),
        "whitespace" => spelled(Spelling::Plain, cut(&[Find(r"\S+")])),
        _ => return None,
    })
}

const LINES: Cut = Find(r"[^\n]+|\n+");
const TINY_AYA_THREES: Cut = Threes {
    run: r"\d+",
    alone: true,
};

#[cfg(test)]
mod tests {
    use super::super::cuts::Cuts;
    use super::*;

    /// Where `text` is cut.
    fn cut<'t>(pre: &str, text: &'t str) -> Vec<&'t str> {
        Cuts::new(rules(pre).unwrap().cuts).unwrap().pieces(text)
    }

    #[test]
    fn every_family_cuts_as_its_pattern_says_v_command_r_v_deepseek_coder_v_deepseek_llm() {
        let text = "It's 12345  naïve,\nx=1";
        // The third cut of DeepSeek LLM takes all of ASCII from the colon on for punctuation.
        for (pre, pieces) in [
            (
                "gpt-2",
                &["It", "'s", " 12345", " ", " naïve", ",", "\n", "x", "=", "1"][..],
            ),
            (
                "command-r",
                &[
                    "It", "'s", " ", "1", "2", "3", "4", "5", " ", " naïve", ",", "\n", "x", "=", "1",
                ],
            ),
            (
                "qwen2",
                &[
                    "It", "'s", " ", "1", "2", "3", "4", "5", " ", " naïve", ",\n", "x", "=", "1",
                ],
            ),
            (
                "llama-bpe",
                &["It", "'s", " ", "123", "45", " ", " naïve", ",\n", "x", "=", "1"],
            ),
            (
                "tekken",
                &[
                    "It", "'s", " ", "1", "2", "3", "4", "5", " ", " naïve", ",\n", "x", "=", "1",
                ],
            ),
            (
                "gpt-4o",
                &["It's", " ", "123", "45", " ", " naïve", ",\n", "x", "=", "1"],
            ),
            (
                "deepseek-coder",
                &[
                    "It", "'", "s", " ", "1", "2", "3", "4", "5", " ", " naïve", ",", "\n", "x", "=", "1",
                ],
            ),
            (
                "deepseek-llm",
                &[
                    "It", "'", "s", " ", "12345", " ", " na", "ï", "ve", ",", "\n", "x", "=", "1",
                ],
            ),
            (
                "deepseek-v3",
                &["It", "'s", " ", "123", "45", " ", " naïve", ",\n", "x", "=", "1"],
            ),
            (
                "falcon",
                &[
                    "It", "'", "s", " ", "123", "45", " ", " naïve", ",", "\n", "x", "=", "1",
                ],
            ),
            ("bloom", &["It's", " 12345", " ", " naïve", ",\n", "x=1"]),
        ] {
            assert_eq!(cut(pre, text), pieces, "{pre}");
        }
        assert_eq!(cut("deepseek-v3", "中文かな!ab"), ["中文かな", "!ab"]);
        assert_eq!(cut("deepseek-llm", "中文 é"), ["中文", " é"]);
        assert_eq!(cut("kimi-k2", "中文Hello世界"), ["中文", "Hello", "世界"]);
        assert_eq!(cut("tiny_aya", "1234567"), ["1", "234", "567"]);
        assert_eq!(cut("tiny_aya", "1234x"), ["123", "4", "x"]);
        assert_eq!(cut("afmoe", "1234x"), ["1", "234", "x"]);
        assert_eq!(cut("superbpe", "a b 1234"), ["a b ", "1", "234"]);
        assert_eq!(cut("spark2_5", "a  \n\nb"), ["a", "  \n", "\n", "b"]);
        assert_eq!(cut("jais-2", "a       b"), ["a", "    ", "  ", " b"]);
        assert_eq!(cut("default", "a 12345."), ["a", " ", "123", "45", "."]);
        assert_eq!(cut("laguna", "a\n\n b"), ["a", "\n\n", " b"]);
    }

    #[test]
    fn all_patterns_are_understood_and_lose_nothing() {
        let all = "default gpt-2 phi-2 jais trillion granite-docling exaone4 gigachat mellum a.x-4.0 mpt olmo modern-bert smollm starcoder \
                   refact codeshell exaone minerva-7b mellum2 command-r falcon qwen2 deepseek-r1-qwen stablelm2 hunyuan megrez solar-open \
                   kormo f2llmv2 grok-2 qwen35 ufakzeka llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 dbrx smaug-bpe \
                   chatglm-bpe glm4 minicpm5 jais-2 tekken gpt-4o llama4 kanana2 talkie minimax-m2 tiny_aya cohere2moe youtu kimi-k2 \
                   deepseek-llm deepseek-coder deepseek-v3 hunyuan-dense joyai-llm hy_v4 spark2_5 poro-chat bloom gpt3-finnish viking \
                   bailingmoe bailingmoe2 llada-moe seed-coder laguna exaone-moe
                   glm5 jina-v5-nano jina-es jina-de jina-v2-es jina-v2-de jina-v1-en jina-v2-code roberta-bpe granite-embed-multi-97m superbpe afmoe chameleon gemma4 granite-embed-multi-311m sarvam-moe whitespace";
        let text = "Héllo, wörld!  \n\n\t12345 中文かな가나 'll DON'T <|x|> {a: [1]} ½ ९ … ";
        for pre in all.split_whitespace() {
            assert_eq!(cut(pre, text).concat(), text, "{pre}");
        }
    }
}
