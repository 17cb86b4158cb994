//! What the chain knows of addresses: those of the wallet, and those along the usual paths of words.

use futures::{StreamExt as _, stream};
use hearth_base::Amount;
use hearth_chain::Chain;
use hearth_pocket::{Address, message::Coin};
use hearth_wallet::{EntryId, Error, KeyState, Wallet, Words, candidates};
use tokio::try_join;
use zeroize::Zeroizing;

use super::{chain_error, keyring::account};
use crate::{
    control::types::{
        AccountList, AccountOnChain, Discover, FoundAccount, FoundAccounts, OnChain, OnChainSupplier, Upokt,
    },
    error::ApiError,
    parts::Answer,
};

/// Addresses that are asked for at once, with four questions each.
const AT_ONCE: usize = 4;

/// The accounts of the wallet, with what the chain knows of each.
pub(super) async fn accounts(chain: &Chain, wallet: &Wallet) -> Answer<AccountList> {
    let entries = wallet.state().borrow().entries.clone();
    let asked = stream::iter(entries).map(|(entry, key): (hearth_wallet::Entry, KeyState)| async move {
        Ok::<_, ApiError>(AccountOnChain {
            on_chain: of(chain, &entry.address).await?,
            account: account(&entry, key),
        })
    });
    let found: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    Ok(AccountList {
        accounts: found.into_iter().collect::<Answer<_>>()?,
    })
}

/// Looks along the usual paths. Shows what the chain knows, what is here already, and the first path all the same.
pub(super) async fn discover(chain: &Chain, wallet: &Wallet, order: Discover) -> Answer<FoundAccounts> {
    let asked = wallet.clone();
    let paths = tokio::task::spawn_blocking(move || match order {
        Discover::Words { words, passphrase } => {
            let (words, passphrase) = (
                Zeroizing::new(words),
                Zeroizing::new(passphrase.unwrap_or_default()),
            );
            Ok(candidates(&Words::parse(&words)?, &passphrase))
        }
        Discover::Here { like, password } => asked.candidates(like.map(EntryId), &Zeroizing::new(password)),
    });
    let paths = paths.await.map_err(|error| ApiError::internal(&error))?;
    let paths = paths.map_err(|error: Error| ApiError::from(error))?;
    let looked_at = u32::try_from(paths.len()).unwrap_or(u32::MAX);
    let asked = stream::iter(paths.into_iter().enumerate()).map(|(at, (path, address))| async move {
        let on_chain = of(chain, &address).await?;
        let label = wallet.find(address.as_str()).ok().map(|entry| entry.label);
        let is_shown = at == 0 || label.is_some() || !is_unknown(&on_chain);
        Ok::<_, ApiError>(is_shown.then(|| FoundAccount {
            path: path.to_string(),
            address: address.to_string(),
            label,
            on_chain,
        }))
    });
    let found: Vec<_> = asked.buffered(AT_ONCE).collect().await;
    let found = found.into_iter().collect::<Answer<Vec<_>>>()?;
    Ok(FoundAccounts {
        accounts: found.into_iter().flatten().collect(),
        looked_at,
    })
}

/// What the chain knows of one address.
pub(super) async fn of(chain: &Chain, address: &Address) -> Answer<OnChain> {
    let (spendable, supplier, gateway, application) = try_join!(
        chain.balance(address),
        chain.supplier(address),
        chain.gateway(address),
        chain.application(address),
    )
    .map_err(chain_error)?;
    Ok(OnChain {
        spendable: Upokt(spendable.into_value()),
        supplier: supplier.into_value().map(|record| OnChainSupplier {
            stake: upokt(record.stake.as_ref()),
            services: record
                .services
                .iter()
                .map(|config| config.service_id.clone())
                .collect(),
            owner: record.owner_address,
        }),
        gateway: gateway.into_value().map(|record| upokt(record.stake.as_ref())),
        application: application
            .into_value()
            .map(|record| upokt(record.stake.as_ref())),
    })
}

fn is_unknown(on_chain: &OnChain) -> bool {
    on_chain.spendable.0.is_zero()
        && on_chain.supplier.is_none()
        && on_chain.gateway.is_none()
        && on_chain.application.is_none()
}

fn upokt(coin: Option<&Coin>) -> Upokt {
    let amount = coin.and_then(|coin| coin.amount.parse().ok());
    Upokt(amount.unwrap_or(Amount::ZERO))
}
