//! Backups, whole and torn.

use hearth_wallet::{Config, Cost, Wallet};

use hearth_base::{Clock, Secret};
use hearth_store::Store;

use super::{restore::restore, *};
use crate::data_dir::DataDir;

/// Into a folder, with the configuration of the data directory.
async fn copied(layout: &Layout, to: &Path) -> Result<Backup, BackupError> {
    back_up(layout, &layout.config(), to).await
}

async fn data(folder: &Path) -> (DataDir, Store, Wallet) {
    let data_dir = DataDir::open(folder).unwrap();
    let layout = data_dir.layout();
    let store = Store::open(hearth_store::Config {
        path: layout.database(),
        chain_id: "pocket".into(),
        max_pages: None,
    })
    .await
    .unwrap();
    let config = Config {
        folder: layout.keystore(),
        cost: Cost::PLAY,
    };
    (data_dir, store, Wallet::open(config, Clock::system()).unwrap())
}

#[tokio::test]
async fn what_was_backed_up_while_a_node_runs_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let (held, store, wallet) = data(&path).await;
    wallet.create("correct horse").unwrap();
    fs::write(held.layout().config(), "stop_within_s = 20\n").unwrap();
    let head = copied(&held.layout(), &copy).await.unwrap();
    assert_eq!(head.chain_id, "pocket");
    assert!(matches!(
        copied(&held.layout(), &copy).await,
        Err(BackupError::Exists(_))
    ));
    // The running node holds its directory, and one with data is not written over.
    assert!(matches!(
        restore(&held.layout(), &copy).await,
        Err(BackupError::DataDir(DataDirError::Taken { .. }))
    ));
    let layout = held.layout();
    store.close().await;
    drop(held);
    assert!(matches!(
        restore(&layout, &copy).await,
        Err(BackupError::HasData(_))
    ));

    let other = folder.path().join("other");
    assert_eq!(restore(&Layout::of(&other), &copy).await.unwrap().backup, head);
    let (held, _store, again) = data(&other).await;
    assert_eq!(again.accounts(), wallet.accounts());
    again.unlock("correct horse").unwrap();
    assert!(held.layout().config().exists());
    #[cfg(unix)]
    for file in ["hearth.db", "keystore/wallet.json"] {
        use std::os::unix::fs::PermissionsExt as _;
        for folder in [&copy, &other] {
            let mode = fs::metadata(folder.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "{file}");
        }
    }
}

#[tokio::test]
async fn a_backup_is_there_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("data"), folder.path().join("copy"));
    let (held, _store, _wallet) = data(&path).await;
    let layout = held.layout();
    let mut work = Box::pin(copied(&layout, &copy));
    let first = std::future::poll_fn(|context| std::task::Poll::Ready(work.as_mut().poll(context)));
    assert!(first.await.is_pending());
    // Who is killed now leaves nothing under that name, and the next one removes what lies beside it.
    assert!(!copy.exists());
    work.await.unwrap();
    assert!(copy.join(HEAD).exists());
    let names = fs::read_dir(folder.path()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name());
    assert_eq!(
        names.collect::<std::collections::BTreeSet<_>>(),
        ["copy".into(), "data".into()].into()
    );
}

#[tokio::test]
async fn a_sealed_backup_is_rehearsed_without_touching_data_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, copy) = (folder.path().join("data"), folder.path().join("node.hearth"));
    let (held, store, wallet) = data(&path).await;
    wallet.create("correct horse").unwrap();
    let passphrase = Secret::from("battery staple");
    let made = back_up_sealed(&held.layout(), &held.layout().config(), &copy, &passphrase)
        .await
        .unwrap();
    assert!(is_sealed(&copy));
    // Nothing that lay open stays.
    let left = fs::read_dir(&path).unwrap().filter_map(Result::ok);
    assert!(
        left.into_iter()
            .all(|entry| !entry.file_name().to_string_lossy().starts_with(".backup-"))
    );
    let before = fs::read(held.layout().keystore().join("wallet.json")).unwrap();
    let (right, wrong) = (Secret::from("correct horse"), Secret::from("wrong horse"));
    let tested = rehearse(None, &copy, Some(&passphrase), Some(&right))
        .await
        .unwrap();
    assert_eq!(tested.backup, made);
    let owner = wallet.address(hearth_wallet::Purpose::Owner);
    assert_eq!(tested.wallet, owner.map(|owner| owner.to_string()));
    assert_eq!(tested.password_opens, Some(true));
    let tested = rehearse(None, &copy, Some(&passphrase), Some(&wrong))
        .await
        .unwrap();
    assert_eq!(tested.password_opens, Some(false));
    assert!(matches!(
        rehearse(None, &copy, None, None).await,
        Err(BackupError::NeedsPassphrase(_))
    ));
    assert!(matches!(
        rehearse(None, &copy, Some(&wrong), None).await,
        Err(BackupError::Sealed {
            source: SealError::Wrong,
            ..
        })
    ));
    assert_eq!(
        fs::read(held.layout().keystore().join("wallet.json")).unwrap(),
        before
    );
    assert!(matches!(
        back_up_sealed(&held.layout(), &held.layout().config(), &copy, &passphrase).await,
        Err(BackupError::Exists(_))
    ));
    store.close().await;
    let other = Layout::of(&folder.path().join("other"));
    assert_eq!(
        restore_any(&other, &copy, Some(&passphrase))
            .await
            .unwrap()
            .backup,
        made
    );
    let (_held, _store, again) = data(other.root()).await;
    again.unlock("correct horse").unwrap();
}

