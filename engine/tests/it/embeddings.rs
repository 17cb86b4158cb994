//! Embeddings: all-MiniLM-L6-v2 against golden data, and what is refused.

use std::sync::mpsc::channel;
use std::time::Duration;

use hearth_engine::{
    EmbedInput, EmbedRequest, Embeddings, Engine, GenerateError, GenerateRequest, ModelHandle, ModelKind,
    ModelSource, Precision, Priority, Prompt,
};

use crate::support::{collect, engine, figures_of, real_model, send, tiny, tokens_of, vectors};

fn embed(model: &ModelHandle, texts: Vec<String>, truncate: bool) -> Result<Embeddings, GenerateError> {
    let inputs = texts.into_iter().map(EmbedInput::Text).collect();
    embed_as(
        model,
        EmbedRequest {
            truncate,
            ..of(inputs)
        },
    )
}

fn of(inputs: Vec<EmbedInput>) -> EmbedRequest {
    EmbedRequest {
        inputs,
        truncate: false,
        dimensions: None,
        priority: Priority::Local,
    }
}

fn embed_as(model: &ModelHandle, request: EmbedRequest) -> Result<Embeddings, GenerateError> {
    let (sender, answers) = channel();
    model.embed(request, Box::new(move |answer| sender.send(answer).unwrap()));
    answers.recv_timeout(Duration::from_secs(120)).unwrap()
}

fn tiny_bert() -> (Engine, ModelHandle) {
    let engine = engine(Precision::Fast);
    let folder = tempfile::tempdir().unwrap();
    let path = hearth_engine::testing::tiny_bert(folder.path()).unwrap();
    let model = engine
        .load(&ModelSource::at("tiny-bert", &path).unwrap())
        .unwrap();
    (engine, model)
}

#[test]
fn minilm_gives_the_golden_vectors() {
    let engine = engine(Precision::Fast);
    let model = engine
        .load(&ModelSource::at("minilm", &real_model("minilm")).unwrap())
        .unwrap();
    assert_eq!(
        (model.info().kind, model.info().width),
        (ModelKind::Embedding, 384)
    );
    let data = vectors("minilm_embeddings.json");
    let cases = data["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let text = match case["text"].as_str() {
            Some(text) => text.to_owned(),
            None => {
                let (word, n) = (
                    case["repeat"][0].as_str().unwrap(),
                    case["repeat"][1].as_u64().unwrap(),
                );
                word.repeat(n as usize)
            }
        };
        let tokens = tokens_of(&case["tokens"]);
        let answer = embed(&model, vec![text.clone()], true).unwrap();
        assert_eq!(answer.prompt_tokens as usize, tokens.len(), "{text:.20}");
        if tokens.len() < 256 {
            assert_eq!(model.tokenize(&text, true).unwrap(), tokens, "{text:.20}");
        }
        for (ours, theirs) in answer.vectors[0].iter().zip(figures_of(&case["embedding"])) {
            assert!(
                (f64::from(*ours) - theirs).abs() < 1e-4,
                "{ours} is not {theirs} for {text:.20}"
            );
        }
    }
}

#[test]
fn vectors_have_length_one_and_keep_their_order() {
    let (_engine, model) = tiny_bert();
    let texts = ["hello", "a dog", "hello"].map(String::from).to_vec();
    let answer = embed(&model, texts, false).unwrap();
    assert_eq!(answer.vectors.len(), 3);
    assert_eq!(answer.vectors[0], answer.vectors[2]);
    assert_ne!(answer.vectors[0], answer.vectors[1]);
    for vector in &answer.vectors {
        let length: f32 = vector.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-5);
    }
    assert_eq!(embed(&model, Vec::new(), false).unwrap().vectors.len(), 0);
}

#[test]
fn long_texts_are_cut_only_when_asked_e16() {
    let (_engine, model) = tiny_bert();
    let long = vec!["x ".repeat(100)];
    let refused = embed(&model, long.clone(), false).unwrap_err();
    assert_eq!(
        refused,
        GenerateError::TextTooLong {
            index: 0,
            tokens: 102,
            limit_tokens: 64
        }
    );
    // E16: a text is no conversation.
    let words = refused.to_string();
    assert!(words.contains("text 0") && words.contains("truncate"), "{words}");
    assert!(
        !words.contains("conversation") && !words.contains("prompt"),
        "{words}"
    );
    assert_eq!(embed(&model, long, true).unwrap().prompt_tokens, 64);
}

#[test]
fn a_text_too_long_to_be_split_is_cut_or_refused() {
    let (_engine, model) = tiny_bert();
    let huge = vec!["x ".repeat(1 << 20)];
    let refused = embed(&model, huge.clone(), false).unwrap_err();
    assert!(
        matches!(refused, GenerateError::TextTooLarge { bytes, limit_tokens: 64, .. } if bytes == 2 << 20),
        "{refused}"
    );
    assert_eq!(embed(&model, huge, true).unwrap().prompt_tokens, 64);
}

#[test]
fn a_cancelled_request_ends_between_two_texts() {
    let (engine, model) = tiny_bert();
    let (sender, answers) = channel();
    let request = EmbedRequest {
        truncate: true,
        priority: Priority::Paid,
        ..of(vec![EmbedInput::Text("hello there, you all".to_owned()); 100_000])
    };
    let ticket = model.embed(request, Box::new(move |answer| sender.send(answer).unwrap()));
    assert_eq!(
        embed(&model, vec!["x".to_owned()], true).unwrap().vectors.len(),
        1
    );
    assert_eq!(engine.load_level(), 1);
    ticket.cancel();
    let answer = answers.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(answer, Err(GenerateError::Cancelled));
    assert_eq!(engine.load_level(), 0);
}

