//! Files that are damaged, foreign, too large or changed under us.

use std::path::Path;
use std::sync::Arc;

use hearth_engine::testing::{GgufWriter, Tiny, WriteType, llama_gguf};
use hearth_engine::{
    Config, Engine, Event, FileError, GenerateError, GenerateRequest, LoadError, ModelFiles, ModelHandle,
    ModelSource, Priority, Prompt, Sampling, SuggestedSampling, WeightFile,
};
use proptest::prelude::*;

use crate::support::{ask, collect, send};

fn engine() -> Engine {
    Engine::start(Config {
        threads: 1,
        ..Config::default()
    })
    .unwrap()
}

fn load(engine: &Engine, bytes: &[u8]) -> Result<ModelHandle, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).unwrap();
    engine.load(&ModelSource::at("m", &path)?)
}

fn refused(bytes: &[u8]) -> String {
    match load(&engine(), bytes) {
        Ok(_) => panic!("it was loaded"),
        Err(error) => error.to_string(),
    }
}

fn request() -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(4),
        sampling: Sampling::greedy(),
        ..GenerateRequest::new(Prompt::Text("hello".to_owned()))
    }
}

#[test]
fn foreign_and_damaged_files_are_named() {
    assert!(refused(b"not a model").contains("is not a GGUF file"));
    assert!(refused(b"").contains("is not a GGUF file"));
    let whole = llama_gguf(WriteType::Q4_1).bytes();
    assert!(refused(&whole[..whole.len() / 2]).contains("cut short"));
    assert!(refused(&whole[..300]).contains("ends early"));
    let mamba = GgufWriter::default()
        .text("general.architecture", "mamba")
        .bytes();
    let text = refused(&mamba);
    assert!(
        text.contains("\"mamba\"") && text.contains("llama") && text.contains("qwen2"),
        "{text}"
    );
    let strange = llama_gguf(WriteType::Q4_1)
        .raw_tensor("extra", &[1, 256], 19, vec![0; 50])
        .bytes();
    let text = refused(&strange);
    assert!(text.contains("extra") && text.contains("IQ1_S"), "{text}");
    let without = GgufWriter::default()
        .text("general.architecture", "llama")
        .bytes();
    assert!(refused(&without).contains("is missing"));
    // Experts that are counted, and of which there is none.
    let experts = llama_gguf(WriteType::Q4_1)
        .number("llama.expert_count", 8)
        .number("llama.expert_used_count", 2)
        .bytes();
    assert!(
        refused(&experts).contains("ffn_gate_inp"),
        "{}",
        refused(&experts)
    );
    let mut fewer = llama_gguf(WriteType::Q4_1).bytes();
    let key = b"llama.block_count";
    let at = fewer.windows(key.len()).position(|part| part == key).unwrap() + key.len() + 4;
    fewer[at] = 1;
    assert!(
        refused(&fewer).contains("2, as many as the file has layers"),
        "{}",
        refused(&fewer)
    );
    let too_many = llama_gguf(WriteType::Q4_1)
        .number("llama.expert_count", 8)
        .number("llama.expert_used_count", 9)
        .bytes();
    assert!(refused(&too_many).contains("expert_used_count"));
}

#[test]
fn weights_that_are_no_figures_are_refused_when_they_are_loaded() {
    let engine = engine();
    for dtype in [
        WriteType::F32,
        WriteType::F16,
        WriteType::Bf16,
        WriteType::Q4_1,
        WriteType::Q8_0,
    ] {
        let good = llama_gguf(dtype).bytes();
        assert!(load(&engine, &good).is_ok());
        for bad in [f32::NAN, f32::INFINITY] {
            let evil = llama_gguf(dtype)
                .with_figure("blk.1.ffn_down.weight", bad)
                .bytes();
            let error = load(&engine, &evil).err().unwrap().to_string();
            assert!(
                error.contains("blk.1.ffn_down.weight") && error.contains("finite"),
                "{error}"
            );
        }
    }
    let evil = llama_gguf(WriteType::Q8_0)
        .with_figure("blk.0.attn_norm.weight", f32::NAN)
        .bytes();
    assert!(
        load(&engine, &evil)
            .err()
            .unwrap()
            .to_string()
            .contains("attn_norm")
    );
}

