//! Every kind of question, with one endpoint that lies, is slow, takes no more questions, breaks connections off or serves a
//! fork, and one that is honest.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use hearth_chain::{EndpointState, Proven, QueryError, Trust};
use hearth_pocket::{address::Address, message::session::Session};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream},
    net::{TcpListener, TcpStream},
};

use super::*;

/// What stands between us and an honest endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Honest,
    Slow,
    Limited,
    Resets,
    /// It turns the last byte of every value.
    Lies,
    /// It hides what a store holds.
    Hides,
    Unavailable,
}

/// A relay of questions that misbehaves.
#[derive(Clone)]
struct Relay {
    address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    asked: Arc<AtomicUsize>,
    /// One for all connections: making one reads all certificates of the system.
    client: reqwest::Client,
}

impl Relay {
    async fn start(to: String, tasks: &Tasks) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay {
            address: listener.local_addr().unwrap(),
            manner: Arc::new(Mutex::new(Manner::Honest)),
            asked: Arc::default(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        let (this, owner) = (relay.clone(), tasks.clone());
        tasks.spawn_until_stopped("relay", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (this, to) = (this.clone(), to.clone());
                owner.spawn_until_stopped("relayed", async move {
                    let _ = this.serve(stream, &to).await;
                });
            }
        });
        relay
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn turn(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    async fn serve(&self, stream: TcpStream, to: &str) -> std::io::Result<()> {
        let mut stream = BufStream::new(stream);
        loop {
            let (mut length, mut line) = (0, String::new());
            loop {
                line.clear();
                if stream.read_line(&mut line).await? == 0 {
                    return Ok(());
                }
                if let Some(text) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = text.trim().parse().unwrap();
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).await?;
            self.asked.fetch_add(1, Ordering::Relaxed);
            let manner = *self.manner.lock().unwrap();
            match manner {
                Manner::Resets => return Ok(()),
                Manner::Slow => tokio::time::sleep(Duration::from_millis(1500)).await,
                Manner::Honest | Manner::Limited | Manner::Lies | Manner::Hides | Manner::Unavailable => {}
            }
            let answer = self
                .client
                .post(to)
                .header("content-type", "application/json")
                .body(body)
                .send();
            let answer = answer.await.unwrap().text().await.unwrap();
            let (status, more, answer) = match manner {
                Manner::Limited => ("429 Too Many Requests", "retry-after: 7\r\n", String::new()),
                Manner::Unavailable => ("503 Service Unavailable", "", "<html>".to_owned()),
                Manner::Lies | Manner::Hides => ("200 OK", "", falsified(&answer, manner)),
                Manner::Honest | Manner::Slow | Manner::Resets => ("200 OK", "", answer),
            };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(head.as_bytes()).await?;
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
        }
    }
}

/// An answer with another value, or none. What comes without a proof stays: nobody could tell, and whether it is heard
/// depends on who is faster.
fn falsified(answer: &str, manner: Manner) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut json: serde_json::Value = serde_json::from_str(answer).unwrap();
    let proof = json.pointer("/result/response/proofOps");
    if proof.is_none_or(serde_json::Value::is_null) {
        return answer.to_owned();
    }
    if let Some(value) = json.pointer_mut("/result/response/value")
        && let Some(text) = value.as_str().filter(|text| !text.is_empty())
    {
        let mut bytes = STANDARD.decode(text).unwrap();
        if manner == Manner::Hides {
            bytes.clear();
        } else {
            *bytes.last_mut().unwrap() ^= 1;
        }
        *value = STANDARD.encode(bytes).into();
    }
    json.to_string()
}

/// A devnet with a service, a supplier and an application, in a session in which all of them count.
async fn staked() -> World {
    let world = World::start().await;
    let (owner, operator, app) = (key(1), key(2), key(3));
    world.fund(&[&owner, &operator, &app]).await;
    world.submit(&owner, &service(&owner)).await;
    world.submit(&operator, &supplier(&operator)).await;
    let services = vec![ApplicationServiceConfig {
        service_id: SERVICE.to_owned(),
    }];
    let stake = MsgStakeApplication {
        address: app.address().to_string(),
        stake: Some(Coin::upokt(pokt(50_000))),
        services,
        per_session_spend_limit: None,
    };
    let staked = world.submit(&app, &stake).await;
    let params = world.chain.params().await.unwrap().into_value();
    let blocks = params.shared.num_blocks_per_session;
    let in_session = staked.height.plus(blocks + 1);
    world.chain.reach(in_session, PATIENCE).await.unwrap();
    world
}

