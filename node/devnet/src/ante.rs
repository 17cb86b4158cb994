//! What happens before a transaction's messages: limits, fee, keys, signatures, sequences. CheckTx runs this alone.

use std::fmt::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hearth_pocket::{
    Address, PublicKey,
    message::{
        Coin, Timestamp, TypeUrl,
        cosmos::{AuthInfo, PubKey, SignDoc, TxBody, TxRaw, UPOKT},
    },
};
use prost::Message;
use time::OffsetDateTime;

use crate::{
    address::{self, Account},
    ctx::Ctx,
    error::TxError,
    events::Event,
    keys,
    modules::{auth, bank, migration},
    msg::Msg,
    state::StoreName::Acc,
};

/// How far ahead the timeout of an unordered transaction may lie.
const MAX_UNORDERED_NS: u64 = 600 * 1_000_000_000;
/// What the ante steps cost, besides a unit per byte. A plain model: the real meter counts every access.
const ANTE_GAS: u64 = 43_700;
/// Upokt per million units of gas that a node asks for.
pub(crate) const UPOKT_PER_MILLION_GAS: u64 = 1;

/// A decoded transaction.
pub(crate) struct Tx {
    raw: TxRaw,
    pub(crate) body: TxBody,
    auth: AuthInfo,
    pub(crate) msgs: Vec<Msg>,
    size: usize,
}

/// In which of its three lives a transaction is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Before it enters the mempool: the only time at which the fee's height matters.
    Check {
        upokt_per_million_gas: u64,
    },
    Deliver,
    /// Without a signature, to learn the gas.
    Simulate,
}

impl Tx {
    /// Reads a transaction.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Tx, TxError> {
        let parse = |why: String| TxError::sdk(2, format!("{why}: tx parse error"));
        let part = |error: prost::DecodeError| parse(format!("{error}: tx parse error"));
        let raw = TxRaw::decode(bytes)
            .map_err(|_| parse("invalid length; proto: invalid field number: tx parse error".to_owned()))?;
        if raw.body_bytes.is_empty() || raw.auth_info_bytes.is_empty() {
            return Err(parse(
                "invalid length; proto: invalid field number: tx parse error".to_owned(),
            ));
        }
        let body = TxBody::decode(raw.body_bytes.as_slice()).map_err(part)?;
        let auth = AuthInfo::decode(raw.auth_info_bytes.as_slice()).map_err(part)?;
        let msgs = body
            .messages
            .iter()
            .map(Msg::decode)
            .collect::<Result<Vec<Msg>, TxError>>()?;
        if msgs.is_empty() {
            return Err(TxError::sdk(
                18,
                "must contain at least one message: invalid request",
            ));
        }
        Ok(Tx {
            raw,
            body,
            auth,
            msgs,
            size: bytes.len(),
        })
    }

    pub(crate) fn gas_limit(&self) -> u64 {
        self.auth.fee.as_ref().map_or(0, |fee| fee.gas_limit)
    }

    /// The accounts that must sign, each once, in the order of the messages.
    fn signers(&self) -> Result<Vec<Account>, TxError> {
        let mut signers = Vec::new();
        for msg in &self.msgs {
            let account = address::parse(msg.signer())
                .map_err(|why| TxError::sdk(7, format!("{why}: invalid address")))?;
            if !signers.contains(&account) {
                signers.push(account);
            }
        }
        Ok(signers)
    }

    /// Gas of the ante steps.
    pub(crate) fn ante_gas(&self) -> u64 {
        ANTE_GAS + self.size as u64
    }

    /// Gas of everything.
    pub(crate) fn gas(&self) -> u64 {
        self.ante_gas() + self.msgs.iter().map(Msg::gas).sum::<u64>()
    }
}