#[test]
fn a_missing_file_or_an_empty_folder_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = ModelSource::at("m", &folder.path().join("none.gguf"));
    assert!(matches!(nothing, Err(LoadError::File(FileError::Read { .. }))));
    assert!(matches!(
        ModelSource::at("m", folder.path()),
        Err(LoadError::Unrecognised { .. })
    ));
}

#[test]
fn a_model_larger_than_memory_is_refused_with_what_fits() {
    let limit = 97 << 20;
    let engine = Engine::start(Config {
        memory_limit_bytes: Some(limit),
        ..Config::default()
    })
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.gguf");
    std::fs::write(&path, llama_gguf(WriteType::Q4_1).bytes()).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_len(8 << 30).unwrap();
    match engine.load(&ModelSource::at("large", &path).unwrap()).err() {
        Some(LoadError::TooLarge {
            need_bytes,
            available_bytes,
            fits_bytes,
            ..
        }) => {
            assert!(need_bytes > 8 << 30 && available_bytes == limit && fits_bytes < limit);
        }
        other => panic!("{other:?}"),
    }
    // The tiny model fits, and a second one beside it, too.
    let tiny = llama_gguf(WriteType::Q4_1).bytes();
    let first = load(&engine, &tiny).unwrap();
    assert_eq!(ask(&first, request()).error, None);
}

/// Working space that the engine sets aside beside weights and caches.
const WORKING: u64 = 96 << 20;
/// Bytes of cache that a token of a tiny model takes.
const PER_TOKEN: u64 = 256;

/// An engine with room for so many tokens of cache beside so many tiny models.
fn engine_with_room(tokens: u64, n_models: u64) -> Engine {
    let weight_bytes = load(&engine(), &long_llama(2048)).unwrap().info().weight_bytes;
    Engine::start(Config {
        memory_limit_bytes: Some(WORKING + n_models * weight_bytes + tokens * PER_TOKEN),
        threads: 1,
        ..Config::default()
    })
    .unwrap()
}

fn long_llama(context: u32) -> Vec<u8> {
    let tiny = Tiny {
        context,
        ..Tiny::new(WriteType::Q4_1)
    };
    tiny.llama().bytes()
}

fn tokens(n: u32, max_tokens: u32, priority: Priority) -> GenerateRequest {
    GenerateRequest {
        max_tokens: Some(max_tokens),
        sampling: Sampling::greedy(),
        ignore_end: true,
        priority,
        ..GenerateRequest::new(Prompt::Tokens((0..n).map(|i| 3 + i % 200).collect()))
    }
}