#[tokio::test]
async fn what_is_no_backup_is_refused_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let layout = Layout::of(&folder.path().join("data"));
    assert!(matches!(
        copied(&layout, &folder.path().join("copy")).await,
        Err(BackupError::Nothing(_))
    ));
    for head in ["", "{}", "[]", "\u{feff}{"] {
        fs::write(folder.path().join(HEAD), head).unwrap();
        let error = restore(&layout, folder.path()).await.unwrap_err();
        assert!(matches!(error, BackupError::NoBackup { .. }), "{error}");
    }
    // A file that is none, and a folder that is none.
    let file = folder.path().join("holiday.jpg");
    fs::write(&file, vec![7; 4096]).unwrap();
    let empty = tempfile::tempdir().unwrap();
    for (path, why) in [
        (file.as_path(), "no sealed backup"),
        (empty.path(), "it has no backup.json"),
    ] {
        let error = restore_any(&layout, path, None).await.unwrap_err();
        assert!(
            matches!(error, BackupError::NoBackup { .. }) && error.to_string().contains(why),
            "{error}"
        );
    }
    let newer = r#"{"version": 2, "hearth": "9", "chain_id": "pocket", "made_at_ms": 0, "files": []}"#;
    fs::write(folder.path().join(HEAD), newer).unwrap();
    assert!(matches!(
        restore(&layout, folder.path()).await,
        Err(BackupError::Newer { .. })
    ));
    assert!(!layout.root().exists());
}

#[tokio::test]
async fn a_backup_that_is_not_whole_is_refused_and_what_failed_can_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let (held, store, wallet) = data(&folder.path().join("data")).await;
    wallet.create("correct horse").unwrap();
    copied(&held.layout(), &copy).await.unwrap();
    store.close().await;
    let target = Layout::of(&folder.path().join("other"));
    let refused = async |why: &str| {
        let error = restore(&target, &copy).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    let keys = copy.join("keystore").join("wallet.json");
    let whole = fs::read(&keys).unwrap();
    fs::write(&keys, &whole[..whole.len() / 2]).unwrap();
    refused("wallet.json").await;
    fs::remove_file(&keys).unwrap();
    refused("wallet.json is missing").await;
    fs::write(&keys, &whole).unwrap();
    let database = copy.join("hearth.db");
    let bytes = fs::read(&database).unwrap();
    let mut torn = bytes.clone();
    torn[4096..4200].fill(0x5a);
    fs::write(&database, torn).unwrap();
    refused("hearth.db is damaged").await;
    fs::write(&database, vec![0x5a; bytes.len()]).unwrap();
    refused("hearth.db is damaged").await;
    let error = rehearse(None, &copy, None, None).await.unwrap_err();
    assert_eq!(error.code(), "backup_damaged");
    assert!(error.to_string().contains(&*copy.to_string_lossy()), "{error}");
    fs::write(&database, bytes).unwrap();

    // A folder in the way of the last file: nothing of what was copied stays, and what was there before does.
    let in_the_way = target.root().join(".hearth.db.new");
    fs::create_dir_all(&in_the_way).unwrap();
    fs::write(target.config(), "stop_within_s = 20\n").unwrap();
    let error = restore(&target, &copy).await.unwrap_err();
    assert!(
        matches!(&error, BackupError::File { path, .. } if *path == in_the_way),
        "{error}"
    );
    assert!(target.config().exists() && !target.restoring().exists());
    assert!(!target.keystore().join("wallet.json").exists());
    fs::remove_dir(&in_the_way).unwrap();
    // What an old database left beside it is not taken for the new one's.
    fs::write(target.root().join("hearth.db-wal"), b"of another").unwrap();
    restore(&target, &copy).await.unwrap();
    let (_held, _store, again) = data(target.root()).await;
    assert_eq!(again.accounts(), wallet.accounts());
}

