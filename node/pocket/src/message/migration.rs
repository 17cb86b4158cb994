//! Package `pocket.migration`: what was on the former network is claimed on this one.

use super::{
    TypeUrl as _,
    application::Application,
    cosmos::{Any, Coin, PageRequest, PageResponse, Timestamp},
    enumeration, messages,
    shared::{ApplicationServiceConfig, Supplier, SupplierServiceConfig},
};

enumeration! {
    /// With which of a former node's keys it is claimed.
    MorseSupplierClaimSignerType {
        Unspecified = 0 "MORSE_SUPPLIER_CLAIM_SIGNER_TYPE_UNSPECIFIED",
        Custodial = 1 "MORSE_SUPPLIER_CLAIM_SIGNER_TYPE_CUSTODIAL_SIGNED_BY_NODE_ADDR",
        Node = 2 "MORSE_SUPPLIER_CLAIM_SIGNER_TYPE_NON_CUSTODIAL_SIGNED_BY_NODE_ADDR",
        Owner = 3 "MORSE_SUPPLIER_CLAIM_SIGNER_TYPE_NON_CUSTODIAL_SIGNED_BY_OWNER",
    }
}

messages! { "pocket.migration";
    /// Parameters of the module.
    Params {
        1 waive_morse_claim_gas_fees: bool;
        2 allow_morse_account_import_overwrite: bool;
        3 morse_account_claiming_enabled: bool;
    }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    /// An account of the former network.
    MorseClaimableAccount {
        // Empty until it is claimed.
        1 shannon_dest_address: string;
        2 morse_src_address: string;
        5 unstaked_balance: always(Coin);
        6 supplier_stake: always(Coin);
        7 application_stake: always(Coin);
        8 claimed_at_height: i64;
        9 morse_output_address: string;
        // The first moment of the year 1 where it was not on its way out.
        10 unstaking_time: always(Timestamp);
    }
    QueryMorseClaimableAccountRequest { 1 address: string; }
    QueryMorseClaimableAccountResponse { 1 morse_claimable_account: always(MorseClaimableAccount); }
    QueryAllMorseClaimableAccountRequest { 1 pagination: message(PageRequest); }
    QueryAllMorseClaimableAccountResponse {
        1 morse_claimable_account: list(MorseClaimableAccount);
        2 pagination: message(PageResponse);
    }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgClaimMorseAccount {
        1 shannon_dest_address: string;
        3 morse_signature: bytes;
        4 shannon_signing_address: string;
        5 morse_public_key: bytes;
    }
    MsgClaimMorseApplication {
        1 shannon_dest_address: string;
        3 morse_signature: bytes;
        4 service_config: message(ApplicationServiceConfig);
        5 shannon_signing_address: string;
        6 morse_public_key: bytes;
    }
    MsgClaimMorseSupplier {
        1 shannon_owner_address: string;
        2 shannon_operator_address: string;
        3 morse_node_address: string;
        4 morse_signature: bytes;
        5 services: list(SupplierServiceConfig);
        6 shannon_signing_address: string;
        7 morse_public_key: bytes;
        8 signer_is_output_address: bool;
    }
    EventMorseAccountClaimed {
        1 session_end_height: i64;
        3 shannon_dest_address: string;
        4 morse_src_address: string;
        5 claimed_balance: string;
    }
    EventMorseApplicationClaimed {
        1 session_end_height: i64;
        3 morse_src_address: string;
        5 application: message(Application);
        6 claimed_balance: string;
        7 claimed_application_stake: string;
    }
    EventMorseSupplierClaimed {
        1 session_end_height: i64;
        5 supplier: message(Supplier);
        6 morse_output_address: string;
        7 claim_signer_type: enumeration("MorseSupplierClaimSignerType");
        8 morse_node_address: string;
        9 claimed_balance: string;
        10 claimed_supplier_stake: string;
    }
}

/// A claim of what was on the former network.
#[derive(Clone, Debug, PartialEq)]
pub enum MorseClaim {
    /// As money.
    Account(MsgClaimMorseAccount),
    /// With the stake of an application.
    Application(MsgClaimMorseApplication),
    /// With the stake of a node.
    Supplier(MsgClaimMorseSupplier),
}

