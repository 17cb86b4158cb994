//! Migrations on the database that the first form's program left: killed, interrupted, refused.

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use super::*;
use crate::{Config, Store};

const FIXTURE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/fixtures/formats/v1/hearth.db"
);

/// Set for the process that is killed: the database that it opens.
const OPENS: &str = "HEARTH_TEST_OPENS";
/// Moments at which a process is killed.
const KILLS: u32 = 16;

fn config(path: &Path) -> Config {
    Config {
        path: path.to_owned(),
        chain_id: "hearth-devnet".into(),
        max_pages: None,
    }
}

fn copy_of_the_fixture() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hearth.db");
    fs::copy(FIXTURE, &path).unwrap();
    (folder, path)
}

/// What must be there before and after: how many rows each of the first form's tables has, and the stages of claims.
async fn rows(pool: &SqlitePool) -> Vec<(String, i64)> {
    let tables = [
        "chain_value",
        "weights_leaves",
        "weights_downloads",
        "miner_commitment",
        "gateway_receipts",
        "api_setting",
        "conversation",
        "message",
    ];
    let mut rows = Vec::new();
    for table in tables {
        let sql = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        let count: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
        rows.push((table.to_owned(), count));
    }
    // The wallet's notes moved into the outbox.
    let moved: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_master WHERE name = 'outbox_item'")
        .fetch_one(pool)
        .await
        .unwrap();
    let notes = if moved == 0 {
        [
            "SELECT count(*) FROM wallet_activity",
            "SELECT count(*) FROM wallet_pending",
        ]
    } else {
        [
            "SELECT count(*) FROM outbox_item",
            "SELECT count(*) FROM outbox_tx WHERE is_over = 0",
        ]
    };
    for (name, sql) in ["notes", "payments on their way"].into_iter().zip(notes) {
        let count: i64 = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
        rows.push((name.to_owned(), count));
    }
    let stages = "SELECT stage || ' ' || session_id, answers FROM miner_session ORDER BY 1";
    let stages: Vec<(String, i64)> = sqlx::query_as(stages).fetch_all(pool).await.unwrap();
    rows.extend(stages);
    rows
}

async fn plain(path: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(path);
    SqlitePool::connect_with(options).await.unwrap()
}

async fn rows_of_the_fixture() -> Vec<(String, i64)> {
    let (_folder, path) = copy_of_the_fixture();
    let pool = plain(&path).await;
    let rows = rows(&pool).await;
    pool.close().await;
    rows
}

#[tokio::test]
async fn the_database_is_copied_aside_before_a_migration_and_the_last_copies_are_kept() {
    let (folder, path) = copy_of_the_fixture();
    for old in ["0002", "0003", "0005"] {
        fs::write(aside(&path, old), b"old").unwrap();
    }
    fs::write(folder.path().join("hearth.db.before-part"), b"torn").unwrap();
    let store = Store::open(config(&path)).await.unwrap();
    let all = rows(store.pool()).await;
    assert_eq!(all, rows_of_the_fixture().await);
    store.close().await;
    let left = |name: &str| folder.path().join(name).exists();
    assert!(!left("hearth.db.before-0002") && left("hearth.db.before-0003") && left("hearth.db.before-0005"));
    assert!(!left("hearth.db.before-part"));
    // The copy is the former form, whole.
    let copy = plain(&folder.path().join("hearth.db.before-0010")).await;
    assert_eq!(rows(&copy).await, all);
    assert_eq!(applied(&copy).await.unwrap(), (1..=8).collect::<Vec<i64>>());
    copy.close().await;
    // Nothing is left to be done, so nothing is copied.
    fs::remove_file(folder.path().join("hearth.db.before-0010")).unwrap();
    Store::open(config(&path)).await.unwrap().close().await;
    assert!(!left("hearth.db.before-0010"));
}

