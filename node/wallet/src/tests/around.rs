//! What happens around the wallet: a clock that is set back, a file that is put there, keys that come later, texts that
//! pass for other things.

use super::*;
use crate::EntryChange;

const OTHER: &str = "in a file on disk";

#[test]
fn an_operator_that_comes_after_the_others_were_sealed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    wallet.seal_working(PASSWORD, OTHER).unwrap();
    assert!(wallet.state().borrow().is_sealed_apart);
    let naming = Naming::of(&[Purpose::Operator]).called("second").beside_others();
    let second = wallet.add(&raw(5), &naming, PASSWORD).unwrap();
    // It signs until the next start, and not after it.
    assert!(wallet.signer_of(&second.address).unwrap().sign(b"claim").is_ok());
    assert!(!wallet.state().borrow().is_sealed_apart);
    let again = open(folder.path(), &clock);
    again.unlock_working(OTHER).unwrap();
    assert_eq!(again.state().borrow().locked_unattended(), ["second"]);
    wallet.seal_working(PASSWORD, OTHER).unwrap();
    assert!(wallet.state().borrow().is_sealed_apart);
    let again = open(folder.path(), &clock);
    again.unlock_working(OTHER).unwrap();
    assert!(again.state().borrow().locked_unattended().is_empty());
}

#[test]
fn a_wallet_that_is_put_there_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let elsewhere = tempfile::tempdir().unwrap();
    open(elsewhere.path(), &clock).create(PASSWORD).unwrap();
    let wallet = open(folder.path(), &clock);
    let (from, to) = (elsewhere.path().join("keystore"), folder.path().join("keystore"));
    std::fs::create_dir_all(&to).unwrap();
    std::fs::copy(from.join("wallet.json"), to.join("wallet.json")).unwrap();
    let watched = raw(9).address();
    assert!(matches!(
        wallet.watch(&watched, &Naming::default()),
        Err(Error::Exists(_))
    ));
    assert!(matches!(
        wallet.add(&raw(5), &Naming::default(), PASSWORD),
        Err(Error::Exists(_))
    ));
    assert!(open(folder.path(), &clock).unlock(PASSWORD).is_ok());
}

#[test]
fn an_address_is_no_label_and_a_number_means_an_account_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    let accounts = wallet.accounts().unwrap();
    let (main, working) = (accounts.all[0].clone(), accounts.all[1].clone());
    for label in [main.address.to_string(), "POKT1 of mine".to_owned()] {
        assert!(matches!(
            wallet.rename(working.id, &label),
            Err(Error::Label { .. })
        ));
    }
    // A label that an earlier version took.
    let path = folder.path().join("keystore/wallet.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.replace("\"working\"", &format!("\"{}\"", main.address));
    std::fs::write(&path, text).unwrap();
    let wallet = open(folder.path(), &clock);
    wallet.unlock(PASSWORD).unwrap();
    assert_eq!(wallet.accounts().unwrap().all[1].label, main.address.to_string());
    let signer = wallet.signer_of(&main.address).unwrap();
    assert_eq!(*signer.address(), main.address);
}

#[test]
fn label_and_purposes_change_together_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    let own = wallet.add(&raw(5), &Naming::default(), PASSWORD).unwrap();
    let purposes = [Purpose::Gateway].into();
    let change = |label| EntryChange {
        label: Some(label),
        purposes: Some(&purposes),
        beside: false,
    };
    let before = wallet.accounts().unwrap();
    assert!(matches!(
        wallet.change(own.id, &change("main"), PASSWORD),
        Err(Error::LabelTaken { .. })
    ));
    assert!(wallet.change(own.id, &change("gate"), "another one").is_err());
    assert_eq!(wallet.accounts().unwrap(), before);
    let changed = wallet.change(own.id, &change("gate"), PASSWORD).unwrap();
    assert_eq!(
        (changed.label.as_str(), changed.purposes),
        ("gate", purposes.clone())
    );
}

#[test]
fn a_key_that_comes_while_the_wallet_is_open_is_open_too() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    wallet.add(&raw(5), &Naming::default(), PASSWORD).unwrap();
    assert!(!wallet.state().borrow().is_main_locked());
    wallet.lock();
    let later = wallet.add(&raw(6), &Naming::default(), PASSWORD).unwrap();
    assert!(wallet.signer_of(&later.address).unwrap().sign(b"pay").is_err());
}

#[test]
fn a_clock_that_is_set_back_locks_nobody_out_and_keeps_nothing_open() {
    let folder = tempfile::tempdir().unwrap();
    let hour_ms = 3_600_000;
    let clock = Clock::test(10 * hour_ms);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    for _ in 0..5 {
        assert!(wallet.unlock("another one").is_err());
    }
    clock.set(7 * hour_ms);
    assert!(matches!(
        wallet.unlock(PASSWORD),
        Err(Error::Wait { seconds: 60 })
    ));
    clock.set(7 * hour_ms + 60_000);
    wallet.unlock(PASSWORD).unwrap();
    clock.set(4 * hour_ms);
    let limit = Duration::from_secs(600);
    assert!(!wallet.lock_unused(limit));
    clock.set(4 * hour_ms + 600_000);
    assert!(wallet.lock_unused(limit));
}
