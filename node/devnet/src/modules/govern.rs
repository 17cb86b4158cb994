//! Changes of parameters: `MsgUpdateParams` and `MsgUpdateParam` of every module, which only the chain's governance may
//! sign, or somebody whom it allowed to.

mod one;

use hearth_pocket::message::{
    Coin, application, gateway, migration, proof, service, session, shared, supplier, tokenomics,
};
use prost::Message;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

pub(crate) use one::OneParam;

use super::params;
use crate::{
    address,
    ctx::Ctx,
    error::{Status, TxError},
    state::StoreName,
};

const SIGNER: &str = "expected gov account as only signer for proposal message";
const INVALID: &str = "the provided param is invalid";
/// Above it the real chain takes a multiplier for a mistake.
const MAX_OVERSERVICING: u64 = 1_000;

/// A module with parameters: where they lie, what the chain calls wrong ones, and how they are changed.
pub(crate) trait Governed: Message + Default + Serialize + DeserializeOwned {
    const STORE: StoreName;
    /// The code of a parameter that is wrong.
    const CODE: u32;
    /// Parameters that cannot be set one by one.
    const FIXED: &'static [&'static str] = &[];

    /// What is wrong with them, in the chain's words.
    fn check(&self) -> Result<(), String>;

    fn set(ctx: &mut Ctx, params: &Self) {
        params::put(&mut ctx.state, Self::STORE, params);
    }
}

/// The checks without state of `MsgUpdateParams`.
pub(crate) fn validate<P: Governed>(authority: &str, params: &P) -> Result<(), TxError> {
    validate_authority(authority)?;
    params
        .check()
        .map_err(|text| TxError::new(P::STORE.as_str(), P::CODE, format!("{text}: {INVALID}")))
}

/// Those of `MsgUpdateParam`. Its value is looked at where the other parameters are known.
pub(crate) fn validate_authority(authority: &str) -> Result<(), TxError> {
    address::parse(authority)
        .map(drop)
        .map_err(|why| TxError::new("undefined", 1, format!("invalid authority address: {why}")))
}

/// `MsgUpdateParams`.
pub(crate) fn update<P: Governed>(ctx: &mut Ctx, authority: &str, params: &P) -> Result<(), TxError> {
    check_authority(authority, Status::PermissionDenied)?;
    P::set(ctx, params);
    Ok(())
}

/// `MsgUpdateParam`: one of them, by its name.
pub(crate) fn update_one<M: OneParam>(ctx: &mut Ctx, msg: &M) -> Result<(), TxError> {
    check_authority(msg.authority(), Status::InvalidArgument)?;
    let wrong = |text: String| TxError::grpc(Status::InvalidArgument, format!("{text}: {INVALID}"));
    let name = msg.name();
    let now: M::Of = params::of(&ctx.state, M::Of::STORE);
    let mut fields = match serde_json::to_value(now) {
        Ok(Value::Object(fields)) => fields,
        // Parameters are structs of plain fields, which always become objects.
        Ok(_) | Err(_) => serde_json::Map::new(),
    };
    if !fields.contains_key(name) || M::Of::FIXED.contains(&name) {
        return Err(wrong(format!("unsupported param {name:?}")));
    }
    fields.insert(name.to_owned(), msg.value());
    let wanted: M::Of = serde_json::from_value(Value::Object(fields))
        .map_err(|error| wrong(format!("invalid value of {name}: {error}")))?;
    wanted.check().map_err(wrong)?;
    M::Of::set(ctx, &wanted);
    Ok(())
}

fn check_authority(given: &str, status: Status) -> Result<(), TxError> {
    let gov = address::text(&address::module("gov"));
    if given == gov {
        return Ok(());
    }
    let text = format!("invalid authority; expected {gov}, got {given}: {SIGNER}");
    Err(TxError::grpc(status, text))
}

/// An amount of upokt that is at least `least`.
fn coin(coin: Option<&Coin>, name: &str, least: u128) -> Result<(), String> {
    let Some(coin) = coin else {
        return Err(format!("missing {name}"));
    };
    match coin.to_amount() {
        _ if coin.denom != "upokt" => Err(format!("invalid {name} denom: {}", coin.denom)),
        Some(amount) if amount.upokt() >= least => Ok(()),
        Some(_) | None => Err(format!("{name} is below minimum value {least}upokt: got {coin}")),
    }
}

impl Governed for shared::Params {
    const STORE: StoreName = StoreName::Shared;
    const CODE: u32 = 1103;
    const FIXED: &'static [&'static str] = &["session_grid_anchor_height", "session_number_at_anchor"];

    fn check(&self) -> Result<(), String> {
        params::check_shared(self)
    }

    fn set(ctx: &mut Ctx, params: &shared::Params) {
        let height = ctx.height;
        params::update_shared(&mut ctx.state, height, params);
    }
}

impl Governed for session::Params {
    const STORE: StoreName = StoreName::Session;
    const CODE: u32 = 1110;

