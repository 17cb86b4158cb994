//! The wallet as a whole: files, passwords, locking, signing.

use std::{path::Path, time::Duration};

use hearth_base::Clock;
use hearth_pocket::keys::{PublicKey, SignError, Signer as _};

use proptest::prelude::*;
use zeroize::Zeroizing;

use crate::{
    Config, Cost, Entry, Error, ForeignKey, Form, KeyState, Naming, Origin, Path as KeyPath, Purpose, Wallet,
    Words,
};

mod around;
mod exported;
mod first_form;
mod locking;

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
    assert_eq!(
        wallet.state().borrow().key(Purpose::Owner),
        Some(KeyState::Locked)
    );
    let signer = wallet.signer(Purpose::Owner).unwrap();
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
    assert!(wallet.signer(Purpose::Operator).unwrap().sign(b"claim").is_ok());
    assert_eq!(*wallet.reveal_words(PASSWORD).unwrap().text(), *words.text());
    assert!(matches!(wallet.create(PASSWORD), Err(Error::Exists(_))));
}

#[test]
fn the_working_key_opens_alone_with_its_own_password() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    open(folder.path(), &clock).create(PASSWORD).unwrap();
    open(folder.path(), &clock)
        .seal_working(PASSWORD, "unattended")
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
    assert_eq!(
        wallet.state().borrow().key(Purpose::Owner),
        Some(KeyState::Locked)
    );
    assert_eq!(
        wallet.state().borrow().key(Purpose::Operator),
        Some(KeyState::Open)
    );
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
    let newer = text.replace("\"version\": 2", "\"version\": 4, \"quanta\": 7");
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
                found: 4,
                known: 3,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("Hearth "), "{error}");
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
    assert!(!format!("{wallet:?} {:?}", wallet.signer(Purpose::Owner).unwrap()).contains(PASSWORD));
}

/// A key of the golden data, as `pocketd` exported it.
fn armored() -> (String, String, String) {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/vectors/keyring.json")).unwrap();
    let text = |name: &str| golden[name].as_str().unwrap().to_owned();
    (text("argon2"), text("passphrase"), text("address"))
}

fn raw(byte: u8) -> ForeignKey {
    ForeignKey::hex(&hex::encode([byte; 32])).unwrap()
}

#[test]
fn a_wallet_may_have_nothing_but_an_operator() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let (text, passphrase, address) = armored();
    let wallet = open(folder.path(), &clock);
    let key = ForeignKey::armored(&text, &passphrase).unwrap();
    let entry = wallet
        .add(&key, &Naming::of(&[Purpose::Operator]), PASSWORD)
        .unwrap();
    assert_eq!(
        (entry.address.as_str(), entry.label.as_str()),
        (address.as_str(), "operator")
    );
    assert_eq!(entry.origin, Origin::Armored);
    assert!(wallet.signer(Purpose::Operator).unwrap().sign(b"claim").is_ok());
    assert!(matches!(
        wallet.signer(Purpose::Owner),
        Err(Error::NoKeyFor(Purpose::Owner))
    ));
    assert!(matches!(wallet.reveal_words(PASSWORD), Err(Error::NoWords)));
    let state = wallet.state().borrow().clone();
    assert!(state.words_checked && state.key(Purpose::Owner).is_none() && !state.is_main_locked());
    // Its owner is elsewhere and known by the address.
    let owner = raw(9).address();
    wallet.watch(&owner, &Naming::of(&[Purpose::Owner])).unwrap();
    let wallet = open(folder.path(), &clock);
    assert_eq!(wallet.address(Purpose::Owner).unwrap(), owner);
    assert_eq!(
        wallet.state().borrow().key(Purpose::Owner),
        Some(KeyState::Elsewhere)
    );
    assert!(matches!(
        wallet.signer(Purpose::Owner),
        Err(Error::Watched { .. })
    ));
    wallet.unlock_working(PASSWORD).unwrap();
    assert!(wallet.signer_of(&entry.address).unwrap().sign(b"claim").is_ok());
    // Once its key comes, the same entry signs.
    let owned = wallet.add(&raw(9), &Naming::default(), PASSWORD).unwrap();
    assert_eq!((owned.purposes.len(), owned.origin), (1, Origin::Raw));
    assert_eq!(
        wallet.state().borrow().key(Purpose::Owner),
        Some(KeyState::Locked)
    );
}

