//! What a transaction moved, seen from this wallet: by the bank's own events, so that balances add up.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hearth_base::Amount;
use hearth_chain::{ChainEvent, FoundTx, ProofStatus};
use hearth_pocket::{
    Address,
    message::{
        Any,
        cosmos::{MsgExec, MsgSend},
        proof::{MsgCreateClaim, MsgSubmitProof},
        session::SessionHeader,
        supplier::{MsgStakeSupplier, MsgUnstakeSupplier},
    },
    tx,
};
use hearth_wallet::Accounts;

use super::plain;
use crate::control::types::{Direction, Movement, MovementKind, Trust, Upokt, UpoktChange};

const SEND: &str = "/cosmos.bank.v1beta1.MsgSend";
const STAKE_SUPPLIER: &str = "/pocket.supplier.MsgStakeSupplier";
const STAKE_APPLICATION: &str = "/pocket.application.MsgStakeApplication";
const STAKE_GATEWAY: &str = "/pocket.gateway.MsgStakeGateway";
const CLAIM_ACCOUNT: &str = "/pocket.migration.MsgClaimMorseAccount";
const CLAIM_APPLICATION: &str = "/pocket.migration.MsgClaimMorseApplication";
const CLAIM_SUPPLIER: &str = "/pocket.migration.MsgClaimMorseSupplier";
/// What the network charges for besides the place in the block.
const CHARGED: &[&str] = &["/pocket.service.MsgAddService", "/pocket.proof.MsgSubmitProof"];

/// The messages of a transaction, and in the place of each that carries out others for somebody those.
pub(super) fn opened(messages: &[Any]) -> Vec<Any> {
    let inner = |message: &Any| match message.unpack::<MsgExec>() {
        Some(Ok(exec)) => opened(&exec.msgs),
        Some(Err(_)) | None => vec![message.clone()],
    };
    messages.iter().flat_map(inner).collect()
}

/// The types of messages, each once.
pub(super) fn names(messages: &[Any]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let urls = messages.iter().map(|message| &message.type_url);
    urls.filter(|url| seen.insert(*url)).cloned().collect()
}

/// What a transaction moved, seen from this wallet.
pub(super) struct Found {
    /// A row of each account, that of whoever paid for the transaction first.
    pub(super) rows: Vec<Movement>,
    /// All that moved is said by its messages, so that whoever proves the transaction proves the rows.
    pub(super) is_provable: bool,
}

