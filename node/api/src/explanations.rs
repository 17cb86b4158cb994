//! What each error code means and what to do about it, for errors that bring no words of their own.
//!
//! One code is one fact. The page says the same in the person's language; the command line and other programs read it
//! from here.

/// The words of a code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Explanation {
    pub(crate) meaning: Option<&'static str>,
    pub(crate) remedy: Option<&'static str>,
}

/// Codes, what they mean, what to do. An empty text: the message says it.
const TABLE: &[(&[&str], &str, &str)] = &[
    (
        &["application_not_ready"],
        "Answers of the network are paid from an application's stake, and none can pay now.",
        "Stake an application under Wallet, or use a model on this computer.",
    ),
    (
        &["bad_answer"],
        "A supplier sent what it had not signed, or not what was asked for; nothing of it was shown.",
        "Try again: another supplier is asked.",
    ),
    (&["bad_request"], "Nothing was done.", ""),
    (
        &["crowded"],
        "The memory for requests is full for the moment; nothing of this one is kept.",
        "Try again in a moment.",
    ),
    (&["large_head", "too_many", "too_slow"], "Nothing was done.", ""),
    (
        &["bad_words", "word_unknown", "words_count"],
        "Nothing was changed.",
        "Compare the words with your paper, one by one and in order.",
    ),
    (&["broken_off"], "What came until then is kept.", "Try again."),
    (&["busy"], "Nothing was tried.", "Wait a moment, then try again."),
    (&["cannot_earn"], "Local chat works all the same.", ""),
    (&["chain_refused"], "Nothing was done.", ""),
    (
        &["chain_unreachable"],
        "Money cannot be read or moved until an endpoint of the network answers. Local chat works meanwhile.",
        "Look at the connection; `hearth doctor` says which endpoints fail.",
    ),
    (
        &["disk_full"],
        "What was there before is whole.",
        "Free space, then try again.",
    ),
    (
        &["faucet_refused", "no_faucet", "not_devnet"],
        "Play money comes from a devnet's faucet alone.",
        "",
    ),
    (
        &["faucet_unreachable"],
        "The devnet that gives play money does not answer.",
        "Start its node.",
    ),
    (
        &["fee_rose"],
        "Nothing left your wallet.",
        "Look at the payment again.",
    ),
    (
        &["file_unseen"],
        "Hearth runs in a process of its own, which may see other files than you do.",
        "Check the path; a service needs the file where its own user may read.",
    ),
    (
        &["gateway_not_ready", "network_unavailable"],
        "Models of the network cannot be asked now. Local chat works meanwhile.",
        "`hearth doctor` says what is missing.",
    ),
    (
        &["internal"],
        "A defect of Hearth, or of this computer.",
        "Try again; if it stays, look at `hearth logs`.",
    ),
    (
        &["key_locked"],
        "Nothing can be signed until the wallet is unlocked.",
        "Unlock the wallet: under Wallet, or `hearth wallet unlock`.",
    ),
    (
        &["memo_too_long"],
        "Nothing left your wallet.",
        "Shorten the note.",
    ),
    (
        &["model_files", "model_unusable"],
        "The model is not used.",
        "Fetch it again from where it came.",
    ),
    (
        &["model_in_use"],
        "Something needs it: an answer that is being made, or a service that is sold.",
        "Wait for the answer, or sell another model.",
    ),
    (
        &["no_login"],
        "Other computers sign in with a password, and none is set.",
        "Set one on the computer itself: under Settings, or `hearth auth password`.",
    ),
    (
        &["no_source"],
        "Nobody who was asked has this model.",
        "Name a gateway that has it.",
    ),
    (
        &["no_wallet"],
        "Money needs a wallet: its keys lie on this computer alone.",
        "Create one, or restore one from its recovery words: under Wallet, or `hearth wallet create`.",
    ),
    (
        &["not_enough"],
        "Nothing left your wallet.",
        "Pay less, or wait for money on its way.",
    ),
    (
        &["not_found", "model_not_found"],
        "It was deleted, or its name has a slip.",
        "",
    ),
    (
        &["not_seen"],
        "It may still be included: the network has it.",
        "Do not send it again; the history shows what becomes of it.",
    ),
    (
        &["other_words"],
        "Nothing was changed.",
        "Look for the paper of this wallet; its address is shown under Wallet.",
    ),
    (&["payment_refused"], "The money did not move.", ""),
    (&["stopping"], "Hearth is being stopped.", "Start it again."),
    (
        &["supplier_failed"],
        "The answer did not come; it is not counted as good.",
        "Try again.",
    ),
    (&["too_large"], "Nothing of it was read.", "Send less at once."),
    (
        &["wait"],
        "Guesses are slowed down so that nobody finds the password by trying.",
        "Wait, then type it again.",
    ),
    (
        &["wallet_damaged"],
        "Its keys cannot be read, and the file is left as it is.",
        "Restore the wallet from its recovery words.",
    ),
    (
        &["wallet_exists"],
        "Nothing was changed.",
        "Move its folder `keystore` away first, if you mean it.",
    ),
    (
        &["weak_password"],
        "Nothing was changed.",
        "Choose a longer one: four random words are good.",
    ),
    (
        &["wrong_password"],
        "Nothing was opened.",
        "Look at capital letters and the keyboard's layout.",
    ),
];

/// The words of `code`; none for a code whose message says it all.
pub(crate) fn of(code: &str) -> Explanation {
    let row = TABLE.iter().find(|(codes, _, _)| codes.contains(&code));
    let Some((_, meaning, remedy)) = row else {
        return Explanation::default();
    };
    let some = |text: &'static str| (!text.is_empty()).then_some(text);
    Explanation {
        meaning: some(meaning),
        remedy: some(remedy),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_words_and_an_unknown_one_has_none() {
        assert!(of("no_wallet").remedy.is_some());
        assert_eq!(of("of a newer Hearth"), Explanation::default());
        let codes: Vec<&str> = TABLE
            .iter()
            .flat_map(|(codes, _, _)| codes.iter().copied())
            .collect();
        for code in &codes {
            assert_eq!(codes.iter().filter(|other| *other == code).count(), 1, "{code}");
        }
    }
}