#[test]
fn several_accounts_may_be_operators_and_each_other_purpose_has_one() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    let form = || {
        let text = std::fs::read_to_string(folder.path().join("keystore/wallet.json")).unwrap();
        let file: serde_json::Value = serde_json::from_str(&text).unwrap();
        file["version"].as_u64().unwrap()
    };
    let usual = wallet.address(Purpose::Operator).unwrap();
    let naming = Naming::of(&[Purpose::Operator]).called("theirs").beside_others();
    let theirs = wallet.add(&raw(5), &naming, PASSWORD).unwrap();
    let accounts = wallet.accounts().unwrap();
    assert_eq!(accounts.operators, [usual.clone(), theirs.address.clone()]);
    assert_eq!(
        accounts.operator,
        Some(usual.clone()),
        "the first stays the usual one"
    );
    // Both sign while nobody is there, also after a start with the password that opens nothing else.
    wallet.seal_working(PASSWORD, "in a file on disk").unwrap();
    let again = open(folder.path(), &clock);
    again.unlock_working("in a file on disk").unwrap();
    for operator in &accounts.operators {
        assert!(again.signer_of(operator).unwrap().sign(b"claim").is_ok());
    }
    assert_eq!(again.state().borrow().operators().count(), 2);
    // Another purpose beside takes nothing from the other operator, and is not shared itself.
    let both = [Purpose::Operator, Purpose::Gateway].into();
    let entry = wallet.assign(theirs.id, &both, true, PASSWORD).unwrap();
    assert_eq!(entry.purposes, both);
    let accounts = wallet.accounts().unwrap();
    assert_eq!(accounts.gateway, Some(theirs.address.clone()));
    assert_eq!(accounts.operators.len(), 2);
    // What an account has already is not taken from the others again.
    wallet
        .assign(theirs.id, &[Purpose::Operator].into(), false, PASSWORD)
        .unwrap();
    assert_eq!(wallet.accounts().unwrap().operators.len(), 2);
    assert_eq!(form(), 3, "an earlier program says who reads this");
    // Without that an operator takes the place of all others, as it always did.
    let alone = wallet
        .add(&raw(6), &Naming::of(&[Purpose::Operator]), PASSWORD)
        .unwrap();
    assert_eq!(wallet.accounts().unwrap().operators, [alone.address]);
    assert_eq!(form(), 2, "and reads it again, once there is one of each");
}

#[test]
fn what_opens_the_operator_opens_nothing_else() {
    const APART: &str = "in a file on disk";
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    wallet
        .add(&raw(5), &Naming::of(&[Purpose::Operator]), PASSWORD)
        .unwrap();
    assert!(matches!(
        wallet.seal_working(PASSWORD, PASSWORD),
        Err(Error::SamePassword)
    ));
    assert!(matches!(
        wallet.seal_working(PASSWORD, "short"),
        Err(Error::WeakPassword { .. })
    ));
    wallet.seal_working(PASSWORD, APART).unwrap();
    let entries = wallet.accounts().unwrap().all;
    let fresh = || open(folder.path(), &clock);
    // Neither words nor any key, nor anything that changes what is kept.
    assert!(fresh().reveal_words(APART).is_err());
    assert!(fresh().export_words(None, APART).is_err() && fresh().candidates(None, APART).is_err());
    for entry in &entries {
        let armored = Form::Armored(Zeroizing::new("a passphrase".into()));
        assert!(fresh().export_key(entry.id, &Form::Hex, APART).is_err());
        assert!(fresh().export_key(entry.id, &armored, APART).is_err());
        assert!(
            fresh()
                .assign(entry.id, &[Purpose::Owner].into(), false, APART)
                .is_err()
        );
        assert!(fresh().remove(entry.id, APART).is_err());
    }
    assert!(fresh().unlock(APART).is_err() && fresh().change_password(APART, "another one").is_err());
    assert!(fresh().add(&raw(6), &Naming::default(), APART).is_err());
    assert!(fresh().add_next(None, None, &Naming::default(), APART).is_err());
    assert!(fresh().seal_working(APART, "another one").is_err());
    // It opens what signs unattended, the gateway of the words included.
    let wallet = fresh();
    wallet.unlock_working(APART).unwrap();
    assert!(wallet.signer(Purpose::Operator).unwrap().sign(b"claim").is_ok());
    assert!(wallet.signer(Purpose::Gateway).unwrap().sign(b"relay").is_ok());
    assert!(wallet.signer(Purpose::Owner).unwrap().sign(b"pay").is_err());
    // The wallet's password cannot become the one on the disk either.
    assert!(matches!(
        wallet.change_password(PASSWORD, APART),
        Err(Error::SamePassword)
    ));
    wallet.change_password(PASSWORD, "battery staple").unwrap();
    let wallet = fresh();
    wallet.unlock_working(APART).unwrap();
    assert!(matches!(
        wallet.unlock(PASSWORD),
        Err(Error::WrongPassword { .. })
    ));
    wallet.unlock("battery staple").unwrap();
}