#[test]
fn paid_texts_make_way_for_a_local_answer() {
    let engine = engine(Precision::Fast);
    let folder = tempfile::tempdir().unwrap();
    let bert = hearth_engine::testing::tiny_bert(folder.path()).unwrap();
    let llama = hearth_engine::testing::tiny_llama(folder.path()).unwrap();
    let bert = engine.load(&ModelSource::at("b", &bert).unwrap()).unwrap();
    let llama = engine.load(&ModelSource::at("l", &llama).unwrap()).unwrap();
    let local = send(
        &llama,
        GenerateRequest {
            max_tokens: Some(400),
            ignore_end: true,
            ..GenerateRequest::new(Prompt::Text("hello".to_owned()))
        },
    );
    local.recv().unwrap();
    let (sender, answers) = channel();
    let request = EmbedRequest {
        priority: Priority::Paid,
        ..of(vec![EmbedInput::Text("hello".to_owned()); 100])
    };
    bert.embed(request, Box::new(move |answer| sender.send(answer).unwrap()));
    // A text in each of 400 rounds would be done with all hundred; one in eight is done with fifty.
    assert_eq!(collect(&local).error, None);
    assert!(answers.try_recv().is_err());
    let answer = answers.recv_timeout(Duration::from_secs(60)).unwrap().unwrap();
    assert_eq!(answer.vectors.len(), 100);
}

#[test]
fn a_chat_model_refuses_to_embed() {
    let (_engine, model) = tiny();
    let refused = embed(&model, vec!["x".to_owned()], false).unwrap_err();
    assert_eq!(
        refused,
        GenerateError::NotEmbedding {
            model: "tiny".to_owned()
        }
    );
}

#[test]
fn tokens_give_what_their_text_gives_e03_e04() {
    let (_engine, model) = tiny_bert();
    let tokens = model.tokenize("hello, dog", true).unwrap();
    let inputs = vec![
        EmbedInput::Tokens(tokens.clone()),
        EmbedInput::Text("hello, dog".to_owned()),
    ];
    let answer = embed_as(&model, of(inputs)).unwrap();
    assert_eq!(answer.vectors[0], answer.vectors[1]);
    assert_eq!(answer.prompt_tokens as usize, 2 * tokens.len());
    // A client that splits texts by another model's vocabulary hears of it.
    let foreign = embed_as(&model, of(vec![EmbedInput::Tokens(vec![2, 15_339, 3])]));
    assert!(matches!(
        foreign,
        Err(GenerateError::UnknownToken { token: 15_339, .. })
    ));
    let empty = embed_as(&model, of(vec![EmbedInput::Tokens(Vec::new())]));
    assert_eq!(empty, Err(GenerateError::EmptyPrompt));
    let long = vec![EmbedInput::Tokens([&[2; 99][..], &[3]].concat())];
    assert!(matches!(
        embed_as(&model, of(long.clone())),
        Err(GenerateError::TextTooLong { tokens: 100, .. })
    ));
    let cut = EmbedRequest {
        truncate: true,
        ..of(long)
    };
    assert_eq!(embed_as(&model, cut).unwrap().prompt_tokens, 64);
}

#[test]
fn the_text_at_fault_is_named() {
    let (_engine, model) = tiny_bert();
    let texts = ["a".to_owned(), "x ".repeat(100)].to_vec();
    let refused = embed(&model, texts, false).unwrap_err().to_string();
    assert!(refused.starts_with("text 1 has 102 tokens"), "{refused}");
}

#[test]
fn vectors_are_cut_only_where_a_caller_asks_and_have_length_one_again() {
    let (_engine, model) = tiny_bert();
    let cut = |dimensions| {
        let request = EmbedRequest {
            dimensions,
            ..of(vec![EmbedInput::Text("hello".to_owned())])
        };
        embed_as(&model, request).map(|answer| answer.vectors[0].clone())
    };
    let whole = cut(None).unwrap();
    let short = cut(Some(8)).unwrap();
    assert_eq!((whole.len(), short.len()), (32, 8));
    let length: f32 = short.iter().map(|x| x * x).sum();
    assert!((length - 1.0).abs() < 1e-5);
    let ratio = short[0] / whole[0];
    assert!(
        short
            .iter()
            .zip(&whole)
            .all(|(a, b)| (a - b * ratio).abs() < 1e-5)
    );
    for wrong in [0, 33] {
        let refused = cut(Some(wrong)).unwrap_err().to_string();
        assert!(
            refused.contains("dimensions") && refused.contains("32"),
            "{refused}"
        );
    }
}

#[test]
fn an_embedding_model_splits_and_joins_text() {
    let (_engine, model) = tiny_bert();
    let (bare, whole) = (
        model.tokenize("ab", false).unwrap(),
        model.tokenize("ab", true).unwrap(),
    );
    assert_eq!(whole.len(), bare.len() + 2);
    // A text that spells out a special token has none.
    for text in ["[SEP]", "[CLS]", "a[SEP]b"] {
        let tokens = model.tokenize(text, false).unwrap();
        assert!(!tokens.contains(&2) && !tokens.contains(&3), "{text} {tokens:?}");
    }
    assert_eq!(model.detokenize(&whole, false).unwrap(), "ab");
    assert_eq!(model.detokenize(&whole, true).unwrap(), "[CLS] ab [SEP]");
    assert!(model.detokenize(&[70_000], false).is_err());
    assert!(matches!(
        model.tokenize(&"x".repeat(64 * 512 + 1), true),
        Err(GenerateError::TextTooLarge { .. })
    ));
}
