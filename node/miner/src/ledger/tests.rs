//! The ledger: nothing that was answered is lost, nothing twice, and a full disk takes nothing with it.

use hearth_pocket::{gob, relay::relay_hash, trie::verify_closest};
use proptest::prelude::*;

use std::io::Read as _;

use super::*;
use crate::testing::{MemoryDisk, facts};

fn entry(number: u16) -> Entry {
    let relay = format!("relay {number} {}", "x".repeat(usize::from(number % 50))).into_bytes();
    Entry {
        hash: relay_hash(&relay),
        answered_ms: i64::from(number),
        duration_ms: 1,
        bytes_out: 2,
        tokens: None,
        status: 200,
        in_tree: true,
        relay,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn open(disk: &MemoryDisk) -> (Ledger, Tally) {
    let ledger = Ledger::start(Arc::new(disk.clone()), Problems::default()).unwrap();
    let tally = ledger.open(Arc::new(facts()), None).await.unwrap();
    (ledger, tally)
}

#[tokio::test]
async fn answers_survive_a_restart_and_are_proven() {
    let disk = MemoryDisk::default();
    let (ledger, _) = open(&disk).await;
    for number in 0..20 {
        ledger.append(&facts().key(), entry(number), true).await.unwrap();
    }
    // The very same relay again is the same leaf.
    let tally = ledger.append(&facts().key(), entry(3), true).await.unwrap();
    assert_eq!((tally.answers, tally.leaves), (20, 20));
    let below = Entry {
        in_tree: false,
        relay: Vec::new(),
        hash: [1; 32],
        ..entry(0)
    };
    assert_eq!(
        ledger.append(&facts().key(), below, true).await.unwrap().leaves,
        20
    );
    drop(ledger);

    let (ledger, tally) = open(&disk).await;
    assert_eq!((tally.answers, tally.leaves), (21, 20));
    let found = ledger.found().unwrap();
    assert_eq!((found.facts, found.whole), (vec![facts()], true));
    let sealed = ledger.seal(facts().key()).await.unwrap();
    assert_eq!((sealed.root.sum(), sealed.root.count()), (2000, 20));
    let late = ledger.append(&facts().key(), entry(99), true).await;
    assert!(matches!(late, Err(LedgerError::Sealed { .. })));
    let proof = ledger.prove(facts().key(), [0x5a; 32]).await.unwrap();
    let proof = gob::decode(&proof).unwrap().expand().unwrap();
    assert_eq!(verify_closest(&proof, &sealed.root), Ok(()));
    assert!(proof.value().unwrap().starts_with(b"relay "));
    drop(ledger);

    // A sealed session is taken up as it was sealed.
    let ledger = Ledger::start(Arc::new(disk.clone()), Problems::default()).unwrap();
    ledger
        .open(Arc::new(facts()), Some(sealed.tally.bytes))
        .await
        .unwrap();
    assert_eq!(ledger.seal(facts().key()).await.unwrap(), sealed);
    // The list is read in parts, the newest first, and without the relays.
    let (part, total) = ledger.page(&facts().key(), 3, 1).unwrap();
    assert_eq!((part.len(), total), (3, 21));
    assert_eq!(part[0].hash, entry(19).hash);
    assert!(part.iter().all(|entry| entry.relay.is_empty()));
    let (behind, total) = ledger.page(&facts().key(), 3, 20).unwrap();
    assert_eq!((behind.len(), behind[0].hash, total), (1, entry(0).hash, 21));
    ledger.forget(facts().key()).await.unwrap();
    assert_eq!(ledger.page(&facts().key(), 50, 0).unwrap(), (Vec::new(), 0));
}

/// A disk that turns a bit in one record costs that record, and keeps the damaged file.
#[tokio::test]
async fn damage_in_the_midst_costs_one_answer() {
    let disk = MemoryDisk::default();
    let (ledger, _) = open(&disk).await;
    for number in 0..20 {
        let relay = format!("{} {number}", facts().header.session_id).into_bytes();
        let hash = relay_hash(&relay);
        let entry = Entry {
            hash,
            relay,
            ..entry(number)
        };
        ledger.append(&facts().key(), entry, true).await.unwrap();
    }
    drop(ledger);
    let whole = disk.len();
    // In the midst of the file.
    disk.turn_bit(whole / 3);
    let (ledger, tally) = open(&disk).await;
    assert_eq!((tally.answers, tally.leaves), (19, 19));
    assert_eq!(tally.bytes, whole as u64, "nothing was cut off");
    assert_eq!(disk.state().copies.len(), 1);
    let tally = ledger.append(&facts().key(), entry(99), true).await.unwrap();
    assert_eq!(tally.answers, 20);
    let sealed = ledger.seal(facts().key()).await.unwrap();
    let proof = ledger.prove(facts().key(), [0x5a; 32]).await.unwrap();
    let proof = gob::decode(&proof).unwrap().expand().unwrap();
    assert_eq!(verify_closest(&proof, &sealed.root), Ok(()));
    drop(ledger);
    let ledger = Ledger::start(Arc::new(disk.clone()), Problems::default()).unwrap();
    let opened = ledger.open(Arc::new(facts()), Some(sealed.tally.bytes)).await;
    assert_eq!(opened.unwrap().answers, 20);
    assert_eq!(ledger.seal(facts().key()).await.unwrap().root, sealed.root);
}

/// A head that cannot be read has answers behind it: they are kept under another name, and nothing is begun in their
/// place, however often that is tried.
#[tokio::test]
async fn a_file_with_a_damaged_head_is_set_aside_and_not_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let problems = Problems::default();
    let start = || {
        let disk = RealDisk::new(folder.path().to_owned(), |_| None).unwrap();
        Ledger::start(Arc::new(disk), problems.clone()).unwrap()
    };
    let ledger = start();
    ledger.open(Arc::new(facts()), None).await.unwrap();
    for number in 0..5 {
        ledger.append(&facts().key(), entry(number), true).await.unwrap();
    }
    let path = ledger.path(&facts().key());
    drop(ledger);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&path, &bytes).unwrap();

    for _ in 0..2 {
        let ledger = start();
        let error = ledger.open(Arc::new(facts()), None).await.unwrap_err();
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(".unreadable"), "{error}");
        assert!(!path.exists());
        let listed = ledger.page(&facts().key(), 10, 0).unwrap_err();
        assert!(listed.to_string().contains(".unreadable"), "{listed}");
        // What is deleted with its session is not this.
        ledger.forget(facts().key()).await.unwrap();
    }
    let aside = path.with_extension("evidence.unreadable");
    assert_eq!(std::fs::read(&aside).unwrap(), bytes);
    assert!(
        problems
            .all()
            .iter()
            .any(|problem| problem.contains(".unreadable"))
    );
    // Another one does not take its place.
    std::fs::write(&path, b"rubbish").unwrap();
    let disk = RealDisk::new(folder.path().to_owned(), |_| None).unwrap();
    let second = disk.set_aside(&facts().key().to_string()).unwrap();
    assert!(second.ends_with(path.with_extension("evidence.unreadable-2").file_name().unwrap()));
    assert_eq!(std::fs::read(&aside).unwrap(), bytes);
}

