//! What a transaction moved, seen from this wallet: by the bank's own events, so that balances add up.

use std::collections::{BTreeMap, VecDeque};

use hearth_base::Amount;
use hearth_chain::{FoundTx, ProofStatus};
use hearth_pocket::{
    Address,
    message::{Any, cosmos::MsgSend, supplier::MsgStakeSupplier},
    tx,
};
use hearth_wallet::Accounts;

use super::{
    messages::{
        CLAIM_APPLICATION, CLAIM_SUPPLIER, STAKE_APPLICATION, STAKE_GATEWAY, STAKE_SUPPLIER, about,
        kind_of_all, names, opened,
    },
    plain,
    transfers::{Changed, Transfer, balance_change, changes, says_all, transfers},
};
use crate::control::types::{Direction, Movement, MovementKind, Trust, Upokt, UpoktChange};

/// What the network charges for besides the place in the block.
const CHARGED: &[&str] = &["/pocket.service.MsgAddService", "/pocket.proof.MsgSubmitProof"];

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
    told(found, &transfers(&found.events), accounts, faucet)
}

/// The same, by the transfers that its events tell of.
fn told(
    found: &FoundTx,
    transfers: &[Transfer],
    accounts: &Accounts,
    faucet: Option<&Address>,
) -> Option<Found> {
    let decoded = tx::decode(&found.bytes).ok()?;
    let own = |address: &str| accounts.owns(address);
    let fee = fee_of(&decoded);
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
    let is_gift = faucet.is_some_and(|faucet| counterparty.as_deref() == Some(faucet.as_str()));
    let kind = kind_of(kind, direction, is_stake, is_gift);
    // What was paid for somebody else is their money.
    let is_fee = found.code != 0 || (kind == MovementKind::Sent && only_fee);
    let kind = if is_fee { MovementKind::Fee } else { kind };
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
        messages: if found.code == 0 {
            names(messages)
        } else {
            Vec::new()
        },
        ..plain(
            hex::encode(found.hash),
            kind,
            (direction, amount),
            found.height.0,
            trust,
        )
    };
    let others = others(&main, changes, &own);
    Some(Found {
        rows: std::iter::once(main).chain(others).collect(),
        is_provable,
    })
}

/// What is offered for the place in a block.
fn fee_of(decoded: &tx::DecodedTx) -> Option<Amount> {
    let fee = decoded.auth_info.fee.as_ref()?;
    let fee: Amount = fee.amount.first()?.amount.parse().ok()?;
    (!fee.is_zero()).then_some(fee)
}

/// The rows of the other accounts of this wallet.
fn others(main: &Movement, changes: BTreeMap<String, Changed>, own: &impl Fn(&str) -> bool) -> Vec<Movement> {
    let others = changes.into_iter().filter(|(_, one)| one.change.0 != 0);
    let others = others.map(|(account, one)| {
        let direction = match one.change.0 > 0 {
            _ if own(&one.other) => Direction::Within,
            true => Direction::In,
            false => Direction::Out,
        };
        other_side(main, &account, one.change, (&one.other, direction))
    });
    others.collect()
}

