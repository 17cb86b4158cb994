//! Claims of the former network, over chain and wallet. The former key lives as long as the call that brings it.

use hearth_base::{Amount, ServiceId};
use hearth_roles::{MorseKind, MorseOrder, Role, Roles, is_claimed, read_morse_address, staked_for};
use hearth_wallet::MorseKey;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::{super::standing, SHOWN_WITHIN, order, refused};
use crate::{
    control::types::{
        ClaimMorse, MorseAccount, MorseClaimAs, MorseKeyFile, MorseState, RoleName, RoleOrder,
        SignedMorseClaim, Upokt,
    },
    error::ApiError,
    parts::Answer,
};

/// Keys are opened one after the other: each takes 32 MiB while it is stretched.
static OPENING: Semaphore = Semaphore::const_new(1);

/// Reads a key. It is wiped when it is let go.
pub(super) async fn open(file: MorseKeyFile) -> Answer<MorseKey> {
    let (key, passphrase) = (Zeroizing::new(file.key), Zeroizing::new(file.passphrase));
    let _turn = OPENING
        .acquire()
        .await
        .map_err(|error| ApiError::internal(&error))?;
    let opened = tokio::task::spawn_blocking(move || MorseKey::open(&key, &passphrase)).await;
    let opened = opened.map_err(|error| ApiError::internal(&error))?;
    opened.map_err(|error| hearth_wallet::Error::from(error).into())
}

/// What an account of the former network may claim.
pub(super) async fn account(roles: &Roles, address: &str) -> Answer<MorseAccount> {
    let address = read_morse_address(address).ok_or_else(|| {
        ApiError::refused(
            "morse_address_wrong",
            "an address of Morse is 40 hex digits, and this is none",
        )
        .remedy("Copy the whole address again.")
    })?;
    // What was claimed a moment ago is shown as claimed.
    roles.outbox.shown(SHOWN_WITHIN).await?;
    let (told, terms) = roles.morse(&address).await.map_err(refused)?;
    let standing = standing(&roles.chain, &told);
    let morse = told.into_value();
    let amount = |text: &str| Upokt(text.parse().unwrap_or(Amount::ZERO));
    let none = MorseAccount {
        address,
        state: MorseState::Unknown,
        balance: Upokt(Amount::ZERO),
        stake: Upokt(Amount::ZERO),
        staked_as: None,
        owner: None,
        claimed_height: None,
        claimed_by: None,
        is_enabled: terms.is_enabled,
        is_free: terms.is_free,
        standing,
    };
    let Some(record) = morse.record else {
        return Ok(none);
    };
    let (staked_as, stake) = match staked_for(&record) {
        Some(Role::Application) => (Some(RoleName::Application), &record.application_stake.amount),
        Some(Role::Supplier | Role::Gateway) => (Some(RoleName::Supplier), &record.supplier_stake.amount),
        None => (None, &record.supplier_stake.amount),
    };
    let is_claimed = is_claimed(&record);
    Ok(MorseAccount {
        state: if is_claimed {
            MorseState::Claimed
        } else {
            MorseState::Claimable
        },
        balance: amount(&record.unstaked_balance.amount),
        stake: amount(stake),
        staked_as,
        claimed_height: u64::try_from(record.claimed_at_height)
            .ok()
            .filter(|_| is_claimed),
        claimed_by: Some(record.shannon_dest_address).filter(|by| !by.is_empty()),
        owner: Some(record.morse_output_address).filter(|owner| !owner.is_empty()),
        ..none
    })
}

/// Has a key sign a claim, and gives the order that sends it.
pub(super) async fn claim(roles: &Roles, wanted: ClaimMorse) -> Answer<SignedMorseClaim> {
    let ClaimMorse { key, to, claim } = wanted;
    // First of all: from here on it is wiped, whatever becomes of the rest.
    let key = open(key).await?;
    let wallet = &roles.wallet;
    let to = to.map(|name| wallet.find(&name)).transpose()?;
    let (kind, node) = match claim {
        MorseClaimAs::Account => (MorseKind::Account, None),
        MorseClaimAs::Application { service } => {
            let service = ServiceId::new(service.trim());
            (MorseKind::Application { service }, None)
        }
        MorseClaimAs::Supplier {
            node,
            operator,
            services,
        } => {
            let node = node.filter(|node| !node.trim().is_empty());
            let kind = MorseKind::Supplier {
                node: node.as_deref().map(node_address).transpose()?,
                operator: order::operator(operator.as_deref(), wallet)?,
                services: services.iter().map(order::offer).collect::<Answer<Vec<_>>>()?,
            };
            (kind, node)
        }
    };
    let wanted = MorseOrder {
        to: to.map(|entry| entry.address),
        kind,
    };
    let account = account(roles, &node.unwrap_or_else(|| key.address())).await?;
    let claim = roles.sign_morse(&key, &wanted).await.map_err(refused)?;
    let claim = serde_json::to_value(claim.to_any()).map_err(|error| ApiError::internal(&error))?;
    Ok(SignedMorseClaim {
        account,
        order: RoleOrder::ClaimMorse { claim },
    })
}

fn node_address(text: &str) -> Answer<String> {
    read_morse_address(text).ok_or_else(|| {
        ApiError::refused(
            "morse_address_wrong",
            format!(
                "\"{}\" is no address of a Morse node: one is 40 hex digits",
                text.trim()
            ),
        )
        .remedy("Copy the whole address again.")
    })
}