/// Two endpoints of one devnet, one of them through a relay that is asked first.
struct Pair {
    _folder: tempfile::TempDir,
    world: Arc<World>,
    relay: Relay,
    chain: Chain,
    application: Address,
    operator: Address,
}

impl Pair {
    async fn start() -> Pair {
        Pair::on(&Arc::new(staked().await)).await
    }

    /// Two more endpoints of the same devnet, of which nobody knows anything yet.
    async fn on(world: &Arc<World>) -> Pair {
        let relay = Relay::start(world.devnet.rpc_url(), &world.tasks).await;
        let folder = tempfile::tempdir().unwrap();
        // As far away as the other one.
        let honest = Relay::start(world.devnet.rpc_url(), &world.tasks).await;
        let urls = [relay.url(), honest.url()];
        let chain = follow_at(&folder, &world.devnet, &world.tasks, &urls).await;
        let head = world.chain.head().borrow().height;
        chain.reach(head, PATIENCE).await.unwrap();
        Pair {
            _folder: folder,
            world: Arc::clone(world),
            relay,
            chain,
            application: key(3).address().clone(),
            operator: key(2).address().clone(),
        }
    }

    async fn session(&self) -> Result<Proven<Session>, QueryError> {
        let head = self.chain.head().borrow().height;
        self.chain.session(&self.application, &SERVICE.into(), head).await
    }

    /// Asks everything that decides about money.
    async fn ask_all(&self) {
        let (chain, service) = (&self.chain, ServiceId::new(SERVICE));
        let head = chain.head().borrow().height;
        let balance = chain.balance(&self.application).await.unwrap().proven().unwrap();
        assert!(*balance.value() < pokt(50_000));
        let account = chain.account(&self.operator).await.unwrap().proven().unwrap();
        assert!(account.value().as_ref().unwrap().public_key.is_some());
        let record = chain.supplier(&self.operator).await.unwrap().proven().unwrap();
        assert_eq!(record.value().as_ref().unwrap().services.len(), 1);
        let application = chain
            .application(&self.application)
            .await
            .unwrap()
            .proven()
            .unwrap();
        assert_eq!(
            application.value().as_ref().unwrap().stake,
            Some(Coin::upokt(pokt(50_000)))
        );
        assert!(
            chain
                .gateway(&self.operator)
                .await
                .unwrap()
                .proven()
                .unwrap()
                .value()
                .is_none()
        );
        assert!(
            chain
                .service(&service)
                .await
                .unwrap()
                .proven()
                .unwrap()
                .value()
                .is_some()
        );
        let params = chain.params().await.unwrap().proven().unwrap();
        assert!(params.value().shared.num_blocks_per_session > 1);
        assert_eq!(
            chain.params_at(head).await.unwrap().proven().unwrap().value(),
            &params.value().shared
        );
        assert!(chain.session_params_at(head).await.unwrap().is_proven());
        assert_eq!(
            *chain
                .compute_units_at(&service, head)
                .await
                .unwrap()
                .proven()
                .unwrap()
                .value(),
            Some(7)
        );
        assert!(chain.difficulty_at(&service, head).await.unwrap().is_proven());
        assert!(
            chain
                .claim(&"00".into(), &self.operator)
                .await
                .unwrap()
                .proven()
                .unwrap()
                .value()
                .is_none()
        );
        assert_eq!(chain.block_hash(head).await.unwrap().height(), head);
        let session = self.session().await.unwrap();
        let operators: Vec<&str> = session
            .value()
            .suppliers
            .iter()
            .map(|one| one.operator_address.as_str())
            .collect();
        assert_eq!(operators, [self.operator.as_str()]);
        // What nobody can prove is somebody's word all the same.
        assert_eq!(chain.services().await.unwrap().value.len(), 1);
        assert_eq!(chain.suppliers(&service).await.unwrap().value.len(), 1);
    }

    fn first(&self) -> hearth_chain::EndpointStatus {
        self.chain.endpoints().remove(0)
    }