#[tokio::test]
async fn a_restore_that_was_killed_is_said_and_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let (held, store, wallet) = data(&folder.path().join("data")).await;
    wallet.create("correct horse").unwrap();
    fs::write(held.layout().config(), "stop_within_s = 20\n").unwrap();
    copied(&held.layout(), &copy).await.unwrap();
    store.close().await;
    // As it lies when the process dies while it copies the database.
    let target = Layout::of(&folder.path().join("other"));
    drop(DataDir::open(target.root()).unwrap());
    let made = r#"["config.toml", "keystore/wallet.json", "hearth.db", "../copy/backup.json"]"#;
    fs::write(target.restoring(), made).unwrap();
    fs::copy(held.layout().config(), target.config()).unwrap();
    fs::write(target.keystore().join("wallet.json"), "{}").unwrap();
    fs::write(fresh(&target.database()), "half").unwrap();

    let error = DataDir::open(target.root()).unwrap_err();
    assert!(matches!(error, DataDirError::Restoring(_)), "{error}");
    assert!(error.to_string().contains("hearth restore"), "{error}");
    let again = folder.path().join("again");
    assert_eq!(
        copied(&target, &again).await.unwrap_err().code(),
        "restore_interrupted"
    );
    let restored = restore(&target, &copy).await.unwrap();
    assert_eq!(restored.config_now, Some(target.config()));
    assert!(!restored.config_kept && !target.restoring().exists() && !fresh(&target.database()).exists());
    assert!(copy.join(HEAD).exists(), "nothing outside is removed");
    let (_held, _store, again) = data(target.root()).await;
    assert_eq!(again.accounts(), wallet.accounts());
}

#[tokio::test]
async fn the_configuration_in_use_is_packed_and_a_prepared_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, etc) = (folder.path().join("copy"), folder.path().join("etc.toml"));
    let (held, store, _wallet) = data(&folder.path().join("data")).await;
    fs::write(&etc, "stop_within_s = 21\n").unwrap();
    fs::write(held.layout().config(), "stop_within_s = 1\n").unwrap();
    let made = back_up(&held.layout(), &etc, &copy).await.unwrap();
    store.close().await;
    assert_eq!(made.config, Some(etc.display().to_string()));
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    assert_eq!(read(&copy.join(CONFIG)), "stop_within_s = 21\n");

    let target = Layout::of(&folder.path().join("other"));
    fs::create_dir(target.root()).unwrap();
    fs::write(target.config(), "stop_within_s = 5\n").unwrap();
    let restored = restore(&target, &copy).await.unwrap();
    assert!(restored.config_kept);
    assert_eq!(restored.config_now, Some(target.restored_config()));
    assert_eq!(read(&target.config()), "stop_within_s = 5\n");
    assert_eq!(read(&target.restored_config()), "stop_within_s = 21\n");

    // The same one is not written twice.
    let same = Layout::of(&folder.path().join("same"));
    fs::create_dir(same.root()).unwrap();
    fs::copy(&etc, same.config()).unwrap();
    let restored = restore(&same, &copy).await.unwrap();
    assert_eq!(
        (restored.config_now, restored.config_kept),
        (Some(same.config()), false)
    );
    assert!(!same.restored_config().exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_key_behind_a_link_is_copied_or_its_lack_said_and_a_failure_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, away) = (folder.path().join("copy"), folder.path().join("away.json"));
    let (held, _store, wallet) = data(&folder.path().join("data")).await;
    wallet.create("correct horse").unwrap();
    let layout = held.layout();
    let keys = layout.keystore().join("wallet.json");
    fs::rename(&keys, &away).unwrap();
    std::os::unix::fs::symlink(&away, &keys).unwrap();
    copied(&layout, &copy).await.unwrap();
    let packed = copy.join("keystore").join("wallet.json");
    assert!(!packed.is_symlink());
    assert_eq!(fs::read(&packed).unwrap(), fs::read(&away).unwrap());

    fs::rename(&away, folder.path().join("gone")).unwrap();
    let second = folder.path().join("second");
    let error = copied(&layout, &second).await.unwrap_err();
    assert!(
        matches!(&error, BackupError::BrokenLink(path) if *path == keys),
        "{error}"
    );
    fs::remove_file(&keys).unwrap();
    // What cannot be copied: a folder in the place of the configuration. It is no configuration once it is gone.
    fs::create_dir(layout.config()).unwrap();
    assert!(matches!(
        copied(&layout, &second).await.unwrap_err(),
        BackupError::File { .. }
    ));
    assert!(!second.exists());
    fs::remove_dir(layout.config()).unwrap();
    copied(&layout, &second).await.unwrap();
}

