//! How answers look in a terminal: reasoning dimmed, no control characters, a receipt below.

use hearth_node::control::{Charge, Message, MessageRole, MessageState, ModelKind, Receipt};

use crate::cli::out::{pokt, short, span};

/// What reasoning stands between, at the beginning of an answer.
const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

/// A piece of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Reasoning(String),
    Answer(String),
}

/// Tells reasoning and answer apart while they stream.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// What may be the beginning of a mark.
    held: String,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Beginning,
    Reasoning,
    /// Blank lines between the two are left out.
    Between,
    Answer,
}

impl Splitter {
    /// Takes the next text of the stream.
    pub(super) fn push(&mut self, text: &str) -> Vec<Piece> {
        self.held.push_str(text);
        let mut pieces = Vec::new();
        loop {
            match self.state {
                State::Beginning => {
                    let begun = self.held.trim_start();
                    if let Some(rest) = begun.strip_prefix(OPEN) {
                        self.held = rest.trim_start().to_owned();
                        self.state = State::Reasoning;
                    } else if OPEN.starts_with(begun) {
                        return pieces;
                    } else {
                        self.state = State::Answer;
                    }
                }
                State::Reasoning => {
                    let Some((reasoning, rest)) = self.held.split_once(CLOSE) else {
                        let n_kept = self.held.len() - begun_mark(&self.held);
                        let whole: String = self.held.drain(..n_kept).collect();
                        if !whole.is_empty() {
                            pieces.push(Piece::Reasoning(whole));
                        }
                        return pieces;
                    };
                    if !reasoning.is_empty() {
                        pieces.push(Piece::Reasoning(reasoning.to_owned()));
                    }
                    self.held = rest.to_owned();
                    self.state = State::Between;
                }
                State::Between => {
                    let rest = self.held.trim_start().to_owned();
                    self.held = rest;
                    if self.held.is_empty() {
                        return pieces;
                    }
                    pieces.push(Piece::Answer("\n\n".to_owned()));
                    self.state = State::Answer;
                }
                State::Answer => {
                    if !self.held.is_empty() {
                        pieces.push(Piece::Answer(std::mem::take(&mut self.held)));
                    }
                    return pieces;
                }
            }
        }
    }

    /// What is left at the end of the stream.
    pub(super) fn end(mut self) -> Vec<Piece> {
        let rest = std::mem::take(&mut self.held);
        if rest.trim().is_empty() {
            return Vec::new();
        }
        match self.state {
            State::Reasoning => vec![Piece::Reasoning(rest)],
            State::Beginning | State::Between | State::Answer => vec![Piece::Answer(rest)],
        }
    }
}

/// How many bytes at the end of a text may be the beginning of the closing mark.
fn begun_mark(text: &str) -> usize {
    (1..CLOSE.len())
        .rev()
        .find(|n| text.ends_with(&CLOSE[..*n]))
        .unwrap_or(0)
}

/// Text as a terminal may have it: what a model writes must not move the cursor or change the title.
pub(super) fn shown(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control() || matches!(letter, '\n' | '\t'))
        .collect()
}

/// `smollm2 · 41 read, 128 written · 31.2 tok/s · free`
pub(super) fn receipt(model: &str, receipt: &Receipt) -> String {
    let mut parts = vec![model.to_owned()];
    if let Some(usage) = receipt.usage {
        parts.push(format!(
            "{} tokens read, {} written",
            usage.prompt_tokens, usage.completion_tokens
        ));
    }
    match receipt.tokens_per_second {
        Some(speed) => parts.push(format!("{speed:.1} tok/s")),
        None => parts.push(span(receipt.total_ms)),
    }
    match &receipt.network {
        None if receipt.kind == ModelKind::Network => parts.push("no receipt came".to_owned()),
        None => parts.push("free".to_owned()),
        Some(network) => {
            let cost = receipt.cost.map(|cost| format!("{} POKT", pokt(cost.0)));
            parts.push(match (network.charge, cost) {
                (Charge::Paid, Some(cost)) => format!("{cost} paid"),
                (Charge::Unpaid, _) => "not paid".to_owned(),
                (Charge::Unknown, Some(cost)) => format!("at most {cost}, not known yet"),
                (Charge::Paid, None) => "paid".to_owned(),
                (Charge::Unknown, None) => "payment not known yet".to_owned(),
            });
            parts.push(format!("supplier {}", short(&network.supplier)));
        }
    }
    parts.join(" · ")
}

/// What is said of an answer that did not come whole.
pub(super) fn ending(state: MessageState) -> Option<&'static str> {
    match state {
        MessageState::Stopped => Some("Stopped; what is here is kept."),
        MessageState::Cut => Some("Cut: the model's context or the length that was asked for is used up."),
        MessageState::Streaming | MessageState::Done | MessageState::Failed => None,
    }
}

/// The messages from the first one to `head`.
pub(super) fn branch<'a>(messages: &'a [Message], head: Option<&str>) -> Vec<&'a Message> {
    let mut branch = Vec::new();
    let mut next = head;
    while let Some(id) = next
        && branch.len() < messages.len()
        && let Some(message) = messages.iter().find(|message| message.id == id)
    {
        branch.push(message);
        next = message.parent_id.as_deref();
    }
    branch.reverse();
    branch
}

