//! The wallet as a whole: files, passwords, locking, signing.

use std::{path::Path, time::Duration};

use hearth_base::{Amount, Clock, Height};
use hearth_pocket::keys::{PublicKey, SignError, Signer as _};

use crate::{
    Activity, ActivityKind, Config, Cost, Error, KeyState, Pending, Recorded, Role, Wallet, Words, pending,
    placed, recent, record, settle,
};

const PASSWORD: &str = "correct horse";

fn open(folder: &Path, clock: &Clock) -> Wallet {
    let config = Config {
        folder: folder.join("keystore"),
        cost: Cost::PLAY,
    };
    Wallet::open(config, clock.clone()).unwrap()
}

#[test]
fn a_wallet_survives_a_restart_and_starts_locked() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let words = open(folder.path(), &clock).create(PASSWORD).unwrap();
    let wallet = open(folder.path(), &clock);
    assert_eq!(wallet.state().borrow().main, KeyState::Locked);
    let signer = wallet.signer(Role::Main).unwrap();
    assert!(matches!(signer.sign(b"pay"), Err(SignError::Locked { .. })));
    wallet.unlock(PASSWORD).unwrap();
    let signature = signer.sign(b"pay").unwrap();
    PublicKey::from_bytes(&signer.public_key())
        .unwrap()
        .verify(b"pay", &signature)
        .unwrap();
    wallet.lock();
    assert!(signer.sign(b"pay").is_err());
    // The working key goes on.
    assert!(wallet.signer(Role::Working).unwrap().sign(b"claim").is_ok());
    assert_eq!(*wallet.reveal_words(PASSWORD).unwrap().text(), *words.text());
    assert!(matches!(wallet.create(PASSWORD), Err(Error::Exists(_))));
}

#[test]
fn the_working_key_opens_alone_with_its_own_password() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    open(folder.path(), &clock).create(PASSWORD).unwrap();
    open(folder.path(), &clock)
        .reseal_working(PASSWORD, "unattended")
        .unwrap();
    let wallet = open(folder.path(), &clock);
    assert!(matches!(
        wallet.unlock("unattended"),
        Err(Error::WrongPassword { tries_left: 4 })
    ));
    assert!(matches!(
        wallet.unlock_working(PASSWORD),
        Err(Error::WrongPassword { tries_left: 3 })
    ));
    wallet.unlock_working("unattended").unwrap();
    assert_eq!(wallet.state().borrow().main, KeyState::Locked);
    assert_eq!(wallet.state().borrow().working, KeyState::Open);
    wallet.unlock(PASSWORD).unwrap();
}

#[test]
fn guessing_is_slow() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    for left in (1..5).rev() {
        assert!(
            matches!(wallet.unlock("wrong one"), Err(Error::WrongPassword { tries_left }) if tries_left == left)
        );
    }
    assert!(matches!(
        wallet.unlock("wrong one"),
        Err(Error::Wait { seconds: 60 })
    ));
    // Not even the right one is tried before the minute is over.
    assert!(matches!(wallet.unlock(PASSWORD), Err(Error::Wait { .. })));
    clock.advance(Duration::from_secs(61));
    wallet.unlock(PASSWORD).unwrap();
}

#[test]
fn guesses_side_by_side_count_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    wallet.create(PASSWORD).unwrap();
    let n_tried = std::thread::scope(|scope| {
        let guesses: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| matches!(wallet.unlock("wrong one"), Err(Error::WrongPassword { .. }))))
            .collect();
        guesses
            .into_iter()
            .map(|guess| usize::from(guess.join().unwrap()))
            .sum::<usize>()
    });
    // The fifth wrong one makes the others wait; before, each had asked before any was judged.
    assert_eq!(n_tried, 4);
    assert!(matches!(wallet.unlock(PASSWORD), Err(Error::Wait { .. })));
}

#[test]
fn only_its_own_words_pass_the_check() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    assert!(matches!(wallet.unlock(PASSWORD), Err(Error::None)));
    assert!(matches!(wallet.create("short"), Err(Error::WeakPassword { .. })));
    let words = wallet.create(PASSWORD).unwrap();
    assert!(!wallet.state().borrow().words_checked);
    assert!(matches!(
        wallet.check_words(&Words::generate().unwrap()),
        Err(Error::OtherWords)
    ));
    // W18: 15, 18 and 21 words of other wallets are read and are not its own.
    for bytes in [20, 24, 28] {
        let other = bip39::Mnemonic::from_entropy(&vec![7; bytes]).unwrap();
        let other = Words::parse(&other.to_string()).unwrap();
        assert!(matches!(wallet.check_words(&other), Err(Error::OtherWords)));
    }
    wallet.check_words(&Words::parse(&words.text()).unwrap()).unwrap();
    assert!(open(folder.path(), &clock).state().borrow().words_checked);
}

#[test]
fn a_damaged_file_is_named_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    open(folder.path(), &clock).create(PASSWORD).unwrap();
    let path = folder.path().join("keystore/wallet.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for broken in [&text[..text.len() / 2], "", "{}"] {
        std::fs::write(&path, broken).unwrap();
        let config = Config {
            folder: folder.path().join("keystore"),
            cost: Cost::PLAY,
        };
        let error = Wallet::open(config, clock.clone()).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), *broken);
    }
}

