//! The history: read page by page, told anew where an endpoint lied, proven for good.

use super::*;

/// Endpoints give a hundred transactions at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_read_page_by_page_and_says_where_it_ends() {
    let world = World::start().await;
    let signer = world.wallet.signer(Purpose::Owner).unwrap();
    let message = MsgSend {
        from_address: signer.address().to_string(),
        to_address: Account::named("somebody", Amount::ZERO).address,
        amount: vec![Coin::upokt(Amount::from_upokt(1))],
    };
    let prepare = || async {
        loop {
            let prepared = world
                .chain
                .prepare(&signer, vec![message.to_any()], &Options::default())
                .await;
            match prepared {
                Ok(prepared) => return prepared,
                Err(_) => tokio::time::sleep(BLOCK).await,
            }
        }
    };
    // Each is prepared by itself: the same bytes would be one payment.
    let send = async {
        for _ in 0..205 {
            let signed = world.chain.sign(&signer, &prepare().await).unwrap();
            world.chain.broadcast(&signed).await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(120), send)
        .await
        .expect("all are sent");
    let sent = async {
        loop {
            let table = world
                .money
                .history(Window::ALL, &HistoryFilter::default())
                .await
                .unwrap();
            let n_sent = table
                .movements
                .iter()
                .filter(|one| one.kind == MovementKind::Sent);
            if n_sent.count() == 205 {
                return table;
            }
            // Reading all of it takes a while itself.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let table = tokio::time::timeout(Duration::from_secs(120), sent)
        .await
        .expect("all 205");
    assert_eq!(table.missing, Vec::new());
    // What is shown looks back on 200 of each account.
    let shown = world.money.history(ALL, &HistoryFilter::default()).await.unwrap();
    assert_eq!(shown.missing[0].code, "history_cut");
    assert_eq!(shown.missing[0].values["most"], "200");
    world.stop().await;
}

/// Enters a reward of 7 upokt that an endpoint told of a block.
async fn told_by(world: &World, height: u64, endpoint: &str, is_proven: bool) {
    let account = world.wallet.address(Purpose::Owner).unwrap();
    sqlx::query(
        "INSERT INTO settled_money (height, kind, about, account, session_id, operator, service, amount_upokt, is_proven, \
         endpoint) VALUES (?, 'reward', ?, ?, ?, 'pokt1op', 'svc', '7', ?, ?)",
    )
    .bind(height.cast_signed())
    .bind(format!("{endpoint} {is_proven}"))
    .bind(account.as_str())
    .bind(format!("{endpoint} {is_proven}"))
    .bind(is_proven)
    .bind(endpoint)
    .execute(world.store.pool())
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_endpoint_told_that_lied_is_looked_at_anew() {
    let world = World::start().await;
    let height = world.chain.head().borrow().verified_height.0 - 1;
    told_by(&world, height, "liar:443", false).await;
    told_by(&world, height, "liar:443", true).await;
    told_by(&world, height - 1, "honest:443", false).await;
    let rewards = async || {
        let filter = HistoryFilter {
            kinds: vec![MovementKind::Reward],
            ..HistoryFilter::default()
        };
        let history = world.money.history(ALL, &filter).await.unwrap();
        let sessions = history.movements.into_iter().filter_map(|one| one.session_id);
        let mut sessions: Vec<String> = sessions.collect();
        sessions.sort();
        sessions
    };
    let [honest, doubtful, proven] = ["honest:443 false", "liar:443 false", "liar:443 true"];
    world.money.settlements.look().await;
    assert_eq!(rewards().await, [honest, doubtful, proven]);
    sqlx::query(
        "INSERT INTO chain_evidence (at_ms, endpoint, why, question, answer) VALUES (1, 'liar:443', 'false', '', x'')",
    )
    .execute(world.store.pool())
    .await
    .unwrap();
    world.money.settlements.look().await;
    // The balance did not change in that block: nothing was paid. What is borne out is nobody's word.
    assert_eq!(rewards().await, [honest, proven]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_proven_for_good_and_what_lies_before_the_look_back_is_said() {
    let world = World::start().await;
    let gift = async || {
        let history = world.money.history(ALL, &HistoryFilter::default()).await.unwrap();
        let gift = history.movements.into_iter().next();
        (gift.map(|one| one.standing.trust), history.missing)
    };
    let proven = async {
        while gift().await.0 != Some(hearth_api::control::types::Trust::Proven) {
            tokio::time::sleep(BLOCK).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), proven)
        .await
        .unwrap();
    assert_eq!(world.money.settlements.proven_txs().await.unwrap().len(), 1);
    // The chain is younger than what is looked back on: nothing is missing once all of it was looked at.
    let whole = async {
        loop {
            world.money.settlements.look().await;
            let known = world.money.settlements.known_from().await.unwrap();
            if !known.is_empty() && known.iter().all(|one| one.height.0 == 0) {
                return;
            }
            tokio::time::sleep(BLOCK).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), whole)
        .await
        .unwrap();
    assert_eq!(gift().await.1, Vec::new());
    sqlx::query("UPDATE settled_account SET first_height = 900 WHERE account = ?")
        .bind(world.wallet.address(Purpose::Owner).unwrap().as_str())
        .execute(world.store.pool())
        .await
        .unwrap();
    let missing = gift().await.1;
    assert_eq!(missing[0].code, "history_before");
    assert_eq!(missing[0].values["blocks"], "900 (main)");
    world.stop().await;
}
