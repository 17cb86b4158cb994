//! Which backend answers which name, and who is asked when one fails.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;

use super::*;
use crate::{Code, NullBackend, Operation, Task, openai};

/// Answers with its name, or fails, or does not begin.
struct Fake {
    inner: NullBackend,
    asked: AtomicUsize,
    /// Those who were dropped before they had an answer.
    left: Arc<AtomicUsize>,
    fails: Option<Error>,
    hangs: bool,
    listed: Mutex<Vec<String>>,
    health: Health,
    seen: Mutex<Option<String>>,
}

impl Fake {
    fn of(fails: Option<Error>, hangs: bool, listed: &[&str]) -> Arc<Fake> {
        Arc::new(Fake {
            inner: NullBackend::default(),
            asked: AtomicUsize::new(0),
            left: Arc::default(),
            fails,
            hangs,
            listed: Mutex::new(listed.iter().map(|name| (*name).to_owned()).collect()),
            health: Health::default(),
            seen: Mutex::default(),
        })
    }

    /// A server.
    fn new(fails: Option<Error>) -> Arc<Fake> {
        Fake::of(fails, false, &["m"])
    }

    fn engine() -> Arc<Fake> {
        Fake::of(None, false, &["local"])
    }

    fn n_asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

struct Leaving(Arc<AtomicUsize>);

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Backend for Fake {
    async fn answer(&self, request: Request, principal: &Principal) -> Result<Answer, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        *self.seen.lock() = request.model.clone();
        if self.hangs {
            let _leaving = Leaving(Arc::clone(&self.left));
            std::future::pending::<()>().await;
        }
        match &self.fails {
            Some(error) => Err(error.clone()),
            None => self.inner.answer(request, principal).await,
        }
    }

    async fn prepare(&self, _model: Option<&str>) -> Result<(), Error> {
        Ok(())
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        let listed = self.listed.lock().clone();
        let entry = |name| ModelEntry {
            name,
            added_at: 1,
            task: Task::Chat,
        };
        Ok(listed.into_iter().map(entry).collect())
    }

    fn capacity(&self, _model: Option<&str>) -> Capacity {
        Capacity { slots: 1 }
    }

    fn health(&self) -> &Health {
        &self.health
    }
}

fn named(backend: &Arc<Fake>, weight: u32) -> Named {
    Named::new(Arc::clone(backend) as SharedBackend, vec!["m".to_owned()], weight)
}

fn request(model: Option<&str>) -> Request {
    let body = match model {
        Some(model) => json!({ "model": model, "messages": [] }),
        None => json!({ "messages": [] }),
    };
    Request::read(Operation::Chat, body.to_string().into()).unwrap()
}

