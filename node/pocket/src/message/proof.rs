//! Package `pocket.proof`.

use super::{
    cosmos::{Coin, PageRequest, PageResponse},
    enumeration, messages,
    session::SessionHeader,
};

enumeration! {
    /// What the chain found about a claim's proof.
    ClaimProofStatus {
        PendingValidation = 0 "PENDING_VALIDATION",
        Validated = 1 "VALIDATED",
        Invalid = 2 "INVALID",
    }
}

enumeration! {
    /// Why a claim needs a proof.
    ProofRequirementReason {
        NotRequired = 0 "NOT_REQUIRED",
        Probabilistic = 1 "PROBABILISTIC",
        Threshold = 2 "THRESHOLD",
    }
}

messages! { "pocket.proof";
    Claim {
        1 supplier_operator_address: string;
        2 session_header: message(SessionHeader);
        3 root_hash: bytes;
        4 proof_validation_status: enumeration("ClaimProofStatus");
    }
    Proof {
        1 supplier_operator_address: string;
        2 session_header: message(SessionHeader);
        3 closest_merkle_proof: bytes;
    }
    MsgCreateClaim { 1 supplier_operator_address: string; 2 session_header: message(SessionHeader); 3 root_hash: bytes; }
    MsgSubmitProof { 1 supplier_operator_address: string; 2 session_header: message(SessionHeader); 3 proof: bytes; }
    /// Kept by a supplier only, never sent.
    SessionSmt { 1 session_header: message(SessionHeader); 2 supplier_operator_address: string; 3 smt_root: bytes; }
    /// Parameters of the module.
    Params {
        2 proof_request_probability: double;
        3 proof_requirement_threshold: message(Coin);
        4 proof_missing_penalty: message(Coin);
        5 proof_submission_fee: message(Coin);
    }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    QueryGetClaimRequest { 1 session_id: string; 2 supplier_operator_address: string; }
    QueryGetClaimResponse { 1 claim: always(Claim); }
    QueryAllClaimsRequest {
        1 pagination: message(PageRequest);
        2 supplier_operator_address: string;
        3 session_id: string;
        4 session_end_height: u64;
    }
    QueryAllClaimsResponse { 1 claims: list(Claim); 2 pagination: message(PageResponse); }
    QueryGetProofRequest { 1 session_id: string; 2 supplier_operator_address: string; }
    QueryGetProofResponse { 1 proof: always(Proof); }
    QueryAllProofsRequest {
        1 pagination: message(PageRequest);
        2 supplier_operator_address: string;
        3 session_id: string;
        4 session_end_height: u64;
    }
    QueryAllProofsResponse { 1 proofs: list(Proof); 2 pagination: message(PageResponse); }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgUpdateParam {
        1 authority: string;
        2 name: string;
        7 as_bytes: bytes;
        8 as_float: double;
        9 as_coin: message(Coin);
    }
    EventClaimCreated {
        2 num_relays: u64;
        4 num_claimed_compute_units: u64;
        5 num_estimated_compute_units: u64;
        7 claimed_upokt: string;
        8 service_id: string;
        9 application_address: string;
        10 session_end_block_height: i64;
        11 claim_proof_status_int: i32;
        12 supplier_operator_address: string;
        13 num_estimated_relays: u64;
    }
    EventClaimUpdated {
        2 num_relays: u64;
        4 num_claimed_compute_units: u64;
        5 num_estimated_compute_units: u64;
        7 claimed_upokt: string;
        8 service_id: string;
        9 application_address: string;
        10 session_end_block_height: i64;
        11 claim_proof_status_int: i32;
        12 supplier_operator_address: string;
        13 num_estimated_relays: u64;
    }
    EventProofSubmitted {
        3 num_relays: u64;
        4 num_claimed_compute_units: u64;
        5 num_estimated_compute_units: u64;
        7 claimed_upokt: string;
        8 service_id: string;
        9 application_address: string;
        10 session_end_block_height: i64;
        11 claim_proof_status_int: i32;
        12 supplier_operator_address: string;
        13 num_estimated_relays: u64;
    }
    EventProofUpdated {
        3 num_relays: u64;
        4 num_claimed_compute_units: u64;
        5 num_estimated_compute_units: u64;
        7 claimed_upokt: string;
        8 service_id: string;
        9 application_address: string;
        10 session_end_block_height: i64;
        11 claim_proof_status_int: i32;
        12 supplier_operator_address: string;
        13 num_estimated_relays: u64;
    }
    EventProofValidityChecked {
        2 block_height: u64;
        4 failure_reason: string;
        8 service_id: string;
        9 application_address: string;
        10 session_end_block_height: i64;
        11 claim_proof_status_int: i32;
        12 supplier_operator_address: string;
    }
}