/// Runs the ante steps. What they change stays even when a message fails afterwards.
pub(crate) fn run(ctx: &mut Ctx, tx: &Tx, mode: Mode) -> Result<(), TxError> {
    for msg in &tx.msgs {
        msg.validate_basic()?;
    }
    check_timeouts(ctx, tx)?;
    let params = auth::params(&ctx.state);
    let memo = tx.body.memo.chars().count() as u64;
    if memo > params.max_memo_characters {
        let limit = params.max_memo_characters;
        let text =
            format!("maximum number of characters is {limit} but received {memo} characters: memo too large");
        return Err(TxError::sdk(12, text));
    }
    check_gas(tx, mode)?;
    let signers = tx.signers()?;
    deduct_fee(ctx, tx, &signers, mode)?;
    set_public_keys(ctx, tx, &signers, mode)?;
    verify_signatures(ctx, tx, &signers, mode)?;
    if !tx.body.unordered {
        for signer in &signers {
            if let Some(mut account) = auth::base(&ctx.state, signer) {
                account.sequence += 1;
                auth::put(&mut ctx.state, signer, &account);
            }
        }
    }
    Ok(())
}

fn check_gas(tx: &Tx, mode: Mode) -> Result<(), TxError> {
    let (limit, used) = (tx.gas_limit(), tx.ante_gas());
    if mode == Mode::Simulate || used <= limit {
        return Ok(());
    }
    Err(out_of_gas(limit, used))
}

pub(crate) fn out_of_gas(limit: u64, used: u64) -> TxError {
    let text =
        format!("out of gas in location: ReadPerByte; gasWanted: {limit}, gasUsed: {used}: out of gas");
    TxError::sdk(11, text)
}

fn check_timeouts(ctx: &Ctx, tx: &Tx) -> Result<(), TxError> {
    let timeout = tx.body.timeout_height;
    if timeout != 0 && ctx.height > timeout {
        let text = format!(
            "block height: {}, timeout height: {timeout}: tx timeout height",
            ctx.height
        );
        return Err(TxError::sdk(30, text));
    }
    if let Some(moment) = tx.body.timeout_timestamp
        && let Some(timeout_ns) = nanoseconds(&moment)
        && ctx.time_ns > timeout_ns
    {
        let text = format!(
            "block time: {}, timeout timestamp: {}: tx timeout",
            go_time(ctx.time_ns),
            go_time(timeout_ns)
        );
        return Err(TxError::sdk(42, text));
    }
    Ok(())
}

/// Nanoseconds since the epoch; nothing for a moment that is not set or lies before it.
fn nanoseconds(moment: &Timestamp) -> Option<u64> {
    let seconds = u64::try_from(moment.seconds)
        .ok()
        .filter(|seconds| *seconds > 0)?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(u64::try_from(moment.nanos).ok()?)
}

/// A moment as Go prints it: `2026-11-21 08:59:42.296064595 +0000 UTC`.
fn go_time(ns: u64) -> String {
    let moment =
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(ns)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, (hour, minute, second, nanos)) = (moment.date(), moment.to_hms_nano());
    let mut text = format!("{date} {hour:02}:{minute:02}:{second:02}");
    if nanos > 0 {
        let digits = format!("{nanos:09}");
        let _ = write!(text, ".{}", digits.trim_end_matches('0'));
    }
    text.push_str(" +0000 UTC");
    text
}