/// What a transaction moved, seen from this wallet; `None` where it did not concern it. What `faucet` pays is play
/// money.
pub(super) fn found(found: &FoundTx, accounts: &Accounts, faucet: Option<&Address>) -> Option<Found> {
    // Anybody may call other bytes by this name.
    if tx::hash(&found.bytes) != found.hash {
        return None;
    }
    let decoded = tx::decode(&found.bytes).ok()?;
    let own = |address: &str| accounts.owns(address);
    let fee: Option<Amount> = decoded
        .auth_info
        .fee
        .as_ref()
        .and_then(|fee| fee.amount.first())
        .and_then(|coin| coin.amount.parse().ok())
        .filter(|fee: &Amount| !fee.is_zero());
    let transfers = transfers(&found.events);
    // The fee, where one is paid, is a transfer of its own, always the first.
    let has_fee = fee.is_some() && transfers.first().map(|transfer| transfer.amount) == fee;
    let besides = transfers.get(usize::from(has_fee)..).unwrap_or_default();
    // What failed moved its fee alone.
    let besides = if found.code == 0 { besides } else { &[] };
    let payer = transfers.first().map(|transfer| &transfer.from);
    let payer = payer.filter(|payer| has_fee && own(payer));
    let paid_fee = fee.filter(|_| payer.is_some()).unwrap_or_default();
    let messages = &opened(&decoded.body.messages);
    let staked = staked(messages, besides, &own);
    let moved = moved(besides.iter(), &own);
    let kind = kind_of_all(messages);
    let (direction, amount) = match &moved {
        // What comes, free or staked.
        Some(_) if kind == MovementKind::Morse => {
            let change = balance_change(besides, &own);
            (Direction::In, change.and(staked.change).size())
        }
        _ if staked.change.0 > 0 => (Direction::Out, staked.change.size()),
        _ if staked.change.0 < 0 => (Direction::In, staked.change.size()),
        Some(moved) => (moved.direction, moved.amount),
        // Where nothing else moved, the fee is all of it.
        None if payer.is_some() => (Direction::Out, paid_fee),
        None => return None,
    };
    let is_stake = staked.change.0 != 0;
    let only_fee = moved.is_none();
    let counterparty = moved
        .as_ref()
        .filter(|_| !is_stake)
        .map(|moved| moved.other.clone());
    let kind = match (kind, direction) {
        _ if found.code != 0 => MovementKind::Fee,
        (MovementKind::Morse, _) => MovementKind::Morse,
        _ if is_stake => MovementKind::Stake,
        // Its services were changed, and no stake.
        (MovementKind::Stake, _) => MovementKind::Fee,
        // What was paid for somebody else is their money.
        (MovementKind::Sent, _) if only_fee => MovementKind::Fee,
        (MovementKind::Sent, Direction::In)
            if faucet.is_some_and(|faucet| counterparty.as_deref() == Some(faucet.as_str())) =>
        {
            MovementKind::Faucet
        }
        (MovementKind::Sent, Direction::In) => MovementKind::Received,
        (kind, _) => kind,
    };
    let is_provable = found.code == 0 && says_all(messages, besides, &own);
    let trust = match found.how() {
        ProofStatus::Proven if is_provable => Trust::Proven,
        ProofStatus::Proven | ProofStatus::Unproven => Trust::Unverified,
        ProofStatus::Stale => Trust::Stale,
    };
    let (supplier, session_id, service) = about(messages);
    let account = payer.cloned().or(moved.map(|moved| moved.account))?;
    let mut changes = changes(besides, &own);
    let change = changes.remove(&account).map(|one| one.change).unwrap_or_default();
    let main = Movement {
        fee: (payer.is_some() && !only_fee).then_some(Upokt(paid_fee)),
        charge: (!staked.charge.is_zero()).then_some(Upokt(staked.charge)),
        balance_change: change.and(UpoktChange::less(paid_fee)),
        stake_change: staked.change,
        account: Some(account),
        // What is claimed is made by a module, which is nobody.
        counterparty: counterparty.filter(|_| kind != MovementKind::Morse),
        memo: Some(decoded.body.memo).filter(|memo| !memo.is_empty()),
        tx: Some(hex::encode_upper(found.hash)),
        session_id,
        supplier,
        service,
        messages: names(messages),
        ..plain(
            hex::encode(found.hash),
            kind,
            (direction, amount),
            found.height.0,
            trust,
        )
    };
    let others = changes.into_iter().filter(|(_, one)| one.change.0 != 0);
    let others = others.map(|(account, one)| {
        let direction = match one.change.0 > 0 {
            _ if own(&one.other) => Direction::Within,
            true => Direction::In,
            false => Direction::Out,
        };
        other_side(&main, &account, one.change, (&one.other, direction))
    });
    let others: Vec<Movement> = others.collect();
    Some(Found {
        rows: std::iter::once(main).chain(others).collect(),
        is_provable,
    })
}

/// The row of another account of this wallet that a transaction changed, too.
pub(super) fn other_side(
    main: &Movement,
    account: &str,
    change: UpoktChange,
    (other, direction): (&str, Direction),
) -> Movement {
    Movement {
        id: format!("{}-{account}", main.id),
        kind: match main.kind {
            MovementKind::Morse | MovementKind::Faucet => main.kind,
            _ if change.0 > 0 => MovementKind::Received,
            _ => MovementKind::Sent,
        },
        direction,
        amount: Upokt(change.size()),
        fee: None,
        charge: None,
        balance_change: change,
        stake_change: UpoktChange::default(),
        account: Some(account.to_owned()),
        counterparty: Some(other.to_owned()).filter(|_| main.kind != MovementKind::Morse),
        ..main.clone()
    }
}

/// What transfers changed of an account.
struct Changed {
    change: UpoktChange,
    /// The other side of the largest of them.
    other: String,
    largest: Amount,
}

