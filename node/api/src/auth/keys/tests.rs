//! Tests of the keys in a real database.

use std::time::{Duration, Instant};

use hearth_store::Store;

use super::*;

async fn keys(folder: &std::path::Path) -> (Keys, Clock, Store) {
    let config = hearth_store::Config {
        path: folder.join("hearth.db"),
        chain_id: "test".into(),
        max_pages: None,
    };
    let (store, clock) = (Store::open(config).await.unwrap(), Clock::test(1_700_000_000_000));
    (Keys::new(store.pool().clone(), clock.clone()), clock, store)
}

fn pokt(upokt: u128) -> Upokt {
    Upokt(Amount::from_upokt(upokt))
}

async fn grant(keys: &Keys, secret: &str) -> Arc<Grant> {
    let found = keys.find(secret).await.unwrap();
    let Found::Valid(grant) = found else {
        panic!("{found:?}");
    };
    grant
}

#[tokio::test]
async fn a_key_is_found_until_it_expires_or_is_revoked_and_then_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, clock, _store) = keys(folder.path()).await;
    let limits = KeyLimits {
        expires_at: Some(Timestamp::from_ms(clock.now_ms() + 5_000)),
        models: vec!["m*".to_owned()],
        ..KeyLimits::default()
    };
    let (key, secret) = keys.create(" editor ", limits.clone()).await.unwrap();
    assert_eq!((key.name.as_str(), &key.limits), ("editor", &limits));
    assert_eq!(grant(&keys, &secret).await.limits, limits);
    let refused = async |secret: &str| {
        let found = keys.find(secret).await.unwrap();
        let Found::Refused(error) = found else {
            panic!("{found:?}");
        };
        error.message
    };
    clock.advance(Duration::from_secs(5));
    assert!(refused(&secret).await.contains("expired"));
    // Renamed without a new time it stays expired; with one it lives again.
    let name = |name: &str| Some(name.to_owned());
    let patch = ApiKeyPatch {
        name: name("laptop"),
        limits: Some(limits.clone()),
    };
    assert_eq!(keys.change(&key.id, patch).await.unwrap().name, "laptop");
    let late = Some(KeyLimits {
        expires_at: Some(Timestamp::from_ms(1)),
        ..limits.clone()
    });
    let patch = ApiKeyPatch {
        name: None,
        limits: late,
    };
    assert!(
        keys.change(&key.id, patch)
            .await
            .unwrap_err()
            .message
            .contains("passed")
    );
    let patch = ApiKeyPatch {
        name: None,
        limits: Some(KeyLimits::default()),
    };
    assert_eq!(
        keys.change(&key.id, patch).await.unwrap().limits,
        KeyLimits::default()
    );
    assert_eq!(grant(&keys, &secret).await.name, "laptop");
    keys.revoke(&key.id).await.unwrap();
    assert!(refused(&secret).await.contains("revoked"));
    assert!(keys.list().await.unwrap()[0].revoked_at.is_some());
    keys.revoke(&key.id).await.unwrap();
    assert!(keys.list().await.unwrap().is_empty());
    assert!(refused(&secret).await.contains("none of this node"));
    assert_eq!(keys.revoke(&key.id).await.unwrap_err().code, "not_found");
    assert_eq!(keys.find("sk-no-key-required").await.unwrap(), Found::Foreign);
}

#[tokio::test]
async fn calls_side_by_side_never_overspend_a_budget() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, clock, _store) = keys(folder.path()).await;
    let limits = KeyLimits {
        daily_budget: Some(pokt(100)),
        total_budget: Some(pokt(150)),
        ..KeyLimits::default()
    };
    let (key, secret) = keys.create("k", limits).await.unwrap();
    let grant = grant(&keys, &secret).await;
    let all = (0..40).map(|_| keys.reserve(&grant, pokt(30)));
    let reserved: Vec<Reservation> = futures::future::join_all(all)
        .await
        .into_iter()
        .filter_map(Result::ok)
        .collect();
    assert_eq!(reserved.len(), 3);
    let refused = keys.reserve(&grant, pokt(30)).await.unwrap_err();
    assert_eq!(
        (refused.status.as_u16(), refused.code),
        (402, "insufficient_quota")
    );
    assert!(refused.message.contains("today"), "{}", refused.message);
    // One cost nothing, one less than was thought, one what was thought.
    keys.settle(&reserved[0], pokt(0)).await.unwrap();
    keys.settle(&reserved[1], pokt(20)).await.unwrap();
    keys.settle(&reserved[2], pokt(30)).await.unwrap();
    let now = keys.get(&key.id).await.unwrap();
    assert_eq!((now.spent_today, now.spent), (pokt(50), pokt(50)));
    assert!(keys.reserve(&grant, pokt(51)).await.is_err());
    // What costs nothing is always there.
    keys.reserve(&grant, pokt(0)).await.unwrap();
    clock.advance(Duration::from_hours(24));
    assert_eq!(keys.get(&key.id).await.unwrap().spent_today, pokt(0));
    let tomorrow = keys.reserve(&grant, pokt(100)).await.unwrap();
    let refused = keys.reserve(&grant, pokt(1)).await.unwrap_err();
    assert!(refused.message.contains("in all"), "{}", refused.message);
    // What ends after midnight is taken off the day that it was counted on.
    clock.advance(Duration::from_hours(24));
    keys.reserve(&grant, pokt(0)).await.unwrap();
    keys.settle(&tomorrow, pokt(10)).await.unwrap();
    let now = keys.get(&key.id).await.unwrap();
    assert_eq!((now.spent_today, now.spent), (pokt(0), pokt(60)));
}

