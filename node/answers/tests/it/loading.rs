//! Loading on demand, one at a time; unloading.

use std::{sync::atomic::Ordering, time::Duration};

use hearth_answers::Config;

use crate::support::world;

#[tokio::test]
async fn a_model_is_loaded_once_however_many_ask() {
    let world = world(Config::default());
    let asked = (0..8).map(|_| world.models.load("chat"));
    for result in futures::future::join_all(asked).await {
        assert_eq!(result.unwrap().name, "chat");
    }
    assert_eq!(world.library.opened.load(Ordering::SeqCst), 1);
    let snapshot = world.models.snapshot().borrow().clone();
    assert!(snapshot.loading.is_none() && snapshot.loaded.contains_key("chat"));
    assert!(world.models.unload("chat") && !world.models.unload("chat"));
    assert!(world.models.snapshot().borrow().loaded.is_empty());
}

#[tokio::test]
async fn the_model_used_longest_ago_makes_room() {
    let world = world(Config {
        max_loaded: 1,
        ..Config::default()
    });
    world.models.load("chat").await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    world.models.load("embed").await.unwrap();
    let loaded: Vec<String> = world.models.snapshot().borrow().loaded.keys().cloned().collect();
    assert_eq!(loaded, ["embed"]);
}

#[tokio::test]
async fn a_model_that_nobody_asks_for_is_unloaded() {
    let world = world(Config {
        idle_unload: Duration::from_millis(100),
        ..Config::default()
    });
    world.models.load("chat").await.unwrap();
    let mut snapshot = world.models.snapshot();
    world.clock.advance(Duration::from_millis(101));
    snapshot
        .wait_for(|snapshot| snapshot.loaded.is_empty())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_stop_leaves_no_task() {
    let world = world(Config::default());
    world.models.load("chat").await.unwrap();
    world.models.stop();
    world.models.join().await;
    assert!(world.tasks.is_stopped() && world.folder.path().exists());
}
