//! What is open, what signs unattended, and when it is locked.

use super::*;

#[test]
fn a_wallet_that_was_half_open_is_half_open_again() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    wallet.create(PASSWORD).unwrap();
    let spare = wallet.add(&raw(7), &Naming::default(), PASSWORD).unwrap();
    let owner = wallet.accounts().unwrap().owner.unwrap();
    let is_locked = |address| wallet.state().borrow().is_locked(address);
    assert!(!is_locked(&spare.address) && !is_locked(&owner));
    wallet.lock_but(&[spare.id]);
    assert!(!is_locked(&spare.address) && is_locked(&owner));
    wallet.unlock(PASSWORD).unwrap();
    wallet.lock_but(&[spare.id]);
    assert!(!is_locked(&spare.address) && is_locked(&owner));
    wallet.lock();
    assert!(is_locked(&spare.address));
}

#[test]
fn a_key_that_signs_no_more_unattended_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    wallet.seal_working(PASSWORD, "in a file on disk").unwrap();
    wallet.lock();
    let spare = wallet.add(&raw(7), &Naming::default(), PASSWORD).unwrap();
    assert!(wallet.state().borrow().is_locked(&spare.address));
    wallet
        .assign(
            spare.id,
            &[Purpose::Operator, Purpose::Gateway].into(),
            false,
            PASSWORD,
        )
        .unwrap();
    let old = wallet.find("working").map(|entry: Entry| entry.address).unwrap();
    // "working" is a label here, too.
    assert!(wallet.state().borrow().is_locked(&old));
    assert!(!wallet.state().borrow().is_sealed_apart);
    // One who watches cannot sign.
    let watched = wallet.watch(&raw(8).address(), &Naming::default()).unwrap();
    let refused = wallet.assign(watched.id, &[Purpose::Gateway].into(), false, PASSWORD);
    assert!(matches!(refused, Err(Error::WatchedPurpose)));
    let refused = wallet.watch(&raw(10).address(), &Naming::of(&[Purpose::Owner]));
    assert!(matches!(refused, Err(Error::WatchedPurpose)));
}

#[test]
fn what_nobody_uses_is_locked_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::test(0);
    let wallet = open(folder.path(), &clock);
    wallet.create(PASSWORD).unwrap();
    let limit = Duration::from_secs(300);
    clock.advance(Duration::from_secs(299));
    assert!(!wallet.lock_unused(limit));
    wallet.signer(Purpose::Owner).unwrap().sign(b"pay").unwrap();
    clock.advance(Duration::from_secs(299));
    // What signs unattended is no use of the others.
    wallet.signer(Purpose::Operator).unwrap().sign(b"claim").unwrap();
    assert!(!wallet.lock_unused(limit));
    clock.advance(Duration::from_secs(1));
    assert!(wallet.lock_unused(limit) && !wallet.lock_unused(limit));
    assert!(wallet.signer(Purpose::Owner).unwrap().sign(b"pay").is_err());
    assert!(wallet.signer(Purpose::Operator).unwrap().sign(b"claim").is_ok());
}
