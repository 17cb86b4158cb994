//! Where the POKT is: every upokt of this wallet in one place, and what of a place is spoken for.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use hearth_base::Amount;
use hearth_outbox::{Item, Reason, State};
use hearth_pocket::{Address, message::Coin};
use hearth_roles::{Leaving, Role};
use hearth_wallet::{Accounts, Entry, Purpose};

use super::{
    chain_error,
    money::ChainMoney,
    stakes::{Stake, stakes},
    standing, weaker,
};
use crate::{
    control::types::{
        Balances, BoughtAnswer, Charge, Coming, EarnedSession, MoneyStage, OthersStake, Place, PlaceKind,
        Reserved, ReservedFor, Standing, Trust, Upokt,
    },
    error::ApiError,
    parts::{Answer, Window},
};

/// Balances that are asked for at once.
const BALANCES_AT_ONCE: usize = 8;
/// Transactions that are looked through for those on their way.
const MOST_ITEMS: u32 = 500;
/// Bought answers that are looked through for those not settled yet: a page has 500.
const MOST_PAGES: u32 = 20;

pub(super) async fn balances(money: &ChainMoney, accounts: &Accounts) -> Answer<Balances> {
    let asked = stream::iter(accounts.all.clone()).map(|entry| async move {
        let balance = money.chain.balance(&entry.address).await.map_err(chain_error)?;
        let at = standing(&money.chain, &balance);
        let mut shown = place(
            spendable_as(&entry),
            &entry.address,
            balance.into_value(),
            at,
            None,
        );
        // Whose key is elsewhere may be anybody.
        shown.owner = entry.is_watched().then(|| entry.label.clone());
        Ok::<_, ApiError>(shown)
    });
    let asked = asked.buffered(BALANCES_AT_ONCE).collect::<Vec<Answer<Place>>>();
    let (read, stakes) = futures::join!(asked, stakes(&money.chain, accounts));
    let mut places = read.into_iter().collect::<Answer<Vec<Place>>>()?;
    let stakes = stakes?;
    // What leaves now is looked for in its block: no transaction says that it came back.
    money
        .returns
        .note(&stakes.iter().filter_map(leaving).collect::<Vec<_>>())
        .await?;
    let mut others = Vec::new();
    for stake in &stakes {
        let amount = amount(stake.coin.as_ref())?;
        if let Some(owner) = &stake.foreign_owner {
            others.push(OthersStake {
                operator: stake.address.to_string(),
                owner: owner.clone(),
                amount: Upokt(amount),
                standing: stake.standing,
            });
            continue;
        }
        let kind = kind_of(stake.role);
        places.push(place(kind, &stake.address, amount, stake.standing, stake.free_at));
    }
    let own = || places.iter().filter(|place| place.owner.is_none());
    let is_spendable = |place: &&Place| {
        matches!(
            place.kind,
            PlaceKind::SpendableMain | PlaceKind::SpendableWorking | PlaceKind::Spendable
        )
    };
    let weakest = places.iter().map(|place| place.standing).reduce(weaker);
    let mut reserved = on_their_way(&money.outbox.newest(MOST_ITEMS, 0).await?.0, accounts);
    if places.iter().any(|place| place.kind == PlaceKind::Application) {
        reserved.extend(bought(money).await?);
    }
    Ok(Balances {
        total: Upokt(own().map(|place| place.amount.0).sum()),
        spendable: Upokt(own().filter(is_spendable).map(|place| place.amount.0).sum()),
        // A wallet has an account.
        standing: weakest.unwrap_or(Standing {
            trust: Trust::Unverified,
            height: 0,
            age_s: None,
        }),
        places,
        reserved,
        others,
        coming: coming(money, accounts).await?,
    })
}

/// What open claims are likely to bring to this wallet, by supplier. Those of the newest sessions: older ones are over.
async fn coming(money: &ChainMoney, accounts: &Accounts) -> Answer<Vec<Coming>> {
    let sessions = money.earn.sessions(Window::page(0)).await?.sessions;
    let is_open = |session: &&EarnedSession| {
        matches!(
            session.stage,
            MoneyStage::Pending | MoneyStage::Claimed | MoneyStage::Proven
        )
    };
    let mut coming: BTreeMap<String, Coming> = BTreeMap::new();
    let open = sessions.iter().filter(is_open);
    for session in open.filter(|session| accounts.owns(&session.owner)) {
        let of = coming.entry(session.supplier.clone()).or_insert_with(|| Coming {
            supplier: session.supplier.clone(),
            amount: Upokt::default(),
            claimed: Upokt::default(),
            sessions: 0,
        });
        let claimed = session.claimed.unwrap_or_default();
        of.amount.0 = of.amount.0.saturating_add(session.amount.0);
        of.claimed.0 = of.claimed.0.saturating_add(claimed.0);
        of.sessions += 1;
    }
    Ok(coming.into_values().collect())
}