#[test]
fn a_wallet_file_of_a_newer_program_is_refused_in_words_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    open(folder.path(), &clock).create(PASSWORD).unwrap();
    let path = folder.path().join("keystore/wallet.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let newer = text.replace(
        "\"version\": 1",
        "\"version\": 2, \"written_by\": \"Hearth 9.1.0\", \"quanta\": 7",
    );
    std::fs::write(&path, &newer).unwrap();
    let config = Config {
        folder: folder.path().join("keystore"),
        cost: Cost::PLAY,
    };
    let error = Wallet::open(config, clock.clone()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Newer {
                found: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("Hearth 9.1.0"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), newer);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_file_and_it_holds_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    let words = wallet.create(PASSWORD).unwrap();
    let path = folder.path().join("keystore/wallet.json");
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(
        !words
            .text()
            .split(' ')
            .filter(|word| word.len() > 6)
            .any(|word| text.contains(word))
    );
    assert!(!format!("{wallet:?} {:?}", wallet.signer(Role::Main).unwrap()).contains(PASSWORD));
}

#[tokio::test]
async fn activity_is_noted_once_and_settled() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    wallet.create(PASSWORD).unwrap();
    let store = hearth_store::Store::open(hearth_store::Config {
        path: folder.path().join("hearth.db"),
        chain_id: "hearth-devnet".into(),
        max_pages: None,
    })
    .await
    .unwrap();
    let activity = Activity {
        tx_hash: "AB".to_owned(),
        at_ms: 5,
        height: None,
        kind: ActivityKind::Sent,
        account: wallet.accounts().unwrap().main,
        counterparty: Some("pokt1x".to_owned()),
        amount: Amount::from_upokt(7),
        fee: Amount::from_upokt(1),
        outcome: "sent".to_owned(),
        note: String::new(),
    };
    let first = record(&store, &activity, Some(50), Some(&[1])).await.unwrap();
    assert_eq!(first, Recorded::Now);
    record(&store, &activity, Some(60), Some(&[2])).await.unwrap();
    let open = Pending {
        tx_hash: "AB".to_owned(),
        until_ms: Some(50),
        raw: Some(vec![1]),
    };
    assert_eq!(pending(&store).await.unwrap(), std::slice::from_ref(&open));
    // Who pays the same again while the first payment is on its way means that one.
    let again = Activity {
        tx_hash: "CD".to_owned(),
        at_ms: 6,
        ..activity.clone()
    };
    let second = record(&store, &again, Some(60), Some(&[3])).await.unwrap();
    assert_eq!(second, Recorded::OnItsWay(open));
    assert_eq!(recent(&store, 10).await.unwrap().len(), 1);
    settle(&store, "AB", Some(Height(9)), "included").await.unwrap();
    assert!(pending(&store).await.unwrap().is_empty());
    record(&store, &activity, Some(70), None).await.unwrap();
    assert!(
        pending(&store).await.unwrap().is_empty(),
        "what has ended is not opened again"
    );
    let lines = recent(&store, 10).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (lines[0].height, lines[0].amount),
        (Some(Height(9)), Amount::from_upokt(7))
    );
    assert_eq!(lines[0].outcome, "included");
    let third = record(&store, &again, Some(60), Some(&[3])).await.unwrap();
    assert_eq!(third, Recorded::Now, "the first one has ended");
    // What was told as paid waits for its proof, and does not stand for the next payment of the same amount.
    placed(&store, "CD", Height(11)).await.unwrap();
    assert_eq!(pending(&store).await.unwrap().len(), 1);
    let next = Activity {
        tx_hash: "EF".to_owned(),
        ..again
    };
    let fourth = record(&store, &next, Some(60), Some(&[4])).await.unwrap();
    assert_eq!(fourth, Recorded::Now);
}

/// What the program of the first form left.
#[tokio::test]
async fn keystore_and_activity_of_the_first_form_are_read() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/formats/v1");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("keystore")).unwrap();
    let copy = |name: &str| std::fs::copy(from.join(name), folder.path().join(name)).unwrap();
    copy("keystore/wallet.json");
    let password = std::fs::read_to_string(from.join("keystore/devnet.pass")).unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    wallet.unlock(password.trim()).unwrap();
    let accounts = wallet.state().borrow().accounts.clone().unwrap();
    assert_eq!(
        accounts.main.as_str(),
        "pokt127plwwf73qktm4szdyqmnhlj3kdh85xrrdrr8j"
    );
    let signature = wallet.signer(Role::Working).unwrap().sign(b"a relay").unwrap();
    let key = hex::decode(&accounts.working_public_key).unwrap();
    let key = PublicKey::from_bytes(&key).unwrap();
    key.verify(b"a relay", &signature).unwrap();
    let words = wallet.reveal_words(password.trim()).unwrap();
    assert_eq!(words.text().split(' ').count(), 24);

    let store = hearth_store::testing::first_form(folder.path()).await;
    let lines = recent(&store, 10).await.unwrap();
    let amounts: Vec<u128> = lines.iter().map(|line| line.amount.upokt()).collect();
    assert_eq!(amounts, [2_500_000, 1_500_000]);
    assert_eq!(
        (lines[0].outcome.as_str(), lines[1].outcome.as_str()),
        ("sent", "included")
    );
    assert_eq!(
        (lines[1].height, lines[1].note.as_str()),
        (Some(Height(18)), "for the boat")
    );
    let pending = pending(&store).await.unwrap();
    assert_eq!((pending.len(), &pending[0].tx_hash), (1, &lines[0].tx_hash));
    assert_eq!(store.problems().all(), Vec::<String>::new());
    // A line that cannot be read hides no other, and is told by its name.
    sqlx::query("UPDATE wallet_activity SET kind = 'dreamt' WHERE tx_hash = ?")
        .bind(&lines[0].tx_hash)
        .execute(store.pool())
        .await
        .unwrap();
    assert_eq!(recent(&store, 10).await.unwrap().len(), 1);
    assert!(store.problems().all()[0].contains(&lines[0].tx_hash));
}
