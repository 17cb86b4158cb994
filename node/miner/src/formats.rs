//! Database and evidence of earlier programs: every claim is read, and every file still gives the tree that was claimed.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use hearth_base::Amount;
use hearth_outbox::Reason;
use hearth_pocket::{
    message::{Coin, Timestamp, TypeUrl as _, proof::MsgCreateClaim},
    tx::{Plan, Replay, SignedTx},
};
use hearth_store::{Config, Store};

use crate::{
    claim::{ClaimState, Stage},
    ledger::{Ledger, RealDisk},
    session_db::{Record, SessionDb, Sum},
    testing::{TableChain, key},
};

/// What the program of the first form left: the name of each claim's state, oldest session first, and its answers.
const V1: [(&str, u64); 12] = [
    ("settled", 3),
    ("settled", 3),
    ("settled", 3),
    ("claim_missed", 3),
    ("claim_missed", 3),
    ("expired", 3),
    ("claim_missed", 2),
    ("claim_missed", 3),
    ("skipped", 3),
    ("proof_included", 3),
    ("claim_included", 3),
    ("accumulating", 1),
];

struct Copy {
    folder: tempfile::TempDir,
    store: Store,
}

/// A copy of the first form's data, opened by this version.
async fn copy_of_v1() -> Copy {
    let from = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/formats/v1"
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hearth.db");
    fs::copy(from.join("hearth.db"), &path).unwrap();
    let evidence = folder.path().join("evidence");
    fs::create_dir(&evidence).unwrap();
    for file in fs::read_dir(from.join("evidence")).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), evidence.join(file.file_name())).unwrap();
    }
    let config = Config {
        path,
        chain_id: "hearth-devnet".into(),
        max_pages: None,
    };
    let store = Store::open(config).await.unwrap();
    Copy { folder, store }
}

fn ledger(copy: &Copy) -> Ledger {
    let disk = RealDisk::new(copy.folder.path().join("evidence"), |_: &Path| None).unwrap();
    Ledger::start(Arc::new(disk), copy.store.problems().clone()).unwrap()
}

async fn records(copy: &Copy) -> Vec<Record> {
    let mut records = SessionDb::new(&copy.store).records(100, 0).await.unwrap();
    records.reverse();
    assert_eq!(copy.store.problems().all(), Vec::<String>::new());
    records
}

#[tokio::test]
async fn claims_of_the_first_form_are_read_with_their_values() {
    let copy = copy_of_v1().await;
    let records = records(&copy).await;
    let names: Vec<&str> = records.iter().map(|record| record.state.name()).collect();
    assert_eq!(names, V1.map(|(name, _)| name));
    for record in &records[..3] {
        let paid = record.state.paid().unwrap();
        assert_eq!(paid.settled, Amount::from_upokt(126_000));
        assert_eq!(record.state.seal().unwrap().value, paid.claimed);
        assert_eq!(paid.rewards.len(), 2);
    }
    // The third one needed no proof.
    let proofs = records.iter().map(|record| record.state.proof().is_some());
    assert_eq!(proofs.collect::<Vec<_>>()[..3], [true, true, false]);
    let why = |at: usize| records[at].state.why().unwrap();
    assert_eq!(why(3), "its transaction was in no block when the window closed");
    assert_eq!(why(5), "the chain had no valid proof");
    assert!(why(8).starts_with("its 126000upokt are not worth"), "{}", why(8));
    // What is open, is open for the queries, too; what has ended is tidied up.
    let db = SessionDb::new(&copy.store);
    let open = db.open_records().await.unwrap();
    let open: Vec<&str> = open.iter().map(|record| record.state.name()).collect();
    assert_eq!(open, ["proof_included", "claim_included", "accumulating"]);
    assert_eq!(db.ended_before(i64::MAX).await.unwrap().len(), 9);
    // Sums are made by the database, also of rows that had no share, and one that cannot be read takes nothing away.
    db.fill_shares().await.unwrap();
    let totals = db.totals(0, &[]).await.unwrap();
    let ended = |is_settled: bool| {
        let of = records.iter().filter(|record| {
            let outcome = record.state.outcome();
            outcome.is_some_and(|outcome| (outcome.name() == "settled") == is_settled)
        });
        let amounts = of.map(|record| record.our_part());
        Sum {
            sessions: amounts.clone().count() as u64,
            amount: amounts.sum(),
        }
    };
    assert_eq!((totals.settled, totals.lost), (ended(true), ended(false)));
    assert!(totals.settled.amount > Amount::ZERO && totals.lost.amount > Amount::ZERO);
    assert_eq!(totals.open.len(), 3);
    assert!(totals.newest_paid.is_some());
    let of_days: Amount = totals.days.iter().map(|day| day.settled).sum();
    assert_eq!(of_days, totals.settled.amount);
    sqlx::query("UPDATE miner_session SET state = '{' WHERE outcome IS NOT NULL")
        .execute(copy.store.pool())
        .await
        .unwrap();
    let again = db.totals(0, &[]).await.unwrap();
    assert_eq!((again.settled, again.lost), (totals.settled, totals.lost));
    // Written by this version, it is read again.
    let (key, state) = (records[10].facts.key(), records[10].state.clone());
    db.save(&records[10].facts, &state, None, 1).await.unwrap();
    assert_eq!(db.record(&key).await.unwrap().unwrap().state, state);
}

