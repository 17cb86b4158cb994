//! Random schedules of what may happen, and what has to be true at their end.

use std::collections::BTreeMap;

use hearth_store::Store;
use proptest::prelude::*;

use crate::{
    Outcome,
    testing::{Faults, Killed, Model, claim, payment, program, store},
};

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    Pay(u8),
    Claim(u8),
    Block { seconds: u8, backwards: bool },
    Round,
    Kill(Killed),
    Restart,
    Fault(Faults),
    Lock(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let kill = prop_oneof![
        Just(Killed::Prepared),
        Just(Killed::Signing),
        Just(Killed::Sending),
        Just(Killed::Sent),
        Just(Killed::Looking),
    ];
    let fault = any::<[bool; 9]>().prop_map(|bits| {
        // One in four, so that most steps have a chance.
        let is = |at: usize| bits[at] && bits[(at + 3) % 9];
        Faults {
            refuses: is(0),
            refuses_for_good: is(1),
            drops: is(2),
            hides: is(3),
            away: is(4),
            // A round would not end.
            mute: false,
            dear: is(5),
            stands_still: is(6),
            fails: is(7),
            unchecked: is(8),
        }
    });
    prop_oneof![
        2 => (0..3_u8).prop_map(Step::Pay),
        2 => (0..3_u8).prop_map(Step::Claim),
        4 => (prop_oneof![Just(1_u8), Just(5), Just(90)], any::<bool>())
            .prop_map(|(seconds, backwards)| Step::Block { seconds, backwards }),
        4 => Just(Step::Round),
        2 => kill.prop_map(Step::Kill),
        1 => Just(Step::Restart),
        2 => fault.prop_map(Step::Fault),
        1 => any::<bool>().prop_map(Step::Lock),
    ]
}

/// Runs a schedule and looks at what was done at its end.
async fn run(store: &Store, steps: Vec<Step>) {
    for table in ["outbox_part", "outbox_tx", "outbox_item"] {
        sqlx::query(sqlx::AssertSqlSafe(format!("DELETE FROM {table}")))
            .execute(store.pool())
            .await
            .unwrap();
    }
    let model = Model::new();
    let mut outbox = program(&model, store);
    // What each item is about.
    let mut items: BTreeMap<i64, String> = BTreeMap::new();
    for step in steps {
        match step {
            Step::Pay(n) => {
                let amount = format!("{}", 10 + n);
                let put = outbox.put(&payment(&model, &amount)).await.unwrap();
                items.insert(put.id(), amount);
            }
            Step::Claim(n) => {
                let root = format!("root {n}");
                let put = outbox.put(&claim(&model, &root, 10_000)).await.unwrap();
                items.insert(put.id(), root);
            }
            Step::Block { seconds, backwards } => model.block(seconds.into(), backwards),
            Step::Round => {
                model.round(&outbox, None).await;
            }
            Step::Kill(kill) => {
                if model.round(&outbox, Some(kill)).await {
                    outbox = program(&model, store);
                }
            }
            Step::Restart => outbox = program(&model, store),
            Step::Fault(faults) => model.fault(faults),
            Step::Lock(locked) => model.lock(locked),
        }
    }
    // At last all is well, and everything ends.
    model.fault(Faults::default());
    model.lock(false);
    for _ in 0..6 {
        model.round(&outbox, None).await;
        model.block(1, false);
    }
    model.block(100, false);
    for _ in 0..4 {
        model.round(&outbox, None).await;
        model.block(1, false);
    }
    let mut told: BTreeMap<&str, u32> = BTreeMap::new();
    for (id, about) in &items {
        let state = outbox.item(*id).await.unwrap().unwrap().state;
        let outcome = state.outcome().unwrap_or_else(|| panic!("{about}: {state:?}"));
        let included = u32::from(matches!(outcome, Outcome::Included { .. }));
        *told.entry(about).or_default() += included;
        if about.starts_with("root") {
            assert_eq!(included, 1, "{about}: {outcome:?}");
        }
    }
    for (about, told) in told {
        assert_eq!(model.done(about), told, "{about}");
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "how long a test runs is no setting of the program"
)]
fn schedules() -> u32 {
    std::env::var("TEST_SCHEDULES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(500)
}

/// `make test-long` runs 10,000.
#[test]
fn over_random_schedules_nothing_is_done_twice_and_nothing_is_lost() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (_folder, store) = runtime.block_on(store());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(schedules())
    });
    let schedule = proptest::collection::vec(step(), 1..40);
    let ran = runner.run(&schedule, |steps| {
        runtime.block_on(run(&store, steps));
        Ok(())
    });
    ran.unwrap_or_else(|failure| panic!("{failure}"));
}