/// What a transaction is called that did what it should, by what its messages are for and which way money went.
fn kind_of(kind: MovementKind, direction: Direction, is_stake: bool, is_gift: bool) -> MovementKind {
    match (kind, direction) {
        (MovementKind::Morse, _) => MovementKind::Morse,
        _ if is_stake => MovementKind::Stake,
        // Its services were changed, and no stake.
        (MovementKind::Stake, _) => MovementKind::Fee,
        (MovementKind::Sent, Direction::In) if is_gift => MovementKind::Faucet,
        (MovementKind::Sent, Direction::In) => MovementKind::Received,
        (kind, _) => kind,
    }
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
        kind: if matches!(main.kind, MovementKind::Morse | MovementKind::Faucet) {
            main.kind
        } else if change.0 > 0 {
            MovementKind::Received
        } else {
            MovementKind::Sent
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

#[cfg(test)]
mod tests {
    use hearth_pocket::message::{Coin, TypeUrl as _, application::MsgStakeApplication, cosmos::MsgExec};

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

    const MAIN: &str = "pokt188myadvavpprxdfpg9p4ft3crv8plj65fr9lh7";
    const WORKING: &str = "pokt1rxtrzmca0j9mu45j75n35kcxg64ga92sh33su4";
    const OTHER: &str = "pokt1u70plrge24ctj97rkeh8twemk33zp97gr2qqeq";
    const MODULE: &str = "pokt17xpfvakm2amg962yls6f84z3kell8c5l6shfv3";

    fn accounts() -> Accounts {
        let entry = |id, address: &str| hearth_wallet::Entry {
            id: hearth_wallet::EntryId(id),
            label: address.to_owned(),
            origin: hearth_wallet::Origin::Raw,
            address: address.parse().unwrap(),
            public_key: None,
            purposes: [].into(),
        };
        Accounts {
            all: vec![entry(1, MAIN), entry(2, WORKING)],
            ..Accounts::default()
        }
    }

    /// A transaction with a fee of 1 and these messages, as a search finds it.
    fn tx_of(messages: Vec<Any>) -> FoundTx {
        let plan = tx::Plan {
            fee: vec![Coin::upokt(Amount::from_upokt(1))],
            ..tx::Plan::ordered(messages, 0)
        };
        let bytes = plan.unsigned(&[2; 33]);
        FoundTx {
            hash: tx::hash(&bytes),
            height: hearth_base::Height(7),
            index: 0,
            code: 0,
            codespace: String::new(),
            log: String::new(),
            gas_used: 0,
            events: Vec::new(),
            bytes,
            is_placed: false,
            outcome: None,
        }
    }

    fn send(from: &str, to: &str, amount: u128) -> Any {
        MsgSend {
            from_address: from.to_owned(),
            to_address: to.to_owned(),
            amount: vec![Coin::upokt(Amount::from_upokt(amount))],
        }
        .to_any()
    }

    fn rows(tx: &FoundTx, transfers: &[Transfer]) -> Found {
        told(tx, transfers, &accounts(), None).unwrap()
    }

    #[test]
    fn what_goes_between_own_accounts_is_a_row_of_each_and_rows_by_account_add_up() {
        let tx = tx_of(vec![send(MAIN, OTHER, 3), send(MAIN, WORKING, 5)]);
        let fee = transfer(MAIN, MODULE, 1);
        let found = rows(&tx, &[fee, transfer(MAIN, OTHER, 3), transfer(MAIN, WORKING, 5)]);
        let told: Vec<_> = found
            .rows
            .iter()
            .map(|row| {
                (
                    row.account.as_deref().unwrap(),
                    row.kind,
                    row.direction,
                    row.balance_change.0,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (MAIN, MovementKind::Sent, Direction::Out, -9),
                (WORKING, MovementKind::Received, Direction::Within, 5)
            ]
        );
        let [main, working] = found.rows.as_slice() else {
            panic!()
        };
        assert_eq!(main.id, hex::encode(tx.hash));
        assert_eq!(working.id, format!("{}-{WORKING}", main.id));
        assert_eq!(
            (working.amount.0.upokt(), working.counterparty.as_deref()),
            (5, Some(MAIN))
        );
        assert_eq!(
            (main.fee, working.fee),
            (Some(Upokt(Amount::from_upokt(1))), None)
        );
    }

    #[test]
    fn what_is_carried_out_for_somebody_is_named_by_its_own_messages() {
        let exec = |messages: Vec<Any>| {
            let exec = MsgExec {
                grantee: WORKING.to_owned(),
                msgs: messages,
            };
            tx_of(vec![exec.to_any()])
        };
        let fee = transfer(WORKING, MODULE, 1);
        // The working key pays from the main one.
        let found = rows(
            &exec(vec![send(MAIN, OTHER, 3)]),
            &[fee.clone(), transfer(MAIN, OTHER, 3)],
        );
        assert_eq!(found.rows[0].kind, MovementKind::Sent);
        assert_eq!(found.rows[0].messages, ["/cosmos.bank.v1beta1.MsgSend"]);
        let changes = found
            .rows
            .iter()
            .map(|row| (row.account.as_deref().unwrap(), row.balance_change.0));
        assert_eq!(changes.collect::<Vec<_>>(), [(WORKING, -1), (MAIN, -3)]);
        // One that carries out another one's.
        let inner = MsgExec {
            grantee: WORKING.to_owned(),
            msgs: vec![MsgStakeApplication::default().to_any()],
        };
        let found = rows(
            &exec(vec![inner.to_any()]),
            &[fee.clone(), transfer(MAIN, MODULE, 8)],
        );
        assert_eq!(
            (found.rows[0].kind, found.rows[0].stake_change.0),
            (MovementKind::Stake, 8)
        );
        // What only passes through somebody else's hands costs a fee, and is no payment of ours.
        let found = rows(
            &exec(vec![send(OTHER, MODULE, 3)]),
            &[fee, transfer(OTHER, MODULE, 3)],
        );
        assert_eq!(
            (found.rows[0].kind, found.rows[0].amount.0.upokt()),
            (MovementKind::Fee, 1)
        );
    }

    #[test]
    fn a_payment_is_proven_with_its_transaction_where_events_and_messages_say_the_same() {
        let fee = transfer(MAIN, MODULE, 1);
        let mut tx = tx_of(vec![send(MAIN, OTHER, 3)]);
        let is_provable = |tx: &FoundTx, transfers: &[Transfer]| rows(tx, transfers).is_provable;
        assert!(is_provable(&tx, &[fee.clone(), transfer(MAIN, OTHER, 3)]));
        for lie in [
            transfer(MAIN, OTHER, 4),
            transfer(MAIN, MODULE, 3),
            transfer(OTHER, MAIN, 3),
        ] {
            assert!(!is_provable(&tx, &[fee.clone(), lie]));
        }
        // What failed moved nothing, and how much of a stake moved no message says.
        tx.code = 5;
        assert!(!is_provable(&tx, std::slice::from_ref(&fee)));
        let stake = tx_of(vec![MsgStakeApplication::default().to_any()]);
        assert!(!is_provable(&stake, &[fee, transfer(MAIN, MODULE, 3)]));
        // Other bytes under the name of a transaction are none of it.
        let mut other = tx_of(vec![send(MAIN, OTHER, 3)]);
        other.hash = [1; 32];
        assert!(found(&other, &accounts(), None).is_none());
    }
}
