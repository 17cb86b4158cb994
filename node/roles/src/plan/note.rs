//! What to know before a role is changed.

use std::fmt;

use hearth_base::Amount;
use hearth_pocket::address::Address;

use crate::{power::Power, stranger::Stranger};

/// What to know before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The stake comes back only after the role was given up and so many blocks went by.
    Unbonding { blocks: u64, seconds: Option<u64> },
    /// A claim that is not proven costs so much of the stake.
    AtRisk { each: Amount },
    /// Settlements take from it, and below the minimum it is given up by itself.
    SettlementsTake { least: Amount },
    /// The application has delegated to no gateway, and this node does not let it sign for itself.
    NobodySigns,
    /// It counts from this block.
    From { height: u64 },
    /// It ends after this block.
    Until { height: u64 },
    /// These services are served no more.
    Retires(Vec<String>),
    /// The chain pays a session by what is staked when it is settled: what is open then, and is not staked any more, is
    /// not paid.
    OpenUnpaid,
    /// The application asks this service no more.
    Leaves(String),
    /// The role was on its way out, and stays.
    Stays,
    /// The chain takes so much for it, besides the fee of the transaction.
    Charge { amount: Amount },
    /// So much goes from the owner to the account that signs unattended and pays fees by itself.
    Working { amount: Amount, to: Address },
    /// The owner's key is elsewhere: what it has to sign is written to a file.
    Elsewhere { account: Address },
    /// So much of the stake comes back at once.
    Back { amount: Amount },
    /// The stake lies with the key that signs unattended.
    HotStake,
    /// The operator's record belongs to somebody else, who gets the stake back.
    Foreign { owner: String },
    /// What was on the chain and what will be: the name, the compute units or the card of a service, or where its relays
    /// arrive.
    Changes {
        what: &'static str,
        service: String,
        from: String,
        to: String,
    },
    /// Who had a share of what a service earns has none any more.
    SharesLost { service: String, shares: Vec<String> },
    /// So much that was not staked on the former network comes to this account.
    MorseComes {
        amount: Amount,
        from: String,
        to: String,
    },
    /// So much that was staked there comes to this account at once: it is too little for a stake, or was given up.
    MorseStakeComes { amount: Amount, to: String },
    /// So much that was staked there is staked here, and this account's.
    MorseStakeStays { amount: Amount, to: String },
    /// The network takes no fee for it.
    Free,
    /// Somebody gets a power over an account.
    Power(Power),
    /// Something comes to somebody who is not of this wallet.
    Stranger(Stranger),
    /// Messages are done in the name of others, who gave the power for it.
    InNameOf { who: String, accounts: Vec<String> },
    /// All that an application has staked becomes another account's.
    StakeGiven { from: String, to: String },
    /// A gateway that is not of this wallet may spend what an application has staked.
    Delegates { gateway: String, application: String },
    /// The account has another number on the chain: what is signed is good for nothing, or is meant for another chain.
    OtherNumber { given: u64, known: u64 },
    /// Another sequence than the account's next one.
    OtherSequence { given: u64, next: u64 },
    /// An address in it is of another chain.
    OtherChain { address: String },
    /// Who has to sign one of its messages is another one than the account that signs.
    OtherSigner { signer: String, account: String },
    /// It has an end, and no newest block is known to compare it with.
    EndUnchecked,
}