/// What transfers change of each account of this wallet.
fn changes(transfers: &[Transfer], own: &impl Fn(&str) -> bool) -> BTreeMap<String, Changed> {
    let mut changes: BTreeMap<String, Changed> = BTreeMap::new();
    for one in transfers {
        let (less, more) = (UpoktChange::less(one.amount), UpoktChange::more(one.amount));
        for (account, other, change) in [(&one.from, &one.to, less), (&one.to, &one.from, more)] {
            if !own(account) {
                continue;
            }
            let sum = changes.entry(account.clone()).or_insert_with(|| Changed {
                change: UpoktChange::default(),
                other: other.clone(),
                largest: one.amount,
            });
            sum.change = sum.change.and(change);
            if one.amount > sum.largest {
                (sum.other, sum.largest) = (other.clone(), one.amount);
            }
        }
    }
    changes
}

/// Whether messages are payments alone, and what events say that came to this wallet and went from it is just what they
/// say.
fn says_all(messages: &[Any], besides: &[Transfer], own: &impl Fn(&str) -> bool) -> bool {
    let sends = messages.iter().map(|message| {
        let send = message.unpack::<MsgSend>()?.ok()?;
        let [coin] = send.amount.as_slice() else { return None };
        Some((send.from_address, send.to_address, coin.to_amount()?))
    });
    let Some(mut said) = sends.collect::<Option<Vec<_>>>() else {
        return false;
    };
    let moved = besides
        .iter()
        .map(|one| (one.from.clone(), one.to.clone(), one.amount));
    let mut moved: Vec<_> = moved.collect();
    for list in [&mut said, &mut moved] {
        list.retain(|(from, to, _)| own(from) || own(to));
        list.sort();
    }
    said == moved
}

/// By how much transfers change what this wallet holds.
fn balance_change(transfers: &[Transfer], own: &impl Fn(&str) -> bool) -> UpoktChange {
    transfers.iter().fold(UpoktChange::default(), |sum, transfer| {
        let sum = if own(&transfer.to) {
            sum.and(UpoktChange::more(transfer.amount))
        } else {
            sum
        };
        if own(&transfer.from) {
            sum.and(UpoktChange::less(transfer.amount))
        } else {
            sum
        }
    })
}

/// What messages did to the stakes of this wallet, and what the network charged for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Staked {
    change: UpoktChange,
    charge: Amount,
}

/// Tells stakes from charges among the transfers of a transaction, which come in the order of its messages. The chain
/// moves the change of a supplier's stake first, and then what it charges for it.
fn staked(messages: &[Any], besides: &[Transfer], own: &impl Fn(&str) -> bool) -> Staked {
    let mut rest: VecDeque<&Transfer> = besides
        .iter()
        .filter(|transfer| own(&transfer.from) || own(&transfer.to))
        .collect();
    for send in messages
        .iter()
        .filter_map(|message| message.unpack::<MsgSend>()?.ok())
    {
        let amount = send.amount.first().and_then(|coin| coin.amount.parse().ok());
        let is_it = |transfer: &&&Transfer| {
            transfer.from == send.from_address
                && transfer.to == send.to_address
                && Some(transfer.amount) == amount
        };
        if let Some(at) = rest.iter().position(|transfer| is_it(&transfer)) {
            rest.remove(at);
        }
    }
    let mut staked = Staked::default();
    let module = |transfer: &Transfer| {
        if own(&transfer.from) {
            transfer.to.clone()
        } else {
            transfer.from.clone()
        }
    };
    let signed = |transfer: &Transfer| {
        if own(&transfer.from) {
            UpoktChange::more(transfer.amount)
        } else {
            UpoktChange::less(transfer.amount)
        }
    };
    for message in messages {
        let url = message.type_url.as_str();
        if url == STAKE_SUPPLIER {
            let wanted = message.unpack::<MsgStakeSupplier>().and_then(Result::ok);
            let wanted = wanted.and_then(|stake| stake.stake?.amount.parse::<Amount>().ok());
            let Some(first) = rest.pop_front() else { continue };
            let second = rest.front().filter(|second| module(second) == module(first));
            if let Some(second) = second {
                staked.charge = staked.charge.saturating_add(second.amount);
                staked.change = staked.change.and(signed(first));
                rest.pop_front();
            } else if own(&first.to) || wanted == Some(first.amount) {
                staked.change = staked.change.and(signed(first));
            } else {
                staked.charge = staked.charge.saturating_add(first.amount);
            }
        } else if url == STAKE_APPLICATION || url == STAKE_GATEWAY {
            if let Some(first) = rest.pop_front() {
                staked.change = staked.change.and(signed(first));
            }
        } else if url == CLAIM_APPLICATION || url == CLAIM_SUPPLIER {
            // All of it comes to the account first, and what is staked goes on from there.
            let goes_on = |transfer: &&Transfer| own(&transfer.from);
            if let Some(at) = rest.iter().position(goes_on)
                && let Some(on) = rest.remove(at)
            {
                staked.change = staked.change.and(signed(on));
            }
        } else if CHARGED.contains(&url)
            && let Some(first) = rest.pop_front()
        {
            staked.charge = staked.charge.saturating_add(first.amount);
        }
    }
    staked
}

