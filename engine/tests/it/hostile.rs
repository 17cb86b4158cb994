//! Files that are damaged, foreign, too large or changed under us.

use std::path::Path;

use hearth_engine::testing::{GgufWriter, WriteType, llama_gguf};
use hearth_engine::{
    Config, Engine, FileError, GenerateError, GenerateRequest, LoadError, ModelFiles, ModelHandle,
    ModelSource, Prompt, Sampling, WeightFile,
};
use proptest::prelude::*;

use crate::support::ask;

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
        .raw_tensor("extra", &[1, 256], 23, vec![0; 136])
        .bytes();
    let text = refused(&strange);
    assert!(text.contains("extra") && text.contains("IQ4_XS"), "{text}");
    let without = GgufWriter::default()
        .text("general.architecture", "llama")
        .bytes();
    assert!(refused(&without).contains("is missing"));
    let experts = llama_gguf(WriteType::Q4_1)
        .number("llama.expert_count", 8)
        .bytes();
    assert!(refused(&experts).contains("mixture of experts"));
}

#[test]
fn a_missing_file_or_an_empty_folder_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = engine().load(&ModelSource::at("m", &folder.path().join("none.gguf")).unwrap());
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
    std::fs::File::create(&path).unwrap().set_len(8 << 30).unwrap();
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

#[test]
fn an_answer_too_large_for_the_caches_is_refused_with_figures() {
    // A window this size costs 512 bytes a token; the weights and 96 MiB of working space leave little.
    let limit = (96 << 20) + 560_000;
    let engine = Engine::start(Config {
        memory_limit_bytes: Some(limit),
        ..Config::default()
    })
    .unwrap();
    let model = load(&engine, &llama_gguf(WriteType::Q4_1).bytes()).unwrap();
    assert!(model.info().context_tokens >= 512);
    assert_eq!(ask(&model, request()).error, None);
}

#[test]
fn weights_that_changed_are_refused_before_and_after_loading() {
    let engine = engine();
    let folder = tempfile::tempdir().unwrap();
    let path = hearth_engine::testing::tiny_llama(folder.path()).unwrap();
    let stat = std::fs::metadata(&path).unwrap();
    let with = |file: WeightFile| {
        engine.load(&ModelSource {
            name: "m".to_owned(),
            files: ModelFiles::Gguf(file),
            context_tokens: None,
        })
    };
    let right = WeightFile {
        size_bytes: Some(stat.len()),
        modified: stat.modified().ok(),
        ..WeightFile::new(&path)
    };
    let size = WeightFile {
        size_bytes: Some(stat.len() + 1),
        ..right.clone()
    };
    assert!(matches!(
        with(size),
        Err(LoadError::File(FileError::Changed { .. }))
    ));
    let time = WeightFile {
        modified: Some(std::time::SystemTime::UNIX_EPOCH),
        ..right.clone()
    };
    assert!(matches!(
        with(time),
        Err(LoadError::File(FileError::Changed { .. }))
    ));

    let model = with(right).unwrap();
    assert_eq!(ask(&model, request()).error, None);
    flip_a_byte(&path);
    assert!(matches!(
        ask(&model, request()).error,
        Some(GenerateError::WeightsChanged { .. })
    ));
    // A new file under the same name is not the file that is held open.
    std::fs::remove_file(&path).unwrap();
}

fn flip_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    // In place, as a program that writes into the file would; the time of writing must move.
    let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    let later = std::fs::metadata(path).unwrap().modified().unwrap() + std::time::Duration::from_secs(2);
    file.set_modified(later).unwrap();
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
    std::fs::write(path.join("config.json"), b"{\"model_type\": \"deberta\"}").unwrap();
    let refused = engine().load(&ModelSource::at("b", &path).unwrap());
    assert!(
        matches!(refused, Err(LoadError::UnsupportedArchitecture { architecture, .. }) if architecture == "deberta")
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