impl MorseClaim {
    /// The claim that a message is; `None` for any other message.
    ///
    /// # Errors
    /// Bytes that are no message of their type.
    #[must_use]
    pub fn of(message: &Any) -> Option<Result<MorseClaim, prost::DecodeError>> {
        let account = || Some(message.unpack()?.map(MorseClaim::Account));
        let application = || Some(message.unpack()?.map(MorseClaim::Application));
        let supplier = || Some(message.unpack()?.map(MorseClaim::Supplier));
        account().or_else(application).or_else(supplier)
    }

    /// As it is signed and sent.
    #[must_use]
    pub fn to_any(&self) -> Any {
        match self {
            MorseClaim::Account(claim) => claim.to_any(),
            MorseClaim::Application(claim) => claim.to_any(),
            MorseClaim::Supplier(claim) => claim.to_any(),
        }
    }

    /// The account of this network that signs the transaction.
    #[must_use]
    pub fn signing_address(&self) -> &str {
        match self {
            MorseClaim::Account(claim) => &claim.shannon_signing_address,
            MorseClaim::Application(claim) => &claim.shannon_signing_address,
            MorseClaim::Supplier(claim) => &claim.shannon_signing_address,
        }
    }

    /// The account of this network that gets what was not staked.
    #[must_use]
    pub fn to(&self) -> &str {
        match self {
            MorseClaim::Account(claim) => &claim.shannon_dest_address,
            MorseClaim::Application(claim) => &claim.shannon_dest_address,
            MorseClaim::Supplier(claim) => &claim.shannon_operator_address,
        }
    }

    /// The former key that signed the claim.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        match self {
            MorseClaim::Account(claim) => &claim.morse_public_key,
            MorseClaim::Application(claim) => &claim.morse_public_key,
            MorseClaim::Supplier(claim) => &claim.morse_public_key,
        }
    }

    /// What the former key signs: the claim without its signature.
    #[must_use]
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut unsigned = self.clone();
        unsigned.set_signature(Vec::new());
        unsigned.to_any().value
    }

    /// Puts the signature of the former key in.
    pub fn set_signature(&mut self, signature: Vec<u8>) {
        match self {
            MorseClaim::Account(claim) => claim.morse_signature = signature,
            MorseClaim::Application(claim) => claim.morse_signature = signature,
            MorseClaim::Supplier(claim) => claim.morse_signature = signature,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_of_the_real_program_say_who_signs_and_what() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../../../../tests/vectors/morse_keys.json")).unwrap();
        let claims = golden["claims"].as_array().unwrap();
        assert_eq!(claims.len(), 3);
        for claim in claims {
            let text = |name: &str| claim[name].as_str().unwrap();
            let message = Any {
                type_url: text("type_url").to_owned(),
                value: hex::decode(text("bytes")).unwrap(),
            };
            let claim = MorseClaim::of(&message).unwrap().unwrap();
            assert_eq!(claim.to_any(), message, "byte for byte");
            assert_eq!(message.signer().as_deref(), Some(claim.signing_address()));
            let key = ed25519_consensus::VerificationKey::try_from(claim.public_key()).unwrap();
            let signature = match &claim {
                MorseClaim::Account(claim) => &claim.morse_signature,
                MorseClaim::Application(claim) => &claim.morse_signature,
                MorseClaim::Supplier(claim) => &claim.morse_signature,
            };
            let signature = ed25519_consensus::Signature::try_from(signature.as_slice()).unwrap();
            assert!(key.verify(&signature, &claim.signed_bytes()).is_ok());
        }
        // The account is claimed for one and paid by another.
        let first = Any {
            type_url: MsgClaimMorseAccount::TYPE_URL.to_owned(),
            value: hex::decode(claims[0]["bytes"].as_str().unwrap()).unwrap(),
        };
        let claim = MorseClaim::of(&first).unwrap().unwrap();
        assert_ne!(claim.to(), claim.signing_address());
        assert!(MorseClaim::of(&super::super::cosmos::MsgSend::default().to_any()).is_none());
    }
}
