//! What callers rely on, with tiny models: streams, limits, priorities, cancellation, stopping.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hearth_engine::{
    Config, Engine, Event, FinishReason, GenerateError, GenerateRequest, Message, ModelKind, ModelSource,
    Origin, Priority, Prompt, Sampling, StartError, Stopped,
};

use crate::support::{Answer, ask, collect, send, tiny, tiny_with};

fn text(prompt: &str, max_tokens: u32) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(max_tokens),
        sampling: Sampling {
            seed: Some(11),
            ..Sampling::default()
        },
        ignore_end: true,
        ..GenerateRequest::new(Prompt::Text(prompt.to_owned()))
    }
}

#[test]
fn a_stream_is_whole_counted_and_repeatable() {
    let (engine, model) = tiny();
    let info = model.info();
    assert_eq!(
        (info.kind, info.architecture.as_str(), info.quantisation.as_str()),
        (ModelKind::Text, "llama", "Q4_1")
    );
    assert_eq!((info.context_tokens, info.vocabulary), (512, 288));
    let request = GenerateRequest {
        logprobs: Some(2),
        ..text("hello", 40)
    };
    let answer = ask(&model, request.clone());
    assert_eq!(
        (
            answer.reason,
            answer.usage.prompt_tokens,
            answer.usage.completion_tokens
        ),
        (Some(FinishReason::Length), 1, 40)
    );
    assert_eq!(answer.tokens.len(), 40);
    assert!(
        answer
            .tokens
            .iter()
            .all(|token| token.top.len() == 2 && token.logprob <= token.top[0].2)
    );
    let bytes: Vec<u8> = answer
        .tokens
        .iter()
        .flat_map(|token| token.bytes.clone())
        .collect();
    assert_eq!(answer.text, String::from_utf8_lossy(&bytes));
    assert_eq!(ask(&model, request).text, answer.text);
    assert_eq!(engine.load_level(), 0);
    let chat = GenerateRequest {
        max_tokens: Some(3),
        ..GenerateRequest::new(Prompt::chat(vec![Message::new("user", "hi")]))
    };
    assert_eq!(
        ask(&model, chat).prompt_tokens as usize,
        model
            .tokenize_special("<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n")
            .len()
    );
}

#[test]
fn many_together_give_what_each_gives_alone() {
    let (_engine, model) = tiny();
    let requests: Vec<GenerateRequest> = (0..6)
        .map(|i| {
            let mut request = text(&"hello the us ".repeat(i * 9 + 1), 20 + i as u32);
            request.sampling = Sampling::greedy();
            request.priority = if i % 2 == 0 {
                Priority::Local
            } else {
                Priority::Paid
            };
            request
        })
        .collect();
    let alone: Vec<Answer> = requests
        .iter()
        .map(|request| ask(&model, request.clone()))
        .collect();
    let streams: Vec<_> = requests
        .into_iter()
        .map(|request| send(&model, request))
        .collect();
    for (alone, stream) in alone.iter().zip(streams) {
        let together = collect(&stream);
        let counted = |answer: &Answer| (answer.usage.prompt_tokens, answer.usage.completion_tokens);
        assert_eq!(counted(&together), counted(alone));
        // Sums of several columns are made in another order, so a close call may fall the other way late.
        let same = together
            .text
            .chars()
            .zip(alone.text.chars())
            .take_while(|(a, b)| a == b)
            .count();
        assert!(same >= 5, "{:?} is not {:?}", together.text, alone.text);
    }
}

#[test]
fn chunks_of_a_prompt_change_nothing() {
    let long = text(&"the hello us ".repeat(30), 12);
    let (_engine, model) = tiny_with(Config {
        prefill_tokens_per_round: 4096,
        ..Config::default()
    });
    let (_other, chunked) = tiny_with(Config {
        prefill_tokens_per_round: 7,
        ..Config::default()
    });
    let request = GenerateRequest {
        prompt_logprobs: true,
        sampling: Sampling::greedy(),
        ..long
    };
    let (a, b) = (ask(&model, request.clone()), ask(&chunked, request));
    assert_eq!(
        (a.prompt.len(), b.prompt.len()),
        (a.prompt_tokens as usize, a.prompt.len())
    );
    assert_eq!((a.prompt[0].logprob, b.prompt[0].logprob), (None, None));
    for (a, b) in a.prompt.iter().zip(&b.prompt).skip(1) {
        let difference = a.logprob.unwrap() - b.logprob.unwrap();
        assert!(a.token == b.token && difference.abs() < 1e-3, "{a:?} {b:?}");
    }
}

