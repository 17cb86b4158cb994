//! Roles where a node has several operators: each order says whose supplier is meant.

use std::time::Duration;

use hearth_api::{
    control::types::{RoleName, RoleOrder, RolesPage, ServiceOffer, TransactionState, TxFile, Upokt},
    parts::{Roles, SigningAccount, adapters::ChainRoles},
};
use hearth_base::Amount;
use hearth_pocket::message::shared::Service;
use hearth_wallet::{ForeignKey, Naming, Purpose};

use crate::money::World;

const PASSWORD: &str = "correct horse";

fn pokt(n: u128) -> Upokt {
    Upokt(Amount::from_upokt(n * Amount::UPOKT_PER_POKT))
}

async fn two_operators() -> (World, ChainRoles) {
    let world = World::on(
        |wallet| {
            wallet.create(PASSWORD).unwrap();
            let key = ForeignKey::hex(&"07".repeat(32)).unwrap();
            let naming = Naming::of(&[Purpose::Operator]).called("second").beside_others();
            wallet.add(&key, &naming, PASSWORD).unwrap();
        },
        |genesis| {
            genesis.services.push(Service {
                id: "svc".to_owned(),
                name: "A service".to_owned(),
                compute_units_per_relay: 10,
                owner_address: genesis.accounts[0].address.clone(),
                metadata: None,
            });
        },
    )
    .await;
    world.give("main", pokt(100).0).await;
    world.give("second", pokt(5).0).await;
    let roles = world.roles();
    (world, roles)
}

fn offer(port: u16) -> Vec<ServiceOffer> {
    vec![ServiceOffer {
        service: "svc".to_owned(),
        url: format!("http://127.0.0.1:{port}"),
        shares: Vec::new(),
    }]
}

fn stake(operator: Option<&str>) -> RoleOrder {
    RoleOrder::StakeSupplier {
        operator: operator.map(str::to_owned),
        stake: Some(pokt(2)),
        services: offer(4328),
    }
}

fn edit(operator: Option<&str>) -> RoleOrder {
    RoleOrder::EditSupplier {
        operator: operator.map(str::to_owned),
        stake: None,
        services: offer(4999),
        dropped: Vec::new(),
    }
}

fn give_up(role: RoleName, operator: Option<&str>) -> RoleOrder {
    RoleOrder::Unstake {
        role,
        operator: operator.map(str::to_owned),
    }
}

async fn done(roles: &ChainRoles, order: &RoleOrder) {
    let review = roles.review(order).await.unwrap();
    let sent = roles.send(order, &review).await.unwrap();
    assert_eq!(sent.transactions.len(), review.steps.len(), "{sent:?}");
    for one in &sent.transactions {
        assert!(
            matches!(one.state, TransactionState::Placed | TransactionState::Included),
            "{one:?}"
        );
    }
}

