//! The keystore of the first form: read as it is, written anew once the password was typed.

use std::path::Path;

use hearth_base::Clock;
use hearth_pocket::keys::{PublicKey, Signer as _};

use super::open;
use crate::{KeyState, Purpose};

/// What the program of the first form left, and this one's reading of it.
fn first_form(folder: &Path) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/formats/v1");
    std::fs::create_dir(folder.join("keystore")).unwrap();
    std::fs::copy(
        from.join("keystore/wallet.json"),
        folder.join("keystore/wallet.json"),
    )
    .unwrap();
    let password = std::fs::read_to_string(from.join("keystore/devnet.pass")).unwrap();
    password.trim().to_owned()
}

#[test]
fn the_keystore_of_the_first_form_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let password = first_form(folder.path());
    let file = folder.path().join("keystore/wallet.json");
    let old = std::fs::read_to_string(&file).unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    assert_eq!(
        wallet.address(Purpose::Owner).unwrap().as_str(),
        "pokt127plwwf73qktm4szdyqmnhlj3kdh85xrrdrr8j"
    );
    assert_eq!(
        wallet.address(Purpose::Owner),
        wallet.address(Purpose::Application)
    );
    assert_eq!(
        wallet.address(Purpose::Operator),
        wallet.address(Purpose::Gateway)
    );
    // A start that opens the working key, a look at the words and a wrong password leave the old file as it is.
    wallet.unlock_working(&password).unwrap();
    assert_eq!(
        wallet.state().borrow().key(Purpose::Owner),
        Some(KeyState::Locked)
    );
    assert!(wallet.unlock("another one").is_err());
    assert_eq!(
        wallet.reveal_words(&password).unwrap().text().split(' ').count(),
        24
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), old);
    wallet.unlock(&password).unwrap();
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"version\": 2"));
    let again = open(folder.path(), &Clock::test(0));
    assert_eq!(again.accounts(), wallet.accounts());
    // Its box had the wallet's own password, so nothing is sealed apart, and that password goes on opening the key.
    assert!(!again.state().borrow().is_sealed_apart);
    again.unlock_working(&password).unwrap();
    assert_eq!(again.state().borrow().key(Purpose::Owner), Some(KeyState::Locked));
    for wallet in [&wallet, &again] {
        let signer = wallet.signer(Purpose::Operator).unwrap();
        let signature = signer.sign(b"a relay").unwrap();
        let key = PublicKey::from_bytes(&signer.public_key()).unwrap();
        key.verify(b"a relay", &signature).unwrap();
    }
    let words = again.reveal_words(&password).unwrap();
    assert_eq!(words.text().split(' ').count(), 24);
}

#[test]
fn a_label_on_a_keystore_of_the_first_form_keeps_all_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let password = first_form(folder.path());
    let wallet = open(folder.path(), &Clock::test(0));
    let main = wallet.find("main").unwrap();
    wallet.rename(main.id, "savings").unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    assert_eq!(wallet.find("savings").unwrap().address, main.address);
    wallet.unlock_working(&password).unwrap();
    wallet.unlock(&password).unwrap();
    assert!(wallet.signer(Purpose::Owner).unwrap().sign(b"pay").is_ok());
}