/// A chat as Markdown.
pub(super) fn markdown(title: &str, system: Option<&str>, branch: &[&Message]) -> String {
    let mut text = format!("# {title}\n");
    if let Some(system) = system {
        text.push_str(&format!("\n> {}\n", system.replace('\n', "\n> ")));
    }
    for message in branch {
        let who = match message.role {
            MessageRole::User => "You",
            MessageRole::Assistant => message.model.as_deref().unwrap_or("Answer"),
        };
        let content = match message.role {
            MessageRole::User => message.content.clone(),
            MessageRole::Assistant => answer_alone(&message.content),
        };
        text.push_str(&format!("\n## {who}\n\n{}\n", content.trim()));
    }
    text
}

/// An answer without its reasoning.
fn answer_alone(content: &str) -> String {
    let mut splitter = Splitter::default();
    let mut pieces = splitter.push(content);
    pieces.extend(splitter.end());
    let answers = pieces.into_iter().filter_map(|piece| match piece {
        Piece::Answer(text) => Some(text),
        Piece::Reasoning(_) => None,
    });
    answers.collect()
}

#[cfg(test)]
mod tests {
    use hearth_base::Amount;
    use hearth_node::control::{NetworkReceipt, Timestamp, TokenUsage};

    use super::*;

    fn split(stream: &[&str]) -> (String, String) {
        let mut splitter = Splitter::default();
        let mut pieces: Vec<Piece> = stream.iter().flat_map(|text| splitter.push(text)).collect();
        pieces.extend(splitter.end());
        let (mut reasoning, mut answer) = (String::new(), String::new());
        for piece in pieces {
            match piece {
                Piece::Reasoning(text) => reasoning.push_str(&text),
                Piece::Answer(text) => answer.push_str(&text),
            }
        }
        (reasoning, answer)
    }

    #[test]
    fn reasoning_is_told_apart_wherever_the_stream_is_cut() {
        let whole = "<think>a < b </thin k</think>\n\nBecause.";
        let wanted = ("a < b </thin k".to_owned(), "\n\nBecause.".to_owned());
        assert_eq!(split(&[whole]), wanted);
        let letters: Vec<String> = whole.chars().map(String::from).collect();
        let letters: Vec<&str> = letters.iter().map(String::as_str).collect();
        assert_eq!(split(&letters), wanted);
        assert_eq!(
            split(&["It is ", "<think> in HTML"]),
            (String::new(), "It is <think> in HTML".to_owned())
        );
        assert_eq!(
            split(&["<think>never ends</th"]),
            ("never ends</th".to_owned(), String::new())
        );
        assert_eq!(split(&["<thi"]), (String::new(), "<thi".to_owned()));
        assert_eq!(split(&["", " \n"]), (String::new(), String::new()));
    }

    #[test]
    fn a_model_cannot_command_the_terminal() {
        assert_eq!(shown("a\u{1b}]0;title\u{7}b\r\n\tc\u{9b}2J"), "a]0;titleb\n\tc2J");
    }

    #[test]
    fn a_receipt_says_what_became_of_the_money() {
        let mut local = Receipt {
            kind: ModelKind::Local,
            cost: None,
            usage: Some(TokenUsage {
                prompt_tokens: 41,
                completion_tokens: 128,
            }),
            first_token_ms: Some(5),
            total_ms: 2400,
            tokens_per_second: Some(31.24),
            weights_cid: None,
            network: None,
        };
        assert_eq!(
            receipt("m", &local),
            "m · 41 tokens read, 128 written · 31.2 tok/s · free"
        );
        local.kind = ModelKind::Network;
        local.cost = Some(Amount::from_upokt(262_800).into());
        local.tokens_per_second = None;
        for (charge, words) in [
            (Charge::Paid, "0.262800 POKT paid"),
            (Charge::Unpaid, "not paid"),
            (Charge::Unknown, "at most 0.262800 POKT, not known yet"),
        ] {
            local.network = Some(NetworkReceipt {
                id: None,
                charge,
                service: "s".to_owned(),
                supplier: "pokt1qqqqqqqqqqqqqqqqqqqqqqqqabcd".to_owned(),
                supplier_url: None,
                application: String::new(),
                session_id: String::new(),
                session_start: 1,
                session_end: 2,
                verified_batches: 1,
                request_hash: None,
                failed_tries: 0,
            });
            let line = receipt("m", &local);
            assert!(
                line.contains(words) && line.ends_with("supplier pokt1qqqq…abcd"),
                "{line}"
            );
            assert!(line.contains("2.4 s"), "{line}");
        }
    }

    fn message(id: &str, parent: Option<&str>, role: MessageRole, content: &str) -> Message {
        serde_json::from_value(serde_json::json!({
            "id": id, "parent_id": parent, "role": role, "content": content, "state": "done",
            "created_at": Timestamp::from_ms(0), "model": (role == MessageRole::Assistant).then_some("m"),
            "error": null, "receipt": null, "thought_ms": null, "attachments": [],
        }))
        .unwrap()
    }

    #[test]
    fn a_chat_is_saved_as_its_shown_branch() {
        let messages = [
            message("1", None, MessageRole::User, "Why?"),
            message("2", Some("1"), MessageRole::Assistant, "No."),
            message(
                "3",
                Some("1"),
                MessageRole::Assistant,
                "<think>hm</think>\n\nYes.",
            ),
        ];
        let branch = branch(&messages, Some("3"));
        let text = markdown("Why", Some("Be\nshort."), &branch);
        assert_eq!(
            text,
            "# Why\n\n> Be\n> short.\n\n## You\n\nWhy?\n\n## m\n\nYes.\n"
        );
        assert!(super::branch(&messages, None).is_empty());
        // A circle ends.
        let circle = [message("1", Some("1"), MessageRole::User, "x")];
        assert_eq!(super::branch(&circle, Some("1")).len(), 1);
    }
}
