//! The engine's events as the parts of an answer: several texts at once, each as its tokens come.

use std::sync::Arc;

use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use hearth_engine::{Event, FinishReason as EngineReason, PromptToken, Stopped, TokenLogprob};

use super::{generation::Generation, models::Lease, plan::Plan};
use crate::{
    answer::{Chunk, ChunkStream, Delta, FinishReason, ToolCallDelta, Usage},
    dialect::{Parser, Piece},
    error::{Error, internal},
};

/// The texts of a request, once their prompts were counted.
pub(super) struct Texts {
    /// Their parts come as they are made; the counts of all of them are the last part.
    pub(super) chunks: ChunkStream,
    pub(super) prompt_tokens: u32,
    /// How the conversation was bent to fit the model.
    pub(super) notes: Vec<&'static str>,
}

/// Begins all texts of a request.
pub(super) async fn texts(lease: Arc<Lease>, plans: Vec<Plan>) -> Result<Texts, Error> {
    let mut running = Vec::with_capacity(plans.len());
    let mut notes = Vec::new();
    let mut prompt_tokens = 0_u32;
    for (index, plan) in (0..).zip(plans) {
        let (generation, started) = Generation::begin(Arc::clone(&lease), plan.request).await?;
        let parser = plan
            .dialect
            .map(|(dialect, tools)| Parser::new(dialect, tools, started.opens_thinking));
        notes = started.fallbacks;
        if plan.counts_prompt {
            prompt_tokens = prompt_tokens.saturating_add(started.prompt_tokens);
        }
        running.push(
            Text {
                index,
                generation,
                parser,
                counts_prompt: plan.counts_prompt,
            }
            .parts(plan.echo),
        );
    }
    let parts = stream::select_all(running);
    let counted = stream::unfold(Some((parts, Usage::default())), |state| async {
        let (mut parts, mut usage) = state?;
        match parts.next().await {
            Some(Ok(Part::Delta(delta))) => Some((Ok(Chunk::of(delta)), Some((parts, usage)))),
            Some(Ok(Part::End(delta, used))) => {
                usage.add(used);
                Some((Ok(Chunk::of(delta)), Some((parts, usage))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((Ok(Chunk::counted(usage)), None)),
        }
    });
    Ok(Texts {
        chunks: counted.boxed(),
        prompt_tokens,
        notes,
    })
}

enum Part {
    Delta(Delta),
    End(Delta, Usage),
}

/// One text that is being written.
struct Text {
    index: u32,
    generation: Generation,
    /// Takes reasoning and calls apart from the text.
    parser: Option<Parser>,
    counts_prompt: bool,
}

impl Text {
    fn parts(self, echo: String) -> BoxStream<'static, Result<Part, Error>> {
        let opening = Delta {
            opens: true,
            text: echo,
            ..Delta::of(self.index)
        };
        let parts = stream::unfold(Some(self), |state| async move {
            let mut text = state?;
            let part = text.next().await;
            let goes_on = matches!(part, Ok(Part::Delta(_)));
            Some((part, goes_on.then_some(text)))
        });
        stream::iter([Ok(Part::Delta(opening))]).chain(parts).boxed()
    }

    async fn next(&mut self) -> Result<Part, Error> {
        let delta = Delta::of(self.index);
        match self.generation.next().await.ok_or_else(internal)? {
            Event::Failed(error) => Err(error.into()),
            Event::Started { .. } => Ok(Part::Delta(delta)),
            Event::Prompt { tokens } => Ok(Part::Delta(Delta {
                logprobs: tokens.into_iter().map(scored).collect(),
                ..delta
            })),
            Event::Token { text, tokens } => {
                let mut delta = Delta {
                    logprobs: tokens,
                    ..delta
                };
                match &mut self.parser {
                    Some(parser) => add(&mut delta, parser.push(&text)),
                    None => delta.text = text,
                }
                Ok(Part::Delta(delta))
            }
            Event::Finished {
                reason, stop, usage, ..
            } => {
                let mut delta = delta;
                let mut calls = false;
                if let Some(parser) = &mut self.parser {
                    add(&mut delta, parser.finish(matches!(reason, EngineReason::Length)));
                    calls = parser.has_calls();
                }
                delta.finish_reason = Some(match reason {
                    EngineReason::Length => FinishReason::Length,
                    // Only a reader who is gone cancels, so nobody reads it.
                    EngineReason::Stop | EngineReason::Cancelled if calls => FinishReason::ToolCalls,
                    EngineReason::Stop | EngineReason::Cancelled => match stop {
                        Some(Stopped::Text(text)) => FinishReason::StopText(text),
                        Some(Stopped::Token(_)) | None => FinishReason::Stop,
                    },
                });
                let mut used = Usage {
                    completion_tokens: usage.completion_tokens,
                    reasoning_tokens: usage.thinking_tokens,
                    ..Usage::default()
                };
                if self.counts_prompt {
                    used.prompt_tokens = usage.prompt_tokens;
                    used.cached_tokens = usage.cached_prompt_tokens;
                }
                Ok(Part::End(delta, used))
            }
        }
    }
}

/// Adds what was taken apart.
fn add(delta: &mut Delta, pieces: Vec<Piece>) {
    for piece in pieces {
        match piece {
            Piece::Text(text) => delta.text.push_str(&text),
            Piece::Reasoning(text) => delta.reasoning.push_str(&text),
            Piece::ToolCall { index, id, name } => delta.tool_calls.push(ToolCallDelta {
                index,
                id: Some(id),
                name: Some(name),
                arguments: String::new(),
            }),
            Piece::Arguments { index, text } => match delta.tool_calls.last_mut() {
                Some(call) if call.index == index => call.arguments.push_str(&text),
                Some(_) | None => delta.tool_calls.push(ToolCallDelta {
                    index,
                    arguments: text,
                    ..ToolCallDelta::default()
                }),
            },
        }
    }
}

/// A token of the prompt; nothing stands before the first one that could make it likely.
fn scored(token: PromptToken) -> TokenLogprob {
    TokenLogprob {
        token: token.token,
        bytes: token.bytes,
        logprob: token.logprob.unwrap_or(f32::NAN),
        top: token.top,
    }
}
