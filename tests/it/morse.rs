//! POKT of the former network, claimed by the command line on the embedded chain, with keys that the real program
//! exported.

use std::path::{Path, PathBuf};

use hearth_tests::Node;
use serde_json::{Value, json};

use crate::roles::{Owner, owner};

const SERVICE: &str = "asked";

/// A key of the former network as files: its export, the passphrase, and its address.
struct Former {
    export: PathBuf,
    passphrase: PathBuf,
    address: String,
}

fn former(n: usize, folder: &Path) -> Former {
    let golden: Value = serde_json::from_str(include_str!("../vectors/morse_keys.json")).unwrap();
    let text = |name: &str| golden["exports"][n][name].as_str().unwrap().to_owned();
    let (export, passphrase) = (
        folder.join(format!("morse-{n}.json")),
        folder.join(format!("morse-{n}.pass")),
    );
    std::fs::write(&export, text("file")).unwrap();
    std::fs::write(&passphrase, text("passphrase")).unwrap();
    Former {
        export,
        passphrase,
        address: text("address"),
    }
}

impl Former {
    fn args<'a>(&'a self, command: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let key = ["wallet", "morse", command, "--key", self.export.to_str().unwrap()];
        let opened = ["--key-passphrase-file", self.passphrase.to_str().unwrap()];
        [&key, opened.as_slice(), more].concat()
    }
}

fn refused(owner: &Owner, args: &[&str]) -> String {
    let (exit, json) = owner.run(args);
    assert_ne!(exit, Some(0), "{args:?}: {json:#}");
    json["error"]["code"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn morse_is_claimed_by_the_command_line() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(
        &folder.path().join("data"),
        "devnet",
        &[("DEVNET__SETUP", "false")],
    )
    .await
    .unwrap();
    let owner = owner(&node, folder.path()).await;
    let (money, application) = (former(0, folder.path()), former(1, folder.path()));

    let shown = owner.does(&["wallet", "morse", "show", &money.address.to_lowercase()]);
    assert_eq!(
        (&shown["state"], &shown["balance"], &shown["standing"]["trust"]),
        (&json!("claimable"), &json!("1234000000"), &json!("proven")),
        "{shown:#}"
    );
    assert_eq!(owner.does(&money.args("show", &[]))["address"], money.address);
    let unopened = [
        "wallet",
        "morse",
        "show",
        "--key",
        money.export.to_str().unwrap(),
        "--no-passphrase",
    ];
    assert_eq!(refused(&owner, &unopened), "morse_passphrase");
    let other = [
        "wallet",
        "morse",
        "show",
        "--key",
        owner.password.to_str().unwrap(),
        "--no-passphrase",
    ];
    assert_eq!(refused(&owner, &other), "morse_key_wrong");
    assert_eq!(
        refused(&owner, &["wallet", "morse", "show", "12"]),
        "morse_address_wrong"
    );

    // What would be signed is shown, and nothing of the former key.
    let review = owner.does(&money.args("claim", &["--dry-run"]));
    assert_eq!(
        review.pointer("/steps/0/messages/0/@type"),
        Some(&json!("/pocket.migration.MsgClaimMorseAccount")),
        "{review:#}"
    );
    let again = owner.does(&["wallet", "morse", "show", &money.address]);
    assert_eq!(again["state"], "claimable", "nothing was signed");
    owner.signs(&money.args("claim", &["--to", "owner"]));
    let claimed = owner.does(&money.args("show", &[]));
    assert_eq!(claimed["state"], "claimed", "{claimed:#}");
    assert_eq!(refused(&owner, &money.args("claim", &["--yes"])), "morse_claimed");
    let history = owner.does(&["wallet", "history", "--kind", "morse"]);
    assert_eq!(
        (
            &history["movements"][0]["kind"],
            &history["movements"][0]["amount"]
        ),
        (&json!("morse"), &json!("1234000000")),
        "{history:#}"
    );

    owner.signs(&["service", "add", SERVICE, "--compute-units", "100"]);
    assert_eq!(
        refused(&owner, &application.args("claim", &["--yes"])),
        "morse_staked"
    );
    owner.signs(&application.args("claim", &["--application", SERVICE]));
    let page = owner.does(&["stake"]);
    assert_eq!(
        (&page["application"]["stake"], &page["application"]["services"]),
        (&json!("500000000"), &json!([SERVICE])),
        "{page:#}"
    );
    is_told_with_its_stake(&owner);
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

/// What came free and what came staked are told apart, and make up the whole.
fn is_told_with_its_stake(owner: &Owner) {
    let history = owner.does(&["wallet", "history", "--kind", "morse"]);
    let newest = &history["movements"][0];
    assert_eq!(
        (
            &newest["amount"],
            &newest["balance_change"],
            &newest["stake_change"]
        ),
        (&json!("505000000"), &json!("4999999"), &json!("500000000")),
        "{history:#}"
    );
}