fn deduct_fee(ctx: &mut Ctx, tx: &Tx, signers: &[Account], mode: Mode) -> Result<(), TxError> {
    let mut fee = tx.auth.fee.clone().unwrap_or_default();
    let is_free = tx.msgs.iter().all(Msg::is_morse_claim)
        && tx.auth.signer_infos.len() == 1
        && migration::are_free(&ctx.state);
    if is_free {
        fee.amount.clear();
    }
    let text = fee
        .amount
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",");
    if let Mode::Check {
        upokt_per_million_gas,
    } = mode
        && !is_free
    {
        let required = u128::from(fee.gas_limit)
            .saturating_mul(u128::from(upokt_per_million_gas))
            .div_ceil(1_000_000);
        let given = fee
            .amount
            .iter()
            .filter_map(Coin::to_amount)
            .map(hearth_base::Amount::upokt)
            .max()
            .unwrap_or(0);
        if given < required {
            let text =
                format!("insufficient fees; got: {text} required: {required}{UPOKT}: insufficient fee");
            return Err(TxError::sdk(13, text));
        }
    }
    let payer = match (fee.payer.as_str(), signers.first()) {
        ("", Some(first)) => *first,
        (payer, _) => {
            address::parse(payer).map_err(|why| TxError::sdk(7, format!("{why}: invalid address")))?
        }
    };
    if !auth::exists(&ctx.state, &payer) {
        let text = format!(
            "fee payer address: {} does not exist: unknown address",
            go_text(&payer)
        );
        return Err(TxError::sdk(9, text));
    }
    let collector = address::module("fee_collector");
    for coin in &fee.amount {
        let Ok(amount) = coin.amount.parse::<u128>() else {
            return Err(TxError::sdk(
                13,
                format!("invalid fee amount: {text}: insufficient fee"),
            ));
        };
        bank::send_coin(ctx, &payer, &collector, amount, &coin.denom).map_err(|error| TxError {
            log: format!("{}: insufficient funds", error.log),
            ..error
        })?;
    }
    ctx.emit(Event::new(
        "tx",
        [("fee", text), ("fee_payer", address::text(&payer))],
    ));
    Ok(())
}

/// Bytes as Go's JSON shows them as text: every byte that is no UTF-8 becomes a replacement character.
fn go_text(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(valid) => {
                text.push_str(valid);
                return text;
            }
            Err(error) => {
                let (valid, bad) = rest.split_at(error.valid_up_to());
                text.push_str(&String::from_utf8_lossy(valid));
                text.push('\u{fffd}');
                rest = bad.get(1..).unwrap_or_default();
            }
        }
    }
}

fn set_public_keys(ctx: &mut Ctx, tx: &Tx, signers: &[Account], mode: Mode) -> Result<(), TxError> {
    for (index, (signer, info)) in signers.iter().zip(&tx.auth.signer_infos).enumerate() {
        let Some(given) = &info.public_key else { continue };
        let key = PubKey::decode(given.value.as_slice())
            .ok()
            .filter(|_| given.type_url == PubKey::TYPE_URL);
        let key = key.and_then(|key| <[u8; 33]>::try_from(key.key).ok());
        let matches = key.is_some_and(|key| Address::from_public_key(&key).to_bytes() == *signer);
        if !matches && mode != Mode::Simulate {
            let text = format!(
                "pubKey does not match signer address {} with signer index: {index}: invalid pubkey",
                address::text(signer)
            );
            return Err(TxError::sdk(8, text));
        }
        let Some(mut account) = auth::base(&ctx.state, signer) else {
            return Err(unknown_account(signer));
        };
        if account.pub_key.is_none() {
            account.pub_key = Some(given.clone());
            auth::put(&mut ctx.state, signer, &account);
        }
    }
    if !tx.body.unordered {
        for (signer, info) in signers.iter().zip(&tx.auth.signer_infos) {
            let text = format!("{}/{}", address::text(signer), info.sequence);
            ctx.emit(Event::new("tx", [("acc_seq", text)]));
        }
    }
    for signature in &tx.raw.signatures {
        ctx.emit(Event::new("tx", [("signature", STANDARD.encode(signature))]));
    }
    Ok(())
}

fn unknown_account(signer: &Account) -> TxError {
    TxError::sdk(
        9,
        format!(
            "account {} does not exist: unknown address",
            address::text(signer)
        ),
    )
}

