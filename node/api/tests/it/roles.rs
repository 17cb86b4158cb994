//! Changes of roles: reviewed first, signed once, with the password where a key is locked.

use hearth_api::{
    ApiError,
    control::types::*,
    parts::{Answer, Roles},
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
    async fn review(&self, order: &RoleOrder) -> Answer<RoleReview> {
        let RoleOrder::StakeGateway { stake } = order else {
            return Err(ApiError::conflict("no_change", "nothing would change"));
        };
        Ok(RoleReview {
            review_id: String::new(),
            steps: vec![RoleStep {
                key: KeyRole::Main,
                account: "pokt1main".into(),
                amount: *stake,
                messages: Vec::new(),
            }],
            notes: Vec::new(),
            max_fee: upokt(1000),
            needs_password: *self.locked.lock().unwrap(),
        })
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
