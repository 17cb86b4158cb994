//! Ready-made first states.

use hearth_base::Amount;
use hearth_pocket::message::{
    application::{self, Application},
    cosmos::{self, Coin},
    gateway::{self, Gateway},
    migration::{self, MorseClaimableAccount},
    proof, service, session,
    shared::{
        self, ApplicationServiceConfig, RpcType, Service, ServiceRevenueShare, Supplier, SupplierEndpoint,
        SupplierServiceConfig,
    },
    supplier,
    tokenomics::{self, Shares},
};

use super::{Account, Genesis, Params};

/// One POKT.
const POKT: u128 = Amount::UPOKT_PER_POKT;

fn pokt(amount: u128) -> Amount {
    Amount::from_upokt(amount * POKT)
}

fn coin(amount: u128) -> Option<Coin> {
    Some(Coin::upokt(Amount::from_upokt(amount)))
}

impl Genesis {
    /// A validator and a faucet, and nobody else: everything else is set up by transactions.
    #[must_use]
    pub fn minimal(params: Params) -> Genesis {
        let mut params = params;
        let dao = Account::named("dao", Amount::ZERO);
        params.tokenomics.dao_reward_address.clone_from(&dao.address);
        let accounts = vec![
            Account::named("validator", pokt(1_000_000)),
            Account::named("faucet", pokt(1_000_000_000)),
            dao,
        ];
        Genesis {
            params,
            accounts,
            services: Vec::new(),
            suppliers: Vec::new(),
            applications: Vec::new(),
            gateways: Vec::new(),
            authorizations: Vec::new(),
            morse_accounts: Vec::new(),
        }
    }

    /// As [`Genesis::minimal`], with two accounts of the former network whose keys `docs/morse.md` shows: one that was
    /// staked for nothing, and an application.
    #[must_use]
    pub fn for_people(params: Params) -> Genesis {
        let former = |address: &str, free: u128, application: u128| MorseClaimableAccount {
            morse_src_address: address.to_owned(),
            unstaked_balance: Coin::upokt(pokt(free)),
            supplier_stake: Coin::upokt(Amount::ZERO),
            application_stake: Coin::upokt(pokt(application)),
            ..MorseClaimableAccount::default()
        };
        Genesis {
            morse_accounts: vec![
                former("1A0BB8623F40D2A9BEAC099A0BAFDCAE3C5D8288", 1_234, 0),
                former("9B4508816AC8627B364D2EA4FC1B1FEE498D5684", 5, 500),
            ],
            ..Genesis::minimal(params)
        }
    }

    /// As [`Genesis::minimal`], with a service `ai-inference`, a gateway, an application delegated to it, and
    /// suppliers at these public URLs. Their public keys are on chain once each has sent a transaction.
    #[must_use]
    pub fn with_actors(params: Params, supplier_urls: &[String]) -> Genesis {
        let mut genesis = Genesis::minimal(params);
        let owner = Account::named("service-owner", pokt(10_000));
        let gateway = Account::named("gateway", pokt(10_000));
        let application = Account::named("application", pokt(10_000));
        genesis.services.push(Service {
            id: "ai-inference".to_owned(),
            name: "AI inference".to_owned(),
            compute_units_per_relay: 1_000,
            owner_address: owner.address.clone(),
            metadata: None,
        });
        genesis.gateways.push(Gateway {
            address: gateway.address.clone(),
            stake: coin(5_000 * POKT),
            ..Gateway::default()
        });
        genesis.applications.push(Application {
            address: application.address.clone(),
            stake: coin(100_000 * POKT),
            service_configs: vec![ApplicationServiceConfig {
                service_id: "ai-inference".to_owned(),
            }],
            delegatee_gateway_addresses: vec![gateway.address.clone()],
            ..Application::default()
        });
        genesis.accounts.extend([owner, gateway, application]);
        for (number, url) in (1..).zip(supplier_urls) {
            let account = Account::named(&format!("supplier{number}"), pokt(10_000));
            genesis.suppliers.push(ready_supplier(&account.address, url));
            genesis.accounts.push(account);
        }
        genesis
    }
}

fn ready_supplier(address: &str, url: &str) -> Supplier {
    Supplier {
        owner_address: address.to_owned(),
        operator_address: address.to_owned(),
        stake: coin(60_000 * POKT),
        services: vec![SupplierServiceConfig {
            service_id: "ai-inference".to_owned(),
            endpoints: vec![SupplierEndpoint {
                url: url.to_owned(),
                rpc_type: RpcType::Rest.into(),
                configs: Vec::new(),
            }],
            rev_share: vec![ServiceRevenueShare {
                address: address.to_owned(),
                rev_share_percentage: 100,
            }],
        }],
        ..Supplier::default()
    }
}