fn verify_signatures(ctx: &mut Ctx, tx: &Tx, signers: &[Account], mode: Mode) -> Result<(), TxError> {
    let signatures = &tx.raw.signatures;
    if signatures.len() != signers.len() || tx.auth.signer_infos.len() != signers.len() {
        let (wanted, got) = (signers.len(), signatures.len());
        let text = format!("invalid number of signer;  expected: {wanted}, got {got}: unauthorized");
        return Err(TxError::sdk(4, text));
    }
    if tx.body.unordered {
        note_unordered(ctx, tx, signers, mode)?;
    }
    for ((signer, info), signature) in signers.iter().zip(&tx.auth.signer_infos).zip(signatures) {
        let Some(account) = auth::base(&ctx.state, signer) else {
            return Err(unknown_account(signer));
        };
        if tx.body.unordered {
            if info.sequence != 0 {
                let text = "sequence is not allowed for unordered transactions: invalid request";
                return Err(TxError::sdk(18, text));
            }
        } else if info.sequence != account.sequence {
            let (expected, got) = (account.sequence, info.sequence);
            let text = format!(
                "account sequence mismatch, expected {expected}, got {got}: incorrect account sequence"
            );
            return Err(TxError::sdk(32, text));
        }
        if mode == Mode::Simulate {
            continue;
        }
        let Some(key) = account.pub_key.as_ref().and_then(auth::secp256k1) else {
            return Err(TxError::sdk(8, "pubkey on account is not set: invalid pubkey"));
        };
        let doc = SignDoc {
            body_bytes: tx.raw.body_bytes.clone(),
            auth_info_bytes: tx.raw.auth_info_bytes.clone(),
            chain_id: ctx.chain_id.to_string(),
            account_number: account.account_number,
        };
        let held =
            PublicKey::from_bytes(&key).is_ok_and(|key| key.verify(&doc.encode_to_vec(), signature).is_ok());
        if !held {
            let text = format!(
                "signature verification failed; please verify account number ({}) and chain-id ({}): (unable to \
                 verify single signer signature): unauthorized",
                account.account_number, ctx.chain_id
            );
            return Err(TxError::sdk(4, text));
        }
    }
    Ok(())
}

/// Checks and remembers the timeout of an unordered transaction: with the signer, it is what makes it unique.
fn note_unordered(ctx: &mut Ctx, tx: &Tx, signers: &[Account], mode: Mode) -> Result<(), TxError> {
    let refuse = |text: String| Err(TxError::sdk(18, format!("{text}: invalid request")));
    let Some(timeout_ns) = tx.body.timeout_timestamp.as_ref().and_then(nanoseconds) else {
        return refuse("unordered transaction must have timeout_timestamp set".to_owned());
    };
    if timeout_ns < ctx.time_ns {
        return refuse("unordered transaction has a timeout_timestamp that has already passed".to_owned());
    }
    if timeout_ns > ctx.time_ns.saturating_add(MAX_UNORDERED_NS) {
        return refuse("unordered tx ttl exceeds 10m0s".to_owned());
    }
    if mode == Mode::Simulate {
        return Ok(());
    }
    for signer in signers {
        let key = keys::unordered_nonce(signer, timeout_ns);
        if ctx.state.has(Acc, &key) {
            return refuse(format!(
                "failed to add unordered nonce: sender {} has already used timeout {timeout_ns}",
                address::text(signer)
            ));
        }
        ctx.state.set(Acc, &key, vec![1]);
    }
    Ok(())
}

/// Forgets timeouts that have passed. The first step of a block.
pub(crate) fn forget_old_nonces(ctx: &mut Ctx) {
    let limit = [keys::UNORDERED_NONCES, &ctx.time_ns.to_be_bytes()].concat();
    let old: Vec<Vec<u8>> = ctx
        .state
        .prefix(Acc, keys::UNORDERED_NONCES)
        .iter()
        .take_while(|leaf| leaf.key < limit.as_slice())
        .map(|leaf| leaf.key.to_vec())
        .collect();
    for key in old {
        ctx.state.remove(Acc, &key);
    }
}
