//! What takes more than a block: a transaction whose end is not known, blocks that are made up for, parameters of the
//! past.

use super::*;

/// A signed payment that is valid for a while only.
async fn payment(
    world: &World,
    from: &SecretKey,
    to: &SecretKey,
    lifetime: Duration,
) -> hearth_pocket::tx::SignedTx {
    let options = Options {
        lifetime,
        ..Options::default()
    };
    let messages = send(from, to, upokt(5));
    let prepared = world.chain.prepare(from, messages, &options).await.unwrap();
    world.chain.sign(from, &prepared).unwrap()
}

#[tokio::test]
async fn an_endpoint_that_refuses_what_it_takes_and_hides_it_is_seen_through() {
    let world = World::start().await;
    let (from, to) = (key(1), key(2));
    world.fund(&[&from]).await;
    let chain = &world.chain;
    let lie = Fault::RefusesWhatItTakes {
        codespace: "sdk".to_owned(),
        code: 5,
        log: "spendable balance 1upokt is smaller: insufficient funds".to_owned(),
    };
    world.devnet.fault(lie, None);
    world.devnet.fault(Fault::HidesTransactions, None);
    let taken = payment(&world, &from, &to, Duration::from_secs(3)).await;
    let error = chain.broadcast(&taken).await.unwrap_err();
    assert!(!error.is_certain(), "{error}");
    let tx_status = chain
        .tx_status(&taken.hash(), &Validity::of(&taken))
        .await
        .unwrap();
    assert_eq!(tx_status, TxStatus::Pending, "its time is not over");
    // The verified blocks have it, whatever the endpoint says.
    let done = included(chain, &taken).await;
    assert_eq!((done.how(), done.hash), (ProofStatus::Proven, taken.hash()));
    let TxStatus::Included(found) = chain
        .tx_status(&taken.hash(), &Validity::of(&taken))
        .await
        .unwrap()
    else {
        panic!("a block holds it");
    };
    assert_eq!((found.code, found.height), (0, done.height));

    // One that was never taken is certainly in no block once its time is over.
    world.devnet.clear_faults();
    world.devnet.fault(Fault::DropTransactions, None);
    let dropped = payment(&world, &from, &to, Duration::from_secs(2)).await;
    chain.broadcast(&dropped).await.unwrap();
    assert_eq!(seen(chain, &dropped, PATIENCE).await, TxStatus::Expired);
    world.stop().await;
}

#[tokio::test]
async fn blocks_are_made_up_for_several_at_a_time_and_unneeded_ones_are_passed_over() {
    const BEHIND: u64 = 60;
    let world = World::start().await;
    world.chain.reach(Height(BEHIND), PATIENCE).await.unwrap();
    world.devnet.fault(
        Fault::RpcDelay {
            method: None,
            delay_ms: 100,
        },
        None,
    );
    // What one block costs alone.
    let began = std::time::Instant::now();
    world.chain.events_of(Height(3)).await.unwrap();
    let one = began.elapsed();
    let began = std::time::Instant::now();
    let mut follower = world.chain.follow("slow", StartFrom::Height(Height(1)));
    for height in 1..=BEHIND {
        let block = follower.next().await.unwrap().unwrap();
        assert_eq!(block.height, Height(height));
        assert!(block.verified && block.complete);
    }
    let all = began.elapsed();
    assert!(
        all < one * (u32::try_from(BEHIND).unwrap() / 3),
        "{all:?} for {BEHIND} blocks, {one:?} for one"
    );

    let mut follower = world.chain.follow("choosy", StartFrom::Height(Height(1)));
    let range = |from, to| Height(from)..=Height(to);
    follower.need([range(5, 6), range(BEHIND, BEHIND)].into_iter().collect());
    assert_eq!(follower.next().await.unwrap().unwrap().height, Height(5));
    // What was not delivered yet is chosen anew.
    follower.need([range(9, 9), range(BEHIND, BEHIND)].into_iter().collect());
    assert_eq!(follower.next().await.unwrap().unwrap().height, Height(9));
    assert_eq!(follower.next().await.unwrap().unwrap().height, Height(BEHIND));
    follower.acknowledge(Height(BEHIND)).await.unwrap();
    follower.need(Heights::default());
    let nothing = tokio::time::timeout(BLOCK * 5, follower.next()).await;
    assert!(nothing.is_err(), "nothing is needed: {nothing:?}");
    world.stop().await;
}

/// Blocks that are fetched meanwhile keep headers in the same database: none of them may hold its lock while nobody waits
/// for it.
#[tokio::test]
async fn whoever_makes_up_for_blocks_may_write_between_them() {
    const BEHIND: u64 = 40;
    let world = World::start().await;
    world.chain.reach(Height(BEHIND), PATIENCE).await.unwrap();
    let (folder, tasks) = (tempfile::tempdir().unwrap(), Tasks::root());
    let late = follow(&folder, &world.devnet, &tasks).await;
    let mut follower = late.follow("late", StartFrom::Height(Height(1)));
    for height in 1..=BEHIND {
        let block = follower.next().await.unwrap().unwrap();
        assert_eq!(block.height, Height(height));
        follower.acknowledge(block.height).await.unwrap();
    }
    late.stop();
    late.join().await;
    tasks.stop();
    tasks.join().await;
    world.stop().await;
}

#[tokio::test]
async fn parameters_are_asked_for_at_once_and_those_of_the_past_once() {
    let world = World::start().await;
    world.chain.reach(Height(5), PATIENCE).await.unwrap();
    world.chain.params().await.unwrap();
    world.devnet.fault(
        Fault::RpcDelay {
            method: None,
            delay_ms: 150,
        },
        None,
    );
    let timed = async |what: &str| {
        let began = std::time::Instant::now();
        match what {
            "one" => drop(world.chain.balance(key(1).address()).await.unwrap()),
            _ => drop(world.chain.params().await.unwrap()),
        }
        began.elapsed()
    };
    let (one, eight) = (timed("one").await, timed("eight").await);
    assert!(eight < one * 4, "{eight:?} for eight, {one:?} for one");
    world.stop().await;
}

#[tokio::test]
async fn another_chain_of_the_same_name_is_begun_anew() {
    let world = World::start().await;
    world.chain.reach(Height(10), PATIENCE).await.unwrap();
    let folder = world.stop().await;
    // Somebody deleted the devnet's file and kept the node's.
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let path = file.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("devnet.db")
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    let world = World::start_in(folder).await;
    world.chain.reach(Height(5), PATIENCE).await.unwrap();
    assert_eq!(world.chain.endpoints()[0].state, EndpointState::Healthy);
    world.stop().await;
}
