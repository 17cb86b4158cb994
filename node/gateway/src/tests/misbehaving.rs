//! What readers get from suppliers that fail or cheat.

use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt;
use hearth_base::Amount;

use super::{
    chain::key,
    supplier::Behaviour,
    world::{ANSWER, EVENTS, World, read, refused, request},
};
use crate::{Charge, Error, Fault, Outcome, RefusalReason, Request, SupplierError};

#[tokio::test]
async fn what_does_not_verify_never_reaches_the_reader() {
    for behaviour in [
        Behaviour::BadSignature,
        Behaviour::OtherSession,
        Behaviour::OtherPayload,
    ] {
        let world = World::new(vec![vec![behaviour.clone()]]).await;
        let error = world.fails().await;
        assert!(
            matches!(
                &error,
                Error::Supplier {
                    error: SupplierError::Unverified(_),
                    ..
                }
            ),
            "{behaviour:?}: {error}"
        );
        assert_eq!(
            (error.fault(), error.code()),
            (Fault::Supplier, "answer_not_verified")
        );
        // A liar is not asked again.
        assert!(matches!(world.fails().await, Error::NoSupplier { .. }));
        assert_eq!(world.suppliers[0].seen().len(), 1);
        world.stop().await;
    }
}

#[tokio::test]
async fn a_stream_is_verified_part_by_part() {
    let forged = World::new(vec![vec![Behaviour::LastPartForged(EVENTS.to_vec())]]).await;
    let (text, failed, receipt) = read(forged.send().await.unwrap()).await;
    assert_eq!(text, EVENTS[..2].concat());
    assert!(matches!(
        failed,
        Some(Error::Supplier {
            error: SupplierError::Unverified(_),
            ..
        })
    ));
    assert!(matches!(receipt.outcome, Outcome::Failed { .. }));
    assert_eq!(receipt.parts, 2);
    forged.stop().await;

    let changed = World::new(vec![vec![Behaviour::LastPartOtherStatus(EVENTS.to_vec())]]).await;
    let (text, failed, _) = read(changed.send().await.unwrap()).await;
    assert_eq!(text, EVENTS[..2].concat());
    let failed = failed.unwrap();
    assert!(
        matches!(
            failed,
            Error::Supplier {
                error: SupplierError::StatusChanged {
                    first: 200,
                    then: 500
                },
                ..
            }
        ),
        "{failed}"
    );
    changed.stop().await;
}

#[tokio::test]
async fn a_stream_that_ends_early_is_an_error() {
    let torn = World::new(vec![vec![Behaviour::Torn(EVENTS.to_vec())]]).await;
    let (text, failed, _) = read(torn.send().await.unwrap()).await;
    assert_eq!(text, EVENTS[..2].concat());
    assert!(
        matches!(
            failed,
            Some(Error::Supplier {
                error: SupplierError::Stream(_),
                ..
            })
        ),
        "{failed:?}"
    );
    torn.stop().await;

    // Whole parts, but OpenAI's last line is missing: nothing binds the number of parts, so this is all there is.
    let short = World::new(vec![vec![Behaviour::Stream(EVENTS[..2].to_vec())]]).await;
    let (_, failed, receipt) = read(short.send().await.unwrap()).await;
    assert!(
        matches!(
            failed,
            Some(Error::Supplier {
                error: SupplierError::BrokenOff { .. },
                ..
            })
        ),
        "{failed:?}"
    );
    assert_eq!(receipt.charge, Charge::Unknown);
    short.stop().await;
}

