//! What is known of an export before it is made.

use super::*;

#[test]
fn whose_words_are_exported_is_known_without_the_password() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = open(folder.path(), &Clock::test(0));
    assert!(wallet.accounts_of_words(None).is_empty());
    wallet.create(PASSWORD).unwrap();
    let key = wallet
        .add(&raw(5), &Naming::default().called("cold"), PASSWORD)
        .unwrap();
    let labels = |of| {
        let of: Vec<Entry> = wallet.accounts_of_words(of);
        of.into_iter().map(|entry| entry.label).collect::<Vec<_>>()
    };
    assert_eq!(labels(None), ["main", "working"]);
    assert_eq!(
        labels(Some(wallet.find("working").unwrap().id)),
        ["main", "working"]
    );
    assert!(labels(Some(key.id)).is_empty(), "a key that has no words");
}