#[tokio::test]
async fn a_file_of_a_newer_form_is_left_alone_and_refused_in_words() {
    let disk = MemoryDisk::default();
    let (ledger, _) = open(&disk).await;
    ledger.append(&facts().key(), entry(1), true).await.unwrap();
    drop(ledger);
    let name = facts().key().to_string();
    let mut bytes = disk.reader(&name).unwrap().unwrap();
    let mut newer = Vec::new();
    bytes.read_to_end(&mut newer).unwrap();
    newer[7] = 9;
    disk.put(&name, newer.clone());
    let ledger = Ledger::start(Arc::new(disk.clone()), Problems::default()).unwrap();
    let error = ledger.open(Arc::new(facts()), None).await.unwrap_err();
    assert!(matches!(error, LedgerError::Newer { .. }), "{error}");
    let words = error.to_string();
    assert!(words.contains("form 9") && words.contains("Hearth"), "{words}");
    assert_eq!((disk.len(), ledger.problems().all().len()), (newer.len(), 1));
}

/// A claim was made from it, so it cannot be empty.
#[tokio::test]
async fn a_sealed_file_that_is_gone_is_not_begun_anew() {
    let disk = MemoryDisk::default();
    let ledger = Ledger::start(Arc::new(disk.clone()), Problems::default()).unwrap();
    let opened = ledger.open(Arc::new(facts()), Some(4711)).await;
    assert!(matches!(opened, Err(LedgerError::Damaged { .. })), "{opened:?}");
    assert_eq!(disk.len(), 0);
}

#[tokio::test]
async fn many_answers_share_one_wait_for_the_disk() {
    let disk = MemoryDisk::default();
    let (ledger, _) = open(&disk).await;
    let before = disk.state().n_syncs;
    let key = facts().key();
    let appends = (0..200).map(|number| ledger.append(&key, entry(number), false));
    let answers = futures::future::join_all(appends).await;
    assert!(answers.iter().all(Result::is_ok));
    let n_syncs = disk.state().n_syncs - before;
    assert!(n_syncs < 100, "{n_syncs} syncs for 200 answers");
}

