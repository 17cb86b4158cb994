//! The last stages before the sink: bytes to whole characters, and stop strings across token borders.

use std::collections::HashMap;

/// Joins the bytes of tokens into whole characters.
///
/// The pieces it gives add up to what [`String::from_utf8_lossy`] makes of all bytes together.
#[derive(Debug, Default)]
pub(crate) struct Utf8Stream {
    /// The beginning of a character, at most three bytes.
    pending: Vec<u8>,
}

impl Utf8Stream {
    /// Takes the next bytes and gives the characters that are complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        let mut rest = self.pending.as_slice();
        loop {
            match std::str::from_utf8(rest) {
                Ok(valid) => {
                    text.push_str(valid);
                    rest = &[];
                    break;
                }
                Err(error) => {
                    let (valid, after) = rest.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(broken) = error.error_len() else {
                        rest = after;
                        break;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    rest = &after[broken..];
                }
            }
        }
        self.pending = rest.to_vec();
        text
    }

    /// Gives what is left at the end: nothing, or one replacement character.
    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// What came of a piece of text.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Matched {
    /// Text that can no longer become part of a stop string.
    pub(crate) text: String,
    /// The stop string that was completed; nothing follows it.
    pub(crate) stop: Option<String>,
}

/// A place in the tree of all stop strings: the longest end of the text that is a beginning of one.
#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// Bytes of that beginning.
    depth: usize,
    /// The place of the next shorter such end.
    shorter: usize,
    /// The longest stop string that ends here.
    stop: Option<usize>,
}

/// Finds the stop string that is completed first, however the text is cut into pieces.
///
/// All stop strings are looked for at once, one step for each byte (Aho and Corasick, 1975), so that it does not
/// matter how many there are.
#[derive(Debug)]
pub(crate) struct StopMatcher {
    stops: Vec<String>,
    nodes: Vec<Node>,
    /// The way on from a place by a byte.
    edges: HashMap<(usize, u8), usize>,
    /// Where the text has led to.
    at: usize,
    /// The end of the text that is still held back: as long as the place is deep.
    held: String,
}

impl StopMatcher {
    /// Empty stop strings are ignored.
    pub(crate) fn new(stops: &[String]) -> Self {
        let stops: Vec<String> = stops.iter().filter(|stop| !stop.is_empty()).cloned().collect();
        let mut matcher = Self {
            stops: Vec::new(),
            nodes: vec![Node::default()],
            edges: HashMap::new(),
            at: 0,
            held: String::new(),
        };
        // By depth, so that shorter ends are known before longer ones need them.
        let mut layers: Vec<Vec<(usize, u8, usize)>> = Vec::new();
        for (index, stop) in stops.iter().enumerate() {
            let mut node = 0;
            for (depth, byte) in stop.bytes().enumerate() {
                let n_nodes = matcher.nodes.len();
                let next = *matcher.edges.entry((node, byte)).or_insert(n_nodes);
                if next == n_nodes {
                    matcher.nodes.push(Node {
                        depth: depth + 1,
                        ..Node::default()
                    });
                    layers.resize_with(layers.len().max(depth + 1), Vec::new);
                    layers[depth].push((node, byte, next));
                }
                node = next;
            }
            matcher.nodes[node].stop.get_or_insert(index);
        }
        for (parent, byte, node) in layers.into_iter().flatten() {
            if parent != 0 {
                let shorter = matcher.step(matcher.nodes[parent].shorter, byte);
                matcher.nodes[node].shorter = shorter;
                let inherited = matcher.nodes[shorter].stop;
                let own = &mut matcher.nodes[node].stop;
                *own = own.or(inherited);
            }
        }
        matcher.stops = stops;
        matcher
    }

    fn step(&self, mut from: usize, byte: u8) -> usize {
        loop {
            if let Some(&next) = self.edges.get(&(from, byte)) {
                return next;
            }
            if from == 0 {
                return 0;
            }
            from = self.nodes[from].shorter;
        }
    }

    /// Takes the next piece of text.
    pub(crate) fn push(&mut self, text: &str) -> Matched {
        if self.stops.is_empty() {
            return Matched {
                text: text.to_owned(),
                stop: None,
            };
        }
        let n_held = self.held.len();
        self.held.push_str(text);
        for (index, byte) in text.bytes().enumerate() {
            self.at = self.step(self.at, byte);
            if let Some(stop) = self.nodes[self.at].stop.and_then(|stop| self.stops.get(stop)) {
                let stop = stop.clone();
                self.held.truncate(n_held + index + 1 - stop.len());
                return Matched {
                    text: std::mem::take(&mut self.held),
                    stop: Some(stop),
                };
            }
        }
        // Stop strings are whole characters, so this cuts none.
        let kept = self.held.split_off(self.held.len() - self.nodes[self.at].depth);
        Matched {
            text: std::mem::replace(&mut self.held, kept),
            stop: None,
        }
    }

