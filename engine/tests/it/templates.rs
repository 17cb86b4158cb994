//! Chat templates that break their bounds are errors of their model; other models answer meanwhile.

use std::time::Duration;

use hearth_engine::testing::{Tiny, WriteType};
use hearth_engine::{
    Config, Engine, Event, GenerateError, GenerateRequest, Message, ModelHandle, ModelSource, Prompt,
    Sampling,
};

use crate::support::{ask, send};

fn model(engine: &Engine, template: &str) -> ModelHandle {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.gguf");
    let tiny = Tiny {
        template,
        ..Tiny::new(WriteType::Q4_1)
    };
    std::fs::write(&path, tiny.llama().bytes()).unwrap();
    engine.load(&ModelSource::at("m", &path).unwrap()).unwrap()
}

fn hello() -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(2),
        sampling: Sampling::greedy(),
        ..GenerateRequest::new(Prompt::chat(vec![Message::new("user", "hi")]))
    }
}

#[test]
fn a_template_that_never_ends_holds_nobody_else_up() {
    let engine = Engine::start(Config {
        threads: 1,
        ..Config::default()
    })
    .unwrap();
    // Turns of a loop that make nothing: only their number and the clock stop it.
    let endless = "{% for a in range(90000) %}{% for b in range(90000) %}{% if 'aa' in 'aaaaaaaaaaab' %}{% endif %}{% endfor %}{% endfor %}";
    let (hostile, honest) = (
        model(&engine, endless),
        model(&engine, "{{ messages[0].content }}"),
    );
    let refused = send(&hostile, hello());
    assert_eq!(ask(&honest, hello()).error, None);
    let last = refused.recv_timeout(Duration::from_secs(120)).unwrap();
    let Event::Failed(GenerateError::TemplateBroken { reason }) = last else {
        panic!("{last:?}")
    };
    assert!(reason.contains("too much"), "{reason}");
    assert_eq!(ask(&honest, hello()).error, None);
    engine.stop();
    engine.join();
    assert_eq!(ask(&honest, hello()).error, Some(GenerateError::Stopped));
}

#[test]
fn an_answer_says_how_its_prompt_came_about_and_holds_the_marks_asked_for_g04() {
    let engine = Engine::start(Config::default()).unwrap();
    let model = model(
        &engine,
        "{% for m in messages %}{% if m.role == 'user' %}{{ m.content }}{% endif %}{% endfor %}<think>\n",
    );
    let ask = |shown: &[&str]| {
        let messages = vec![Message::new("developer", "be brief"), Message::new("User", "hi")];
        let request = GenerateRequest {
            max_tokens: Some(2),
            // The token that begins a message, whatever the model thinks.
            sampling: Sampling {
                logit_bias: [(1, 100.0)].into(),
                ..Sampling::greedy()
            },
            shown_tokens: shown.iter().map(|text| (*text).to_owned()).collect(),
            ..GenerateRequest::new(Prompt::chat(messages))
        };
        let events: Vec<Event> = send(&model, request).iter().collect();
        let Event::Started {
            fallbacks,
            opens_thinking,
            ..
        } = &events[0]
        else {
            panic!("{events:?}")
        };
        assert_eq!(
            (fallbacks.as_slice(), *opens_thinking),
            (&["system_folded"][..], true)
        );
        let text = |event: &Event| match event {
            Event::Token { text, .. } => text.clone(),
            Event::Started { .. } | Event::Prompt { .. } | Event::Finished { .. } | Event::Failed(_) => {
                String::new()
            }
        };
        events.iter().map(text).collect::<String>()
    };
    assert_eq!(ask(&[]), "");
    assert_eq!(ask(&["<|im_start|>", "<nothing>"]), "<|im_start|><|im_start|>");
    assert_eq!(model.control_token("<|im_start|>"), Some(1));
    assert!(model.info().tool_template.is_none() && model.info().chat_template.is_some());
}