#[test]
fn keys_come_in_and_go_out_again() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    let made = wallet.create(PASSWORD).unwrap();
    let words = Words::parse(&format!("{} about", "abandon ".repeat(11))).unwrap();
    let path: KeyPath = "m/44h/118h/7h/0/0".parse().unwrap();
    let key = ForeignKey::Words {
        words,
        passphrase: Zeroizing::new("extra words".into()),
        path: path.clone(),
    };
    let entry = wallet
        .add(&key, &Naming::of(&[Purpose::Gateway]).called("mine"), PASSWORD)
        .unwrap();
    let hex = wallet.export_key(entry.id, &Form::Hex, PASSWORD).unwrap();
    assert_eq!(ForeignKey::hex(&hex).unwrap().address(), entry.address);
    let form = Form::Armored(Zeroizing::new("for the file".into()));
    let text = wallet.export_key(entry.id, &form, PASSWORD).unwrap();
    assert_eq!(
        ForeignKey::armored(&text, "for the file").unwrap().address(),
        entry.address
    );
    let phrase = wallet.export_words(Some(entry.id), PASSWORD).unwrap();
    assert_eq!(
        (phrase.passphrase.as_str(), phrase.path),
        ("extra words", Some(path))
    );
    assert_eq!(*wallet.reveal_words(PASSWORD).unwrap().text(), *made.text());
    // The next key of the same words; those of the wallet's own words go on after main and working.
    let next = wallet
        .add_next(Some(entry.id), None, &Naming::default(), PASSWORD)
        .unwrap();
    assert_eq!(next.path().unwrap().to_string(), "m/44'/118'/0'/0/0");
    let own = wallet.add_next(None, None, &Naming::default(), PASSWORD).unwrap();
    assert_eq!(own.path().unwrap().to_string(), "m/44'/118'/0'/0/2");
    assert_eq!(
        (next.label.as_str(), own.label.as_str()),
        ("account", "account 2")
    );
    let found = wallet.candidates(Some(entry.id), PASSWORD).unwrap();
    assert_eq!(found[0].1, next.address);
    assert!(found.iter().any(|(_, address)| *address == entry.address));
    // The gateway of before serves that purpose no more; the same key does not come in twice.
    assert_eq!(
        wallet.find("working").unwrap().purposes,
        [Purpose::Operator].into()
    );
    assert!(matches!(
        wallet.add(&key, &Naming::default(), PASSWORD),
        Err(Error::Known { label }) if label == "mine"
    ));
    assert!(matches!(
        wallet.rename(own.id, "mine"),
        Err(Error::LabelTaken { .. })
    ));
    assert!(matches!(wallet.rename(own.id, "a\nb"), Err(Error::Label { .. })));
    assert!(matches!(
        wallet.remove(entry.id, PASSWORD),
        Err(Error::InUse { .. })
    ));
    wallet.remove(own.id, PASSWORD).unwrap();
    let again = open(folder.path(), &clock);
    assert_eq!(again.accounts(), wallet.accounts());
    again.unlock(PASSWORD).unwrap();
    assert!(again.signer(Purpose::Gateway).unwrap().sign(b"relay").is_ok());
    assert!(matches!(ForeignKey::hex("00"), Err(Error::Hex)));
    assert!(matches!(ForeignKey::hex(&"0".repeat(64)), Err(Error::Hex)));
}