    async fn stop(self) {
        self.chain.stop();
        self.chain.join().await;
        // The last one leaves nothing behind.
        if let Some(world) = Arc::into_inner(self.world) {
            world.stop().await;
        }
    }
}

/// Whether an endpoint is known for how it behaves.
fn is_named(endpoint: &hearth_chain::EndpointStatus, manner: Manner) -> bool {
    match manner {
        Manner::Honest => true,
        Manner::Slow => endpoint.score < 100,
        Manner::Resets | Manner::Unavailable => {
            matches!(endpoint.state, EndpointState::Failing { .. }) || endpoint.failed_permille > 0
        }
        Manner::Limited => {
            matches!(&endpoint.state, EndpointState::Limited { why } if why.contains("7 s"))
        }
        Manner::Lies | Manner::Hides => endpoint.lies > 0,
    }
}

#[tokio::test]
async fn every_question_is_answered_beside_an_endpoint_that_misbehaves() {
    // Whoever misbehaved is asked after the others from then on, so that each liar is another one.
    let courses: [&[Manner]; 3] = [
        &[Manner::Slow, Manner::Resets, Manner::Unavailable, Manner::Limited],
        &[Manner::Lies],
        &[Manner::Hides],
    ];
    let world = Arc::new(staked().await);
    for course in courses {
        let pair = Pair::on(&world).await;
        pair.ask_all().await;
        for manner in course {
            pair.relay.turn(*manner);
            let deadline = tokio::time::Instant::now() + PATIENCE * 2;
            while !is_named(&pair.first(), *manner) {
                assert!(
                    tokio::time::Instant::now() < deadline,
                    "{manner:?}: {:?}",
                    pair.first()
                );
                pair.ask_all().await;
                let height = pair.chain.head().borrow().height;
                pair.chain.reach(height.plus(1), PATIENCE).await.unwrap();
            }
            pair.ask_all().await;
            pair.relay.turn(Manner::Honest);
        }
        // What it said is kept, with the question.
        let evidence = pair.chain.evidence().await.unwrap();
        let lied = course.contains(&Manner::Lies) || course.contains(&Manner::Hides);
        assert_eq!(!evidence.is_empty(), lied, "{evidence:?}");
        for lie in &evidence {
            assert_eq!(lie.endpoint, pair.first().name);
            assert!(lie.question.starts_with("abci_query"), "{}", lie.question);
            assert!(
                lie.why.contains("wrong proof") && !lie.answer.is_empty(),
                "{}",
                lie.why
            );
        }
        pair.stop().await;
    }
    if let Some(world) = Arc::into_inner(world) {
        world.stop().await;
    }
}

#[tokio::test]
async fn an_endpoint_that_takes_no_more_questions_is_left_alone() {
    let pair = Pair::start().await;
    pair.relay.turn(Manner::Limited);
    let limited = async {
        while !matches!(pair.first().state, EndpointState::Limited { .. }) {
            let _ = pair.chain.balance(&pair.operator).await;
            tokio::time::sleep(BLOCK).await;
        }
    };
    tokio::time::timeout(PATIENCE, limited).await.unwrap();
    let before = pair.relay.asked.load(Ordering::Relaxed);
    let height = pair.chain.head().borrow().height;
    pair.chain.reach(height.plus(8), PATIENCE).await.unwrap();
    pair.ask_all().await;
    assert_eq!(pair.relay.asked.load(Ordering::Relaxed), before);
    pair.stop().await;
}