#[tokio::test]
async fn without_a_copy_nothing_is_migrated() {
    let (_folder, path) = copy_of_the_fixture();
    // Something is in its way that cannot be written over.
    fs::create_dir(aside(&path, "0010")).unwrap();
    let error = Store::open(config(&path)).await.unwrap_err();
    assert!(matches!(error, Error::NoCopy { .. }), "{error:?}");
    assert!(error.to_string().contains("hearth.db.before-0010"), "{error}");
    let pool = plain(&path).await;
    assert_eq!(applied(&pool).await.unwrap(), (1..=8).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused_in_words() {
    let (_folder, path) = copy_of_the_fixture();
    Store::open(config(&path)).await.unwrap().close().await;
    let pool = plain(&path).await;
    for statement in [
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'quanta', TRUE, x'00', 1)",
        "UPDATE belonging SET written_by = '9.1.0'",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    pool.close().await;
    let before = fs::read(&path).unwrap();
    let error = Store::open(config(&path)).await.unwrap_err();
    let words = error.to_string();
    for part in ["Hearth 9.1.0", "9999", VERSION, "hearth.db.before-"] {
        assert!(words.contains(part), "{words}");
    }
    assert_eq!(fs::read(&path).unwrap(), before);
}

/// A migration that is broken off after any number of steps leaves a form that is whole; the next start goes on.
#[tokio::test]
async fn a_migration_that_breaks_off_anywhere_is_made_up_for() {
    let before = rows_of_the_fixture().await;
    for n_steps in 0_u32.. {
        let (_folder, path) = copy_of_the_fixture();
        let options = SqliteConnectOptions::new().filename(&path).foreign_keys(true);
        let mut connection = options.connect().await.unwrap();
        let left = AtomicU32::new(n_steps);
        let goes_on = move || {
            left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1))
                .is_ok()
        };
        connection
            .lock_handle()
            .await
            .unwrap()
            .set_progress_handler(60, goes_on);
        let made = MIGRATIONS.run(&mut connection).await;
        connection.lock_handle().await.unwrap().remove_progress_handler();
        // Like a crash: nothing is ended in order.
        connection.close_hard().await.unwrap();
        let store = Store::open(config(&path)).await.unwrap();
        assert_eq!(rows(store.pool()).await, before, "after {n_steps} steps");
        let open: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM miner_session WHERE (outcome IS NULL) = (stage IN \
             ('settled', 'skipped', 'claim_missed', 'proof_missed', 'proof_invalid', 'expired'))",
        )
        .fetch_one(store.pool())
        .await
        .unwrap();
        assert_eq!(open, 0);
        store.close().await;
        if made.is_ok() {
            assert!(n_steps > 5, "it never broke off");
            break;
        }
    }
}

/// A process that migrates is killed at moments all over its run.
#[tokio::test]
async fn a_killed_migration_leaves_a_database_that_opens() {
    if let Some(path) = std::env::var_os(OPENS) {
        // The process that is killed.
        Store::open(config(Path::new(&path))).await.unwrap();
        return;
    }
    let before = rows_of_the_fixture().await;
    let start = |path: &Path| {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "migrate::tests::a_killed_migration_leaves_a_database_that_opens",
            ])
            .env(OPENS, path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let (_folder, path) = copy_of_the_fixture();
    let began = Instant::now();
    assert!(start(&path).wait().unwrap().success());
    let whole_run = began.elapsed();
    let pool = plain(&path).await;
    assert!(applied(&pool).await.unwrap().len() > 8, "it did migrate");
    pool.close().await;

    for number in 0..KILLS {
        let (_folder, path) = copy_of_the_fixture();
        let mut child = start(&path);
        tokio::time::sleep(Duration::from_micros(1) + whole_run * number / KILLS).await;
        // It may have ended already.
        let _ = child.kill();
        child.wait().unwrap();
        let copy = aside(&path, "0010");
        if copy.exists() {
            let pool = plain(&copy).await;
            assert_eq!(rows(&pool).await, before);
            pool.close().await;
        }
        let store = Store::open(config(&path)).await.unwrap();
        assert_eq!(rows(store.pool()).await, before);
        store.close().await;
    }
}