#[tokio::test]
async fn two_thousand_keys_are_no_burden() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, _, store) = keys(folder.path()).await;
    let mut transaction = store.pool().begin().await.unwrap();
    for number in 0..2_000 {
        sqlx::query(
            "INSERT INTO api_key (id, name, prefix, hash, created_ms, origins) VALUES (?, ?, 'sk', ?, ?, ?)",
        )
        .bind(format!("id-{number}"))
        .bind(format!("key {number}"))
        .bind(hash(&format!("{KEY_PREFIX}{number}")))
        .bind(number)
        .bind(if number % 2 == 0 {
            String::new()
        } else {
            format!("https://app{number}.example")
        })
        .execute(&mut *transaction)
        .await
        .unwrap();
    }
    transaction.commit().await.unwrap();
    let plan: Vec<(i64, i64, i64, String)> =
        sqlx::query_as("EXPLAIN QUERY PLAN SELECT id FROM api_key WHERE hash = ?")
            .bind("x")
            .fetch_all(store.pool())
            .await
            .unwrap();
    assert!(
        plan[0].3.contains("USING") && !plan[0].3.contains("SCAN"),
        "{plan:?}"
    );
    let begun = Instant::now();
    for number in [0, 999, 1_999] {
        let found = grant(&keys, &format!("{KEY_PREFIX}{number}")).await;
        assert_eq!(found.id, format!("id-{number}"));
    }
    assert!(keys.any_lists_origin("https://app1999.example").await.unwrap());
    assert!(!keys.any_lists_origin("https://app1998.example").await.unwrap());
    assert_eq!(keys.list().await.unwrap().len(), 2_000);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn keys_of_the_first_form_go_on_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hearth.db");
    let fixture = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/formats/v1/hearth.db"
    );
    std::fs::copy(fixture, &path).unwrap();
    // One more, as the program of that form made them, whose secret is known here.
    let secret = format!("{KEY_PREFIX}{}", "ab".repeat(32));
    let before = SqlitePool::connect(&format!("sqlite:{}", path.display()))
        .await
        .unwrap();
    sqlx::query("INSERT INTO api_key (id, name, prefix, hash, created_ms) VALUES ('old', 'editor', 'sk-hearth-abab', ?, 5)")
        .bind(hash(&secret))
        .execute(&before)
        .await
        .unwrap();
    before.close().await;
    let config = hearth_store::Config {
        path,
        chain_id: "hearth-devnet".into(),
        max_pages: None,
    };
    let store = Store::open(config).await.unwrap();
    let keys = Keys::new(store.pool().clone(), Clock::test(1_800_000_000_000));
    let listed = keys.list().await.unwrap();
    let names: Vec<&str> = listed.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["editor", "This computer", "notes"]);
    assert!(
        listed
            .iter()
            .all(|key| key.limits == KeyLimits::default() && key.revoked_at.is_none())
    );
    let found = grant(&keys, &secret).await;
    assert_eq!((found.id.as_str(), &found.limits), ("old", &KeyLimits::default()));
    keys.reserve(&found, pokt(7)).await.unwrap();
    assert_eq!(keys.get("old").await.unwrap().spent, pokt(7));
}

#[test]
fn what_looks_like_a_key_is_meant_as_one_and_words_are_not() {
    let hex = "5f0e7c1d".repeat(8);
    for meant in [
        "sk-hearth-",
        "SK-HEARTH-abc",
        "sk-heart-abc",
        "sk-haerth-abc",
        "sk_hearth_abc",
        "k-hearth-abc",
        hex.as_str(),
        &hex[..40],
        &format!("hearth-{hex}"),
        "sk-proj-T3BlbkFJ8s7dKq0aZx1cVb2nMm3Lk4Jh5Gf6Dd",
    ] {
        assert!(resembles_a_key(meant), "{meant}");
    }
    for word in [
        "",
        "sk-no-key-required",
        "sk-no-key",
        "sk-1234",
        "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "sk-00000000000000000000000000000000000000000000",
        "ollama",
        "hearth",
        "EMPTY",
        "none",
        "lm-studio",
        "not-needed",
        "api_key",
        "überflüssig",
    ] {
        assert!(!resembles_a_key(word), "{word}");
    }
}

#[tokio::test]
async fn two_keys_have_no_name_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, _, _store) = keys(folder.path()).await;
    let all = KeyLimits::default;
    let (first, _) = keys.create("editor", all()).await.unwrap();
    let (other, _) = keys.create("laptop", all()).await.unwrap();
    let name = |name: &str| ApiKeyPatch {
        name: Some(name.to_owned()),
        limits: None,
    };
    for refused in [
        keys.create(" Editor", all()).await.unwrap_err(),
        keys.change(&other.id, name("editor")).await.unwrap_err(),
    ] {
        assert_eq!((refused.status.as_u16(), refused.code), (409, "key_name_taken"));
    }
    assert_eq!(
        keys.change(&first.id, name("Editor")).await.unwrap().name,
        "Editor"
    );
    assert_eq!(keys.free_name("editor").await.unwrap(), "editor 2");
    // The name of one that was revoked is free.
    keys.revoke(&first.id).await.unwrap();
    assert_eq!(keys.free_name("editor").await.unwrap(), "editor");
    keys.create("editor", all()).await.unwrap();
}