#[tokio::test]
async fn evidence_of_the_first_form_gives_the_trees_that_were_claimed() {
    let copy = copy_of_v1().await;
    let ledger = ledger(&copy);
    assert_eq!(ledger.found().unwrap().facts.len(), V1.len());
    for (record, (name, answers)) in records(&copy).await.iter().zip(V1) {
        let key = record.facts.key();
        let opened = ledger
            .open(Arc::new(record.facts.clone()), record.sealed_bytes)
            .await;
        assert_eq!(opened.unwrap().answers, answers, "{name}");
        let (page, total) = ledger.page(&key, 10, 0).unwrap();
        assert_eq!((page.len() as u64, total), (answers, answers));
        assert!(page.iter().all(|entry| entry.status == 200 && entry.in_tree));
        if let Some(seal) = record.state.seal() {
            assert_eq!(ledger.seal(key.clone()).await.unwrap().root, seal.root, "{name}");
            ledger.prove(key, [7; 32]).await.unwrap();
        }
    }
    assert_eq!(copy.store.problems().all(), Vec::<String>::new());
}

/// A session that an earlier program began goes on in its own file.
#[tokio::test]
async fn a_session_of_the_first_form_goes_on() {
    let copy = copy_of_v1().await;
    let record = records(&copy).await.pop().unwrap();
    assert_eq!(record.state, ClaimState::Open(Stage::Accumulating));
    let (facts, key) = (Arc::new(record.facts.clone()), record.facts.key());
    let first = ledger(&copy);
    first.open(Arc::clone(&facts), None).await.unwrap();
    let mut entry = first.page(&key, 1, 0).unwrap().0.remove(0);
    entry.relay = [b"another ".as_slice(), key.session_id.as_bytes()].concat();
    entry.hash = hearth_pocket::relay::relay_hash(&entry.relay);
    first.append(&key, entry, true).await.unwrap();
    drop(first);
    let again = ledger(&copy);
    assert_eq!(again.open(facts, None).await.unwrap().answers, 2);
    assert_eq!(again.seal(key).await.unwrap().root.count(), 2);
}

/// A claim that the program before the outbox signed, sent, and signed once more in its own place: none is lost, nothing
/// else is signed, and the block that holds one of them tells how it ended.
#[tokio::test]
async fn what_was_signed_before_the_outbox_goes_on_in_it() {
    let from = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/formats/v1/hearth.db"
    ));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hearth.db");
    fs::copy(from, &path).unwrap();
    let (first, second) = open_claim(&path).await;
    let store = Store::open(Config {
        path,
        chain_id: "hearth-devnet".into(),
        max_pages: None,
    });
    let store = store.await.unwrap();
    let record = SessionDb::new(&store)
        .open_records()
        .await
        .unwrap()
        .pop()
        .unwrap();
    assert_eq!(
        (record.state.name(), record.state.sent()),
        ("claim_sent", Some("AB"))
    );

    let chain = TableChain::new(record.facts.end().0 + 3);
    let outbox = chain.outbox(&store, &hearth_base::Clock::system());
    let account = key(3).address().clone();
    let about = record.facts.header.session_id.clone();
    let item = async || {
        outbox
            .about(&account, Reason::Claim, &about)
            .await
            .unwrap()
            .unwrap()
    };
    assert_eq!(
        (item().await.state.stage(), item().await.is_patient),
        ("signed", true)
    );
    // The newest of them is sent again, with its very bytes.
    outbox.look().await;
    let sent: Vec<Vec<u8>> = chain
        .state()
        .sent
        .iter()
        .map(|(tx, _)| tx.raw().to_vec())
        .collect();
    assert_eq!(sent, [second.raw().to_vec()]);
    assert!(chain.state().signed.is_empty());
    let kept = item().await;
    assert_eq!(kept.messages.len(), 1, "they were in the bytes");
    assert_eq!(kept.tx.unwrap().fee, Amount::from_upokt(2));
    // It was the first one that a block has.
    let at = hearth_base::Height(record.facts.end().0 + 3);
    chain.state().sent = vec![(first.clone(), crate::testing::Found::Included(at))];
    chain.set_height(at.0 + 1);
    outbox.look().await;
    let ended = item().await;
    let Some(hearth_outbox::Outcome::Included { tx, .. }) = ended.state.outcome() else {
        panic!("{ended:?}")
    };
    assert_eq!(*tx, first.hash_text());
    assert_eq!(store.problems().all(), Vec::<String>::new());
}