    fn check(&self) -> Result<(), String> {
        match self.num_suppliers_per_session {
            0 => Err("number of suppliers per session (0) MUST be greater than or equal to 1".to_owned()),
            _ => Ok(()),
        }
    }

    fn set(ctx: &mut Ctx, params: &session::Params) {
        let height = ctx.height;
        params::update_session(&mut ctx.state, height, params);
    }
}

impl Governed for proof::Params {
    const STORE: StoreName = StoreName::Proof;
    const CODE: u32 = 1120;

    fn check(&self) -> Result<(), String> {
        let probability = self.proof_request_probability;
        if !(0.0..=1.0).contains(&probability) {
            return Err(format!("invalid ProofRequestProbability: ({probability})"));
        }
        coin(
            self.proof_requirement_threshold.as_ref(),
            "proof_requirement_threshold",
            0,
        )?;
        coin(self.proof_missing_penalty.as_ref(), "proof_missing_penalty", 0)?;
        coin(self.proof_submission_fee.as_ref(), "proof_submission_fee", 0)
    }
}

impl Governed for tokenomics::Params {
    const STORE: StoreName = StoreName::Tokenomics;
    const CODE: u32 = 1112;

    fn check(&self) -> Result<(), String> {
        check_shares(&self.mint_allocation_percentages).map_err(|sum| match sum {
            Some(sum) => format!(
                "mint allocation percentages do not add to 1.0: got {sum:.6} instead. This is greater than the \
                 acceptable epsilon of 0.000000"
            ),
            None => "mint allocation must be greater than or equal to 0".to_owned(),
        })?;
        let dao = &self.dao_reward_address;
        address::parse(dao).map_err(|why| format!("invalid dao reward address {dao:?}: {why}"))?;
        let inflation = self.global_inflation_per_claim;
        if inflation.is_nan() || inflation < 0.0 {
            return Err(format!(
                "GlobalInflationPerClaim must be greater than or equal to 0: {inflation:.6}"
            ));
        }
        check_shares(&self.mint_equals_burn_claim_distribution).map_err(|sum| match sum {
            Some(sum) => {
                format!("mint equals burn claim distribution percentages do not add to 1.0: got {sum:.6}")
            }
            None => "mint allocation must be greater than or equal to 0".to_owned(),
        })?;
        let ratio = self.mint_ratio;
        if !(ratio > 0.0 && ratio <= 1.0) {
            return Err(format!("mint_ratio must be in range (0, 1]: got {ratio:.6}"));
        }
        if self.overservicing_bonus_multiplier > MAX_OVERSERVICING {
            return Err(format!(
                "overservicing_bonus_multiplier ({}) must be <= {MAX_OVERSERVICING}",
                self.overservicing_bonus_multiplier
            ));
        }
        Ok(())
    }
}

/// Whether shares are a whole; the error has their sum, or none where one of them is negative.
fn check_shares(shares: &tokenomics::Shares) -> Result<(), Option<f64>> {
    let all = [
        shares.dao,
        shares.proposer,
        shares.supplier,
        shares.source_owner,
        shares.application,
    ];
    if all.iter().any(|share| share.is_nan() || *share < 0.0) {
        return Err(None);
    }
    let sum: f64 = all.iter().sum();
    if (sum - 1.0).abs() > 1e-10 {
        return Err(Some(sum));
    }
    Ok(())
}

impl Governed for service::Params {
    const STORE: StoreName = StoreName::Service;
    const CODE: u32 = 1115;

    fn check(&self) -> Result<(), String> {
        coin(self.add_service_fee.as_ref(), "add_service_fee", 1)?;
        match self.target_num_relays {
            0 => Err("target_num_relays must be greater than 0: got 0".to_owned()),
            _ => Ok(()),
        }
    }
}

impl Governed for application::Params {
    const STORE: StoreName = StoreName::Application;
    const CODE: u32 = 1115;

    fn check(&self) -> Result<(), String> {
        if self.max_delegated_gateways == 0 {
            return Err("max_delegated_gateways must be greater than 0: got 0".to_owned());
        }
        coin(self.min_stake.as_ref(), "min_stake", 1)
    }
}

impl Governed for gateway::Params {
    const STORE: StoreName = StoreName::Gateway;
    const CODE: u32 = 1105;

    fn check(&self) -> Result<(), String> {
        coin(self.min_stake.as_ref(), "min_stake", 1)
    }
}

impl Governed for supplier::Params {
    const STORE: StoreName = StoreName::Supplier;
    const CODE: u32 = 1107;

    fn check(&self) -> Result<(), String> {
        coin(self.min_stake.as_ref(), "min_stake", 1)?;
        coin(self.staking_fee.as_ref(), "staking_fee", 0)
    }
}

impl Governed for migration::Params {
    const STORE: StoreName = StoreName::Migration;
    const CODE: u32 = 1106;

    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}