/// Every change of the file is one replacement of it: where it cannot be made, neither file nor memory changes.
#[cfg(unix)]
#[test]
fn a_change_that_cannot_be_written_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    let before = (
        wallet.accounts(),
        std::fs::read(folder.path().join("keystore/wallet.json")).unwrap(),
    );
    // A folder in the place of the fresh file: nobody can write, not even root.
    std::fs::create_dir(folder.path().join("keystore/wallet.new")).unwrap();
    let main = wallet.find("main").unwrap();
    let naming = Naming::of(&[Purpose::Operator]);
    assert!(wallet.add(&raw(1), &naming, PASSWORD).is_err());
    assert!(wallet.add_next(None, None, &naming, PASSWORD).is_err());
    assert!(wallet.watch(&raw(1).address(), &Naming::default()).is_err());
    assert!(wallet.rename(main.id, "savings").is_err());
    assert!(wallet.assign(main.id, &[].into(), false, PASSWORD).is_err());
    assert!(wallet.change_password(PASSWORD, "battery staple").is_err());
    assert!(wallet.seal_working(PASSWORD, "battery staple").is_err());
    let after = (
        wallet.accounts(),
        std::fs::read(folder.path().join("keystore/wallet.json")).unwrap(),
    );
    assert_eq!(before, after);
    wallet.unlock(PASSWORD).unwrap();
}

/// Signatures of an entry are those of its key, whatever way it came in.
#[test]
fn an_entry_signs_as_its_key_does() {
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/vectors/keyring.json")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    let hex = golden["secret"].as_str().unwrap();
    let entry = wallet
        .add(
            &ForeignKey::hex(hex).unwrap(),
            &Naming::of(&[Purpose::Owner]),
            PASSWORD,
        )
        .unwrap();
    let bytes: [u8; 32] = hex::decode(hex).unwrap().try_into().unwrap();
    let key = hearth_pocket::keys::SecretKey::from_bytes(&bytes).unwrap();
    let handle = wallet.signer_of(&entry.address).unwrap();
    assert_eq!(handle.sign(b"sign doc").unwrap(), key.sign(b"sign doc"));
    assert_eq!(
        hex::encode(handle.public_key()),
        golden["public_key"].as_str().unwrap()
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// What somebody else wrote into the file is refused or read, and never believed to be a key.
    #[test]
    fn a_changed_file_never_gives_a_wrong_key(at in 0_usize..4000, with in "[ -~]{1,3}") {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::test(0);
        let wallet = open(folder.path(), &clock);
        wallet.create(PASSWORD).unwrap();
        let own: Vec<String> = wallet.accounts().unwrap().all.iter().map(|entry| entry.address.to_string()).collect();
        let path = folder.path().join("keystore/wallet.json");
        let mut text = std::fs::read_to_string(&path).unwrap();
        let at = at % text.len();
        text.replace_range(at..(at + with.len()).min(text.len()), &with);
        std::fs::write(&path, &text).unwrap();
        let config = Config { folder: folder.path().join("keystore"), cost: Cost::PLAY };
        if let Ok(wallet) = Wallet::open(config, clock.clone())
            && wallet.unlock(PASSWORD).is_ok()
        {
            for (entry, state) in wallet.state().borrow().entries.clone() {
                if state == KeyState::Open {
                    let signer = wallet.signer_of(&entry.address).unwrap();
                    prop_assert!(own.contains(&entry.address.to_string()));
                    let signature = signer.sign(b"pay").unwrap();
                    let key = PublicKey::from_bytes(&signer.public_key());
                    prop_assert!(key.is_ok_and(|key| key.verify(b"pay", &signature).is_ok()));
                }
            }
        }
    }
}