/// Puts a claim that was sent twice with one moment of validity into a database of the first form.
async fn open_claim(path: &Path) -> (SignedTx, SignedTx) {
    use sqlx::Connection as _;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut db = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let (session, facts): (String, String) =
        sqlx::query_as("SELECT session_id, facts FROM miner_session WHERE stage = 'accumulating'")
            .fetch_one(&mut db)
            .await
            .unwrap();
    let facts: crate::Facts = serde_json::from_str(&facts).unwrap();
    let supplier = key(3).address().to_string();
    let signed = |fee: u128| {
        let claim = MsgCreateClaim {
            supplier_operator_address: supplier.clone(),
            session_header: Some(facts.header.clone()),
            root_hash: vec![1; 48],
        };
        let plan = Plan {
            messages: vec![claim.to_any()],
            memo: String::new(),
            timeout_height: facts.windows.claim_close.0,
            timeout: None,
            replay: Replay::Unordered {
                until: Timestamp {
                    seconds: 540,
                    nanos: 7,
                },
            },
            fee: vec![Coin::upokt(Amount::from_upokt(fee))],
            gas_limit: 100,
        };
        plan.sign(&key(3), "test", 0).unwrap()
    };
    let txs = (signed(1), signed(2));
    let root = hearth_pocket::trie::Root::from([1; 48]);
    let state = serde_json::json!({
        "version": 2,
        "open": {
            "stage": "claim_sent",
            "seal": { "root": root, "answers": 1, "leaves": 1, "value": "42000" },
            "tx": "AB",
        },
    });
    sqlx::query("PRAGMA foreign_keys = OFF")
        .execute(&mut db)
        .await
        .unwrap();
    sqlx::query(
        "UPDATE miner_session SET supplier = ?, stage = 'claim_sent', state = ? WHERE session_id = ?",
    )
    .bind(&supplier)
    .bind(state.to_string())
    .bind(&session)
    .execute(&mut db)
    .await
    .unwrap();
    for (tx, at) in [(&txs.0, 1), (&txs.1, 2)] {
        sqlx::query(
            "INSERT INTO miner_tx (hash, session_id, supplier, kind, bytes, last_height, signed_ms) \
             VALUES (?, ?, ?, 'claim', ?, ?, ?)",
        )
        .bind(tx.hash_text())
        .bind(&session)
        .bind(&supplier)
        .bind(tx.raw())
        .bind(facts.windows.claim_close.0.cast_signed())
        .bind(at)
        .execute(&mut db)
        .await
        .unwrap();
    }
    db.close().await.unwrap();
    txs
}

#[tokio::test]
async fn the_one_supplier_that_was_goes_on_where_it_was() {
    let copy = copy_of_v1().await;
    let of: Vec<String> = records(&copy)
        .await
        .into_iter()
        .map(|record| record.facts.supplier)
        .collect();
    assert!(of.iter().all(|supplier| *supplier == of[0]));
    let db = SessionDb::new(&copy.store);
    let (all, own) = (
        db.open_records().await.unwrap(),
        db.open_records_of(&of[0]).await.unwrap(),
    );
    assert_eq!((all.len(), &all), (3, &own), "what was open is its own");
    let other = key(5).address().to_string();
    assert_eq!(db.open_records_of(&other).await.unwrap(), []);
    // The place in the chain was that of the miner, and is that of its supplier.
    let places: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, height FROM chain_follower WHERE name LIKE 'miner%'")
            .fetch_all(copy.store.pool())
            .await
            .unwrap();
    assert_eq!(places, [(format!("miner {}", of[0]), 82)]);
}
