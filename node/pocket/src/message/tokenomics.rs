//! Package `pocket.tokenomics`.

use super::{enumeration, messages};

enumeration! {
    /// Why a claim expired.
    ClaimExpirationReason {
        Unspecified = 0 "EXPIRATION_REASON_UNSPECIFIED",
        ProofMissing = 1 "PROOF_MISSING",
        ProofInvalid = 2 "PROOF_INVALID",
    }
}

enumeration! {
    /// Why settlement moved money.
    SettlementOpReason {
        Unspecified = 0 "UNSPECIFIED",
        SupplierSlashModuleTransfer = 11 "UNSPECIFIED_TLM_SUPPLIER_SLASH_MODULE_TRANSFER",
        SupplierSlashStakeBurn = 12 "UNSPECIFIED_TLM_SUPPLIER_SLASH_STAKE_BURN",
        SupplierStakeMint = 1 "TLM_RELAY_BURN_EQUALS_MINT_SUPPLIER_STAKE_MINT",
        ApplicationStakeBurn = 2 "TLM_RELAY_BURN_EQUALS_MINT_APPLICATION_STAKE_BURN",
        ClaimDistributionMint = 19 "TLM_RELAY_BURN_EQUALS_MINT_TOKENOMICS_CLAIM_DISTRIBUTION_MINT",
        SupplierShareholder = 4 "TLM_RELAY_BURN_EQUALS_MINT_SUPPLIER_SHAREHOLDER_REWARD_DISTRIBUTION",
        Dao = 15 "TLM_RELAY_BURN_EQUALS_MINT_DAO_REWARD_DISTRIBUTION",
        SourceOwner = 17 "TLM_RELAY_BURN_EQUALS_MINT_SOURCE_OWNER_REWARD_DISTRIBUTION",
        Application = 18 "TLM_RELAY_BURN_EQUALS_MINT_APPLICATION_REWARD_DISTRIBUTION",
        Validator = 20 "TLM_RELAY_BURN_EQUALS_MINT_VALIDATOR_REWARD_DISTRIBUTION",
        Delegator = 23 "TLM_RELAY_BURN_EQUALS_MINT_DELEGATOR_REWARD_DISTRIBUTION",
        GlobalInflation = 3 "TLM_GLOBAL_MINT_INFLATION",
        GlobalDao = 5 "TLM_GLOBAL_MINT_DAO_REWARD_DISTRIBUTION",
        GlobalSupplierShareholder = 7 "TLM_GLOBAL_MINT_SUPPLIER_SHAREHOLDER_REWARD_DISTRIBUTION",
        GlobalSourceOwner = 8 "TLM_GLOBAL_MINT_SOURCE_OWNER_REWARD_DISTRIBUTION",
        GlobalApplication = 9 "TLM_GLOBAL_MINT_APPLICATION_REWARD_DISTRIBUTION",
        GlobalValidator = 21 "TLM_GLOBAL_MINT_VALIDATOR_REWARD_DISTRIBUTION",
        GlobalDelegator = 24 "TLM_GLOBAL_MINT_DELEGATOR_REWARD_DISTRIBUTION",
        ReimbursementEscrowDao = 10 "TLM_GLOBAL_MINT_REIMBURSEMENT_REQUEST_ESCROW_DAO_TRANSFER",
        SupplierShareholderModule = 13 "TLM_GLOBAL_MINT_SUPPLIER_SHAREHOLDER_REWARD_MODULE_TRANSFER",
        ReimbursementEscrowModule = 14 "TLM_GLOBAL_MINT_REIMBURSEMENT_REQUEST_ESCROW_MODULE_TRANSFER",
    }
}