#[test]
fn the_next_turn_of_a_conversation_gives_what_a_fresh_engine_gives() {
    let greedy = |prompt: Vec<u32>| GenerateRequest {
        max_tokens: Some(10),
        sampling: Sampling::greedy(),
        ignore_end: true,
        logprobs: Some(0),
        ..GenerateRequest::new(Prompt::Tokens(prompt))
    };
    let (_engine, model) = tiny();
    let (_fresh_engine, fresh) = tiny();
    let mut conversation: Vec<u32> = (0..150).map(|i| 10 + i % 200).collect();
    for turn in 0..4 {
        let (known, new) = (
            ask(&model, greedy(conversation.clone())),
            ask(&fresh, paid(greedy(conversation.clone()))),
        );
        let of = |answer: &Answer| (answer.usage.prompt_tokens, answer.usage.completion_tokens);
        assert_eq!(of(&known), of(&new));
        assert_eq!(new.usage.cached_prompt_tokens, 0);
        let least_cached = [0, 150, 90, 90][turn];
        assert!(
            known.usage.cached_prompt_tokens >= least_cached
                && known.usage.cached_prompt_tokens < known.usage.prompt_tokens
                && (turn > 0 || known.usage.cached_prompt_tokens == 0),
            "turn {turn}: {:?}",
            known.usage
        );
        for (known, new) in known.tokens.iter().zip(&new.tokens).take(3) {
            assert!(
                known.token == new.token && (known.logprob - new.logprob).abs() < 1e-3,
                "turn {turn}"
            );
        }
        conversation.extend(new.tokens.iter().map(|token| token.token));
        // The second turn goes on, the third changes the middle, the fourth asks for the same again.
        match turn {
            0 => conversation.extend([20, 21, 22]),
            1 => conversation[90] = 33,
            _ => conversation.truncate(140),
        }
    }
}

/// Paid requests never meet a kept cache.
fn paid(request: GenerateRequest) -> GenerateRequest {
    GenerateRequest {
        priority: Priority::Paid,
        ..request
    }
}

#[test]
fn stop_strings_end_an_answer_across_tokens() {
    let (_engine, model) = tiny();
    let whole = ask(&model, text("hello", 60)).text;
    let letters: Vec<char> = whole.chars().collect();
    let stop: String = letters[20..24].iter().collect();
    let expected = &whole[..whole.find(&stop).unwrap()];
    let answer = ask(
        &model,
        GenerateRequest {
            stop: vec![stop.clone(), String::new()],
            ..text("hello", 60)
        },
    );
    assert_eq!(
        (answer.text.as_str(), answer.reason, answer.stop),
        (expected, Some(FinishReason::Stop), Some(Stopped::Text(stop)))
    );
    assert!(answer.usage.completion_tokens < 60);
}

#[test]
fn prompts_beyond_the_window_are_refused_with_figures() {
    let (_engine, model) = tiny();
    let long = ask(&model, text(&"z".repeat(600), 5));
    assert_eq!(
        long.error,
        Some(GenerateError::ContextOverflow {
            prompt_tokens: 600,
            context_tokens: 512
        })
    );
    let full = ask(
        &model,
        GenerateRequest {
            max_tokens: None,
            ..text(&"z".repeat(500), 0)
        },
    );
    assert_eq!(
        (full.reason, full.usage.completion_tokens),
        (Some(FinishReason::Length), 12)
    );
    assert_eq!(ask(&model, text("", 5)).error, Some(GenerateError::EmptyPrompt));
    let unknown = GenerateRequest::new(Prompt::Tokens(vec![3, 288]));
    assert_eq!(
        ask(&model, unknown).error,
        Some(GenerateError::UnknownToken {
            token: 288,
            vocabulary: 288
        })
    );
}

#[test]
fn figures_out_of_range_are_refused() {
    let (_engine, model) = tiny();
    for sampling in [
        Sampling {
            temperature: -1.0,
            ..Sampling::default()
        },
        Sampling {
            temperature: f32::NAN,
            ..Sampling::default()
        },
        Sampling {
            top_p: 0.0,
            ..Sampling::default()
        },
        Sampling {
            repetition_penalty: 0.0,
            ..Sampling::default()
        },
    ] {
        let answer = ask(
            &model,
            GenerateRequest {
                sampling,
                ..text("x", 1)
            },
        );
        assert!(
            matches!(answer.error, Some(GenerateError::BadParameter { .. })),
            "{answer:?}"
        );
    }
    let wrong = Engine::start(Config {
        max_running: 0,
        ..Config::default()
    });
    assert!(matches!(
        wrong,
        Err(StartError::BadConfig {
            field: "max_running",
            ..
        })
    ));
}

#[test]
fn a_reader_that_goes_away_ends_the_work() {
    let (engine, model) = tiny();
    let seen = Arc::new(AtomicUsize::new(0));
    let (sender, ended) = channel();
    let counter = Arc::clone(&seen);
    model.generate(
        text("hello", 400),
        Box::new(move |event| match event {
            Event::Token { .. } if counter.fetch_add(1, Ordering::Relaxed) == 4 => ControlFlow::Break(()),
            Event::Finished { reason, usage, .. } => {
                sender.send((reason, usage.completion_tokens)).unwrap();
                ControlFlow::Continue(())
            }
            Event::Started { .. } | Event::Prompt { .. } | Event::Token { .. } | Event::Failed(_) => {
                ControlFlow::Continue(())
            }
        }),
    );
    let (reason, tokens) = ended.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(reason, FinishReason::Cancelled);
    assert!(tokens < 30 && seen.load(Ordering::Relaxed) == 5);
    // A ticket cancels from outside, whether the request runs or waits.
    let (sender, ended) = channel();
    let ticket = model.generate(
        text("hello", 500),
        Box::new(move |event| {
            let _ = sender.send(event);
            ControlFlow::Continue(())
        }),
    );
    ticket.cancel();
    assert_eq!(collect(&ended).reason, Some(FinishReason::Cancelled));
    assert_eq!(engine.load_level(), 0);
}

