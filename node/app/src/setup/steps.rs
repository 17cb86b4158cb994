//! The steps of the set-up, each idempotent.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use hearth_base::{Amount, ServiceId, private::write_private};
use hearth_chain::{Chain, Faucet};
use hearth_miner::Miner;
use hearth_outbox::{Intent, Outbox, Outcome, Reason, State};
use hearth_pocket::{
    address::Address,
    keys::Signer,
    message::{
        Any, Coin, TypeUrl as _,
        application::{MsgDelegateToGateway, MsgStakeApplication},
        gateway::MsgStakeGateway,
        service::MsgAddService,
        shared::{
            ApplicationServiceConfig, RpcType, Service, ServiceRevenueShare, SupplierEndpoint,
            SupplierServiceConfig,
        },
        supplier::MsgStakeSupplier,
    },
    session::Timing,
};
use hearth_wallet::{Accounts, Role, Wallet, WalletState};
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
        if state.accounts.is_none() {
            let password = random_password()?;
            // First the password, then the wallet: one without the other would be a wallet that nobody can open.
            write_private(&path, password.as_bytes())
                .with_context(|| format!("{} cannot be written", path.display()))?;
            self.in_background(move |wallet| wallet.create(&password).map(drop))
                .await?;
            return Ok(format!("made; its password lies in {}", path.display()));
        }
        if state.main == hearth_wallet::KeyState::Locked {
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
        let accounts = self.accounts()?;
        let mut given = Amount::ZERO;
        for (address, amount) in [(&accounts.main, MAIN_MONEY), (&accounts.working, WORKING_MONEY)] {
            // An account is on the chain once it has been paid; who has spent its play money keeps what is left.
            if self.chain.account(address).await?.value.is_none() {
                self.faucet.give(address, amount).await?;
                given = given.saturating_add(amount);
            }
        }
        if given.is_zero() {
            Ok("was given before".to_owned())
        } else {
            Ok(format!("{} POKT of play money", given.pokt()))
        }
    }

    async fn service(&self) -> anyhow::Result<String> {
        let accounts = self.accounts()?;
        let found = self.chain.service(&ServiceId::new(DEMO)).await?.value;
        if found.is_none() {
            let service = Service {
                id: DEMO.to_owned(),
                name: "SmolLM2 135M Instruct".to_owned(),
                compute_units_per_relay: COMPUTE_UNITS,
                owner_address: accounts.main.to_string(),
                ..Service::default()
            };
            let message = MsgAddService {
                owner_address: accounts.main.to_string(),
                service,
            };
            self.submit(Role::Main, message.to_any()).await?;
        }
        Ok(format!("service {DEMO}, {COMPUTE_UNITS} compute units an answer"))
    }

    async fn gateway(&self) -> anyhow::Result<String> {
        let accounts = self.accounts()?;
        let found = self.chain.gateway(&accounts.working).await?.value;
        if found.is_none() {
            let least = minimum(self.chain.params().await?.value.gateway.min_stake.as_ref())?;
            let message = MsgStakeGateway {
                address: accounts.working.to_string(),
                stake: Some(coin(least)),
            };
            self.submit(Role::Working, message.to_any()).await?;
        }
        Ok(format!("gateway {}", accounts.working))
    }

    async fn supplier(&self) -> anyhow::Result<String> {
        let accounts = self.accounts()?;
        let found = self.chain.supplier(&accounts.working).await?.value;
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
        if !is_there {
            let least = minimum(self.chain.params().await?.value.supplier.min_stake.as_ref())?;
            let message = MsgStakeSupplier {
                signer: accounts.working.to_string(),
                owner_address: accounts.main.to_string(),
                operator_address: accounts.working.to_string(),
                stake: found
                    .is_none()
                    .then(|| coin(Amount::from_upokt(least.upokt() * 2))),
                services: vec![self.service_config(&accounts.main, &wanted)],
            };
            self.submit(Role::Working, message.to_any()).await?;
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
        let accounts = self.accounts()?;
        let found = self.chain.application(&accounts.main).await?.value;
        if found.is_none() {
            let least = minimum(self.chain.params().await?.value.application.min_stake.as_ref())?;
            let message = MsgStakeApplication {
                address: accounts.main.to_string(),
                stake: Some(coin(Amount::from_upokt(least.upokt() * APPLICATION_STAKE_TIMES))),
                services: vec![ApplicationServiceConfig {
                    service_id: DEMO.to_owned(),
                }],
                ..MsgStakeApplication::default()
            };
            self.submit(Role::Main, message.to_any()).await?;
        }
        Ok(format!("application {}", accounts.main))
    }

    async fn delegation(&self) -> anyhow::Result<String> {
        let accounts = self.accounts()?;
        let application = self.chain.application(&accounts.main).await?.value;
        let delegated = application.is_some_and(|application| {
            application
                .delegatee_gateway_addresses
                .iter()
                .any(|gateway| *gateway == accounts.working.as_str())
        });
        if !delegated {
            let message = MsgDelegateToGateway {
                app_address: accounts.main.to_string(),
                gateway_address: accounts.working.to_string(),
            };
            self.submit(Role::Main, message.to_any()).await?;
        }
        Ok("the working key signs for the application".to_owned())
    }

    async fn earning(&self) -> anyhow::Result<String> {
        if self.miner.wanted().await? == Some(false) {
            return Ok("earning stays off, as it was stopped".to_owned());
        }
        self.miner.earn_start().await?;
        let height = self.chain.head().borrow().height;
        let timing = Timing::from(&self.chain.params_at(height).await?.value);
        // A stake of this session counts from the next one.
        Ok(format!(
            "earning from block {}",
            timing.bounds_at(height).end.plus(1)
        ))
    }

    fn accounts(&self) -> anyhow::Result<Accounts> {
        self.wallet.accounts().context("there is no wallet")
    }

    async fn submit(&self, role: Role, message: Any) -> anyhow::Result<()> {
        let signer = self.wallet.signer(role)?;
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