impl Params {
    /// Windows for tests with tiny models: sessions of 4 blocks, settled 10 blocks after their end.
    #[must_use]
    pub fn for_tests() -> Params {
        let shared = shared::Params {
            num_blocks_per_session: 4,
            grace_period_end_offset_blocks: 1,
            claim_window_open_offset_blocks: 1,
            claim_window_close_offset_blocks: 4,
            proof_window_open_offset_blocks: 0,
            proof_window_close_offset_blocks: 4,
            supplier_unbonding_period_sessions: 3,
            application_unbonding_period_sessions: 3,
            gateway_unbonding_period_sessions: 1,
            ..price()
        };
        Params {
            shared,
            ..Params::for_people()
        }
    }

    /// Windows in which a real model's answers end before their claim is sent: sessions of 20 blocks, settled 24
    /// blocks after their end. Every claim must be proven.
    #[must_use]
    pub fn for_people() -> Params {
        Params {
            auth: cosmos::Params {
                max_memo_characters: 256,
                tx_sig_limit: 7,
                tx_size_cost_per_byte: 1,
                sig_verify_cost_ed25519: 590,
                sig_verify_cost_secp256k1: 1,
            },
            shared: shared::Params {
                num_blocks_per_session: 20,
                grace_period_end_offset_blocks: 10,
                claim_window_open_offset_blocks: 11,
                claim_window_close_offset_blocks: 4,
                proof_window_open_offset_blocks: 0,
                proof_window_close_offset_blocks: 8,
                supplier_unbonding_period_sessions: 2,
                application_unbonding_period_sessions: 2,
                gateway_unbonding_period_sessions: 2,
                ..price()
            },
            session: session::Params {
                num_suppliers_per_session: 15,
            },
            proof: proof::Params {
                proof_request_probability: 1.0,
                proof_requirement_threshold: coin(1),
                proof_missing_penalty: coin(250_000),
                proof_submission_fee: coin(1),
            },
            tokenomics: tokenomics::Params {
                mint_allocation_percentages: shares([0.1, 0.0, 0.8, 0.1, 0.0]),
                dao_reward_address: String::new(),
                global_inflation_per_claim: 0.000_001,
                mint_equals_burn_claim_distribution: shares([0.045, 0.14, 0.79, 0.025, 0.0]),
                mint_ratio: 0.975,
                overservicing_bonus_multiplier: 1,
            },
            application: application::Params {
                max_delegated_gateways: 7,
                min_stake: coin(100 * POKT),
            },
            gateway: gateway::Params {
                min_stake: coin(POKT),
            },
            supplier: supplier::Params {
                min_stake: coin(POKT),
                staking_fee: coin(1),
            },
            service: service::Params {
                add_service_fee: coin(POKT),
                target_num_relays: 100_000,
            },
            migration: migration::Params {
                morse_account_claiming_enabled: true,
                ..migration::Params::default()
            },
        }
    }

    /// The numbers of the main network in 2026, for 60-second blocks in simulated time.
    #[must_use]
    pub fn like_mainnet() -> Params {
        let people = Params::for_people();
        Params {
            shared: shared::Params {
                claim_window_close_offset_blocks: 10,
                proof_window_open_offset_blocks: 1,
                proof_window_close_offset_blocks: 10,
                supplier_unbonding_period_sessions: 1429,
                application_unbonding_period_sessions: 3,
                gateway_unbonding_period_sessions: 3,
                compute_units_to_tokens_multiplier: 145_990,
                ..people.shared
            },
            session: session::Params {
                num_suppliers_per_session: 50,
            },
            proof: proof::Params {
                proof_request_probability: 0.01,
                proof_requirement_threshold: coin(100),
                proof_missing_penalty: coin(1),
                ..people.proof
            },
            application: application::Params {
                max_delegated_gateways: 7,
                min_stake: coin(1_000 * POKT),
            },
            gateway: gateway::Params {
                min_stake: coin(5_000 * POKT),
            },
            supplier: supplier::Params {
                min_stake: coin(59_500 * POKT),
                staking_fee: coin(1),
            },
            service: service::Params {
                add_service_fee: coin(3_500 * POKT),
                target_num_relays: 100_000,
            },
            ..people
        }
    }
}

/// 42 upokt per compute unit, and a grid from height 1.
fn price() -> shared::Params {
    shared::Params {
        compute_units_to_tokens_multiplier: 42_000_000,
        compute_unit_cost_granularity: 1_000_000,
        session_grid_anchor_height: 1,
        session_number_at_anchor: 1,
        ..shared::Params::default()
    }
}

fn shares([dao, proposer, supplier, source_owner, application]: [f64; 5]) -> Shares {
    Shares {
        dao,
        proposer,
        supplier,
        source_owner,
        application,
    }
}
