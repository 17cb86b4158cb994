//! Signatures of texts, as wallets of the Cosmos world make them (ADR-36): a transaction that no chain would take, with
//! the text inside, so that a signature of a text never moves money.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::address::Address;

/// The bytes that are signed for `data`. They are the JSON of amino with sorted keys and without white space.
#[must_use]
pub fn sign_bytes(signer: &Address, data: &[u8]) -> Vec<u8> {
    let data = STANDARD.encode(data);
    format!(
        "{{\"account_number\":\"0\",\"chain_id\":\"\",\"fee\":{{\"amount\":[],\"gas\":\"0\"}},\"memo\":\"\",\
         \"msgs\":[{{\"type\":\"sign/MsgSignData\",\"value\":{{\"data\":\"{data}\",\"signer\":\"{signer}\"}}}}],\
         \"sequence\":\"0\"}}"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{PublicKey, SecretKey};

    #[test]
    fn a_text_is_signed_for_one_signer_and_no_chain() {
        let key = SecretKey::from_bytes(&[7; 32]).unwrap();
        let bytes = sign_bytes(key.address(), "Grüße".as_bytes());
        let doc: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(doc["msgs"][0]["value"]["signer"], key.address().as_str());
        assert_eq!(doc["msgs"][0]["value"]["data"], "R3LDvMOfZQ==");
        // Canonical: what is read and written with sorted keys is the same text.
        assert_eq!(serde_json::to_vec(&doc).unwrap(), bytes);
        let signature = key.sign(&bytes);
        let public = PublicKey::from_bytes(&key.public_key()).unwrap();
        assert!(public.verify(&bytes, &signature).is_ok());
    }
}
