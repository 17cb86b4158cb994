//! A power over an account, as a note tells of it.

use std::fmt;

use hearth_pocket::message::Coin;

/// Who gets which power over whose account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Power {
    pub who: String,
    pub account: String,
    /// By its moment; `None` is for ever.
    pub until: Option<String>,
    pub over: Over,
}

/// What a power is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Over {
    /// Messages of a type, by its name.
    Messages(String),
    /// So much of the account's money; to these addresses alone where some are named.
    Money { most: Vec<Coin>, to: Vec<String> },
    /// Fees of up to so much; nothing is any amount.
    Fees { most: Vec<Coin> },
}

impl Power {
    pub(crate) fn code(&self) -> &'static str {
        match &self.over {
            Over::Messages(_) => "power_messages",
            Over::Money { .. } => "power_money",
            Over::Fees { .. } => "power_fees",
        }
    }

    pub(crate) fn values(&self) -> Vec<(&'static str, String)> {
        let mut values = vec![("who", self.who.clone()), ("account", self.account.clone())];
        values.extend(self.until.clone().map(|until| ("until", until)));
        match &self.over {
            Over::Messages(url) => values.push(("message", url.clone())),
            Over::Money { most, to } => {
                values.extend(limit(most));
                values.extend((!to.is_empty()).then(|| ("to", to.join(", "))));
            }
            Over::Fees { most } => values.extend(limit(most)),
        }
        values
    }
}

/// As an amount where it is one of POKT.
fn limit(most: &[Coin]) -> Option<(&'static str, String)> {
    match most {
        [] => None,
        [one] if one.to_amount().is_some() => Some(("amount", one.amount.clone())),
        more => Some(("coins", coins(more))),
    }
}

fn coins(coins: &[Coin]) -> String {
    let coin = |coin: &Coin| match coin.to_amount() {
        Some(amount) => format!("{} POKT", amount.pokt()),
        None => coin.to_string(),
    };
    coins.iter().map(coin).collect::<Vec<_>>().join(" and ")
}

/// In English, for the terminal.
impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (who, account) = (&self.who, &self.account);
        match &self.over {
            Over::Messages(url) => write!(f, "{who} may sign {url} for {account}, without asking")?,
            Over::Money { most, to } => {
                let most = if most.is_empty() {
                    "nothing".to_owned()
                } else {
                    coins(most)
                };
                write!(f, "{who} may send up to {most} of {account}")?;
                if !to.is_empty() {
                    write!(f, " to {}", to.join(", "))?;
                }
                f.write_str(", without asking")?;
            }
            Over::Fees { most } => {
                let most = if most.is_empty() {
                    "without a limit in all".to_owned()
                } else {
                    format!("up to {}", coins(most))
                };
                write!(f, "{account} pays the fees of {who}, {most}")?;
            }
        }
        match &self.until {
            Some(until) => write!(f, ", until {until}"),
            None => f.write_str(", for ever: until it is revoked"),
        }
    }
}
