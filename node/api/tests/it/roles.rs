//! Changes of roles: reviewed first, signed once, with the password where a key is locked.

use hearth_api::{
    ApiError,
    control::types::*,
    parts::{Answer, Roles, SigningAccount, Window},
};
use serde_json::json;

use crate::{
    parts::{Fake, upokt},
    support::world,
};

#[async_trait::async_trait]
impl Roles for Fake {
    async fn page(&self) -> Answer<RolesPage> {
        Err(hearth_wallet::Error::None.into())
    }
    async fn services(&self, search: &str, window: Window) -> Answer<ServiceList> {
        assert_eq!(window.limit, 2);
        let service = ServiceEntry {
            id: search.to_owned(),
            name: "A model".to_owned(),
            compute_units: 7,
            owner: "pokt1main".to_owned(),
            is_own: true,
        };
        Ok(ServiceList {
            services: vec![service],
            total: 1,
        })
    }
    async fn service(&self, id: &str) -> Answer<ServiceDetail> {
        let mut found = self.services(id, Window { limit: 2, offset: 0 }).await?;
        Ok(ServiceDetail {
            service: found.services.remove(0),
            card: None,
        })
    }
    async fn to_sign(&self, file: &TxFile, account: &SigningAccount) -> Answer<hearth_roles::ToSign> {
        let at = file.account_number.zip(file.sequence).unwrap_or((4, 2));
        hearth_roles::ToSign::new(&file.tx, &account.public_key, "test", at)
            .map_err(|error| ApiError::refused("tx_wrong", error.to_string()))
    }
    async fn numbers(
        &self,
        _: &hearth_pocket::Address,
        (given, sequence): (u64, Option<u64>),
    ) -> Vec<hearth_roles::Note> {
        let known = 4;
        let number = (given != known).then_some(hearth_roles::Note::OtherNumber { given, known });
        let given = sequence.filter(|given| *given != 2);
        let sequence = given.map(|given| hearth_roles::Note::OtherSequence { given, next: 2 });
        number.into_iter().chain(sequence).collect()
    }
    async fn before(&self, _: &[hearth_pocket::message::Any]) -> hearth_roles::Before {
        hearth_roles::Before::default()
    }
    async fn review(&self, order: &RoleOrder) -> Answer<RoleReview> {
        let RoleOrder::StakeGateway { stake } = order else {
            return Err(ApiError::conflict("no_change", "nothing would change"));
        };
        Ok(RoleReview {
            review_id: String::new(),
            steps: vec![RoleStep {
                purpose: Purpose::Owner,
                unsigned: None,
                command: None,
                account: "pokt1main".into(),
                amount: *stake,
                messages: Vec::new(),
            }],
            notes: Vec::new(),
            total: *stake,
            max_fee: upokt(1000),
            needs_password: *self.locked.lock().unwrap(),
        })
    }
    async fn morse(&self, _: &str) -> Answer<MorseAccount> {
        Err(ApiError::conflict("morse_unknown", "no such account"))
    }
    async fn open_morse(&self, _: MorseKeyFile) -> Answer<MorseAccount> {
        Err(ApiError::conflict("morse_unknown", "no such account"))
    }
    async fn claim_morse(&self, _: ClaimMorse) -> Answer<SignedMorseClaim> {
        Err(ApiError::conflict("morse_unknown", "no such account"))
    }
    async fn broadcast(&self, _: &BroadcastTx) -> Answer<BroadcastDone> {
        Err(ApiError::conflict("tx_not_asked", "nobody asked for it"))
    }
    async fn try_broadcast(&self, _: &BroadcastTx) -> Answer<BroadcastTrial> {
        Err(ApiError::conflict("tx_not_asked", "nobody asked for it"))
    }
    async fn send(&self, _: &RoleOrder, _: &RoleReview) -> Answer<TransactionList> {
        if *self.locked.lock().unwrap() {
            return Err(ApiError::conflict("key_locked", "locked"));
        }
        Ok(TransactionList {
            transactions: Vec::new(),
            total: 0,
        })
    }
}

#[tokio::test]
async fn a_change_is_reviewed_first_and_signed_once() {
    let world = world().await;
    world.post("/wallet/lock", json!({})).await;
    let order = json!({ "type": "stake_gateway", "stake": "5000000" });
    let review = world.post("/roles/review", order.clone()).await;
    assert_eq!(review["steps"][0]["amount"], "5000000");
    assert_eq!(review["needs_password"], true);
    let id = review["review_id"].clone();
    // Without the password nothing is signed, with a wrong one neither; the review stays good.
    let locked = world.post("/roles/send", json!({ "review_id": id })).await;
    assert_eq!(locked["error"]["code"], "key_locked", "{locked}");
    let wrong = world
        .post("/roles/send", json!({ "review_id": id, "password": "wrong" }))
        .await;
    assert_eq!(wrong["error"]["code"], "wrong_password", "{wrong}");
    let sent = world
        .post("/roles/send", json!({ "review_id": id, "password": "right" }))
        .await;
    assert_eq!(sent["total"], 0, "{sent}");
    assert!(*world.fake.locked.lock().unwrap(), "the key opens for this alone");
    let again = world
        .post("/roles/send", json!({ "review_id": id, "password": "right" }))
        .await;
    assert_eq!(again["error"]["code"], "no_review", "{again}");
    let refused = world.post("/roles/review", json!({ "type": "delegate" })).await;
    assert_eq!(refused["error"]["code"], "no_change", "{refused}");
    let none = world.get("/roles").await;
    assert_eq!(none["error"]["code"], "no_wallet", "{none}");
}

#[tokio::test]
async fn services_are_searched_and_shown_one_by_one() {
    let world = world().await;
    let found = world.get("/roles/services?q=llm&limit=2").await;
    assert_eq!(
        (&found["total"], &found["services"][0]["id"]),
        (&json!(1), &json!("llm"))
    );
    let one = world.get("/roles/services/llm").await;
    assert_eq!((&one["id"], &one["card"]), (&json!("llm"), &json!(null)), "{one}");
    let unnamed = json!({ "type": "service", "id": "llm", "compute_units": 8 });
    let refused = world.post("/roles/review", unnamed).await;
    assert_eq!(refused["error"]["code"], "no_change", "{refused}");
}