impl Note {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Note::Unbonding { .. } => "unbonding",
            Note::AtRisk { .. } => "at_risk",
            Note::SettlementsTake { .. } => "settlements_take",
            Note::NobodySigns => "nobody_signs",
            Note::From { .. } => "from",
            Note::Until { .. } => "until",
            Note::Retires(_) => "retires",
            Note::Leaves(_) => "leaves",
            Note::OpenUnpaid => "open_unpaid",
            Note::Stays => "stays",
            Note::Charge { .. } => "charge",
            Note::Working { .. } => "working",
            Note::Elsewhere { .. } => "elsewhere",
            Note::Back { .. } => "back",
            Note::HotStake => "hot_stake",
            Note::Foreign { .. } => "foreign",
            Note::Changes { .. } => "changes",
            Note::SharesLost { .. } => "shares_lost",
            Note::MorseComes { .. } => "morse_comes",
            Note::MorseStakeComes { .. } => "morse_stake_comes",
            Note::MorseStakeStays { .. } => "morse_stake_stays",
            Note::Free => "free",
            Note::Power(power) => power.code(),
            Note::Stranger(stranger) => stranger.code(),
            Note::InNameOf { .. } => "in_name_of",
            Note::StakeGiven { .. } => "stake_given",
            Note::Delegates { .. } => "delegates",
            Note::OtherNumber { .. } => "other_number",
            Note::OtherSequence { .. } => "other_sequence",
            Note::OtherChain { .. } => "other_chain",
            Note::OtherSigner { .. } => "other_signer",
            Note::EndUnchecked => "end_unchecked",
        }
    }

    /// Whether more is at stake than what the messages name.
    #[must_use]
    pub fn is_danger(&self) -> bool {
        matches!(
            self,
            Note::Power(_)
                | Note::InNameOf { .. }
                | Note::StakeGiven { .. }
                | Note::Delegates { .. }
                | Note::OtherSigner { .. }
        ) || matches!(self, Note::Stranger(stranger) if stranger.is_danger())
    }

    /// Its figures by name: amounts in upokt.
    #[must_use]
    pub fn values(&self) -> Vec<(&'static str, String)> {
        match self {
            Note::Unbonding { blocks, seconds } => {
                let seconds = seconds.map(|seconds| ("seconds", seconds.to_string()));
                [("blocks", blocks.to_string())]
                    .into_iter()
                    .chain(seconds)
                    .collect()
            }
            Note::AtRisk { each: amount }
            | Note::SettlementsTake { least: amount }
            | Note::Charge { amount }
            | Note::Back { amount }
            | Note::Working { amount, .. } => vec![("amount", amount.upokt().to_string())],
            Note::From { height } | Note::Until { height } => vec![("height", height.to_string())],
            Note::Retires(services) => vec![("services", services.join(", "))],
            Note::Leaves(service) => vec![("service", service.clone())],
            Note::Foreign { owner } => vec![("owner", owner.clone())],
            Note::Elsewhere { account } => vec![("account", account.to_string())],
            Note::Changes {
                what,
                service,
                from,
                to,
            } => vec![
                ("what", (*what).to_owned()),
                ("service", service.clone()),
                ("from", from.clone()),
                ("to", to.clone()),
            ],
            Note::SharesLost { service, shares } => {
                vec![("service", service.clone()), ("shares", shares.join(", "))]
            }
            Note::MorseComes { amount, from, to } => vec![
                ("amount", amount.upokt().to_string()),
                ("from", from.clone()),
                ("to", to.clone()),
            ],
            Note::MorseStakeComes { amount, to } | Note::MorseStakeStays { amount, to } => {
                vec![("amount", amount.upokt().to_string()), ("to", to.clone())]
            }
            Note::Power(power) => power.values(),
            Note::Stranger(stranger) => stranger.values(),
            Note::InNameOf { who, accounts } => {
                vec![("who", who.clone()), ("accounts", accounts.join(", "))]
            }
            Note::StakeGiven { from, to } => vec![("from", from.clone()), ("to", to.clone())],
            Note::Delegates { gateway, application } => {
                vec![("gateway", gateway.clone()), ("application", application.clone())]
            }
            Note::OtherChain { address } => vec![("address", address.clone())],
            Note::OtherSigner { signer, account } => {
                vec![("signer", signer.clone()), ("account", account.clone())]
            }
            Note::OtherNumber { given, known } => {
                vec![("given", given.to_string()), ("known", known.to_string())]
            }
            Note::OtherSequence { given, next } => {
                vec![("given", given.to_string()), ("next", next.to_string())]
            }
            Note::Stays
            | Note::NobodySigns
            | Note::OpenUnpaid
            | Note::HotStake
            | Note::Free
            | Note::EndUnchecked => Vec::new(),
        }
    }
}

impl Note {
    /// What was and what will be, in English; nothing for any other note.
    fn of_change(&self) -> String {
        let Note::Changes {
            what,
            service,
            from,
            to,
        } = self
        else {
            return String::new();
        };
        let what = match *what {
            "name" => "the name",
            "compute_units" => "the compute units",
            "card" => "the card",
            "shares" => "the shares",
            _ => "the address",
        };
        format!("{what} of {service}: {} → {}", plain(from), plain(to))
    }