/// What went between this wallet and others, or else between own accounts.
struct Moved {
    direction: Direction,
    amount: Amount,
    /// The account of this wallet.
    account: String,
    other: String,
}

/// What transfers moved between this wallet and others, all together; else what went between own keys.
fn moved<'a>(transfers: impl Iterator<Item = &'a Transfer>, own: &impl Fn(&str) -> bool) -> Option<Moved> {
    let (mut out, mut into) = (Amount::ZERO, Amount::ZERO);
    let (mut to, mut from, mut within) = (None, None, None);
    for transfer in transfers {
        match (own(&transfer.from), own(&transfer.to)) {
            (true, true) => {
                within.get_or_insert(transfer);
            }
            (true, false) => {
                out = out.saturating_add(transfer.amount);
                to = to
                    .filter(|most: &&Transfer| most.amount >= transfer.amount)
                    .or(Some(transfer));
            }
            (false, true) => {
                into = into.saturating_add(transfer.amount);
                from = from
                    .filter(|most: &&Transfer| most.amount >= transfer.amount)
                    .or(Some(transfer));
            }
            (false, false) => {}
        }
    }
    let outward = |one: &Transfer, direction, amount| Moved {
        direction,
        amount,
        account: one.from.clone(),
        other: one.to.clone(),
    };
    let inward = |one: &Transfer, amount| Moved {
        direction: Direction::In,
        amount,
        account: one.to.clone(),
        other: one.from.clone(),
    };
    match (to, from) {
        (None, None) => within.map(|one| outward(one, Direction::Within, one.amount)),
        (Some(to), None) => Some(outward(to, Direction::Out, out)),
        (None, Some(from)) => Some(inward(from, into)),
        (Some(to), Some(from)) => Some(match out.checked_sub(into) {
            Some(rest) => outward(to, Direction::Out, rest),
            None => inward(from, into.checked_sub(out).unwrap_or_default()),
        }),
    }
}

/// What messages move together: a stake is one, also beside a payment between own keys.
pub(super) fn kind_of_all(messages: &[Any]) -> MovementKind {
    let kinds = || messages.iter().map(|message| kind_of(&message.type_url));
    kinds()
        .find(|kind| {
            matches!(
                kind,
                MovementKind::Stake | MovementKind::Unstake | MovementKind::Morse
            )
        })
        .or_else(|| kinds().next())
        .unwrap_or(MovementKind::Fee)
}

/// What a message of this type moves.
fn kind_of(url: &str) -> MovementKind {
    match url {
        SEND => MovementKind::Sent,
        STAKE_SUPPLIER | STAKE_APPLICATION | STAKE_GATEWAY => MovementKind::Stake,
        "/pocket.supplier.MsgUnstakeSupplier"
        | "/pocket.application.MsgUnstakeApplication"
        | "/pocket.gateway.MsgUnstakeGateway" => MovementKind::Unstake,
        CLAIM_ACCOUNT | CLAIM_APPLICATION | CLAIM_SUPPLIER => MovementKind::Morse,
        _ => MovementKind::Fee,
    }
}

