//! The same request again: refused, and never paid twice.

use hearth_pocket::message::service::RelayMiningDifficulty;

use super::*;

fn answers(stage: &Stage) -> u64 {
    let key = session_key();
    stage
        .server
        .admission
        .sessions()
        .get(&key)
        .unwrap()
        .answers
        .load(Ordering::SeqCst)
}

#[tokio::test]
async fn a_replay_is_refused_and_costs_the_meter_nothing() {
    let stage = Stage::new(NullBackend::default()).await;
    // 4,200 upokt a relay: two of them.
    stage.chain.state().stake = 2 * 4_200 + 1;
    let first = good(false);
    stage.signed(&first).await;
    let mut written_anew = first.clone();
    written_anew.meta.signature.extend_from_slice(b"more");
    // Fields that nobody knows are no part of a request.
    let mut unknown = first.encode_to_vec();
    unknown.extend_from_slice(&[0x7a, 0x01, 0x00]);
    for _ in 0..20 {
        for request in [&first, &written_anew] {
            let refused = stage.refused(request).await;
            assert_eq!((refused.status, refused.code.as_str()), (409, "replay"));
        }
        let reply = Arc::clone(&stage.server).serve(Ok(unknown.clone().into())).await;
        assert_eq!(refusal(reply).unwrap().code, "replay");
    }
    assert_eq!(answers(&stage), 1);
    // The same words, signed again, are another request; and the meter still has the price of one.
    stage.signed(&good(false)).await;
    assert_eq!(stage.refused(&good(false)).await.code, "over_meter");
    assert_eq!(stage.refused(&first).await.code, "replay");
    assert_eq!(answers(&stage), 2);
}

#[tokio::test]
async fn of_two_at_once_one_is_answered() {
    let gate = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&gate);
    let stage = Stage::new(made(move |_| Made::Parts(after(&waits, ANSWER)))).await;
    let request = good(false);
    let second = async {
        soon("the first is at the backend", || {
            !stage.server.running.borrow().answers.is_empty()
        })
        .await;
        assert_eq!(stage.refused(&request).await.code, "replay");
        gate.add_permits(1);
    };
    let (first, ()) = tokio::join!(stage.serve(&request), second);
    assert_eq!(refusal(first), None);
    assert_eq!(answers(&stage), 1);
}

#[tokio::test]
async fn what_was_not_served_may_be_asked_again() {
    let n_asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&n_asked);
    let recovers = made(move |_| {
        let body = match counted.fetch_add(1, Ordering::SeqCst) {
            0 => b"<html>".as_slice(),
            _ => ANSWER,
        };
        Made::Whole(Bytes::from_static(body))
    });
    let stage = Stage::new(recovers).await;
    let request = good(false);
    assert_eq!(stage.refused(&request).await.code, "backend");
    stage.signed(&request).await;
    assert_eq!(stage.refused(&request).await.code, "replay");
}

/// The evidence says which requests were answered, whether they lie in the tree or not.
#[tokio::test]
async fn replays_are_known_after_a_restart() {
    for is_hard in [false, true] {
        let stage = Stage::new(NullBackend::default()).await;
        // No relay lies in the tree.
        let hardest = RelayMiningDifficulty {
            target_hash: [vec![0; 31], vec![1]].concat(),
            ..RelayMiningDifficulty::default()
        };
        stage.chain.state().difficulty = is_hard.then_some(hardest);
        let requests = [good(false), good(true)];
        for request in &requests {
            match stage.serve(request).await.body {
                ReplyBody::Full(_) => {}
                ReplyBody::Stream(body) => drop(body.try_collect::<Vec<Bytes>>().await.unwrap()),
            }
        }
        assert_eq!(answers(&stage), 2);
        let server = &stage.server;
        server.ledger.close(session_key()).await.unwrap();
        server.admission.sessions().remove(&session_key());
        let record = stage.record().await.unwrap();
        let resumed = server.admission.sessions().resume(&record).await.unwrap();
        assert_eq!(resumed.answers.load(Ordering::SeqCst), 2, "hard: {is_hard}");
        for request in &requests {
            assert_eq!(stage.refused(request).await.code, "replay", "hard: {is_hard}");
        }
        stage.signed(&good(false)).await;
    }
}
