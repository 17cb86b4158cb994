//! What readers get from suppliers that fail or cheat.

use std::time::Duration;

use super::{
    chain::key,
    supplier::Behaviour,
    world::{EVENTS, World, read, refused},
};
use crate::{Error, Fault, Outcome, SupplierError, Why};

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
    assert!(receipt.paid);
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
        assert!(
            receipts
                .iter()
                .all(|receipt| !receipt.paid && matches!(receipt.outcome, Outcome::Failed { .. }))
        );
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
            Why::UnknownService,
            Fault::Supplier,
        ),
        (
            Behaviour::Http {
                status: 404,
                error: "unknown service: llm",
            },
            Why::UnknownService,
            Fault::Supplier,
        ),
        (
            Behaviour::Classic {
                codespace: "relayer_proxy",
                code: 7,
            },
            Why::Exhausted,
            Fault::Application,
        ),
        // The stake was proven before: the supplier's chain is behind, which passes.
        (
            Behaviour::Classic {
                codespace: "session",
                code: 1102,
            },
            Why::NotStaked,
            Fault::Network,
        ),
        (
            Behaviour::Http {
                status: 429,
                error: "stake exhausted",
            },
            Why::Exhausted,
            Fault::Application,
        ),
        (
            Behaviour::Classic {
                codespace: "rings",
                code: 3,
            },
            Why::Ring,
            Fault::Node,
        ),
        (
            Behaviour::Classic {
                codespace: "relayer_proxy",
                code: 10,
            },
            Why::Timeout,
            Fault::Supplier,
        ),
        (
            Behaviour::Classic {
                codespace: "never",
                code: 1,
            },
            Why::Other,
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
            body: "{}",
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
        world.stop().await;
    }
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
        body: "{}",
    }]])
    .await;
    world.chain.add_supplier(&key(77), "http://127.0.0.1:9/");
    for _ in 0..8 {
        let (text, failed, _) = read(world.send().await.unwrap()).await;
        assert_eq!(text, "{}");
        assert!(failed.is_none());
    }
    world.stop().await;
}

#[tokio::test]
async fn suppliers_that_cannot_be_verified_or_lie_inside_are_not_asked() {
    let world = World::new(vec![vec![Behaviour::Whole {
        status: 200,
        body: "{}",
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