/// The supplier, session and service that messages are about, where all are about the same.
pub(super) fn about(messages: &[Any]) -> (Option<String>, Option<String>, Option<String>) {
    let of = |operator: String, header: Option<SessionHeader>| {
        let header = header.unwrap_or_default();
        [operator, header.session_id, header.service_id]
    };
    let named = messages.iter().filter_map(|message| {
        if let Some(Ok(stake)) = message.unpack::<MsgStakeSupplier>() {
            return Some(of(stake.operator_address, None));
        }
        if let Some(Ok(unstake)) = message.unpack::<MsgUnstakeSupplier>() {
            return Some(of(unstake.operator_address, None));
        }
        if let Some(Ok(claim)) = message.unpack::<MsgCreateClaim>() {
            return Some(of(claim.supplier_operator_address, claim.session_header));
        }
        let proof = message.unpack::<MsgSubmitProof>()?.ok()?;
        Some(of(proof.supplier_operator_address, proof.session_header))
    });
    let same = named.reduce(|one, other| {
        let mut same = one;
        for (one, other) in same.iter_mut().zip(other) {
            if *one != other {
                one.clear();
            }
        }
        same
    });
    let [supplier, session, service] = same.unwrap_or_default();
    let known = |text: String| (!text.is_empty()).then_some(text);
    (known(supplier), known(session), known(service))
}

#[derive(Clone, Debug)]
struct Transfer {
    from: String,
    to: String,
    amount: Amount,
}

/// The bank's `transfer` events, in order.
fn transfers(events: &[ChainEvent]) -> Vec<Transfer> {
    events
        .iter()
        .filter_map(|event| {
            let ChainEvent::Other(raw) = event else {
                return None;
            };
            let value = |key: &str| {
                raw.attributes
                    .iter()
                    .find(|found| found.key == key)
                    .map(|found| found.value.clone())
            };
            (raw.kind == "transfer").then_some(())?;
            Some(Transfer {
                from: value("sender")?,
                to: value("recipient")?,
                amount: value("amount")?.parse().ok()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use hearth_pocket::message::{Coin, TypeUrl as _, application::MsgStakeApplication};

    use super::*;

    fn transfer(from: &str, to: &str, amount: u128) -> Transfer {
        Transfer {
            from: from.to_owned(),
            to: to.to_owned(),
            amount: Amount::from_upokt(amount),
        }
    }

    fn supplier(stake: Option<u128>) -> Any {
        MsgStakeSupplier {
            signer: "own".to_owned(),
            operator_address: "op".to_owned(),
            stake: stake.map(|stake| Coin::upokt(Amount::from_upokt(stake))),
            ..MsgStakeSupplier::default()
        }
        .to_any()
    }

    fn of(messages: &[Any], besides: &[Transfer]) -> (i128, u128) {
        let staked = staked(messages, besides, &|who: &str| who.starts_with("own"));
        (staked.change.0, staked.charge.upokt())
    }

    #[test]
    fn a_stake_is_told_from_what_the_network_charges_for_it() {
        let (out, charge) = (transfer("own", "module", 60), transfer("own", "module", 1));
        assert_eq!(of(&[supplier(Some(60))], &[out.clone(), charge.clone()]), (60, 1));
        // Where the network charges nothing, and where only services change.
        assert_eq!(of(&[supplier(Some(60))], std::slice::from_ref(&out)), (60, 0));
        assert_eq!(of(&[supplier(Some(60))], std::slice::from_ref(&charge)), (0, 1));
        assert_eq!(of(&[supplier(None)], std::slice::from_ref(&charge)), (0, 1));
        // A stake that is made smaller comes back at once.
        let back = transfer("module", "own", 20);
        assert_eq!(of(&[supplier(Some(40))], &[back, charge.clone()]), (-20, 1));
        // The operator is given something in the same transaction.
        let send = MsgSend {
            from_address: "own".to_owned(),
            to_address: "own2".to_owned(),
            amount: vec![Coin::upokt(Amount::from_upokt(9))],
        };
        let given = transfer("own", "own2", 9);
        assert_eq!(
            of(&[send.to_any(), supplier(Some(60))], &[given, out, charge]),
            (60, 1)
        );
        let application = MsgStakeApplication::default().to_any();
        assert_eq!(of(&[application], &[transfer("own", "apps", 5)]), (5, 0));
    }

    #[test]
    fn balances_change_by_what_crosses_the_wallets_border() {
        let own = |who: &str| who.starts_with("own");
        let transfers = [
            transfer("own", "own2", 5),
            transfer("own", "other", 3),
            transfer("other", "own2", 1),
        ];
        assert_eq!(balance_change(&transfers, &own).0, -2);
        let moved = moved(transfers.iter(), &own).unwrap();
        assert_eq!((moved.direction, moved.amount.upokt()), (Direction::Out, 2));
        assert_eq!((moved.account.as_str(), moved.other.as_str()), ("own", "other"));
    }
}
