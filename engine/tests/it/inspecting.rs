//! A look at a model before it is taken in: what can run is accepted whatever it is called, everything else is refused
//! with the reason, and nothing but headers is read.

use std::fs;
use std::path::{Path, PathBuf};

use hearth_engine::testing::{GgufWriter, WriteType, llama_gguf, qwen2_gguf, tiny_bert};
use hearth_engine::{Config, Engine, GenerateRequest, ModelSource, Prompt, Sampling, inspect};

use crate::support::ask;

fn written(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).unwrap();
    path
}

fn refused(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    inspect(&written(folder.path(), name, bytes))
        .unwrap_err()
        .to_string()
}

#[test]
fn a_file_is_what_its_first_bytes_say_whatever_its_name() {
    // F02, F22, F23
    let folder = tempfile::tempdir().unwrap();
    let bytes = llama_gguf(WriteType::Q4_1).bytes();
    for name in ["sha256-bbbb", "MODEL.GGUF", "a%20b#c'd\ne.gguf", "model.bin"] {
        let path = written(folder.path(), name, &bytes);
        assert_eq!(inspect(&path).unwrap(), std::slice::from_ref(&path), "{name}");
        fs::remove_file(path).unwrap();
    }
    written(folder.path(), "blob", &bytes);
    written(folder.path(), "generation_config.json", b"{}");
    assert_eq!(inspect(folder.path()).unwrap().len(), 2);
    assert!(refused("model.gguf", b"PK\x03\x04 an archive").contains("not a GGUF file"));
    assert_eq!(inspect(&tiny_bert(folder.path()).unwrap()).unwrap().len(), 3);
}

#[test]
fn damaged_and_foreign_files_are_refused_with_the_reason() {
    let whole = llama_gguf(WriteType::Q4_1).bytes();
    // F12, F14
    assert!(refused("m.gguf", &whole[..whole.len() - 1000]).contains("cut short"));
    assert!(refused("m.gguf", &whole[..900]).contains("ends early"));
    // F16 and files of computers of the other byte order
    let mut other = whole.clone();
    other[4..8].copy_from_slice(&1_u32.to_le_bytes());
    assert!(refused("m.gguf", &other).contains("version is 1"));
    other[4..8].copy_from_slice(&3_u32.to_be_bytes());
    assert!(refused("m.gguf", &other).contains("big-endian"));
    // F44, F42 and kinds of weights without kernels
    let foreign_family = GgufWriter::default()
        .text("general.architecture", "rwkv7")
        .bytes();
    assert!(refused("m.gguf", &foreign_family).contains("\"rwkv7\" is not supported"));
    let text = "tokenizer.ggml.pre";
    let at = whole
        .windows(text.len())
        .position(|part| part == text.as_bytes())
        .unwrap();
    let mut foreign = whole.clone();
    // The key, its type, the length of the text, and the text.
    let value = at + text.len() + 4 + 8;
    foreign[value..value + 6].copy_from_slice(b"foreig");
    let refusal = refused("m.gguf", &foreign);
    assert!(
        refusal.contains("pre-tokenizer") && refusal.contains("foreig"),
        "{refusal}"
    );
    let strange = llama_gguf(WriteType::Q4_1)
        .raw_tensor("extra", &[32], 34, vec![0; 17])
        .bytes();
    assert!(refused("m.gguf", &strange).contains("TQ1_0"));
    let bare = GgufWriter::default()
        .text("general.architecture", "llama")
        .number("llama.block_count", 2)
        .bytes();
    assert!(refused("m.gguf", &bare).contains("is missing"));
}

#[test]
fn an_embedding_model_is_looked_at_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = tiny_bert(folder.path()).unwrap();
    let weights = path.join("model.safetensors");
    let whole = fs::read(&weights).unwrap();
    fs::write(&weights, &whole[..whole.len() - 4]).unwrap();
    assert!(inspect(&path).unwrap_err().to_string().contains("cut short"));
    fs::write(&weights, &whole[..5]).unwrap();
    assert!(inspect(&path).unwrap_err().to_string().contains("cut short"));
    fs::write(&weights, &whole).unwrap();
    fs::write(path.join("tokenizer.json"), b"{").unwrap();
    assert!(inspect(&path).is_err());
}

#[test]
fn a_header_is_read_without_the_weights_behind_it() {
    // A file of 40 GB that takes no room on the disk: only its header is there.
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "m.gguf", &llama_gguf(WriteType::Q4_1).bytes());
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(40 << 30)
        .unwrap();
    assert_eq!(inspect(&path).unwrap(), [path]);
}

#[test]
fn a_split_model_is_loaded_from_all_its_parts_and_refused_by_name_without_one() {
    // F18
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "m-00001-of-00003.gguf",
        "m-00002-of-00003.gguf",
        "m-00003-of-00003.gguf",
    ];
    let parts = qwen2_gguf(WriteType::Q8_0).split(3);
    let paths: Vec<PathBuf> = names
        .iter()
        .zip(&parts)
        .map(|(name, bytes)| written(folder.path(), name, bytes))
        .collect();
    for given in [&paths[0], &paths[2], &folder.path().to_owned()] {
        assert_eq!(inspect(given).unwrap(), paths);
    }
    let engine = Engine::start(Config {
        threads: 1,
        ..Config::default()
    })
    .unwrap();
    let answer = |path: &Path| {
        let model = engine.load(&ModelSource::at("m", path).unwrap()).unwrap();
        let request = GenerateRequest {
            max_tokens: Some(12),
            sampling: Sampling::greedy(),
            ignore_end: true,
            ..GenerateRequest::new(Prompt::Text("hello".to_owned()))
        };
        ask(&model, request).text
    };
    let whole = written(folder.path(), "whole", &qwen2_gguf(WriteType::Q8_0).bytes());
    assert_eq!(answer(&paths[0]), answer(&whole));
    fs::remove_file(&whole).unwrap();

    fs::remove_file(&paths[1]).unwrap();
    let refusal = inspect(&paths[0]).unwrap_err().to_string();
    assert!(
        refusal.contains("3 files") && refusal.contains(names[1]),
        "{refusal}"
    );
    // Another part under the missing one's name.
    fs::copy(&paths[2], &paths[1]).unwrap();
    let refusal = inspect(&paths[0]).unwrap_err().to_string();
    assert!(
        refusal.contains("part 3 of 3") && refusal.contains("part 2"),
        "{refusal}"
    );
    assert!(refused("renamed.gguf", &parts[0]).contains("-of-00003.gguf"));
}