#[tokio::test]
async fn a_full_disk_refuses_answers_and_loses_none() {
    let disk = MemoryDisk::default();
    let (ledger, _) = open(&disk).await;
    for number in 0..5 {
        ledger.append(&facts().key(), entry(number), true).await.unwrap();
    }
    let length = disk.len();
    // A torn record would fit.
    disk.state().limit = Some(length + 30);
    assert!(!ledger.is_writable());
    for number in 5..8 {
        let refused = ledger.append(&facts().key(), entry(number), true).await;
        assert!(matches!(refused, Err(LedgerError::Disk { .. })), "{refused:?}");
        assert_eq!(disk.len(), length, "the file was cut back");
    }
    disk.state().limit = None;
    assert!(ledger.is_writable());
    let tally = ledger.append(&facts().key(), entry(8), true).await.unwrap();
    assert_eq!(tally.answers, 6);
    let sealed = ledger.seal(facts().key()).await.unwrap();
    drop(ledger);
    let (ledger, _) = open(&disk).await;
    assert_eq!(ledger.seal(facts().key()).await.unwrap().root, sealed.root);
}

/// A fault while an answer is written: its session takes no more, all others do, and nobody waits for ever.
#[tokio::test]
async fn a_fault_breaks_one_session_off() {
    for alone in [true, false] {
        let disk = MemoryDisk::default();
        let (ledger, _) = open(&disk).await;
        let key = facts().key();
        ledger.append(&key, entry(0), alone).await.unwrap();
        disk.state().is_faulty = true;
        let appends = (1..20).map(|number| ledger.append(&key, entry(number), alone));
        for refused in futures::future::join_all(appends).await {
            assert!(matches!(refused, Err(LedgerError::BrokenOff)), "{refused:?}");
        }
        disk.state().is_faulty = false;
        let after = ledger.append(&key, entry(20), alone).await;
        assert!(matches!(after, Err(LedgerError::BrokenOff)), "{after:?}");
        let mut other = facts();
        other.header.session_id = "another".to_owned();
        ledger.open(Arc::new(other.clone()), None).await.unwrap();
        let kept = ledger.append(&other.key(), entry(1), alone).await;
        assert_eq!(kept.unwrap().answers, 1);
        assert_eq!(ledger.seal(key).await.unwrap().root.count(), 1);
    }
}

/// A real file has room behind its end, which is no part of the evidence.
#[tokio::test]
async fn a_real_file_grows_in_steps_and_is_cut_when_it_is_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let disk = RealDisk::new(folder.path().to_owned(), |_| None).unwrap();
        Ledger::start(Arc::new(disk), Problems::default()).unwrap()
    };
    let ledger = start();
    let length = || std::fs::metadata(ledger.path(&facts().key())).unwrap().len();
    ledger.open(Arc::new(facts()), None).await.unwrap();
    for number in 0..5 {
        let tally = ledger
            .append(&facts().key(), entry(number), number % 2 == 0)
            .await;
        assert!(length() > tally.unwrap().bytes);
    }
    // Another one finds it as a crash leaves it.
    let again = start();
    let found = again.open(Arc::new(facts()), None).await.unwrap();
    assert_eq!((found.answers, found.bytes), (5, length()));
    again.append(&facts().key(), entry(5), true).await.unwrap();
    let sealed = again.seal(facts().key()).await.unwrap();
    assert_eq!((sealed.tally.answers, sealed.tally.bytes), (6, length()));
    assert!(again.prove(facts().key(), [0x5a; 32]).await.is_ok());
}

#[tokio::test]
async fn names_that_leave_the_folder_are_refused() {
    let ledger = Ledger::start(Arc::new(MemoryDisk::default()), Problems::default()).unwrap();
    let mut bad = facts();
    bad.header.session_id = "../../etc/passwd".to_owned();
    assert!(matches!(
        ledger.open(Arc::new(bad), None).await,
        Err(LedgerError::Damaged { .. })
    ));
    assert!(matches!(
        ledger.seal(facts().key()).await,
        Err(LedgerError::Unknown { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Crashes at any byte, again and again: every record that was whole on the disk is claimed, once.
    #[test]
    fn crashes_lose_only_what_was_torn(rounds in proptest::collection::vec((1_u16..20, 0_usize..400), 1..5)) {
        runtime().block_on(async {
            let (mut disk, mut next) = (MemoryDisk::default(), 0);
            for (n_answers, n_lost) in rounds {
                let (ledger, _) = open(&disk).await;
                for _ in 0..n_answers {
                    ledger.append(&facts().key(), entry(next), next % 2 == 0).await.unwrap();
                    next += 1;
                }
                drop(ledger);
                disk = disk.torn(n_lost);
            }
            let (ledger, tally) = open(&disk).await;
            let (entries, _) = ledger.page(&facts().key(), 1000, 0).unwrap();
            let mut hashes: Vec<_> = entries.iter().map(|entry| entry.hash).collect();
            hashes.sort_unstable();
            hashes.dedup();
            let sealed = ledger.seal(facts().key()).await.unwrap();
            prop_assert_eq!(entries.len() as u64, tally.answers);
            prop_assert_eq!(hashes.len() as u64, sealed.root.count());
            prop_assert_eq!(sealed.root.sum(), 100 * sealed.root.count());
            Ok(())
        })?;
    }
}
