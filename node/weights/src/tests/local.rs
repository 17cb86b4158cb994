//! Models that are here: adding, opening, changes under us.

use std::{fs, path::Path, time::Duration};

use hearth_base::{Clock, Tasks};
use hearth_store::Store;

use super::generators::splitmix;
use crate::{
    AddError, AddOptions, Config, FileState, Inspector, ModelKind, OpenError, Origin, RemoveError, Weights,
    download::Backoff,
    weights::{Args, Error},
};

/// A node in a folder, with short waits and small spans.
pub(super) async fn node(folder: &Path) -> Weights {
    node_with(folder, |_| {}).await
}

pub(super) async fn node_with(folder: &Path, change: impl FnOnce(&mut Config)) -> Weights {
    node_of(folder, None, Inspector::none(), change).await
}

/// A node that looks at models before it takes them in.
pub(super) async fn node_that_inspects(folder: &Path, inspector: Inspector) -> Weights {
    node_of(folder, None, inspector, |_| {}).await
}

/// A node whose database may have so many pages; those that it has by its tables are given besides.
pub(super) async fn node_with_pages(folder: &Path, pages: Option<u32>) -> Weights {
    node_of(folder, pages, Inspector::none(), |_| {}).await
}

async fn node_of(
    folder: &Path,
    pages: Option<u32>,
    inspector: Inspector,
    change: impl FnOnce(&mut Config),
) -> Weights {
    let mut config = Config::new(folder.join("weights"));
    config.keep_free_bytes = 0;
    config.span_bytes = 2 << 20;
    config.checkpoint_bytes = 3 << 20;
    config.backoff = Backoff {
        first_ms: 20,
        longest_ms: 100,
    };
    config.http.stall = Duration::from_secs(5);
    change(&mut config);
    let mut database = hearth_store::Config {
        path: folder.join("hearth.db"),
        chain_id: "test".into(),
        max_pages: None,
    };
    if let Some(pages) = pages {
        let store = Store::open(database.clone()).await.unwrap();
        let has: u32 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(store.pool())
            .await
            .unwrap();
        store.close().await;
        database.max_pages = Some(has + pages);
    }
    let store = Store::open(database).await.unwrap();
    let args = Args {
        config,
        store,
        clock: Clock::system(),
        tasks: Tasks::root(),
        inspector,
    };
    Weights::start(args).await.unwrap()
}

/// A model of one file with `size` bytes.
pub(super) fn model_file(folder: &Path, seed: u64, size: usize) -> std::path::PathBuf {
    let path = folder.join(format!("Model-{seed}.gguf"));
    fs::write(&path, splitmix(seed, size)).unwrap();
    path
}

#[tokio::test]
async fn a_file_is_added_without_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let path = model_file(folder.path(), 7, 3_000_000);
    let weights = node(folder.path()).await;
    let model = weights.add(&path, AddOptions::default()).await.unwrap();
    assert_eq!(
        (model.manifest.slug(), model.manifest.title()),
        ("model-7", "Model-7")
    );
    assert_eq!(
        (model.manifest.size_bytes(), model.origin, model.is_usable()),
        (3_000_000, Origin::Added, true)
    );
    assert_eq!(fs::read_dir(folder.path().join("weights")).unwrap().count(), 0);
    assert_eq!(model.verified_at_ms, Some(model.added_at_ms), "adding hashes it");
    tokio::time::sleep(Duration::from_millis(5)).await;
    weights.verify(model.cid()).await.unwrap();
    let verified = weights.get(model.cid()).await.unwrap().unwrap();
    assert!(verified.verified_at_ms > Some(model.added_at_ms));

    let again = weights.add(&path, AddOptions::default()).await.unwrap();
    assert_eq!(again.cid(), model.cid());
    assert_eq!(weights.list().await.unwrap().len(), 1);
    assert_eq!(
        weights.by_slug("model-7").await.unwrap().unwrap().cid(),
        model.cid()
    );

    let opened = weights.open(model.cid()).await.unwrap();
    let file = opened.file("Model-7.gguf").unwrap();
    assert_eq!(fs::read(file.path()).unwrap(), splitmix(7, 3_000_000));
    assert_eq!((file.name(), file.size_bytes()), ("Model-7.gguf", 3_000_000));
    assert!(opened.check_unchanged().is_ok() && weights.verify(model.cid()).await.unwrap().is_intact());

    weights.remove(model.cid()).await.unwrap();
    assert!(path.exists(), "the owner's file is left alone");
    assert!(matches!(
        weights.open(model.cid()).await,
        Err(OpenError::Unknown(_))
    ));
    assert!(matches!(
        weights.remove(model.cid()).await,
        Err(RemoveError::Unknown(_))
    ));
}

