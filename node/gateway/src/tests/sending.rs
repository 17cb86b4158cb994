//! What readers get from good suppliers, and what is said when nobody can be asked.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use hearth_base::{Amount, Height, ServiceId};
use hearth_pocket::{RingSignature, relay::relay_hash};

use super::{
    chain::{SERVICE, key},
    supplier::Behaviour,
    world::{ANSWER, EVENTS, World, read, request},
};
use crate::{Charge, Error, Fault, NetworkModel, Outcome, Request, Unavailable};

#[tokio::test]
async fn a_streamed_answer_arrives_verified_with_its_receipt() {
    let world = World::new(vec![vec![Behaviour::Stream(EVENTS.to_vec())]]).await;
    let answer = world.send().await.unwrap();
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (200, "text/event-stream")
    );
    let id = answer.id;
    let (text, failed, receipt) = read(answer).await;
    assert_eq!(text, EVENTS.concat());
    assert!(failed.is_none());
    assert_eq!(
        (receipt.id, receipt.parts, receipt.bytes),
        (id, 3, text.len() as u64)
    );
    assert_eq!(
        (receipt.price, receipt.charge, &receipt.outcome),
        (Amount::from_upokt(4200), Charge::Paid, &Outcome::Complete)
    );
    assert_eq!((receipt.session_start, receipt.session_end), (21, 40));
    assert_eq!(receipt.body_hash, relay_hash(text.as_bytes()));
    assert!(receipt.relay.is_some() && receipt.first_byte_ms.is_some());

    let (sent, http) = &world.suppliers[0].seen()[0];
    assert_eq!(sent.meta.session_header, Some(world.chain.header(25)));
    let ring = RingSignature::parse(&sent.meta.signature).unwrap();
    let members: Vec<[u8; 33]> = ring.keys().copied().collect();
    assert_eq!(members, [key(1).public_key(), key(2).public_key()]);
    assert_eq!(http.path_and_query(), "/chat/completions");
    assert_eq!(http.body, r#"{"model":"pocket/llm","messages":[],"stream":true}"#);

    // The receipt is on disk as it was handed out.
    let mut kept = None;
    while kept.is_none() {
        tokio::task::yield_now().await;
        kept = world.gateway.receipt(id).await.unwrap();
    }
    assert_eq!(kept, Some(receipt.clone()));
    assert_eq!(world.gateway.receipts(10, 0).await.unwrap(), [receipt]);
    world.stop().await;
}