messages! { "pocket.tokenomics";
    /// Parameters of the module.
    Params {
        1 mint_allocation_percentages: always(Shares);
        6 dao_reward_address: string;
        7 global_inflation_per_claim: double;
        8 mint_equals_burn_claim_distribution: always(Shares);
        9 mint_ratio: double;
        10 overservicing_bonus_multiplier: u64;
    }
    /// Both `MintAllocationPercentages` and `MintEqualsBurnClaimDistribution`.
    Shares { 1 dao: double; 2 proposer: double; 3 supplier: double; 4 source_owner: double; 5 application: double; }
    QueryParamsRequest {}
    QueryParamsResponse { 1 params: always(Params); }
    MsgUpdateParams { 1 authority: string; 2 params: always(Params); }
    MsgUpdateParam {
        1 authority: string;
        2 name: string;
        3 as_mint_allocation_percentages: message(Shares);
        4 as_string: string;
        5 as_float: double;
        6 as_mint_equals_burn_claim_distribution: message(Shares);
        7 as_uint64: u64;
    }
    EventClaimExpired {
        2 expiration_reason: enumeration("ClaimExpirationReason");
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
    EventClaimSettled {
        2 proof_requirement_int: i32;
        3 num_relays: u64;
        4 num_claimed_compute_units: u64;
        5 num_estimated_compute_units: u64;
        8 claimed_upokt: string;
        9 service_id: string;
        10 application_address: string;
        11 session_end_block_height: i64;
        12 claim_proof_status_int: i32;
        13 supplier_operator_address: string;
        14 reward_distribution: map_text;
        15 reward_distribution_detailed: list(RewardDistributionDetail);
        16 settled_upokt: string;
        17 mint_ratio: string;
        18 session_id: string;
        19 supplier_owner_address: string;
        20 num_estimated_relays: u64;
        21 minted_upokt: string;
        22 overservicing_loss_upokt: string;
        23 deflation_loss_upokt: string;
    }
    EventApplicationOverserviced {
        1 application_addr: string;
        2 supplier_operator_addr: string;
        5 expected_burn: string;
        6 effective_burn: string;
        7 service_id: string;
        8 session_end_block_height: i64;
        9 spend_limit_exceeded: bool;
    }
    EventSupplierSlashed {
        3 proof_missing_penalty: string;
        4 service_id: string;
        5 application_address: string;
        6 session_end_block_height: i64;
        7 claim_proof_status_int: i32;
        8 supplier_operator_address: string;
        9 supplier_stake_after_slash: string;
    }
    EventClaimDiscarded {
        2 error: string;
        3 service_id: string;
        4 application_address: string;
        5 session_end_block_height: i64;
        6 claim_proof_status_int: i32;
        7 supplier_operator_address: string;
    }
    RewardDistributionDetail {
        1 recipient_address: string;
        2 op_reason: enumeration("SettlementOpReason");
        3 amount: string;
    }
    EventSettlementBatch {
        1 session_end_block_height: i64;
        2 sender_module: string;
        3 recipient: string;
        4 op_reason: enumeration("SettlementOpReason");
        5 total_amount: string;
        6 num_claims: u32;
        7 op_type: string;
    }
    EventValidatorRewardDistribution {
        1 session_end_block_height: i64;
        2 op_reason: enumeration("SettlementOpReason");
        3 validator_operator_address: string;
        4 validator_account_address: string;
        5 commission_rate: string;
        6 pool_share_upokt: string;
        7 commission_upokt: string;
        8 self_delegation_reward_upokt: string;
        9 delegators_reward_upokt: string;
        10 total_delegated_stake_upokt: string;
        11 num_delegators: u32;
    }
    EventSupplierRevShareFallbackDistribution {
        1 supplier_operator_address: string;
        2 supplier_owner_address: string;
        3 service_id: string;
        4 session_end_block_height: i64;
        5 amount: string;
        6 op_reason: enumeration("SettlementOpReason");
        7 observed_sum_percentage: u64;
        8 reason: string;
    }
    EventApplicationReimbursementRequest {
        1 application_addr: string;
        2 supplier_operator_addr: string;
        3 supplier_owner_addr: string;
        4 service_id: string;
        5 session_id: string;
        7 amount: string;
    }
}
