//! Which backend answers which name, and who is asked when one fails.

use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::*;
use crate::{Code, NullBackend, Operation, openai};

/// Answers with its name, or fails.
struct Fake {
    inner: NullBackend,
    asked: AtomicUsize,
    fails: Option<Error>,
    health: Health,
    seen: Mutex<Option<String>>,
}

impl Fake {
    fn new(fails: Option<Error>) -> Arc<Fake> {
        Arc::new(Fake {
            inner: NullBackend::default(),
            asked: AtomicUsize::new(0),
            fails,
            health: Health::default(),
            seen: Mutex::default(),
        })
    }
}

#[async_trait]
impl Backend for Fake {
    async fn answer(&self, request: Request, principal: &Principal) -> Result<Answer, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        *self.seen.lock() = request.model.clone();
        match &self.fails {
            Some(error) => Err(error.clone()),
            None => self.inner.answer(request, principal).await,
        }
    }

    async fn prepare(&self, _model: Option<&str>) -> Result<(), Error> {
        Ok(())
    }

    async fn models(&self) -> Result<Vec<ModelEntry>, Error> {
        Ok(vec![ModelEntry {
            name: "m".to_owned(),
            added_at: 1,
        }])
    }

    fn capacity(&self, _model: Option<&str>) -> Capacity {
        Capacity { slots: 1 }
    }

    fn health(&self) -> &Health {
        &self.health
    }
}

fn named(backend: &Arc<Fake>, weight: u32) -> Named {
    Named {
        backend: Arc::clone(backend) as SharedBackend,
        models: vec!["m".to_owned()],
        weight,
    }
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
    let (engine, network, big) = (Fake::new(None), Fake::new(None), Fake::new(None));
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
    assert_eq!(names, ["m", "big/m"]);
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
        Router::new(Fake::new(None), None, named.into(), BTreeMap::new())
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
        Fake::new(None),
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
    let router = Router::new(Fake::new(None), None, named.into(), BTreeMap::new());
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