    /// Gives what was held back when no more text comes.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stream(pieces: &[&[u8]]) -> String {
        let mut utf8 = Utf8Stream::default();
        let mut text: String = pieces.iter().map(|piece| utf8.push(piece)).collect();
        text.push_str(&utf8.finish());
        text
    }

    fn run(stops: &[String], pieces: &[String]) -> (String, Option<String>) {
        let mut matcher = StopMatcher::new(stops);
        let mut out = String::new();
        for piece in pieces {
            let matched = matcher.push(piece);
            out.push_str(&matched.text);
            if matched.stop.is_some() {
                return (out, matched.stop);
            }
        }
        out.push_str(&matcher.finish());
        (out, None)
    }

    #[test]
    fn a_character_waits_for_its_last_byte() {
        let mut utf8 = Utf8Stream::default();
        let bytes = "🙂".as_bytes();
        assert_eq!(utf8.push(&bytes[..1]), "");
        assert_eq!(utf8.push(&bytes[1..3]), "");
        assert_eq!(utf8.push(&bytes[3..]), "🙂");
        assert_eq!(utf8.push(&bytes[..2]), "");
        assert_eq!(utf8.finish(), "\u{fffd}");
    }

    #[test]
    fn text_that_may_become_a_stop_string_is_held() {
        let mut matcher = StopMatcher::new(&["END".to_owned()]);
        assert_eq!(
            matcher.push("a E"),
            Matched {
                text: "a ".to_owned(),
                stop: None
            }
        );
        assert_eq!(matcher.push("N"), Matched::default());
        assert_eq!(
            matcher.push("X EN"),
            Matched {
                text: "ENX ".to_owned(),
                stop: None
            }
        );
        assert_eq!(
            matcher.push("D!"),
            Matched {
                text: String::new(),
                stop: Some("END".to_owned())
            }
        );
    }

    #[test]
    fn the_stop_string_completed_first_wins() {
        let stops = ["abcd".to_owned(), "bc".to_owned()];
        assert_eq!(
            run(&stops, &["xabcd".to_owned()]),
            ("xa".to_owned(), Some("bc".to_owned()))
        );
    }

    #[test]
    fn of_stop_strings_completed_together_the_longest_wins() {
        let stops = ["c".to_owned(), "abc".to_owned(), "bc".to_owned()];
        let abc = ("x".to_owned(), Some("abc".to_owned()));
        assert_eq!(run(&stops, &["xa".to_owned(), "bc!".to_owned()]), abc);
    }

    #[test]
    fn sixty_four_kilobytes_of_stop_strings_cost_a_step_for_each_byte() {
        // Half of them are one string whose beginnings all look alike, half are many short ones.
        let mut stops = vec!["ab".repeat(16 << 10)];
        stops.extend((0..(32 << 10) / 8).map(|n| format!("{n:08}")));
        let mut matcher = StopMatcher::new(&stops);
        let text = "ab".repeat(100_000);
        let began = std::time::Instant::now();
        let mut out = String::new();
        for _ in 0..7 {
            out.push_str(&matcher.push("ababab").text);
        }
        assert_eq!(out, "");
        let matched = matcher.push(&text);
        assert_eq!((out.as_str(), matched.text.as_str()), ("", ""));
        assert!(matched.stop.is_some_and(|stop| stop.len() == 32 << 10));
        assert!(began.elapsed() < std::time::Duration::from_secs(5));
    }

    /// The plain way: look for each of them behind every character.
    fn plainly(stops: &[String], text: &str) -> (String, Option<String>) {
        for (end, letter) in text.char_indices() {
            let text = &text[..end + letter.len_utf8()];
            let ending = stops.iter().filter(|stop| text.ends_with(stop.as_str()));
            if let Some(stop) = ending.max_by_key(|stop| stop.len()) {
                return (text[..text.len() - stop.len()].to_owned(), Some(stop.clone()));
            }
        }
        (text.to_owned(), None)
    }

    proptest! {
        #[test]
        fn it_finds_what_the_plain_way_finds(text in "[abé]{0,40}", stops in proptest::collection::vec("[abé]{1,5}", 0..6)) {
            let letters: Vec<String> = text.chars().map(String::from).collect();
            prop_assert_eq!(run(&stops, &letters), plainly(&stops, &text));
        }

        #[test]
        fn pieces_add_up_to_the_lossy_whole(bytes in proptest::collection::vec(any::<u8>(), 0..40), cut in 0_usize..40) {
            let cut = cut.min(bytes.len());
            let (left, right) = bytes.split_at(cut);
            prop_assert_eq!(stream(&[left, right]), String::from_utf8_lossy(&bytes));
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(stream(&single), String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn the_cut_into_pieces_changes_nothing(text in "[abcé]{0,24}", stops in proptest::collection::vec("[abcé]{1,4}", 0..3)) {
            let whole = run(&stops, std::slice::from_ref(&text));
            let letters: Vec<String> = text.chars().map(String::from).collect();
            prop_assert_eq!(&run(&stops, &letters), &whole);
            for stop in &stops {
                prop_assert!(!whole.0.contains(stop.as_str()), "{:?} holds {stop:?}", whole.0);
            }
            prop_assert!(text.starts_with(&whole.0));
        }
    }
}