/// What each operator's supplier serves, by label, in the order of the accounts.
fn urls(page: &RolesPage) -> Vec<(String, Vec<String>)> {
    let operators = page.operators.iter().map(|one| {
        let services = one.supplier.iter().flat_map(|supplier| &supplier.services);
        (
            one.label.clone(),
            services.flat_map(|service| service.urls.clone()).collect(),
        )
    });
    operators.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_whose_supplier_it_is_about() {
    let (world, roles) = two_operators().await;
    let second = world.wallet.find("second").unwrap().address;
    for order in [stake(None), edit(None), give_up(RoleName::Supplier, None)] {
        let error = roles.review(&order).await.unwrap_err();
        assert_eq!(error.code, "which_operator", "{error}");
        assert!(
            error.message.contains(second.as_str()) && error.message.contains("working"),
            "{error}"
        );
        assert!(error.detail().remedy.unwrap().contains("--operator"), "{error}");
    }
    let owner = roles.review(&stake(Some("main"))).await.unwrap_err();
    assert_eq!(owner.code, "no_operator", "{owner}");
    let nobody = roles.review(&stake(Some("nobody"))).await.unwrap_err();
    assert_eq!(nobody.code, "no_account", "{nobody}");

    // By label and by address: the other one is left alone.
    done(&roles, &stake(Some("second"))).await;
    let here = vec!["http://127.0.0.1:4328".to_owned()];
    let page = roles.page().await.unwrap();
    assert_eq!(
        urls(&page),
        [("working".to_owned(), Vec::new()), ("second".to_owned(), here)]
    );
    assert!(page.supplier.is_none(), "the usual one is not staked");
    done(&roles, &stake(Some("working"))).await;
    done(&roles, &edit(Some(second.as_str()))).await;
    // Which of two configurations counts changes with a session.
    let moved = async {
        loop {
            let urls = urls(&roles.page().await.unwrap());
            if urls[1].1 == ["http://127.0.0.1:4999"] {
                return urls;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let moved = tokio::time::timeout(Duration::from_secs(20), moved)
        .await
        .unwrap();
    assert_eq!(moved[0].1, ["http://127.0.0.1:4328"]);
    done(&roles, &give_up(RoleName::Supplier, Some("second"))).await;
    let page = roles.page().await.unwrap();
    let leaving = page
        .operators
        .iter()
        .map(|one| one.supplier.as_ref().unwrap().leaving.is_some());
    assert_eq!(leaving.collect::<Vec<_>>(), [false, true]);

    // A role that has no operator needs none named.
    let none = roles
        .review(&give_up(RoleName::Application, None))
        .await
        .unwrap_err();
    assert_eq!(none.code, "not_staked", "{none}");
    world.stop().await;
}

/// What is said to the owner of a stake that another program wrote into a file.
async fn notes_of_a_stake(world: &World, roles: &ChainRoles, operator: &str) -> Vec<hearth_roles::Note> {
    let owner = world.wallet.find("main").unwrap();
    let public_key = hex::decode(owner.public_key.unwrap()).unwrap();
    let message = serde_json::json!({
        "@type": "/pocket.supplier.MsgStakeSupplier",
        "signer": owner.address, "owner_address": owner.address, "operator_address": operator,
        "stake": { "denom": "upokt", "amount": "4000000" }, "services": [],
    });
    let file = TxFile {
        tx: serde_json::json!({
            "body": { "messages": [message] },
            "auth_info": { "fee": { "amount": [], "gas_limit": "90000" } },
        }),
        account_number: Some(1),
        sequence: Some(2),
    };
    let account = SigningAccount {
        address: owner.address,
        public_key: public_key.try_into().unwrap(),
    };
    roles.to_sign(&file, &account).await.unwrap().notes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supplier_that_is_served_elsewhere_stays_its_owners_to_manage() {
    let (world, roles) = two_operators().await;
    let second = world.wallet.find("second").unwrap();
    let named = Some(second.address.as_str());
    done(&roles, &stake(named)).await;
    // Its operator serves on another computer from now on.
    world
        .wallet
        .assign(second.id, &[].into(), false, PASSWORD)
        .unwrap();
    let page = roles.page().await.unwrap();
    let shown: Vec<_> = page
        .operators
        .iter()
        .map(|one| (one.address.as_str(), one.is_elsewhere, one.supplier.is_some()))
        .collect();
    let working = world.wallet.address(Purpose::Operator).unwrap();
    assert_eq!(
        shown,
        [
            (working.as_str(), false, false),
            (second.address.as_str(), true, true)
        ]
    );
    // What is not named is still the own one.
    let own = roles
        .review(&give_up(RoleName::Supplier, None))
        .await
        .unwrap_err();
    assert_eq!(own.code, "not_staked", "{own}");
    let raise = RoleOrder::StakeSupplier {
        operator: named.map(str::to_owned),
        stake: Some(pokt(3)),
        services: Vec::new(),
    };
    done(&roles, &raise).await;
    done(&roles, &give_up(RoleName::Supplier, named)).await;
    let page = roles.page().await.unwrap();
    let supplier = page.operators[1].supplier.as_ref().unwrap();
    assert_eq!(supplier.stake, pokt(3));
    assert!(supplier.leaving.is_some());
    // A stake that somebody else made takes that back, and whoever signs it is told.
    let notes = notes_of_a_stake(&world, &roles, second.address.as_str()).await;
    assert_eq!(notes, [hearth_roles::Note::Stays]);
    let notes = notes_of_a_stake(&world, &roles, working.as_str()).await;
    assert_eq!(notes, []);
    // Nobody's supplier is managed from here.
    let stranger = hearth_pocket::SecretKey::from_bytes(&[8; 32]).unwrap();
    for order in [
        stake(Some(stranger.address().as_str())),
        give_up(RoleName::Supplier, Some(stranger.address().as_str())),
    ] {
        let error = roles.review(&order).await.unwrap_err();
        assert_eq!(error.code, "no_operator", "{error}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_of_another_account_is_shown_beside_the_paying_one() {
    let (world, roles) = two_operators().await;
    world.give("main", pokt(100).0).await;
    let order = RoleOrder::StakeApplication {
        stake: pokt(100),
        service: "svc".to_owned(),
        session_limit: None,
    };
    done(&roles, &order).await;
    let owner = world.wallet.find("main").unwrap();
    let page = roles.page().await.unwrap();
    assert_eq!(page.application.unwrap().address, owner.address.as_str());
    assert!(page.other_applications.is_empty());
    // Another account pays from now on.
    let second = world.wallet.find("second").unwrap();
    let both = [Purpose::Operator, Purpose::Application].into();
    world.wallet.assign(second.id, &both, true, PASSWORD).unwrap();
    let page = roles.page().await.unwrap();
    assert!(page.application.is_none());
    let other = &page.other_applications[0];
    assert_eq!(
        (other.address.as_str(), other.stake),
        (owner.address.as_str(), pokt(100))
    );
    world.stop().await;
}