    /// What a message or a file has that its signer may not have meant, in English; nothing for any other note.
    fn of_warning(&self) -> String {
        if matches!(self, Note::NobodySigns) {
            return "nobody signs for it yet: delegate it to a gateway (`hearth delegate`), or set gateway.direct_signing to let \
                    it sign for itself"
                .to_owned();
        }
        if matches!(self, Note::EndUnchecked) {
            return "whether its time has passed cannot be checked: this node does not follow the chain now"
                .to_owned();
        }
        if let Note::StakeGiven { from, to } = self {
            return plain(&format!(
                "all that the application {from} has staked becomes that of {to}"
            ));
        }
        if let Note::Delegates { gateway, application } = self {
            return plain(&format!(
                "the gateway {gateway} is not of this wallet, and may spend the stake of the application {application}"
            ));
        }
        if let Note::OtherChain { address } = self {
            return plain(&format!("{address} is an address of another chain"));
        }
        if let Note::OtherSigner { signer, account } = self {
            return plain(&format!(
                "one of its messages is for {signer} to sign, and {account} signs: the chain refuses that"
            ));
        }
        if let Note::OtherNumber { given, known } = self {
            return format!(
                "it is for the account number {given}, and the chain has this account as number {known}"
            );
        }
        if let Note::OtherSequence { given, next } = self {
            return format!("its sequence is {given}, and the next one of the account is {next}");
        }
        String::new()
    }

    /// What becomes of what was on the former network, in English; nothing for any other note.
    fn of_morse(&self) -> String {
        if let Note::MorseComes { amount, from, to } = self {
            return format!("{} POKT of the Morse account {from} come to {to}", amount.pokt());
        }
        if let Note::MorseStakeComes { amount, to } = self {
            return format!(
                "{} POKT that were staked there come to {to} at once: it is too little for a stake here, or was given up",
                amount.pokt()
            );
        }
        if let Note::MorseStakeStays { amount, to } = self {
            return format!(
                "{} POKT that were staked there are staked here, for {to}",
                amount.pokt()
            );
        }
        String::new()
    }
}

/// In English, for the terminal.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::Unbonding { blocks, seconds } => {
                write!(
                    f,
                    "given up, the stake comes back {blocks} blocks after its last session"
                )?;
                match seconds.map(|seconds| seconds / 86_400).filter(|days| *days > 0) {
                    Some(days) => write!(f, ", about {days} days"),
                    None => Ok(()),
                }
            }
            Note::AtRisk { each } => write!(
                f,
                "each claim that the network wants proven and is not costs {} POKT of the stake",
                each.pokt()
            ),
            Note::SettlementsTake { least } => write!(
                f,
                "answers are paid from what is staked above {0} POKT, and only that can be spent: below {0} POKT the network \
                 gives the application up",
                least.pokt()
            ),
            Note::From { height } => write!(f, "it counts from block {height}"),
            Note::Until { height } => write!(f, "it counts up to block {height}"),
            Note::Retires(services) => write!(f, "no longer served: {}", services.join(", ")),
            Note::Leaves(service) => write!(f, "the application asks {service} no more"),
            Note::OpenUnpaid => f.write_str(
                "answers of sessions that are not settled yet are not paid any more: stop earning first, and wait until \
                 all of them are settled",
            ),
            Note::Stays => f.write_str("it was on its way out, and stays"),
            Note::Charge { amount } => {
                write!(
                    f,
                    "the network takes {} POKT for it, besides the fee",
                    amount.pokt()
                )
            }
            Note::Working { amount, .. } => write!(
                f,
                "{} POKT go from the main key to the working key, which pays its fees alone",
                amount.pokt()
            ),
            Note::Elsewhere { account } => write!(
                f,
                "the key of {account} is not in this wallet: what it has to sign is written to a file"
            ),
            Note::Back { amount } => write!(f, "{} POKT of the stake come back at once", amount.pokt()),
            Note::HotStake => f.write_str("the stake lies with the working key, which signs unattended"),
            Note::Changes { .. } => f.write_str(&self.of_change()),
            Note::SharesLost { service, shares } => write!(
                f,
                "who had a share of what {service} earns has none any more: {}",
                shares.join(", ")
            ),
            Note::MorseComes { .. } | Note::MorseStakeComes { .. } | Note::MorseStakeStays { .. } => {
                f.write_str(&self.of_morse())
            }
            Note::Free => f.write_str("the network takes no fee for it"),
            Note::Power(power) => f.write_str(&plain(&power.to_string())),
            Note::Stranger(stranger) => f.write_str(&plain(&stranger.to_string())),
            Note::InNameOf { who, accounts } => write!(
                f,
                "{} does what is inside in the name of {}",
                plain(who),
                plain(&accounts.join(", "))
            ),
            Note::NobodySigns
            | Note::EndUnchecked
            | Note::StakeGiven { .. }
            | Note::Delegates { .. }
            | Note::OtherNumber { .. }
            | Note::OtherChain { .. }
            | Note::OtherSigner { .. }
            | Note::OtherSequence { .. } => f.write_str(&self.of_warning()),
            Note::Foreign { owner } => {
                write!(f, "the record belongs to {owner}, who gets its stake back")
            }
        }
    }
}

/// What comes from the chain is anybody's: it must not move the cursor.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}
