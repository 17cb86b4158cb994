//! Addresses as the chain reads them, with the texts of its refusals.

use sha2::{Digest, Sha256};

/// The 20 bytes of an account.
pub(crate) type Account = [u8; 20];

const PREFIX: &str = "pokt";
const CHARSET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
/// BIP 173 without its limit of 90 characters, as the SDK uses it.
const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];

/// Reads an address; the error is the chain's text.
pub(crate) fn parse(text: &str) -> Result<Account, String> {
    if text.trim().is_empty() {
        return Err("empty address string is not allowed".to_owned());
    }
    let (prefix, data) = decode(text).map_err(|why| format!("decoding bech32 failed: {why}"))?;
    if prefix != PREFIX {
        return Err(format!("invalid Bech32 prefix; expected {PREFIX}, got {prefix}"));
    }
    let bytes = regroup(&data, 5, 8, false)
        .ok_or_else(|| "decoding bech32 failed: invalid incomplete group".to_owned())?;
    let length = bytes.len();
    bytes
        .try_into()
        .map_err(|_| format!("address length must be 20 or 32 bytes, got {length}: unknown address"))
}

/// Whether a text is an account's address.
pub(crate) fn is_valid(text: &str) -> bool {
    parse(text).is_ok()
}

/// The text of an account.
pub(crate) fn text(account: &Account) -> String {
    let mut data = regroup(account, 8, 5, true).unwrap_or_default();
    data.extend(checksum(PREFIX, &data));
    let tail: String = data.iter().map(|value| charset(*value)).collect();
    format!("{PREFIX}1{tail}")
}

/// The account that a module keeps its money in.
pub(crate) fn module(name: &str) -> Account {
    let digest: [u8; 32] = Sha256::digest(name).into();
    let mut account = [0; 20];
    account.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    account
}

fn charset(value: u8) -> char {
    char::from(CHARSET.get(usize::from(value)).copied().unwrap_or(b'q'))
}

fn decode(text: &str) -> Result<(String, Vec<u8>), String> {
    if text.len() < 8 {
        return Err(format!("invalid bech32 string length {}", text.len()));
    }
    if let Some(odd) = text.chars().find(|char| !('\u{21}'..='\u{7e}').contains(char)) {
        return Err(format!("invalid character in string: '{odd}'"));
    }
    let lower = text.to_lowercase();
    if text != lower && text != text.to_uppercase() {
        return Err("string not all lowercase or all uppercase".to_owned());
    }
    let separator = lower.rfind('1').filter(|at| *at > 0 && at + 7 <= lower.len());
    let Some(separator) = separator else {
        return Err(format!(
            "invalid separator index {}",
            lower.rfind('1').map_or(-1, |at| at as i64)
        ));
    };
    let (prefix, tail) = lower.split_at(separator);
    let mut data = Vec::with_capacity(tail.len());
    for char in tail.bytes().skip(1) {
        match CHARSET.iter().position(|known| *known == char) {
            Some(value) => data.push(value as u8),
            None => {
                return Err(format!(
                    "failed converting data to bytes: invalid character not part of charset: {char}"
                ));
            }
        }
    }
    let (values, given) = data.split_at(data.len() - 6);
    let expected = checksum(prefix, values);
    if given != expected {
        let show = |sum: &[u8]| sum.iter().map(|value| charset(*value)).collect::<String>();
        return Err(format!(
            "invalid checksum (expected {} got {})",
            show(&expected),
            show(given)
        ));
    }
    Ok((prefix.to_owned(), values.to_vec()))
}

fn checksum(prefix: &str, data: &[u8]) -> [u8; 6] {
    let high = prefix.bytes().map(|byte| byte >> 5);
    let low = prefix.bytes().map(|byte| byte & 31);
    let sum = high
        .chain([0])
        .chain(low)
        .chain(data.iter().copied())
        .chain([0; 6])
        .fold(1_u32, |sum, value| {
            let top = sum >> 25;
            let mixed = (sum & 0x01ff_ffff) << 5 ^ u32::from(value);
            GENERATOR
                .iter()
                .enumerate()
                .filter(|(bit, _)| top >> bit & 1 == 1)
                .fold(mixed, |mixed, (_, term)| mixed ^ term)
        })
        ^ 1;
    std::array::from_fn(|at| (sum >> (5 * (5 - at)) & 31) as u8)
}

fn regroup(data: &[u8], from: u32, to: u32, pad: bool) -> Option<Vec<u8>> {
    let (mut pool, mut bits, mut out) = (0_u32, 0, Vec::new());
    let mask = (1 << to) - 1;
    for value in data {
        pool = (pool << from | u32::from(*value)) & 0xfff;
        bits += from;
        while bits >= to {
            bits -= to;
            out.push((pool >> bits & mask) as u8);
        }
    }
    if pad && bits > 0 {
        out.push((pool << (to - bits) & mask) as u8);
    } else if !pad && (bits >= from || pool << (to - bits) & mask != 0) {
        return None;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn module_accounts_are_the_known_ones() {
        for (name, expected) in [
            ("application", "pokt1rl3gjgzexmplmds3tq3r3yk84zlwdl6djzgsvm"),
            ("supplier", "pokt1j40dzzmn6cn9kxku7a5tjnud6hv37vesr5ccaa"),
            ("gov", "pokt10d07y265gmmuvt4z0w9aw880jnsr700j8yv32t"),
            ("fee_collector", "pokt17xpfvakm2amg962yls6f84z3kell8c5ldlu5h9"),
        ] {
            assert_eq!(text(&module(name)), expected);
            assert_eq!(parse(expected), Ok(module(name)));
        }
    }

    #[test]
    fn a_bad_checksum_is_told_as_the_chain_tells_it() {
        assert_eq!(
            parse("pokt1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq").unwrap_err(),
            "decoding bech32 failed: invalid checksum (expected w9ltm9 got qqqqqq)"
        );
    }
}