#[test]
fn local_work_overtakes_paid_work() {
    let (_engine, model) = tiny_with(Config {
        max_running: 2,
        ..Config::default()
    });
    let order = Arc::new(Mutex::new(Vec::new()));
    let (sender, ended) = channel();
    let start = |name: &'static str, priority, n| {
        let (order, sender) = (Arc::clone(&order), sender.clone());
        model.generate(
            GenerateRequest {
                priority,
                ..text("hello", n)
            },
            Box::new(move |event| {
                if matches!(event, Event::Finished { .. } | Event::Failed(_)) {
                    order.lock().unwrap().push(name);
                    sender.send(()).unwrap();
                }
                ControlFlow::Continue(())
            }),
        );
    };
    for name in ["paid 1", "paid 2", "paid 3"] {
        start(name, Priority::Paid, 300);
    }
    start("local", Priority::Local, 100);
    for _ in 0..4 {
        ended.recv_timeout(Duration::from_secs(120)).unwrap();
    }
    assert_eq!(order.lock().unwrap().first(), Some(&"local"));
}

#[test]
fn more_messages_than_the_window_has_tokens_are_too_many_and_not_the_models_fault() {
    let (_engine, model) = tiny();
    let messages = vec![Message::new("user", "x"); 80_000];
    let refused = ask(&model, GenerateRequest::new(Prompt::chat(messages))).error;
    let wanted = GenerateError::ContextOverflow {
        prompt_tokens: 80_000,
        context_tokens: 512,
    };
    assert_eq!(refused, Some(wanted));
}

#[test]
fn many_answers_of_one_request_do_not_hold_up_another() {
    let (_engine, model) = tiny_with(Config {
        max_running: 2,
        ..Config::default()
    });
    let (sender, ended) = channel();
    let start = |name: &'static str, request, n| {
        let sender = sender.clone();
        let origin = Origin { asker: 1, request };
        let request = GenerateRequest {
            origin,
            ..text("hello", n)
        };
        let sink = move |event: Event| {
            if matches!(event, Event::Finished { .. } | Event::Failed(_)) {
                sender.send(name).unwrap();
            }
            ControlFlow::Continue(())
        };
        model.generate(request, Box::new(sink));
    };
    for _ in 0..5 {
        start("one of many", 1, 400);
    }
    start("another", 2, 4);
    let first = ended.recv_timeout(Duration::from_secs(120)).unwrap();
    assert_eq!(first, "another");
}

#[test]
fn the_queue_is_bounded_and_stopping_tells_everybody() {
    let (engine, model) = tiny_with(Config {
        max_queued: 3,
        max_running: 1,
        ..Config::default()
    });
    let streams: Vec<_> = (0..3).map(|_| send(&model, text("hello", 500))).collect();
    let refused = ask(&model, text("hello", 1));
    assert_eq!(refused.error, Some(GenerateError::Busy { queued: 3 }));
    engine.stop();
    engine.join();
    for stream in &streams {
        assert_eq!(collect(stream).error, Some(GenerateError::Stopped));
    }
    assert_eq!(ask(&model, text("hello", 1)).error, Some(GenerateError::Stopped));
}

#[test]
fn a_sink_that_panics_hurts_nobody_else() {
    let (_engine, model) = tiny();
    model.generate(
        text("hello", 20),
        Box::new(|event| match event {
            Event::Token { .. } => panic!("a receiver's defect"),
            Event::Started { .. } | Event::Prompt { .. } | Event::Finished { .. } | Event::Failed(_) => {
                ControlFlow::Continue(())
            }
        }),
    );
    assert_eq!(ask(&model, text("hello", 20)).usage.completion_tokens, 20);
}

#[test]
fn qwen2_loads_and_speaks() {
    let engine = Engine::start(Config::default()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = hearth_engine::testing::tiny_qwen2(folder.path()).unwrap();
    // A folder with one file in it will do, too.
    let model = engine
        .load(&ModelSource::at("q", folder.path()).unwrap())
        .unwrap();
    assert!(path.is_file());
    assert_eq!(
        (
            model.info().architecture.as_str(),
            model.info().quantisation.as_str()
        ),
        ("qwen2", "Q8_0")
    );
    assert_eq!(ask(&model, text("hello", 9)).usage.completion_tokens, 9);
}
