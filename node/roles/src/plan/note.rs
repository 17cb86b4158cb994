//! What to know before a role is changed.

use std::fmt;

use hearth_base::Amount;

/// What to know before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The stake comes back only after the role was given up and so many blocks went by.
    Unbonding { blocks: u64, seconds: Option<u64> },
    /// A claim that is not proven costs so much of the stake.
    AtRisk { each: Amount },
    /// Settlements take from it, and below the minimum it is given up by itself.
    SettlementsTake { least: Amount },
    /// It counts from this block.
    From { height: u64 },
    /// It ends after this block.
    Until { height: u64 },
    /// These services are served no more.
    Retires(Vec<String>),
    /// The application asks this service no more.
    Leaves(String),
    /// The role was on its way out, and stays.
    Stays,
    /// The chain takes so much for it, besides the fee of the transaction.
    Charge { amount: Amount },
    /// So much goes from the main key to the working key, which pays fees by itself.
    Working { amount: Amount },
    /// So much of the stake comes back at once.
    Back { amount: Amount },
    /// The stake lies with the key that signs unattended.
    HotStake,
    /// The operator's record belongs to somebody else, who gets the stake back.
    Foreign { owner: String },
}

impl Note {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Note::Unbonding { .. } => "unbonding",
            Note::AtRisk { .. } => "at_risk",
            Note::SettlementsTake { .. } => "settlements_take",
            Note::From { .. } => "from",
            Note::Until { .. } => "until",
            Note::Retires(_) => "retires",
            Note::Leaves(_) => "leaves",
            Note::Stays => "stays",
            Note::Charge { .. } => "charge",
            Note::Working { .. } => "working",
            Note::Back { .. } => "back",
            Note::HotStake => "hot_stake",
            Note::Foreign { .. } => "foreign",
        }
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
            | Note::Working { amount } => vec![("amount", amount.upokt().to_string())],
            Note::From { height } | Note::Until { height } => vec![("height", height.to_string())],
            Note::Retires(services) => vec![("services", services.join(", "))],
            Note::Leaves(service) => vec![("service", service.clone())],
            Note::Foreign { owner } => vec![("owner", owner.clone())],
            Note::Stays | Note::HotStake => Vec::new(),
        }
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
                "answers are paid from the stake; below {} POKT the network gives the application up",
                least.pokt()
            ),
            Note::From { height } => write!(f, "it counts from block {height}"),
            Note::Until { height } => write!(f, "it counts up to block {height}"),
            Note::Retires(services) => write!(f, "no longer served: {}", services.join(", ")),
            Note::Leaves(service) => write!(f, "the application asks {service} no more"),
            Note::Stays => f.write_str("it was on its way out, and stays"),
            Note::Charge { amount } => {
                write!(
                    f,
                    "the network takes {} POKT for it, besides the fee",
                    amount.pokt()
                )
            }
            Note::Working { amount } => write!(
                f,
                "{} POKT go from the main key to the working key, which pays its fees alone",
                amount.pokt()
            ),
            Note::Back { amount } => write!(f, "{} POKT of the stake come back at once", amount.pokt()),
            Note::HotStake => f.write_str("the stake lies with the working key, which signs unattended"),
            Note::Foreign { owner } => {
                write!(f, "the record belongs to {owner}, who gets its stake back")
            }
        }
    }
}