#[tokio::test]
async fn a_sealed_backup_removes_nothing_of_the_users_and_leaves_nothing_open() {
    let folder = tempfile::tempdir().unwrap();
    let (held, _store, _wallet) = data(&folder.path().join("data")).await;
    let (to, mine) = (folder.path().join("X"), folder.path().join("X.new"));
    fs::write(&mine, "my own").unwrap();
    let passphrase = Secret::from("battery staple");
    let layout = held.layout();
    back_up_sealed(&layout, &layout.config(), &to, &passphrase)
        .await
        .unwrap();
    assert_eq!(fs::read_to_string(&mine).unwrap(), "my own");
    // One that nobody waits for any more, and one of a process that died.
    let left = scratches(layout.root());
    assert!(left.is_empty(), "{left:?}");
    let dropped = folder.path().join("dropped");
    let config = layout.config();
    let mut work = Box::pin(back_up_sealed(&layout, &config, &dropped, &passphrase));
    while scratches(layout.root()).is_empty() {
        assert!(futures::poll!(&mut work).is_pending());
        tokio::task::yield_now().await;
    }
    drop(work);
    let left = scratches(layout.root());
    assert!(left.is_empty(), "{left:?}");
    fs::create_dir_all(layout.root().join(".backup-dead/copy")).unwrap();
    let root = layout.root().to_owned();
    drop(held);
    let _held = DataDir::open(&root).unwrap();
    assert!(scratches(&root).is_empty());
}

fn scratches(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.to_string_lossy().contains(".backup-"))
        .collect()
}

#[tokio::test]
async fn a_rehearsal_lies_in_the_data_directory_where_there_is_one() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy");
    let (held, _store, _wallet) = data(&folder.path().join("data")).await;
    let layout = held.layout();
    copied(&layout, &copy).await.unwrap();
    let mut work = Box::pin(rehearse(Some(&layout), &copy, None, None));
    assert!(futures::poll!(&mut work).is_pending());
    assert_eq!(scratches(layout.root()).len(), 1);
    assert_eq!(work.await.unwrap().wallet, None);
    assert!(scratches(layout.root()).is_empty());
}

#[tokio::test]
async fn five_wrong_passwords_make_one_wait_and_a_right_one_forgives_none() {
    let folder = tempfile::tempdir().unwrap();
    let (copy, file) = (folder.path().join("copy"), folder.path().join("sealed"));
    let (held, _store, wallet) = data(&folder.path().join("data")).await;
    wallet.create("correct horse").unwrap();
    let layout = held.layout();
    copied(&layout, &copy).await.unwrap();
    let passphrase = Secret::from("battery staple");
    back_up_sealed(&layout, &layout.config(), &file, &passphrase)
        .await
        .unwrap();
    let clock = Clock::test(1_000);
    let mut guesses = Guesses::new(clock.clone());
    let (right, wrong) = (Secret::from("correct horse"), Secret::from("wrong horse"));
    for _ in 0..2 {
        for password in [&wrong, &right, &wrong, &wrong, &wrong] {
            let tested = guesses.rehearse(&layout, &copy, None, Some(password)).await;
            let opens = password.reveal() == right.reveal();
            assert_eq!(tested.unwrap().password_opens, Some(opens));
        }
        // The fifth is a wrong passphrase.
        let error = guesses.rehearse(&layout, &file, Some(&wrong), None).await;
        assert!(matches!(
            error,
            Err(Refused::Backup(BackupError::Sealed {
                source: SealError::Wrong,
                ..
            }))
        ));
        clock.advance(std::time::Duration::from_secs(1));
        for (from, passphrase, password) in [(&copy, None, Some(&right)), (&file, Some(&passphrase), None)] {
            let refused = guesses.rehearse(&layout, from, passphrase, password).await;
            assert!(
                matches!(refused, Err(Refused::Wait { seconds: 59 })),
                "{refused:?}"
            );
        }
        // Who guesses nothing need not wait.
        guesses.rehearse(&layout, &copy, None, None).await.unwrap();
        clock.advance(std::time::Duration::from_secs(59));
    }
}
