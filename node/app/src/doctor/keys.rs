//! What the doctor says of the wallet: whether it signs, and whether there is a way back to its keys.

use hearth_api::control::types::{Check, Level};
use hearth_wallet::{Entry, KeyState, Purpose, Wallet, WalletState};

use super::{bad, ok, serious};

pub(crate) fn keys(wallet: &Wallet, is_devnet: bool) -> Vec<Check> {
    let state = wallet.state().borrow().clone();
    if !state.exists {
        let meaning = "Earnings need a place to go. Local chat works.";
        return vec![bad(
            Level::Warn,
            "no_wallet",
            "Wallet",
            "none yet",
            meaning,
            "hearth wallet create",
        )];
    }
    let wallet = if state.key(Purpose::Operator).is_none() {
        bad(
            serious(is_devnet),
            "no_operator",
            "Wallet",
            "no key is the operator",
            "Nothing can be earned until one is. Local chat works.",
            "hearth wallet use ACCOUNT --as operator, or hearth wallet import --as operator",
        )
    } else if let Some(fact) = locked_operators(&state) {
        bad(
            serious(is_devnet),
            "key_locked",
            "Wallet",
            fact,
            "Nothing can be signed until you unlock it.",
            "hearth wallet unlock; for every start hearth wallet seal-operator, also after a new operator, and --passphrase-file",
        )
    } else if !is_devnet && !state.is_sealed_apart {
        bad(
            Level::Warn,
            "not_sealed",
            "Wallet",
            "the working key signs until the next restart",
            "After a crash or a restart nobody signs what is claimed: what was answered is not paid, and a missed proof costs \
             stake.",
            "hearth wallet seal-operator, and --passphrase-file for every start",
        )
    } else {
        ok("wallet", "Wallet", "the working key signs")
    };
    vec![wallet, backup(&state, is_devnet)]
}

/// Which working keys are locked, if any: among several each is named.
fn locked_operators(state: &WalletState) -> Option<String> {
    let is_locked = |(_, key): &&(Entry, KeyState)| *key == KeyState::Locked;
    let locked: Vec<&str> = state
        .operators()
        .filter(is_locked)
        .map(|(entry, _)| entry.label.as_str())
        .collect();
    if locked.is_empty() {
        return None;
    }
    Some(if state.operators().count() == 1 {
        "the working key is locked".to_owned()
    } else {
        format!("working keys are locked: {}", locked.join(", "))
    })
}

/// Whether the owner has a way back to the keys. Recovery words bring back what was made from them, and nothing else.
fn backup(state: &WalletState, is_devnet: bool) -> Check {
    let of_words = |(entry, _): &&(Entry, KeyState)| entry.path().is_some();
    let brought: Vec<&str> = state
        .entries
        .iter()
        .filter(|(entry, _)| entry.path().is_none() && !entry.is_watched())
        .map(|(entry, _)| entry.label.as_str())
        .collect();
    let has_words = state.entries.iter().any(|one| of_words(&one));
    let lost = if is_devnet {
        "Play money only."
    } else {
        "If this disk fails the money is lost."
    };
    if has_words && !state.words_checked {
        return bad(
            Level::Warn,
            "no_backup",
            "Backup",
            "recovery words never checked",
            lost,
            if is_devnet {
                "Wallet, Check my words, about 2 minutes; the password of play money lies in keystore/devnet.pass"
            } else {
                "Wallet, Check my words, about 2 minutes"
            },
        );
    }
    if !brought.is_empty() {
        let of = brought.join(", ");
        let fact = if has_words {
            format!("recovery words checked; no words bring back {of}")
        } else {
            format!("there are no recovery words; no words bring back {of}")
        };
        return bad(
            Level::Warn,
            "no_words",
            "Backup",
            fact,
            "Such a key was brought in by itself: without a copy elsewhere it is lost with this disk.",
            "keep what it was imported from, or make a backup: hearth backup --sealed FILE",
        );
    }
    if has_words {
        ok("backup", "Backup", "recovery words checked")
    } else {
        ok("backup", "Backup", "no key is here, so none can be lost")
    }
}

#[cfg(test)]
mod tests {
    use hearth_wallet::{EntryId, Origin, Path};

    use super::*;

    fn state(origins: &[Origin], words_checked: bool) -> WalletState {
        let entry = |(at, origin): (usize, &Origin)| Entry {
            id: EntryId(u32::try_from(at).unwrap()),
            label: format!("key {at}"),
            origin: origin.clone(),
            address: "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7".parse().unwrap(),
            public_key: None,
            purposes: [].into(),
        };
        let entries = origins.iter().enumerate().map(entry);
        WalletState {
            exists: true,
            entries: entries.map(|entry| (entry, KeyState::Open)).collect(),
            words_checked,
            is_sealed_apart: false,
        }
    }

    #[test]
    fn words_are_said_to_bring_back_what_is_made_from_them_alone() {
        let words = Origin::Words {
            phrase: 0,
            path: Path::main(),
        };
        let told = |origins: &[Origin], checked| {
            let check = backup(&state(origins, checked), false);
            (check.level, check.code, check.fact)
        };
        assert_eq!(told(std::slice::from_ref(&words), true).1, "backup");
        assert_eq!(told(std::slice::from_ref(&words), false).1, "no_backup");
        // Where there are no words, none were checked.
        let (level, code, fact) = told(&[Origin::Raw], true);
        assert_eq!((level, code.as_str()), (Level::Warn, "no_words"));
        assert!(
            fact.contains("no recovery words") && fact.contains("key 0"),
            "{fact}"
        );
        let (_, code, fact) = told(&[words, Origin::Armored], true);
        assert_eq!(code, "no_words");
        assert!(fact.contains("checked") && fact.contains("key 1"), "{fact}");
        assert_eq!(told(&[Origin::Watch], true).1, "backup");
    }
}
