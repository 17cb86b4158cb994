//! The last stages before the sink: bytes to whole characters, and stop strings across token borders.

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

/// Finds the stop string that is completed first, however the text is cut into pieces.
#[derive(Debug, Default)]
pub(crate) struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

impl StopMatcher {
    /// Empty stop strings are ignored.
    pub(crate) fn new(stops: &[String]) -> Self {
        Self {
            stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(),
            held: String::new(),
        }
    }

    /// Takes the next piece of text.
    pub(crate) fn push(&mut self, text: &str) -> Matched {
        self.held.push_str(text);
        if let Some((start, stop)) = self.first_completed() {
            let stop = stop.clone();
            self.held.truncate(start);
            return Matched {
                text: std::mem::take(&mut self.held),
                stop: Some(stop),
            };
        }
        let keep = self
            .stops
            .iter()
            .map(|stop| overlap(&self.held, stop))
            .max()
            .unwrap_or(0);
        let kept = self.held.split_off(self.held.len() - keep);
        Matched {
            text: std::mem::replace(&mut self.held, kept),
            stop: None,
        }
    }

    /// Gives what was held back when no more text comes.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    /// The match that ends first; of those that end together, the one that begins first.
    fn first_completed(&self) -> Option<(usize, &String)> {
        self.stops
            .iter()
            .filter_map(|stop| {
                self.held
                    .find(stop.as_str())
                    .map(|start| (start + stop.len(), start, stop))
            })
            .min_by_key(|(end, start, _)| (*end, *start))
            .map(|(_, start, stop)| (start, stop))
    }
}

/// Gives the length of the longest end of `text` that is a beginning of `stop`, but not all of it.
fn overlap(text: &str, stop: &str) -> usize {
    stop.char_indices()
        .map(|(index, _)| index)
        .filter(|&len| len <= text.len() && text.as_bytes().ends_with(&stop.as_bytes()[..len]))
        .max()
        .unwrap_or(0)
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

    proptest! {
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