#[tokio::test]
async fn slow_suppliers_run_into_their_two_limits() {
    let silent = World::with(vec![vec![Behaviour::Silent]], |config| {
        config.first_byte = Duration::from_millis(200)
    })
    .await;
    let error = silent.fails().await;
    assert!(
        matches!(
            &error,
            Error::Supplier {
                error: SupplierError::FirstByte { .. },
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(error.code(), "supplier_timeout");
    silent.stop().await;

    // Slow beyond the first limit from part to part, but within the whole one: long answers work.
    let pause = Duration::from_millis(150);
    let slow = World::with(vec![vec![Behaviour::Slow(EVENTS.to_vec(), pause)]], |config| {
        config.first_byte = Duration::from_millis(300);
    })
    .await;
    let (text, failed, _) = read(slow.send().await.unwrap()).await;
    assert_eq!(text, EVENTS.concat());
    assert!(failed.is_none());
    slow.stop().await;

    let endless = World::with(vec![vec![Behaviour::Slow(EVENTS.to_vec(), pause)]], |config| {
        config.first_byte = Duration::from_millis(300);
        config.total = Duration::from_millis(350);
    })
    .await;
    let (_, failed, _) = read(endless.send().await.unwrap()).await;
    assert!(
        matches!(
            failed,
            Some(Error::Supplier {
                error: SupplierError::Total { .. },
                ..
            })
        ),
        "{failed:?}"
    );
    endless.stop().await;
}

#[tokio::test]
async fn garbage_is_named() {
    for (behaviour, code) in [
        (Behaviour::Garbage, "answer_not_verified"),
        (Behaviour::Empty, "answer_not_verified"),
        (
            Behaviour::Http {
                status: 418,
                error: "teapot",
            },
            "supplier_refused",
        ),
    ] {
        let world = World::new(vec![vec![behaviour]]).await;
        let error = world.fails().await;
        assert_eq!((error.fault(), error.code()), (Fault::Supplier, code), "{error}");
        let receipts = world.gateway.receipts(10, 0).await.unwrap();
        assert!(receipts.iter().all(
            |receipt| receipt.charge != Charge::Paid && matches!(receipt.outcome, Outcome::Failed { .. })
        ));
        world.stop().await;
    }
}

#[tokio::test]
async fn refusals_of_both_miners_mean_the_same() {
    for (behaviour, why, fault) in [
        (
            Behaviour::Classic {
                codespace: "relayer_proxy",
                code: 3,
            },
            RefusalReason::UnknownService,
            Fault::Supplier,
        ),
        (
            Behaviour::Http {
                status: 404,
                error: "unknown service: llm",
            },
            RefusalReason::UnknownService,
            Fault::Supplier,
        ),
        (
            Behaviour::Classic {
                codespace: "relayer_proxy",
                code: 7,
            },
            RefusalReason::Exhausted,
            Fault::Application,
        ),
        // The stake was proven before: the supplier's chain is behind, which passes.
        (
            Behaviour::Classic {
                codespace: "session",
                code: 1102,
            },
            RefusalReason::NotStaked,
            Fault::Network,
        ),
        (
            Behaviour::Http {
                status: 429,
                error: "stake exhausted",
            },
            RefusalReason::Exhausted,
            Fault::Application,
        ),
        (
            Behaviour::Classic {
                codespace: "rings",
                code: 3,
            },
            RefusalReason::Ring,
            Fault::Node,
        ),
        (
            Behaviour::Classic {
                codespace: "relayer_proxy",
                code: 10,
            },
            RefusalReason::Timeout,
            Fault::Supplier,
        ),
        (
            Behaviour::Classic {
                codespace: "never",
                code: 1,
            },
            RefusalReason::Other,
            Fault::Supplier,
        ),
    ] {
        let world = World::new(vec![vec![behaviour.clone()]]).await;
        let error = world.fails().await;
        assert_eq!((refused(&error), error.fault()), (why, fault), "{behaviour:?}");
        // One supplier is asked once: there is no other, and the same is not asked twice.
        assert_eq!(world.suppliers[0].seen().len(), 1, "{behaviour:?}");
        world.stop().await;
    }
}

#[tokio::test]
async fn another_supplier_is_asked_only_when_nothing_was_served() {
    let good = || {
        vec![Behaviour::Whole {
            status: 200,
            body: ANSWER,
        }]
    };
    for refusal in [
        Behaviour::Classic {
            codespace: "relayer_proxy",
            code: 9,
        },
        Behaviour::Http {
            status: 503,
            error: "service temporarily unavailable",
        },
        Behaviour::Http {
            status: 500,
            error: "backend service error",
        },
    ] {
        let world = World::new(vec![vec![refusal], good()]).await;
        for _ in 0..6 {
            let (_, failed, receipt) = read(world.send().await.unwrap()).await;
            assert!(failed.is_none() && receipt.supplier == world.suppliers[1].key.address().as_str());
        }
        // After its first failure it rests, so that at most one answer had to be asked for twice.
        assert!(world.suppliers[0].seen().len() <= 2);
        // What was refused is not on the bill.
        let budget = world.gateway.budget().await.unwrap();
        assert_eq!(budget.spent_today, Amount::from_upokt(6 * 4200));
        world.stop().await;
    }
    // A reverse proxy that lost its connection does not know what was served.
    let lost = Behaviour::Page {
        status: 504,
        text: "<html>504 Gateway Time-out</html>",
    };
    let world = World::new(vec![vec![lost.clone()], vec![lost]]).await;
    let _ = world.fails().await;
    let receipts = world.gateway.receipts(10, 0).await.unwrap();
    assert_eq!((receipts.len(), receipts[0].charge), (1, Charge::Unknown));
    assert_eq!(receipts[0].failed_tries, 1);
    world.stop().await;
    // A timeout may have been served and is not paid for twice.
    let world = World::with(vec![vec![Behaviour::Silent], vec![Behaviour::Silent]], |config| {
        config.first_byte = Duration::from_millis(100);
    })
    .await;
    let _ = world.fails().await;
    assert_eq!(
        world
            .suppliers
            .iter()
            .map(|supplier| supplier.seen().len())
            .sum::<usize>(),
        1
    );
    world.stop().await;
}

#[tokio::test]
async fn a_supplier_that_is_not_there_is_passed_over() {
    let world = World::new(vec![vec![Behaviour::Whole {
        status: 200,
        body: ANSWER,
    }]])
    .await;
    world.chain.add_supplier(&key(77), "http://127.0.0.1:9/");
    for _ in 0..8 {
        let (text, failed, _) = read(world.send().await.unwrap()).await;
        assert_eq!(text, ANSWER);
        assert!(failed.is_none());
    }
    world.stop().await;
}

#[tokio::test]
async fn suppliers_that_cannot_be_verified_or_lie_inside_are_not_asked() {
    let world = World::new(vec![vec![Behaviour::Whole {
        status: 200,
        body: ANSWER,
    }]])
    .await;
    world.chain.forget_key(world.suppliers[0].key.address());
    assert!(matches!(world.fails().await, Error::NoSupplier { .. }));
    world.stop().await;
    let world = World::with(vec![vec![Behaviour::Silent]], |config| {
        config.allow_local_endpoints = false
    })
    .await;
    assert!(matches!(world.fails().await, Error::NoSupplier { .. }));
    assert!(world.suppliers[0].seen().is_empty());
    world.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_has_only_the_limit_of_the_whole_r36() {
    let whole = |after| Behaviour::Late {
        after: Duration::from_millis(after),
        body: ANSWER,
    };
    let world = World::with(vec![vec![whole(400), whole(10_000)]], |config| {
        config.first_byte = Duration::from_millis(100);
        config.total = Duration::from_millis(2000);
    })
    .await;
    let ask = || Request {
        body: Bytes::from_static(b"{\"model\":\"pocket/llm\"}"),
        ..request()
    };
    let (text, failed, receipt) = read(world.gateway.send(ask()).await.unwrap()).await;
    assert!(failed.is_none() && text == ANSWER && receipt.charge == Charge::Paid);
    let error = world.gateway.send(ask()).await.err().unwrap();
    assert!(
        matches!(
            &error,
            Error::Supplier {
                error: SupplierError::Total { .. },
                ..
            }
        ),
        "{error}"
    );
    let late = &world.gateway.receipts(1, 0).await.unwrap()[0];
    assert_eq!(late.charge, Charge::Unknown);
    world.stop().await;
}

#[tokio::test]
async fn a_stream_without_its_last_line_is_whole_if_the_model_said_why_it_ended_r22_r24() {
    let last = "\ndata:{\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    let world = World::new(vec![vec![Behaviour::Stream(vec![EVENTS[0], EVENTS[1], last])]]).await;
    let (text, failed, receipt) = read(world.send().await.unwrap()).await;
    assert!(failed.is_none() && text.ends_with(last));
    assert_eq!(
        (receipt.charge, receipt.outcome),
        (Charge::Paid, Outcome::Complete)
    );
    world.stop().await;
}

#[tokio::test]
async fn an_error_event_is_passed_on_once_and_ends_the_answer_r33b() {
    let error = "\ndata: {\"error\":{\"message\":\"out of memory\"}}\n\n";
    let world = World::new(vec![vec![Behaviour::Stream(vec![EVENTS[0], error])]]).await;
    let (text, failed, receipt) = read(world.send().await.unwrap()).await;
    assert!(failed.is_none() && text.ends_with(error), "{failed:?}");
    assert_eq!(receipt.charge, Charge::Unknown);
    assert!(matches!(receipt.outcome, Outcome::Failed { .. }));
    world.stop().await;
}

#[tokio::test]
async fn who_leaves_at_the_last_line_was_served() {
    let mut parts = EVENTS.to_vec();
    parts.push("\n");
    let world = World::new(vec![vec![Behaviour::HangsBeforeItsLastPart(parts)]]).await;
    let mut answer = world.send().await.unwrap();
    let mut text = Vec::new();
    while !text.ends_with(b"data: [DONE]\n\n") {
        text.extend_from_slice(&answer.body.next().await.unwrap().unwrap());
    }
    drop(answer.body);
    let receipt = answer.receipt.await.unwrap();
    assert_eq!(
        (receipt.charge, receipt.outcome),
        (Charge::Paid, Outcome::Complete)
    );
    world.stop().await;
}

#[tokio::test]
async fn what_is_signed_and_no_answer_never_reaches_the_reader_r10_r11_r40() {
    for (status, body, charge) in [
        (200, "", Charge::Unknown),
        (200, "<html>login</html>", Charge::Unknown),
        (200, "{\"error\":\"no credit\"}", Charge::Unknown),
        (429, "{\"error\":\"slow down\"}", Charge::Unknown),
        (401, "{\"error\":\"key sk-secret\"}", Charge::Unknown),
        (307, "", Charge::Unknown),
        (500, "<html><h1>500</h1></html>", Charge::Unpaid),
    ] {
        let world = World::new(vec![vec![Behaviour::Whole { status, body }]]).await;
        let error = world.fails().await;
        assert_eq!(
            (error.fault(), error.code()),
            (Fault::Supplier, "no_answer"),
            "{status}"
        );
        assert!(!error.to_string().contains("secret"), "{error}");
        let receipts = world.gateway.receipts(10, 0).await.unwrap();
        assert_eq!(receipts[0].charge, charge, "{status} {body}");
        world.stop().await;
    }
    // Nobody is paid for a 5xx, so another supplier may be asked.
    let failing = Behaviour::Whole {
        status: 502,
        body: "{}",
    };
    let good = Behaviour::Whole {
        status: 200,
        body: ANSWER,
    };
    let world = World::new(vec![vec![failing], vec![good]]).await;
    let (text, _, _) = read(world.send().await.unwrap()).await;
    assert_eq!(text, ANSWER);
    world.stop().await;
}

#[tokio::test]
async fn an_answer_is_bounded_in_bytes_and_parts() {
    let world = World::with(
        vec![vec![Behaviour::Endless("data: {\"choices\":[{}]}\n\n")]],
        |config| {
            config.max_answer_bytes = 100_000;
        },
    )
    .await;
    let (text, failed, receipt) = read(world.send().await.unwrap()).await;
    assert!(text.len() < 100_000);
    assert_eq!(failed.unwrap().code(), "answer_too_large");
    assert_eq!(receipt.charge, Charge::Unknown);
    world.stop().await;

    let world = World::with(
        vec![vec![Behaviour::Endless("data: {\"choices\":[{}]}\n\n")]],
        |config| {
            config.max_parts = 7;
        },
    )
    .await;
    let (_, failed, receipt) = read(world.send().await.unwrap()).await;
    assert_eq!((failed.unwrap().code(), receipt.parts), ("answer_too_large", 7));
    world.stop().await;
}

#[tokio::test]
async fn a_signed_answer_is_read_whatever_status_is_around_it() {
    let world = World::new(vec![vec![Behaviour::SignedAt {
        outer: 404,
        status: 404,
        body: "{\"error\":\"no such route\"}",
    }]])
    .await;
    let answer = world.send().await.unwrap();
    assert_eq!(answer.status, 404);
    let (_, _, receipt) = read(answer).await;
    assert_eq!(receipt.charge, Charge::Unpaid);
    world.stop().await;
}

#[tokio::test]
async fn one_signed_answer_may_hold_a_whole_stream() {
    let world = World::new(vec![vec![Behaviour::WholeStream(EVENTS.to_vec())]]).await;
    let answer = world.send().await.unwrap();
    assert_eq!(answer.content_type, "text/event-stream; charset=utf-8");
    let (text, failed, receipt) = read(answer).await;
    assert!(failed.is_none());
    assert_eq!(
        (text, receipt.parts, receipt.charge),
        (EVENTS.concat(), 1, Charge::Paid)
    );
    world.stop().await;
}