#[tokio::test]
async fn a_fork_of_the_same_name_proves_nothing() {
    let world = World::start().await;
    let from = key(1);
    world.fund(&[&from]).await;
    let elsewhere = tempfile::tempdir().unwrap();
    let fork = devnet(&elsewhere, &world.tasks).await;
    fork.faucet(from.address().as_str(), pokt(7)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let urls = [fork.rpc_url(), world.devnet.rpc_url()];
    let chain = follow_at(&folder, &world.devnet, &world.tasks, &urls).await;
    let head = world.chain.head().borrow().height;
    chain.reach(head.plus(3), PATIENCE).await.unwrap();
    let balance = chain.balance(from.address()).await.unwrap().proven().unwrap();
    assert_eq!(*balance.value(), pokt(100_000));
    let fork_is_named = async {
        while chain.endpoints()[0].lies == 0 {
            let _ = chain.balance(from.address()).await;
            tokio::time::sleep(BLOCK).await;
        }
    };
    tokio::time::timeout(PATIENCE, fork_is_named).await.unwrap();
    chain.stop();
    chain.join().await;
    fork.stop();
    fork.join().await;
    world.stop().await;
}

#[tokio::test]
async fn endpoints_are_added_tried_and_removed_for_good() {
    let pair = Pair::start().await;
    let chain = &pair.chain;
    let other = Relay::start(pair.world.devnet.rpc_url(), &pair.world.tasks).await;
    let with_key = format!("{}/v1/key-that-nobody-sees", other.url());
    let error = chain
        .add_endpoint("ftp://me:secret@host/key")
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("ftp://host") && !error.contains("secret"),
        "{error}"
    );
    let error = chain
        .add_endpoint("http://127.0.0.1:9/key")
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("127.0.0.1:9") && !error.contains("key"), "{error}");
    let trial = chain.add_endpoint(&with_key).await.unwrap();
    assert_eq!((trial.proves, trial.trouble), (true, None));
    assert!(
        chain
            .add_endpoint(&with_key)
            .await
            .unwrap_err()
            .to_string()
            .contains("already")
    );
    let added = chain.endpoints().remove(2);
    assert!(
        added.is_added && !format!("{added:?}").contains("nobody-sees"),
        "{added:?}"
    );
    let trials = chain.try_endpoints(None).await.unwrap();
    assert!(
        trials
            .iter()
            .all(|trial| trial.proves && trial.agrees != Some(false)),
        "{trials:?}"
    );
    // A configured one is taken away, the others stay; the last one always does.
    let configured = chain.endpoints().remove(0);
    chain.remove_endpoint(&configured.name).await.unwrap();
    chain.remove_endpoint(&added.id).await.unwrap();
    let last = chain.endpoints().remove(0);
    assert!(
        chain
            .remove_endpoint(&last.id)
            .await
            .unwrap_err()
            .to_string()
            .contains("last endpoint")
    );
    assert!(chain.remove_endpoint("nobody").await.is_err());
    pair.ask_all().await;
    pair.stop().await;
}

#[tokio::test]
async fn a_person_gives_the_block_that_is_trusted() {
    let world = World::start().await;
    world.chain.reach(Height(6), PATIENCE).await.unwrap();
    let trust = world.devnet.trust();
    let right = Anchor {
        height: trust.height,
        hash: hex::decode(&trust.hash).unwrap().try_into().unwrap(),
    };
    let folder = tempfile::tempdir().unwrap();
    let urls = [world.devnet.rpc_url()];
    let chain = follow_with(&folder, &world.devnet, &world.tasks, &urls, None).await;
    let mut head = chain.head();
    let unverified = |head: &hearth_chain::Head| matches!(head.standing, Standing::Unverified { .. });
    head.wait_for(unverified).await.unwrap();
    assert_eq!(chain.trust().await.unwrap(), Trust::Missing);
    let balance = chain.balance(key(1).address()).await.unwrap();
    assert!(balance.proven().is_err());
    // What no endpoint has is not kept.
    let wrong = Anchor {
        hash: [7; 32],
        ..right
    };
    let error = chain.give_anchor(wrong, false).await.unwrap_err().to_string();
    assert!(error.contains("contradict"), "{error}");
    assert_eq!(chain.trust().await.unwrap(), Trust::Missing);
    chain.give_anchor(right, false).await.unwrap();
    chain.reach(Height(6), PATIENCE).await.unwrap();
    let balance = chain.balance(key(1).address()).await.unwrap();
    assert!(balance.is_proven());
    assert!(matches!(chain.trust().await.unwrap(), Trust::ByPerson { anchor, .. } if anchor == right));
    // A later mistake changes nothing.
    assert!(chain.give_anchor(wrong, false).await.is_err());
    assert!(matches!(chain.trust().await.unwrap(), Trust::ByPerson { anchor, .. } if anchor == right));
    let later = chain.head().borrow().height;
    let hash = chain.block_hash(later).await.unwrap().into_value();
    chain
        .give_anchor(Anchor { height: later, hash }, false)
        .await
        .unwrap();
    chain.forget_anchor().await.unwrap();
    assert_eq!(chain.trust().await.unwrap(), Trust::Given(right));
    chain.stop();
    chain.join().await;
    world.stop().await;
}
