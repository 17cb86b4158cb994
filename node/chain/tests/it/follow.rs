//! Followers: in order, once acknowledged, also after a restart.

use hearth_base::Height;
use hearth_chain::{BlockEvents, ChainEvent, EventOrigin, Follower, StartFrom};

use crate::node::{Misbehaviour, Node, PATIENCE, Subject, config, made_at};

const LIGHT: &str = "chain_light";

async fn next(follower: &mut Follower) -> BlockEvents {
    tokio::time::timeout(PATIENCE, follower.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn every_block_comes_once_and_in_order() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let subject = Subject::start(config(&[node.url()]), now).await;
    let mut follower = subject.chain.follow("miner", StartFrom::Height(Height(341)));
    for height in 341..=344 {
        let block = next(&mut follower).await;
        assert_eq!(block.height, Height(height));
        assert!(block.verified && block.complete);
        assert_eq!(
            block.hash,
            subject
                .chain
                .block_hash(Height(height))
                .await
                .unwrap()
                .into_value()
        );
        if height < 344 {
            follower.acknowledge(block.height).await.unwrap();
        }
        // Claims were made in block 343.
        let claims = block
            .events
            .iter()
            .filter(|placed| matches!(placed.event, ChainEvent::ClaimCreated(_)));
        let in_txs = claims
            .filter(|placed| matches!(placed.origin, EventOrigin::Tx(_)))
            .count();
        assert_eq!(
            in_txs > 0,
            height == 343 || (in_txs > 0 && height == 342),
            "{height}: {in_txs}"
        );
    }
    // Another name has another place.
    let mut other = subject.chain.follow("gateway", StartFrom::Next);
    let folder = subject.stop().await;
    assert!(other.next().await.unwrap().is_none());

    // What was delivered but not acknowledged comes again.
    let subject = Subject::start_in(folder, config(&[node.url()]), now).await;
    let mut follower = subject.chain.follow("miner", StartFrom::Height(Height(1)));
    assert_eq!(next(&mut follower).await.height, Height(344));
    assert_eq!(next(&mut follower).await.height, Height(345));
    // The next one waits for its block, and is not lost when the endpoint fails meanwhile.
    node.misbehave(Misbehaviour::BadGateway);
    let waiting = async { next(&mut follower).await };
    let later = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        node.set_head(346);
        node.misbehave(Misbehaviour::None);
    };
    let (block, ()) = futures::join!(waiting, later);
    assert_eq!(block.height, Height(346));
    subject.stop().await;
}

#[tokio::test]
async fn a_new_follower_begins_after_the_head_and_keeps_that_place() {
    let node = Node::start(LIGHT, 345).await;
    let now = made_at(LIGHT, 345) + 500;
    let subject = Subject::start(config(&[node.url()]), now).await;
    subject.followed_to(345).await;
    let mut follower = subject.chain.follow("ui", StartFrom::Next);
    let waited = tokio::time::timeout(std::time::Duration::from_millis(200), follower.next()).await;
    assert!(waited.is_err());
    let folder = subject.stop().await;
    // Blocks made while the program was down are not skipped.
    node.set_head(347);
    let subject = Subject::start_in(folder, config(&[node.url()]), now).await;
    let mut follower = subject.chain.follow("ui", StartFrom::Next);
    assert_eq!(next(&mut follower).await.height, Height(346));
    assert_eq!(next(&mut follower).await.height, Height(347));
    subject.stop().await;
}