#[test]
fn an_answer_too_large_for_the_caches_is_refused_with_figures() {
    let engine = engine_with_room(1024, 2);
    let first = load(&engine, &long_llama(2048)).unwrap();
    let context = first.info().context_tokens;
    assert!((1024..2048).contains(&context), "{context}");
    assert_eq!(ask(&first, tokens(1000, 1, Priority::Local)).error, None);
    // A second model takes of what the first one counted on; what is kept of its answer makes way.
    let weights = first.info().weight_bytes;
    let second = load(&engine, &long_llama(2048)).unwrap();
    assert!(second.info().context_tokens <= 1024);
    let limit = 1024 * PER_TOKEN;
    let most = u32::try_from(context).unwrap() - 1;
    match ask(&first, tokens(most, 1, Priority::Local)).error {
        Some(GenerateError::CacheTooLarge {
            tokens,
            need_bytes,
            limit_bytes,
        }) => {
            assert_eq!((tokens, limit_bytes), (context, limit));
            assert!(need_bytes > limit && need_bytes < limit + weights + 64 * PER_TOKEN);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(ask(&first, tokens(900, 1, Priority::Local)).error, None);
}

#[test]
fn a_second_model_leaves_room_for_running_answers() {
    let engine = engine_with_room(1024, 2);
    let first = load(&engine, &long_llama(1024)).unwrap();
    let running = send(&first, tokens(100, 900, Priority::Paid));
    assert!(matches!(running.recv(), Ok(Event::Started { .. })));
    // The second event comes within the first round, the third after it.
    running.recv().unwrap();
    running.recv().unwrap();
    match load(&engine, &long_llama(1024)).err() {
        Some(LoadError::TooLarge { available_bytes, .. }) => {
            assert!(available_bytes < WORKING + first.info().weight_bytes + 512 * PER_TOKEN);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(collect(&running).error, None);
    assert!(load(&engine, &long_llama(1024)).is_ok());
}

#[test]
fn growing_answers_end_the_youngest_paid_one_when_memory_is_full() {
    // Two answers of unknown length are counted with 576 tokens each, and both want 1100.
    let engine = engine_with_room(1792, 1);
    let model = load(&engine, &long_llama(2048)).unwrap();
    let streams: Vec<_> = (0..2)
        .map(|_| send(&model, tokens(10, 1100, Priority::Paid)))
        .collect();
    let answers: Vec<_> = streams.iter().map(collect).collect();
    assert_eq!(
        (&answers[0].error, answers[0].usage.completion_tokens),
        (&None, 1100)
    );
    match &answers[1].error {
        Some(error @ GenerateError::CachesFull { limit_bytes }) => {
            assert_eq!(*limit_bytes, 1792 * PER_TOKEN);
            assert!(error.to_string().contains("make way"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    // A paid answer that has taken almost all makes way for the owner's.
    let paid = send(&model, tokens(10, 1700, Priority::Paid));
    let mut n_tokens = 0;
    while n_tokens < 1350 {
        let event = paid.recv_timeout(std::time::Duration::from_secs(120)).unwrap();
        n_tokens += usize::from(matches!(event, Event::Token { .. }));
    }
    let local = ask(&model, tokens(10, 500, Priority::Local));
    assert_eq!((local.error, local.usage.completion_tokens), (None, 500));
    assert!(matches!(
        collect(&paid).error,
        Some(GenerateError::CachesFull { .. })
    ));
}

#[test]
fn a_file_that_is_cut_short_while_in_use_kills_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.gguf");
    std::fs::write(&path, llama_gguf(WriteType::Q4_1).bytes()).unwrap();
    // Padding beyond half of what the engine may use: such files were mapped once, and reading behind the end of
    // a mapped file kills the process.
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_len(150 << 20).unwrap();
    let engine = Engine::start(Config {
        memory_limit_bytes: Some(WORKING + (156 << 20)),
        ..Config::default()
    })
    .unwrap();
    let model = engine.load(&ModelSource::at("m", &path).unwrap()).unwrap();
    let running = send(&model, tokens(10, 200, Priority::Local));
    running.recv().unwrap();
    file.set_len(100).unwrap();
    let answer = collect(&running);
    assert_eq!((answer.error, answer.usage.completion_tokens), (None, 200));
    assert!(!model.is_usable());
    assert!(matches!(
        ask(&model, request()).error,
        Some(GenerateError::WeightsChanged { .. })
    ));
}

#[test]
fn weights_that_changed_are_refused_before_and_after_loading() {
    let engine = engine();
    let folder = tempfile::tempdir().unwrap();
    let path = hearth_engine::testing::tiny_llama(folder.path()).unwrap();
    let held = || WeightFile::held(&path, Arc::new(std::fs::File::open(&path).unwrap())).unwrap();
    let with = |file: WeightFile| {
        engine.load(&ModelSource {
            name: "m".to_owned(),
            files: ModelFiles::Gguf {
                parts: vec![file],
                generation: None,
            },
            context_tokens: None,
            suggested: SuggestedSampling::default(),
            system: None,
        })
    };
    // Other bytes of the same length, with the time of writing set back as `cp -p` does.
    let before = held();
    let modified = std::fs::metadata(&path).unwrap().modified().unwrap();
    flip_a_byte(&path, modified);
    assert!(matches!(
        with(before),
        Err(LoadError::File(FileError::Changed { .. }))
    ));
    let before = held();
    std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .set_len(9)
        .unwrap();
    assert!(matches!(
        with(before),
        Err(LoadError::File(FileError::Changed { .. }))
    ));

    // Another file under the same name is not the one that was verified.
    let path = hearth_engine::testing::tiny_llama(folder.path()).unwrap();
    let before = WeightFile::held(&path, Arc::new(std::fs::File::open(&path).unwrap())).unwrap();
    let other = folder.path().join("other");
    std::fs::write(&other, b"GGUF but no more").unwrap();
    std::fs::rename(&other, &path).unwrap();
    assert!(matches!(
        with(before),
        Err(LoadError::File(FileError::Changed { .. }))
    ));

    let path = hearth_engine::testing::tiny_llama(folder.path()).unwrap();
    let file = Arc::new(std::fs::File::open(&path).unwrap());
    let model = with(WeightFile::held(&path, file).unwrap()).unwrap();
    assert_eq!(ask(&model, request()).error, None);
    flip_a_byte(&path, modified);
    assert!(matches!(
        ask(&model, request()).error,
        Some(GenerateError::WeightsChanged { .. })
    ));
}

#[test]
fn side_files_of_a_bert_are_held_to_what_was_verified() {
    let engine = engine();
    for changed in ["config.json", "tokenizer.json", "1_Pooling/config.json"] {
        let folder = tempfile::tempdir().unwrap();
        let path = hearth_engine::testing::tiny_bert(folder.path()).unwrap();
        std::fs::create_dir(path.join("1_Pooling")).unwrap();
        std::fs::write(
            path.join("1_Pooling/config.json"),
            b"{\"pooling_mode_mean_tokens\": true}",
        )
        .unwrap();
        let held = |name: &str| {
            let path = path.join(name);
            let file = Arc::new(std::fs::File::open(&path).unwrap());
            WeightFile::held(path, file).unwrap()
        };
        let source = ModelSource {
            name: "b".to_owned(),
            files: ModelFiles::Bert {
                weights: held("model.safetensors"),
                tokenizer: held("tokenizer.json"),
                config: held("config.json"),
                pooling: Some(held("1_Pooling/config.json")),
                limits: None,
            },
            context_tokens: None,
            suggested: SuggestedSampling::default(),
            system: None,
        };
        let model = engine.load(&source).unwrap();
        assert!(model.is_usable());
        let file = path.join(changed);
        flip_a_byte(&file, std::fs::metadata(&file).unwrap().modified().unwrap());
        assert!(!model.is_usable(), "{changed}");
        assert!(
            matches!(
                engine.load(&source),
                Err(LoadError::File(FileError::Changed { .. }))
            ),
            "{changed}"
        );
    }
}

/// Changes a byte in place, as a program that writes into the file would, and sets the time of writing.
fn flip_a_byte(path: &Path, modified: std::time::SystemTime) {
    let mut bytes = std::fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    // Times on disk are as coarse as a tick of the kernel's clock.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    file.set_modified(modified).unwrap();
}

#[test]
fn broken_side_files_of_a_bert_are_named() {
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        let folder = tempfile::tempdir().unwrap();
        let path = hearth_engine::testing::tiny_bert(folder.path()).unwrap();
        std::fs::write(path.join(name), b"{\"model_type\": \"bert\"}").unwrap();
        let refused = engine().load(&ModelSource::at("b", &path).unwrap());
        assert!(
            matches!(&refused, Err(LoadError::Damaged { file, .. }) if file.ends_with(name)),
            "{name}"
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = hearth_engine::testing::tiny_bert(folder.path()).unwrap();
    std::fs::write(
        path.join("config.json"),
        b"{\"model_type\": \"an-architecture-of-nobody\"}",
    )
    .unwrap();
    let refused = engine().load(&ModelSource::at("b", &path).unwrap());
    assert!(
        matches!(refused, Err(LoadError::UnsupportedArchitecture { architecture, .. }) if architecture == "an-architecture-of-nobody")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A file with flipped bytes is refused or runs; it never panics, whatever the bytes meant.
    #[test]
    fn flipped_files_load_or_are_refused(flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), cut in proptest::option::of(any::<prop::sample::Index>())) {
        let mut bytes = llama_gguf(WriteType::Q5_1).bytes();
        for (index, value) in flips {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let engine = engine();
        if let Ok(model) = load(&engine, &bytes) {
            let answer = ask(&model, request());
            let internal = matches!(&answer.error, Some(GenerateError::Internal { reason }) if reason.contains("panic"));
            prop_assert!(!internal, "{:?}", answer.error);
        }
    }
}
