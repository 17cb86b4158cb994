//! The steps of the set-up, each idempotent.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use hearth_base::{Amount, Height, ServiceId, private::write_private};
use hearth_chain::{Chain, Faucet};
use hearth_miner::Miner;
use hearth_outbox::{Intent, Outbox, Outcome, Reason, State};
use hearth_pocket::{
    address::Address,
    keys::Signer,
    message::{
        Any, Coin, TypeUrl as _,
        application::{
            MsgDelegateToGateway, MsgStakeApplication, MsgUndelegateFromGateway, MsgUnstakeApplication,
        },
        gateway::{MsgStakeGateway, MsgUnstakeGateway},
        service::MsgAddService,
        shared::{
            ApplicationServiceConfig, RpcType, Service, ServiceRevenueShare, Supplier, SupplierEndpoint,
            SupplierServiceConfig,
        },
        supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
    },
    session::Timing,
};
use hearth_wallet::{Purpose, Wallet, WalletState};
use hearth_weights::{AddOptions, Weights, catalogue};
use url::Url;

use crate::data_dir::Layout;

/// The demo model and the service that serves it: a slug is a valid service id.
pub(crate) const DEMO: &str = "smollm2-135m-instruct";
/// What one answer of the demo service counts. At the devnet's price this is a few hundredths of a POKT.
const COMPUTE_UNITS: u64 = 1_000;
/// Play money of the main key: stakes, and plenty to pay with.
const MAIN_MONEY: Amount = Amount::from_upokt(1_000_000 * Amount::UPOKT_PER_POKT);
/// Play money of the working key: two stakes and fees.
const WORKING_MONEY: Amount = Amount::from_upokt(200_000 * Amount::UPOKT_PER_POKT);
/// An application is unbonded when settlements bring it under the minimum, so it gets this many times the minimum.
const APPLICATION_STAKE_TIMES: u128 = 500;
/// The most that a step may cost: play money.
const MAX_FEE: Amount = Amount::from_upokt(Amount::UPOKT_PER_POKT);
/// How long a transaction may wait for its block.
const BLOCK_WITHIN: Duration = Duration::from_secs(30);

/// Orders of the owner that are looked at: far more than anybody gives.
const ORDERS: u32 = 1_000;
const GIVEN_UP: &str = "left as it is, as it was given up";

/// A role by the messages that take it and give it up.
struct Given {
    taken: &'static str,
    given_up: &'static str,
}

const GATEWAY: Given = Given {
    taken: MsgStakeGateway::TYPE_URL,
    given_up: MsgUnstakeGateway::TYPE_URL,
};
const SUPPLIER: Given = Given {
    taken: MsgStakeSupplier::TYPE_URL,
    given_up: MsgUnstakeSupplier::TYPE_URL,
};
const APPLICATION: Given = Given {
    taken: MsgStakeApplication::TYPE_URL,
    given_up: MsgUnstakeApplication::TYPE_URL,
};
const DELEGATION: Given = Given {
    taken: MsgDelegateToGateway::TYPE_URL,
    given_up: MsgUndelegateFromGateway::TYPE_URL,
};

/// What the steps work on.
pub(crate) struct SetupParts {
    pub(crate) layout: Layout,
    pub(crate) demo_folder: Option<PathBuf>,
    pub(crate) weights: Weights,
    pub(crate) wallet: Wallet,
    pub(crate) chain: Chain,
    pub(crate) outbox: Outbox,
    pub(crate) faucet: Faucet,
    pub(crate) miner: Miner,
    /// What the supplier's endpoint is.
    pub(crate) relay_url: Url,
}

impl SetupParts {
    /// Does what is missing for one step and says a small fact.
    pub(super) async fn step(&self, id: &str) -> anyhow::Result<String> {
        match id {
            "model" => self.model().await,
            "wallet" => self.wallet().await,
            "faucet" => self.faucet().await,
            "service" => self.service().await,
            "gateway" => self.gateway().await,
            "supplier" => self.supplier().await,
            "application" => self.application().await,
            "delegation" => self.delegation().await,
            "earning" => self.earning().await,
            other => bail!("there is no step \"{other}\""),
        }
    }

