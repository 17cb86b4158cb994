//! A small wallet in place of the real one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures::stream::BoxStream;
use hearth_api::{
    control::types::*,
    parts::{Answer, Keyring, Signed, SigningAccount},
};

use crate::parts::{Fake, account, silent};

impl Fake {
    /// The account of an operator that has open claims.
    fn operator(&self) -> Option<Account> {
        let n_open = self.open_claims.load(std::sync::atomic::Ordering::SeqCst);
        (n_open > 0).then(|| Account {
            id: 7,
            purposes: vec![Purpose::Operator],
            address: "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7".to_owned(),
            ..account(Some("operator".to_owned()))
        })
    }
}

#[async_trait::async_trait]
impl Keyring for Fake {
    fn status(&self) -> WalletStatus {
        WalletStatus {
            exists: true,
            main_locked: *self.locked.lock().unwrap(),
            working_locked: false,
            main_address: Some("pokt1main".into()),
            working_address: Some("pokt1working".into()),
            words_checked: false,
            has_words: true,
        }
    }
    fn page(&self) -> WalletPage {
        WalletPage {
            status: Keyring::status(self),
            accounts: self.operator().into_iter().collect(),
            unattended: true,
            sealed_apart: false,
            has_words: true,
        }
    }
    async fn create(&self, _: String) -> Answer<RecoveryWords> {
        Ok(RecoveryWords {
            words: vec!["abandon".into(); 24],
        })
    }
    async fn import(&self, _: String, _: String, _: String) -> Answer<()> {
        Ok(())
    }
    async fn unlock(&self, password: String) -> Answer<()> {
        if password != "right" {
            return Err(hearth_wallet::Error::WrongPassword { tries_left: 2 }.into());
        }
        *self.locked.lock().unwrap() = false;
        Ok(())
    }
    fn lock_but(&self, _: &[u32]) {
        *self.locked.lock().unwrap() = true;
    }
    async fn words(&self, _: String) -> Answer<RecoveryWords> {
        Ok(RecoveryWords { words: Vec::new() })
    }
    async fn check(&self, _: CheckWords) -> Answer<bool> {
        Ok(true)
    }
    fn signing_account(&self, _: Option<&str>) -> Answer<SigningAccount> {
        let key = crate::signing::key();
        Ok(SigningAccount {
            address: key.address().clone(),
            public_key: key.public_key(),
        })
    }
    fn sign(&self, _: &str, bytes: &[u8]) -> Answer<Signed> {
        if *self.locked.lock().unwrap() {
            return Err(hearth_api::ApiError::conflict("key_locked", "locked"));
        }
        let key = crate::signing::key();
        Ok(Signed {
            signature: STANDARD.encode(key.sign(bytes)),
            public_key: STANDARD.encode(key.public_key()),
        })
    }
    async fn add(&self, order: AddAccount) -> Answer<Account> {
        Ok(account(order.label))
    }
    async fn watch(&self, order: WatchAddress) -> Answer<Account> {
        Ok(account(order.label))
    }
    async fn change(&self, _: u32, order: ChangeAccount) -> Answer<Account> {
        Ok(account(order.label))
    }
    async fn remove(&self, id: u32, _: Option<String>) -> Answer<()> {
        Err(hearth_wallet::Error::NoEntry(id.to_string()).into())
    }
    async fn export(&self, _: u32, order: ExportAccount) -> Answer<ExportedAccount> {
        Keyring::unlock(self, order.password).await?;
        Ok(ExportedAccount {
            account: account(None),
            words: None,
            passphrase: None,
            key: Some("00".into()),
        })
    }
    async fn change_password(&self, old: String, _: String) -> Answer<()> {
        Keyring::unlock(self, old).await
    }
    async fn seal_operator(&self, password: String, _: String) -> Answer<()> {
        Keyring::unlock(self, password).await
    }
    fn events(&self) -> BoxStream<'static, Event> {
        silent()
    }
}

/// While the chain is away nothing is known of what claims cost; that they are open is.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_with_open_claims_stays_one_also_while_the_chain_is_away() {
    let world = crate::support::world().await;
    let change = async || {
        let body = serde_json::json!({ "purposes": ["owner"], "password": "right" });
        let path = "/wallet/accounts/7";
        let answer = world
            .own(reqwest::Method::PATCH, path)
            .json(&body)
            .send()
            .await
            .unwrap();
        answer.status().as_u16()
    };
    assert_eq!(change().await, 200, "no claim is open");
    world
        .fake
        .open_claims
        .store(2, std::sync::atomic::Ordering::SeqCst);
    world.fake.fails.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(change().await, 409);
}