#[tokio::test]
async fn a_folder_is_a_model_of_many_files() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("My Embedder");
    fs::create_dir_all(model.join("1_Pooling")).unwrap();
    for (name, content) in [
        ("model.safetensors", "weights"),
        ("config.json", r#"{"model_type":"bert"}"#),
        ("1_Pooling/config.json", "{}"),
        (".git.json", "hidden"),
        ("README.md", "no part of it"),
    ] {
        fs::write(model.join(name), content).unwrap();
    }
    let weights = node(folder.path()).await;
    let options = AddOptions {
        licence: Some("MIT".to_owned()),
        ..AddOptions::default()
    };
    let added = weights.add(&model, options).await.unwrap();
    let paths: Vec<_> = added
        .manifest
        .files()
        .iter()
        .map(|file| file.path.as_str())
        .collect();
    assert_eq!(
        paths,
        ["1_Pooling/config.json", "config.json", "model.safetensors"]
    );
    assert_eq!(
        (added.manifest.slug(), added.manifest.kind()),
        ("my-embedder", ModelKind::Embedding)
    );
    assert_eq!(added.manifest.licence(), "MIT");

    fs::remove_file(model.join("model.safetensors")).unwrap();
    assert!(matches!(
        weights.add(&model, AddOptions::default()).await,
        Err(AddError::NoModel { .. })
    ));
    let missing = folder.path().join("nothing");
    assert!(matches!(
        weights.add(&missing, AddOptions::default()).await,
        Err(AddError::Read { .. })
    ));
    let listed = weights.list().await.unwrap();
    assert_eq!(listed[0].files[2].state, FileState::Missing);
    assert!(matches!(
        weights.open(added.cid()).await,
        Err(OpenError::Missing { .. })
    ));
}

#[tokio::test]
async fn weights_that_change_under_us_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = model_file(folder.path(), 8, 2_500_000);
    let weights = node(folder.path()).await;
    let model = weights.add(&path, AddOptions::default()).await.unwrap();
    let opened = weights.open(model.cid()).await.unwrap();
    let modified = fs::metadata(&path).unwrap().modified().unwrap();

    // One byte, same size, and the modification time set back.
    let mut bytes = fs::read(&path).unwrap();
    bytes[2_000_000] ^= 1;
    fs::write(&path, &bytes).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    let changed = opened.check_unchanged().unwrap_err();
    assert!(changed.to_string().contains("hearth model verify"), "{changed}");
    let error = weights.open(model.cid()).await.unwrap_err();
    assert!(
        matches!(
            error,
            OpenError::Changed {
                wrong_bytes: 1_048_576,
                size_bytes: 2_500_000,
                ..
            }
        ),
        "{error}"
    );
    let verified = weights.verify(model.cid()).await.unwrap();
    assert!(
        verified.files[0]
            .wrong
            .as_ref()
            .is_some_and(|wrong| wrong.contains("changed on disk"))
    );
    let now = weights.get(model.cid()).await.unwrap().unwrap();
    assert_eq!((now.is_usable(), now.verified_at_ms), (false, None));

    // Cut short, then longer.
    fs::write(&path, &splitmix(8, 2_500_000)[..2_400_000]).unwrap();
    assert!(matches!(
        weights.open(model.cid()).await,
        Err(OpenError::Changed { .. })
    ));
    fs::write(&path, splitmix(8, 2_500_001)).unwrap();
    assert!(matches!(
        weights.open(model.cid()).await,
        Err(OpenError::Changed { wrong_bytes: 1, .. })
    ));

    // The right bytes in a new file: hashed once, then taken again.
    fs::remove_file(&path).unwrap();
    model_file(folder.path(), 8, 2_500_000);
    assert!(weights.open(model.cid()).await.unwrap().check_unchanged().is_ok());
    assert!(weights.get(model.cid()).await.unwrap().unwrap().is_usable());
    assert!(
        opened.check_unchanged().is_err(),
        "the file that was opened first is another one"
    );
}

#[tokio::test]
async fn models_are_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = model_file(folder.path(), 9, 1_048_577);
    let weights = node(folder.path()).await;
    let cid = *weights.add(&path, AddOptions::default()).await.unwrap().cid();
    weights.stop();
    weights.join().await;
    drop(weights);
    let weights = node(folder.path()).await;
    assert!(weights.open(&cid).await.is_ok());
}

#[tokio::test]
async fn a_bad_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = hearth_store::Config {
        path: folder.path().join("hearth.db"),
        chain_id: "test".into(),
        max_pages: None,
    };
    let store = Store::open(store).await.unwrap();
    let mut config = Config::new(folder.path().join("weights"));
    config.sources = vec!["not an address".to_owned()];
    let args = Args {
        config: config.clone(),
        store: store.clone(),
        clock: Clock::system(),
        tasks: Tasks::root(),
        inspector: Inspector::none(),
    };
    assert!(matches!(Weights::start(args).await, Err(Error::Config(_))));
    fs::write(folder.path().join("weights"), "a file").unwrap();
    config.sources.clear();
    let args = Args {
        config,
        store,
        clock: Clock::system(),
        tasks: Tasks::root(),
        inspector: Inspector::none(),
    };
    assert!(matches!(Weights::start(args).await, Err(Error::Folder { .. })));
}