async fn ask(router: &Router, model: Option<&str>) -> Result<String, Error> {
    let request = request(model);
    let answer = router.answer(request.clone(), &Principal::Owner).await?;
    let written = openai::written(&request, answer).body.collect().await;
    let value: serde_json::Value = serde_json::from_slice(&written).unwrap();
    Ok(value["model"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn names_find_their_backend_and_come_back_as_they_were_asked() {
    let (engine, network, big) = (Fake::engine(), Fake::new(None), Fake::new(None));
    let router = Router::new(
        engine.clone(),
        Some(network.clone()),
        [("big".to_owned(), named(&big, 1))].into(),
        [("gpt-4o".to_owned(), "big/m".to_owned())].into(),
    );
    for (asked, backend, own) in [
        ("local", &engine, Some("local")),
        ("pocket/svc", &network, Some("svc")),
        ("big/some/model", &big, Some("some/model")),
        ("m", &big, Some("m")),
        ("gpt-4o", &big, Some("m")),
        ("other/x", &engine, Some("other/x")),
    ] {
        assert_eq!(ask(&router, Some(asked)).await.unwrap(), asked);
        assert_eq!(backend.seen.lock().take().as_deref(), own, "{asked}");
    }
    ask(&router, None).await.unwrap();
    assert_eq!(*engine.seen.lock(), None);
    assert!(router.is_network("pocket/svc") && !router.is_network("m"));
    let names: Vec<String> = router
        .models()
        .await
        .unwrap()
        .into_iter()
        .map(|model| model.name)
        .collect();
    assert_eq!(names, ["local", "m", "big/m"]);
}

#[tokio::test]
async fn the_next_backend_is_asked_where_one_fails_and_not_where_the_request_is_wrong() {
    let dead = Fake::new(Some(Error::new(Code::BackendUnreachable, "gone")));
    let alive = Fake::new(None);
    let both = |first: &Arc<Fake>| {
        let named = [
            ("a".to_owned(), named(first, 1)),
            ("b".to_owned(), named(&alive, 1)),
        ];
        Router::new(Fake::engine(), None, named.into(), BTreeMap::new())
    };
    let router = both(&dead);
    for _ in 0..4 {
        ask(&router, Some("m")).await.unwrap();
    }
    assert_eq!(alive.asked.load(Ordering::SeqCst), 4);
    // One that is known to fail is asked last.
    dead.health.failed("gone");
    let before = dead.asked.load(Ordering::SeqCst);
    ask(&router, Some("m")).await.unwrap();
    assert_eq!(dead.asked.load(Ordering::SeqCst), before);
    let refused = Fake::new(Some(Error::bad_field("n", "n is 0")));
    alive.health.failed("so that the other is first");
    assert_eq!(
        ask(&both(&refused), Some("m"))
            .await
            .unwrap_err()
            .param
            .as_deref(),
        Some("n")
    );
    let all_dead = Router::new(
        Fake::engine(),
        None,
        [("a".to_owned(), named(&dead, 1))].into(),
        BTreeMap::new(),
    );
    assert_eq!(
        ask(&all_dead, Some("m")).await.unwrap_err().code,
        Code::BackendUnreachable
    );
    // Asked for by its own name, no other is taken for it.
    assert!(ask(&router, Some("a/m")).await.is_err());
}

#[tokio::test]
async fn turns_follow_the_weights() {
    let (light, heavy) = (Fake::new(None), Fake::new(None));
    let named = [
        ("light".to_owned(), named(&light, 1)),
        ("heavy".to_owned(), named(&heavy, 3)),
    ];
    let router = Router::new(Fake::engine(), None, named.into(), BTreeMap::new());
    for _ in 0..40 {
        ask(&router, Some("m")).await.unwrap();
    }
    assert_eq!(
        (
            light.asked.load(Ordering::SeqCst),
            heavy.asked.load(Ordering::SeqCst)
        ),
        (10, 30)
    );
}

#[tokio::test]
async fn a_model_of_this_computer_wins_over_a_servers_of_the_same_name() {
    let (engine, big) = (Fake::of(None, false, &["m"]), Fake::new(None));
    let router = Router::new(
        engine.clone(),
        None,
        [("big".to_owned(), named(&big, 1))].into(),
        [("alias".to_owned(), "m".to_owned())].into(),
    );
    for asked in ["m", "alias"] {
        ask(&router, Some(asked)).await.unwrap();
    }
    assert_eq!((engine.n_asked(), big.n_asked()), (2, 0));
    ask(&router, Some("big/m")).await.unwrap();
    assert_eq!(big.n_asked(), 1);
    assert_eq!(router.capacity(Some("m")).slots, 1);
    // Once it is deleted here the server is asked for it.
    engine.listed.lock().clear();
    ask(&router, Some("m")).await.unwrap();
    assert_eq!((engine.n_asked(), big.n_asked()), (2, 2));
}

#[tokio::test]
async fn the_tag_of_ollamas_clients_says_nothing() {
    let (engine, big) = (Fake::engine(), Fake::of(None, false, &["own:latest"]));
    let named = Named::new(big.clone(), vec!["own:latest".to_owned()], 1);
    let router = Router::new(
        engine.clone(),
        None,
        [("big".to_owned(), named)].into(),
        [("alias".to_owned(), "local".to_owned())].into(),
    );
    for asked in ["local:latest", "alias:latest"] {
        ask(&router, Some(asked)).await.unwrap();
        assert_eq!(engine.seen.lock().as_deref(), Some("local"), "{asked}");
    }
    // Where it is a part of the name it stays.
    for (asked, name) in [("own:latest", "own:latest"), ("big/own:latest", "own:latest")] {
        ask(&router, Some(asked)).await.unwrap();
        assert_eq!(big.seen.lock().as_deref(), Some(name), "{asked}");
    }
    assert_eq!(router.unaliased(":latest"), ":latest");
}

#[tokio::test]
async fn one_with_a_free_place_goes_before_one_without() {
    let (first, second) = (Fake::new(None), Fake::new(None));
    let both = [
        ("a".to_owned(), named(&first, 100)),
        ("b".to_owned(), named(&second, 1)),
    ];
    let router = Router::new(Fake::engine(), None, both.into(), BTreeMap::new());
    let mut streamed = request(Some("m"));
    streamed.stream = true;
    for _ in 0..2 {
        ask(&router, Some("m")).await.unwrap();
    }
    // Each has one place, which a stream holds until it is dropped.
    let held = router.answer(streamed, &Principal::Owner).await.unwrap();
    assert_eq!((first.n_asked(), second.n_asked()), (2, 1), "by weight");
    ask(&router, Some("m")).await.unwrap();
    assert_eq!((first.n_asked(), second.n_asked()), (2, 2));
    drop(held);
    ask(&router, Some("m")).await.unwrap();
    assert_eq!((first.n_asked(), second.n_asked()), (3, 2));
}

/// Two servers of one model, of which the first does not begin.
fn hedged(second: &Arc<Fake>, hedge_after: Option<Duration>) -> (Router, Arc<Fake>) {
    let slow = Fake::of(None, true, &["m"]);
    let both = [
        ("a".to_owned(), named(&slow, 1).hedged(hedge_after)),
        ("b".to_owned(), named(second, 1)),
    ];
    let network = Fake::of(None, true, &["svc"]);
    let router = Router::new(Fake::engine(), Some(network), both.into(), BTreeMap::new());
    (router, slow)
}

const SOON: Option<Duration> = Some(Duration::from_millis(1));

#[tokio::test]
async fn a_stream_that_does_not_begin_is_asked_of_the_next_one_as_well() {
    let fast = Fake::new(None);
    let (router, slow) = hedged(&fast, SOON);
    let mut streamed = request(Some("m"));
    streamed.stream = true;
    router.answer(streamed, &Principal::Owner).await.unwrap();
    assert_eq!((slow.n_asked(), fast.n_asked()), (1, 1));
    assert_eq!(slow.left.load(Ordering::SeqCst), 1, "the slow one is left");
    assert_eq!(slow.health.ailment(), None);
}

#[tokio::test]
async fn nothing_is_asked_twice_unless_it_may_be() {
    let stream = |model| {
        let mut request = request(Some(model));
        request.stream = true;
        request
    };
    let whole = |model| request(Some(model));
    let failing = Fake::new(None);
    failing.health.failed("gone");
    for (why, second, hedge_after, request) in [
        ("it is off", Fake::new(None), None, stream("m")),
        ("it comes whole", Fake::new(None), SOON, whole("m")),
        ("the other one fails", failing, SOON, stream("m")),
        ("the other one is full", Fake::new(None), SOON, stream("m")),
        (
            "it is asked for by its own name",
            Fake::new(None),
            SOON,
            stream("a/m"),
        ),
        (
            "the network costs money",
            Fake::new(None),
            SOON,
            stream("pocket/svc"),
        ),
    ] {
        let (router, _) = hedged(&second, hedge_after);
        let _held = why.ends_with("full").then(|| router.named["b"].take_place());
        let answering = router.answer(request, &Principal::Owner);
        let waited = tokio::time::timeout(Duration::from_millis(50), answering).await;
        assert!(waited.is_err(), "{why}");
        assert_eq!(second.n_asked(), 0, "{why}");
    }
}