    async fn model(&self) -> anyhow::Result<String> {
        let entry = catalogue::by_slug(DEMO).context("the catalogue has no demo model")?;
        let wanted = entry.manifest.cid();
        let known = self.weights.get(wanted).await?;
        if known.is_none_or(|model| !model.is_usable()) {
            let file = entry
                .manifest
                .files()
                .first()
                .context("the demo model has no file")?;
            let folder = self.demo_folder.as_ref().with_context(|| {
                format!("the demo model is not here: add its file with `hearth model add {}`, or set weights.demo_folder to the folder that has it (`make run` does), then set up again", file.path)
            })?;
            let path = folder.join(&file.path);
            if !path.exists() {
                bail!("{} is missing: run assets/models/fetch.sh", path.display());
            }
            let added = self.weights.add(&path, AddOptions::default()).await?;
            if added.cid() != wanted {
                bail!(
                    "{} is not the demo model: its content is {}, not {wanted}; fetch it again",
                    path.display(),
                    added.cid()
                );
            }
        }
        let verified = self.weights.open(wanted).await?;
        Ok(format!(
            "{} matches its content address",
            verified.manifest().title()
        ))
    }

    async fn wallet(&self) -> anyhow::Result<String> {
        let path = self.layout.devnet_password();
        let state: WalletState = self.wallet.state().borrow().clone();
        if !state.exists {
            let password = random_password()?;
            // First the password, then the wallet: one without the other would be a wallet that nobody can open.
            write_private(&path, password.as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            self.in_background(move |wallet| wallet.create(&password).map(drop))
                .await?;
            return Ok(format!("made; its password lies in {}", path.display()));
        }
        if state.is_main_locked() {
            let password = std::fs::read_to_string(&path).with_context(|| {
                format!(
                    "the wallet is locked and {} cannot be read: unlock it, then run the set-up again",
                    path.display()
                )
            })?;
            self.in_background(move |wallet| wallet.unlock(password.trim()))
                .await?;
        }
        Ok("open".to_owned())
    }

    async fn faucet(&self) -> anyhow::Result<String> {
        // Of the first two blocks nothing can be proven.
        if self.chain.reach(Height(2), BLOCK_WITHIN).await.is_err() {
            bail!("the chain makes no blocks");
        }
        let (mut given, mut seen) = (Amount::ZERO, Vec::new());
        for (purpose, amount) in [
            (Purpose::Owner, MAIN_MONEY),
            (Purpose::Application, MAIN_MONEY),
            (Purpose::Operator, WORKING_MONEY),
            (Purpose::Gateway, WORKING_MONEY),
        ] {
            let address = self.account(purpose)?;
            if seen.contains(&address) {
                continue;
            }
            // An account is on the chain once it has been paid; who has spent its play money keeps what is left.
            if self.chain.account(&address).await?.proven()?.value().is_none() {
                self.faucet.give(&address, amount).await?;
                given = given.saturating_add(amount);
            }
            seen.push(address);
        }
        if given.is_zero() {
            Ok("was given before".to_owned())
        } else {
            Ok(format!("{} POKT of play money", given.pokt()))
        }
    }

    async fn service(&self) -> anyhow::Result<String> {
        let owner = self.account(Purpose::Owner)?;
        let found = self
            .chain
            .service(&ServiceId::new(DEMO))
            .await?
            .proven()?
            .into_value();
        if found.is_none() {
            let service = Service {
                id: DEMO.to_owned(),
                name: "SmolLM2 135M Instruct".to_owned(),
                compute_units_per_relay: COMPUTE_UNITS,
                owner_address: owner.to_string(),
                ..Service::default()
            };
            let message = MsgAddService {
                owner_address: owner.to_string(),
                service,
            };
            self.submit(Purpose::Owner, message.to_any()).await?;
        }
        Ok(format!("service {DEMO}, {COMPUTE_UNITS} compute units an answer"))
    }

    async fn gateway(&self) -> anyhow::Result<String> {
        let gateway = self.account(Purpose::Gateway)?;
        let found = self.chain.gateway(&gateway).await?.proven()?.into_value();
        if found.is_none() && self.was_given_up(&GATEWAY).await? {
            return Ok(GIVEN_UP.to_owned());
        }
        if found.is_none() {
            let least = minimum(
                self.chain
                    .params()
                    .await?
                    .proven()?
                    .value()
                    .gateway
                    .min_stake
                    .as_ref(),
            )?;
            let message = MsgStakeGateway {
                address: gateway.to_string(),
                stake: Some(coin(least)),
            };
            self.submit(Purpose::Gateway, message.to_any()).await?;
        }
        Ok(format!("gateway {gateway}"))
    }

    async fn supplier(&self) -> anyhow::Result<String> {
        let (owner, operator) = (self.account(Purpose::Owner)?, self.account(Purpose::Operator)?);
        let found = self.chain.supplier(&operator).await?.proven()?.into_value();
        // One that its owner gave up is not taken again, and one on its way out is not called back.
        let is_leaving = found
            .as_ref()
            .is_some_and(|supplier| supplier.unstake_session_end_height > 0);
        if is_leaving || (found.is_none() && self.was_given_up(&SUPPLIER).await?) {
            return Ok(GIVEN_UP.to_owned());
        }
        let wanted = self.relay_url.as_str().trim_end_matches('/').to_owned();
        let serves = |config: &SupplierServiceConfig| {
            config.service_id == DEMO && config.endpoints.iter().any(|endpoint| endpoint.url == wanted)
        };
        // The record itself carries no services; the histories of a new supplier begin with its first session.
        let is_there = found.as_ref().is_some_and(|supplier| {
            supplier.services.iter().any(serves)
                || supplier.service_config_history.iter().any(|update| {
                    update.deactivation_height == 0 && update.service.as_ref().is_some_and(serves)
                })
        });
        // As everywhere: the owner stakes, the operator sets its services.
        let message = |signer: &Address, stake: Option<Coin>, services: Vec<SupplierServiceConfig>| {
            let message = MsgStakeSupplier {
                signer: signer.to_string(),
                owner_address: owner.to_string(),
                operator_address: operator.to_string(),
                stake,
                services,
            };
            message.to_any()
        };
        if found.is_none() {
            let params = self.chain.params().await?.proven()?;
            let least = minimum(params.value().supplier.min_stake.as_ref())?;
            let stake = coin(Amount::from_upokt(least.upokt() * 2));
            self.submit(Purpose::Owner, message(&owner, Some(stake), Vec::new()))
                .await?;
        }
        if !is_there {
            // What somebody staked it for besides stays.
            let mut services = found.as_ref().map(others).unwrap_or_default();
            services.push(self.service_config(&owner, &wanted));
            self.submit(Purpose::Operator, message(&operator, None, services))
                .await?;
        }
        Ok(format!("relays arrive at {wanted}"))
    }

    fn service_config(&self, owner: &Address, url: &str) -> SupplierServiceConfig {
        SupplierServiceConfig {
            service_id: DEMO.to_owned(),
            endpoints: vec![SupplierEndpoint {
                url: url.to_owned(),
                rpc_type: RpcType::Rest as i32,
                ..SupplierEndpoint::default()
            }],
            rev_share: vec![ServiceRevenueShare {
                address: owner.to_string(),
                rev_share_percentage: 100,
            }],
        }
    }

    async fn application(&self) -> anyhow::Result<String> {
        let payer = self.account(Purpose::Application)?;
        let found = self.chain.application(&payer).await?.proven()?.into_value();
        if found.is_none() && self.was_given_up(&APPLICATION).await? {
            return Ok(GIVEN_UP.to_owned());
        }
        if found.is_none() {
            let least = minimum(
                self.chain
                    .params()
                    .await?
                    .proven()?
                    .value()
                    .application
                    .min_stake
                    .as_ref(),
            )?;
            let message = MsgStakeApplication {
                address: payer.to_string(),
                stake: Some(coin(Amount::from_upokt(least.upokt() * APPLICATION_STAKE_TIMES))),
                services: vec![ApplicationServiceConfig {
                    service_id: DEMO.to_owned(),
                }],
                ..MsgStakeApplication::default()
            };
            self.submit(Purpose::Application, message.to_any()).await?;
        }
        Ok(format!("application {payer}"))
    }

    async fn delegation(&self) -> anyhow::Result<String> {
        let (payer, own) = (
            self.account(Purpose::Application)?,
            self.account(Purpose::Gateway)?,
        );
        let application = self.chain.application(&payer).await?.proven()?.into_value();
        let delegated = application.is_some_and(|application| {
            application
                .delegatee_gateway_addresses
                .iter()
                .any(|gateway| *gateway == own.as_str())
        });
        if !delegated {
            for role in [&APPLICATION, &GATEWAY, &DELEGATION] {
                if self.was_given_up(role).await? {
                    return Ok(GIVEN_UP.to_owned());
                }
            }
        }
        if !delegated {
            let message = MsgDelegateToGateway {
                app_address: payer.to_string(),
                gateway_address: own.to_string(),
            };
            self.submit(Purpose::Application, message.to_any()).await?;
        }
        Ok("the working key signs for the application".to_owned())
    }

    async fn earning(&self) -> anyhow::Result<String> {
        if self.miner.wanted().await? == Some(false) {
            return Ok("earning stays off, as it was stopped".to_owned());
        }
        if self.was_given_up(&SUPPLIER).await? {
            return Ok("earning stays off, as the supplier was given up".to_owned());
        }
        self.miner.earn_start().await?;
        let height = self.chain.head().borrow().height;
        let timing = Timing::from(self.chain.params_at(height).await?.proven()?.value());
        // A stake of this session counts from the next one.
        Ok(format!(
            "earning from block {}",
            timing.bounds_at(height).end.plus(1)
        ))
    }

    /// Whether the newest change of a role that its owner ordered was to give it up: the outbox knows all of them.
    async fn was_given_up(&self, role: &Given) -> anyhow::Result<bool> {
        let newest = self.outbox.newest_of(Reason::Role, ORDERS).await?;
        let done = newest.iter().filter(|item| {
            matches!(
                item.state,
                State::Placed { .. }
                    | State::Ended {
                        outcome: Outcome::Included { .. }
                    }
            )
        });
        let kinds = done
            .flat_map(|item| item.messages.iter().rev())
            .map(|message| message.type_url.as_str());
        Ok(kinds
            .filter(|kind| *kind == role.taken || *kind == role.given_up)
            .map(|kind| kind == role.given_up)
            .next()
            .unwrap_or(false))
    }

    fn account(&self, purpose: Purpose) -> anyhow::Result<Address> {
        let found = self.wallet.address(purpose);
        found.with_context(|| format!("no account of the wallet is the {}", purpose.word()))
    }

    async fn submit(&self, purpose: Purpose, message: Any) -> anyhow::Result<()> {
        let signer = self.wallet.signer(purpose)?;
        let intent = Intent {
            account: signer.address().clone(),
            reason: Reason::Setup,
            about: message.type_url.clone(),
            messages: vec![message],
            memo: String::new(),
            counterparty: None,
            amount: Amount::ZERO,
            max_fee: MAX_FEE,
            last_height: None,
            after: None,
            is_patient: false,
        };
        let put = self.outbox.put(&intent).await?;
        let item = self.outbox.wait(put.id(), BLOCK_WITHIN).await?;
        match item.state {
            State::Placed { .. }
            | State::Ended {
                outcome: Outcome::Included { .. },
            } => Ok(()),
            State::Ended { outcome } => bail!("{outcome}"),
            State::Waiting { trouble } | State::Signed { trouble } => match trouble {
                Some(why) => bail!(why),
                None => bail!("no block holds it yet; set up again later"),
            },
        }
    }

    /// Runs what stretches a password outside of the async threads.
    async fn in_background(
        &self,
        work: impl FnOnce(&Wallet) -> Result<(), hearth_wallet::Error> + Send + 'static,
    ) -> anyhow::Result<()> {
        let wallet = self.wallet.clone();
        tokio::task::spawn_blocking(move || work(&wallet)).await??;
        Ok(())
    }
}

fn coin(amount: Amount) -> Coin {
    Coin {
        denom: "upokt".to_owned(),
        amount: amount.upokt().to_string(),
    }
}

/// A minimum stake; a chain that sets none asks for 1 upokt all the same.
fn minimum(coin: Option<&Coin>) -> anyhow::Result<Amount> {
    let least = coin
        .map_or(Ok(Amount::ZERO), |coin| coin.amount.parse::<Amount>())
        .context("the chain's minimum stake is no amount")?;
    Ok(least.max(Amount::from_upokt(1)))
}

/// 128 random bits as text.
fn random_password() -> anyhow::Result<String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow::anyhow!("the computer gives no random numbers: {error}"))?;
    Ok(hex::encode(bytes))
}

/// The services of a supplier, now or with its next session, but the demo's.
fn others(supplier: &Supplier) -> Vec<SupplierServiceConfig> {
    let coming = supplier
        .service_config_history
        .iter()
        .filter(|update| update.deactivation_height == 0)
        .filter_map(|update| update.service.as_ref());
    let mut services: Vec<SupplierServiceConfig> = Vec::new();
    for config in coming.filter(|config| config.service_id != DEMO) {
        if services.iter().all(|known| known.service_id != config.service_id) {
            services.push(config.clone());
        }
    }
    services
}
