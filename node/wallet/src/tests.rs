//! The wallet as a whole: files, passwords, locking, signing.

use std::{path::Path, time::Duration};

use hearth_base::Clock;
use hearth_pocket::keys::{PublicKey, SignError, Signer as _};

use crate::{Config, Cost, Error, KeyState, Role, Wallet, Words};

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

/// What the program of the first form left.
#[test]
fn the_keystore_of_the_first_form_is_read() {
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
}