#[tokio::test]
async fn a_whole_answer_and_a_signed_error_of_the_request_are_passed_on() {
    let world = World::new(vec![vec![
        Behaviour::Whole {
            status: 200,
            body: ANSWER,
        },
        Behaviour::Whole {
            status: 404,
            body: "{\"error\":1}",
        },
        Behaviour::Whole {
            status: 400,
            body: "{\"error\":2}",
        },
    ]])
    .await;
    for (status, body, charge) in [
        (200, ANSWER, Charge::Paid),
        (404, "{\"error\":1}", Charge::Unpaid),
        (400, "{\"error\":2}", Charge::Paid),
    ] {
        let answer = world.send().await.unwrap();
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (status, "application/json")
        );
        let (text, failed, receipt) = read(answer).await;
        assert_eq!((text.as_str(), receipt.charge), (body, charge));
        assert!(failed.is_none());
    }
    // One session for all three.
    assert_eq!(*world.chain.sessions_asked.lock().unwrap(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_reader_who_goes_away_cancels_the_relay() {
    let world = World::new(vec![vec![Behaviour::Slow(
        vec!["data: {\"choices\":[{}]}\n\n"; 200],
        Duration::from_millis(20),
    )]])
    .await;
    let mut answer = world.send().await.unwrap();
    assert!(answer.body.next().await.is_some());
    drop(answer.body);
    let receipt = answer.receipt.await.unwrap();
    assert_eq!(
        (receipt.charge, &receipt.outcome),
        (Charge::Unknown, &Outcome::Cancelled)
    );
    assert!(receipt.parts < 200);
    // The supplier notices too.
    for _ in 0..200 {
        if world.suppliers[0].dropped() > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(world.suppliers[0].dropped(), 1);
    world.stop().await;
}

#[tokio::test]
async fn who_gives_up_before_the_first_byte_leaves_a_receipt_too() {
    let world = World::new(vec![vec![Behaviour::Silent]]).await;
    let waiting = tokio::time::timeout(Duration::from_millis(200), world.send()).await;
    assert!(waiting.is_err());
    let mut receipts = Vec::new();
    while receipts.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
        receipts = world.gateway.receipts(10, 0).await.unwrap();
    }
    assert_eq!(
        (receipts[0].outcome.clone(), receipts[0].charge),
        (Outcome::Cancelled, Charge::Unknown)
    );
    world.stop().await;
}

#[tokio::test]
async fn sessions_roll_over_and_the_old_one_serves_through_its_grace() {
    let world = World::new(vec![vec![Behaviour::Whole {
        status: 200,
        body: ANSWER,
    }]])
    .await;
    let session = async |world: &World| read(world.send().await.unwrap()).await.2.session_start;
    assert_eq!(session(&world).await, 21);
    // The next session is fetched before anybody asks.
    world.chain.height.send_replace(Height(41));
    while *world.chain.sessions_asked.lock().unwrap() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(session(&world).await, 41);
    assert_eq!(*world.chain.sessions_asked.lock().unwrap(), 2);

    *world.chain.no_sessions_from.lock().unwrap() = Some(61);
    world.chain.height.send_replace(Height(70));
    assert_eq!(session(&world).await, 41);
    world.chain.height.send_replace(Height(71));
    let error = world.fails().await;
    assert_eq!(
        (error.fault(), error.code()),
        (Fault::Network, "chain_unreachable"),
        "{error}"
    );
    world.stop().await;
}

#[tokio::test]
async fn a_supplier_that_is_a_block_behind_gets_the_former_session() {
    let world = World::new(vec![vec![
        Behaviour::Whole {
            status: 200,
            body: ANSWER,
        },
        Behaviour::Classic {
            codespace: "relay_authenticator",
            code: 1,
        },
        Behaviour::Whole {
            status: 200,
            body: ANSWER,
        },
    ]])
    .await;
    read(world.send().await.unwrap()).await;
    world.chain.height.send_replace(Height(41));
    let (_, failed, receipt) = read(world.send().await.unwrap()).await;
    assert!(failed.is_none());
    assert_eq!((receipt.session_start, receipt.failed_tries), (21, 1));
    let sessions: Vec<i64> = world.suppliers[0]
        .seen()
        .iter()
        .filter_map(|(sent, _)| {
            sent.meta
                .session_header
                .as_ref()
                .map(|header| header.session_start_block_height)
        })
        .collect();
    assert_eq!(sessions, [21, 41, 21]);
    world.stop().await;
}

#[tokio::test]
async fn who_cannot_pay_is_told_why() {
    let world = World::new(vec![vec![Behaviour::Whole {
        status: 200,
        body: ANSWER,
    }]])
    .await;
    let ask = async |service: &str| {
        let request = Request {
            service: ServiceId::new(service),
            ..request()
        };
        match world.gateway.send(request).await {
            Ok(_) => panic!("it was sent"),
            Err(error) => error,
        }
    };
    let error = ask("nope").await;
    assert_eq!((error.fault(), error.code()), (Fault::Caller, "unknown_service"));
    assert_eq!(
        world.gateway.n_held(),
        0,
        "a name that is no service leaves nothing"
    );
    assert_eq!(ask("unpaid").await.code(), "no_application");

    // Two answers above the minimum: the third would unbond the application.
    world.chain.application.lock().unwrap().stake =
        Some(hearth_pocket::message::Coin::upokt(Amount::from_upokt(1_008_400)));
    for _ in 0..2 {
        read(world.send().await.unwrap()).await;
    }
    let error = world.fails().await;
    assert_eq!(
        (error.fault(), error.code()),
        (Fault::Application, "out_of_stake"),
        "{error}"
    );
    world.stop().await;
}

#[tokio::test]
async fn limits_of_this_node_are_said() {
    let world = World::with(vec![vec![Behaviour::Silent]], |config| {
        config.max_concurrent = 1;
        config.max_request_bytes = 100;
    })
    .await;
    let big = Request {
        body: Bytes::from(vec![b'x'; 101]),
        ..request()
    };
    let error = world.gateway.send(big).await.err().unwrap();
    assert_eq!(
        (error.fault(), error.code()),
        (Fault::Caller, "request_too_large")
    );
    let gateway = world.gateway.clone();
    let first = gateway.send(request());
    let second = async {
        while world.suppliers[0].seen().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        world.fails().await
    };
    tokio::pin!(first);
    let error = tokio::select! {
        _ = &mut first => panic!("silence was answered"),
        error = second => error,
    };
    assert_eq!((error.fault(), error.code()), (Fault::Node, "busy"));
    world.gateway.stop();
    assert!(matches!(first.await, Err(Error::Stopping)));
    world.stop().await;
}

#[tokio::test]
async fn the_list_of_models_has_prices_and_reasons() {
    let world = World::new(vec![vec![Behaviour::Whole {
        status: 200,
        body: ANSWER,
    }]])
    .await;
    let models = world.gateway.services().await.unwrap();
    let expected = |service: &str, application: bool, suppliers, unavailable| NetworkModel {
        service: ServiceId::new(service),
        model: format!("pocket/{service}"),
        title: service.to_owned(),
        price: Amount::from_upokt(4200),
        application: application.then(|| key(1).address().clone()),
        is_direct: false,
        suppliers,
        unavailable,
    };
    let unpaid = expected("unpaid", false, None, Some(Unavailable::NoApplication));
    assert_eq!(models, [expected(SERVICE, true, Some(1), None), unpaid]);
    read(world.send().await.unwrap()).await;
    world.stop().await;

    let world = World::new(Vec::new()).await;
    let models = world.gateway.services().await.unwrap();
    let nobody = (models[0].suppliers, models[0].unavailable.clone());
    assert_eq!(nobody, (Some(0), Some(Unavailable::NoSupplier)));
    assert!(world.gateway.session_suppliers().await.is_empty());
    world.stop().await;
}