/// The money of an account by what the account is for.
fn spendable_as(entry: &Entry) -> PlaceKind {
    if entry.purposes.contains(&Purpose::Owner) {
        PlaceKind::SpendableMain
    } else if entry.is_unattended() {
        PlaceKind::SpendableWorking
    } else {
        PlaceKind::Spendable
    }
}

fn kind_of(role: Role) -> PlaceKind {
    match role {
        Role::Supplier => PlaceKind::Supplier,
        Role::Application => PlaceKind::Application,
        Role::Gateway => PlaceKind::Gateway,
    }
}

/// An own stake that is on its way back.
fn leaving(stake: &Stake) -> Option<Leaving> {
    let free_height = stake.free_at.filter(|_| stake.foreign_owner.is_none())?;
    Some(Leaving {
        role: stake.role,
        address: stake.address.clone(),
        free_height,
        amount: stake
            .coin
            .as_ref()
            .and_then(|coin| coin.amount.parse().ok())
            .unwrap_or_default(),
        to: stake.owner.clone(),
    })
}

/// What transactions on their way may take, by key.
fn on_their_way(items: &[Item], accounts: &Accounts) -> Vec<Reserved> {
    let mut reserved = Vec::new();
    for entry in accounts.all.iter().filter(|entry| !entry.is_watched()) {
        let (place, address) = (spendable_as(entry), &entry.address);
        let open = || {
            items.iter().filter(|item| {
                item.account == *address && matches!(item.state, State::Waiting { .. } | State::Signed { .. })
            })
        };
        let moves = |item: &&Item| !matches!(item.reason, Reason::Claim | Reason::Proof);
        for (reserved_for, amount) in [
            (ReservedFor::Fees, open().map(|item| item.max_fee).sum::<Amount>()),
            (
                ReservedFor::Transactions,
                open().filter(moves).map(|item| item.amount).sum(),
            ),
        ] {
            if !amount.is_zero() {
                reserved.push(Reserved {
                    reserved_for,
                    place,
                    amount: Upokt(amount),
                });
            }
        }
    }
    reserved
}

/// What answers cost that were bought and not settled yet: the application's stake pays for them.
async fn bought(money: &ChainMoney) -> Answer<Option<Reserved>> {
    let shared = money
        .chain
        .params()
        .await
        .map_err(chain_error)?
        .into_value()
        .shared;
    let settles_after = shared.claim_window_open_offset_blocks
        + shared.claim_window_close_offset_blocks
        + shared.proof_window_open_offset_blocks
        + shared.proof_window_close_offset_blocks
        + 1;
    let head = money.chain.head().borrow().height.0;
    let is_open = |answer: &BoughtAnswer| answer.receipt.session_end.saturating_add(settles_after) > head;
    let mut amount = Amount::ZERO;
    for page in 0..MOST_PAGES {
        let answers = money
            .relay
            .receipts(Window::page(page * Window::PAGE))
            .await?
            .answers;
        let open = answers.iter().filter(|answer| is_open(answer));
        amount = open
            .clone()
            .filter(|answer| answer.receipt.charge != Charge::Unpaid)
            .filter_map(|answer| answer.cost)
            .fold(amount, |sum, cost| sum.saturating_add(cost.0));
        // The newest come first: where all of a page are settled, those after it are, too.
        if answers.len() < Window::PAGE as usize || open.count() == 0 {
            break;
        }
    }
    Ok((!amount.is_zero()).then_some(Reserved {
        reserved_for: ReservedFor::Chat,
        place: PlaceKind::Application,
        amount: Upokt(amount),
    }))
}

fn place(kind: PlaceKind, address: &Address, amount: Amount, standing: Standing, free: Option<u64>) -> Place {
    Place {
        kind,
        address: address.to_string(),
        owner: None,
        amount: Upokt(amount),
        standing,
        free_at_height: free,
    }
}

fn amount(coin: Option<&Coin>) -> Answer<Amount> {
    let Some(coin) = coin else { return Ok(Amount::ZERO) };
    let text = || {
        ApiError::conflict(
            "chain_refused",
            format!("the chain says \"{}\" where an amount belongs", coin.amount),
        )
    };
    coin.amount.parse().map_err(|_| text())
}
