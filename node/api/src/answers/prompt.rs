//! What a model is asked: the path of a conversation, with the settings of its answers.

use hearth_answers::request::{ChatMessage, ChatRequest, SamplingParams};
use hearth_chats::{PromptMessage, Role};

use crate::control::types::AnswerParams;

/// What a model is asked.
pub(super) fn conversation(
    system: Option<&str>,
    turns: &[PromptMessage],
    params: &AnswerParams,
) -> ChatRequest {
    let system = system.map(|content| ChatMessage::new("system", content));
    let turns = turns.iter().map(|turn| {
        let role = match turn.role {
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        ChatMessage::new(role, without_reasoning(&turn.content))
    });
    ChatRequest {
        messages: system.into_iter().chain(turns).collect(),
        sampling: SamplingParams {
            temperature: params.temperature.map(single),
            top_p: params.top_p.map(single),
            top_k: params.top_k,
            seed: params.seed,
            max_tokens: params.max_tokens,
            frequency_penalty: params.frequency_penalty.map(single),
            presence_penalty: params.presence_penalty.map(single),
            stop: params.stop.clone().unwrap_or_default(),
            ..SamplingParams::default()
        },
        ..ChatRequest::default()
    }
}

/// The settings of a question over those of its conversation.
pub(super) fn over(asked: AnswerParams, usual: AnswerParams) -> AnswerParams {
    AnswerParams {
        temperature: asked.temperature.or(usual.temperature),
        top_p: asked.top_p.or(usual.top_p),
        top_k: asked.top_k.or(usual.top_k),
        seed: asked.seed.or(usual.seed),
        max_tokens: asked.max_tokens.or(usual.max_tokens),
        frequency_penalty: asked.frequency_penalty.or(usual.frequency_penalty),
        presence_penalty: asked.presence_penalty.or(usual.presence_penalty),
        stop: asked.stop.or(usual.stop),
    }
}

/// What reasoning is kept between, at the beginning of an answer: the page folds it.
pub(super) const REASONING: (&str, &str) = ("<think>", "</think>");

/// An answer as a later turn has it: models are not told what they thought before.
pub(super) fn without_reasoning(content: &str) -> &str {
    let (open, close) = REASONING;
    let Some(rest) = content.trim_start().strip_prefix(open) else {
        return content;
    };
    rest.split_once(close)
        .map_or("", |(_, answer)| answer.trim_start())
}

/// The precision that the engine has.
#[allow(
    clippy::cast_possible_truncation,
    reason = "these numbers are small and of few digits"
)]
fn single(number: f64) -> f32 {
    number as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_what_was_asked_for_and_nothing_else() {
        let turns = [PromptMessage {
            role: Role::User,
            content: "hi".into(),
        }];
        let params = AnswerParams {
            temperature: Some(0.0),
            ..AnswerParams::default()
        };
        let chat = conversation(Some("be kind"), &turns, &params);
        assert_eq!(
            chat.messages,
            [
                ChatMessage::new("system", "be kind"),
                ChatMessage::new("user", "hi")
            ]
        );
        assert_eq!(chat.sampling.temperature, Some(0.0));
        assert_eq!(chat.sampling.top_p, None);
    }

    #[test]
    fn what_a_question_says_goes_before_what_its_conversation_says() {
        let usual = AnswerParams {
            temperature: Some(0.2),
            stop: Some(vec!["END".into()]),
            ..AnswerParams::default()
        };
        let asked = AnswerParams {
            temperature: Some(0.9),
            seed: Some(7),
            ..AnswerParams::default()
        };
        let both = over(asked, usual.clone());
        assert_eq!(
            (both.temperature, both.seed, both.stop),
            (Some(0.9), Some(7), usual.stop.clone())
        );
        assert_eq!(over(AnswerParams::default(), usual.clone()), usual);
    }

    #[test]
    fn models_are_not_told_what_they_thought() {
        assert_eq!(without_reasoning("<think>ab</think>\n\ncd"), "cd");
        assert_eq!(without_reasoning("<think>cut"), "");
        assert_eq!(without_reasoning("plain <think>"), "plain <think>");
    }
}
