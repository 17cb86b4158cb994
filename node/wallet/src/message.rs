//! Messages that a key signs to show whose it is (ADR 36 of the Cosmos SDK): what is signed can be no transaction.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hearth_pocket::{address::Address, adr36::sign_bytes, keys::PublicKey};

use crate::{Error, entry::EntryId, handle::Wallet};

/// The longest message: 64 KiB, far more than anybody reads before it is signed.
const MAX_BYTES: usize = 64 * 1024;

/// A signed message, as other wallets and explorers take it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct SignedMessage {
    pub address: Address,
    /// Compressed, base64.
    pub public_key: String,
    /// `r | s`, base64.
    pub signature: String,
}

impl Wallet {
    /// Signs a message with the key of an account. Asks for the password of the wallet, whatever is open.
    ///
    /// # Errors
    /// As [`Wallet::unlock`]; an account that is only watched, a message that is too long.
    pub fn sign_message(&self, id: EntryId, message: &[u8], password: &str) -> Result<SignedMessage, Error> {
        if message.len() > MAX_BYTES {
            return Err(Error::Message { most: MAX_BYTES });
        }
        let opened = self.open_main(password)?;
        let stored = opened
            .file
            .entry(id)
            .ok_or_else(|| Error::NoEntry(id.to_string()))?;
        let secret = opened.secret(stored).map_err(|why| self.damaged(why))?;
        let key = secret.map(|secret| secret.key()).ok_or_else(|| Error::Watched {
            address: stored.entry.address.clone(),
        })?;
        Ok(SignedMessage {
            address: key.address().clone(),
            public_key: BASE64.encode(key.public_key()),
            signature: BASE64.encode(key.sign(&sign_bytes(key.address(), message))),
        })
    }
}

/// Whether an address has signed a message: the public key is the address's, and the signature holds.
#[must_use]
pub fn verify_message(signed: &SignedMessage, message: &[u8]) -> bool {
    let decode = |text: &str| BASE64.decode(text.trim()).ok();
    let (Some(key), Some(signature)) = (decode(&signed.public_key), decode(&signed.signature)) else {
        return false;
    };
    PublicKey::from_bytes(&key).is_ok_and(|key| {
        key.address() == signed.address
            && key
                .verify(&sign_bytes(&signed.address, message), &signature)
                .is_ok()
    })
}

#[cfg(test)]
mod tests {
    use hearth_base::Clock;

    use super::*;
    use crate::{Config, Cost, ForeignKey, Naming};

    #[test]
    fn a_message_is_signed_as_the_cosmos_sdk_signs_it() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../tests/vectors/keyring.json")).unwrap();
        let adr36 = |name: &str| golden["adr36"][name].as_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            folder: folder.path().to_owned(),
            cost: Cost::PLAY,
        };
        let wallet = Wallet::open(config, Clock::test(0)).unwrap();
        let key = ForeignKey::hex(golden["secret"].as_str().unwrap()).unwrap();
        let entry = wallet.add(&key, &Naming::default(), "correct horse").unwrap();
        let message = adr36("message").as_bytes();
        assert_eq!(
            String::from_utf8(sign_bytes(&entry.address, message)).unwrap(),
            adr36("sign_bytes")
        );
        assert!(wallet.sign_message(entry.id, message, "another one").is_err());
        let signed = wallet.sign_message(entry.id, message, "correct horse").unwrap();
        assert_eq!(signed.signature, adr36("signature"));
        assert!(verify_message(&signed, message) && !verify_message(&signed, b"another"));
        let other = ForeignKey::hex(&hex::encode([5; 32])).unwrap();
        let posing = SignedMessage {
            address: other.address(),
            ..signed.clone()
        };
        assert!(!verify_message(&posing, message));
        let broken = SignedMessage {
            signature: "!".to_owned(),
            ..signed
        };
        assert!(!verify_message(&broken, message));
    }
}
