//! The program that the chain runs: upgrades come about monthly, and each may change messages, events or rules.

use hearth_base::Height;
use hearth_pocket::message::cosmos::{
    GetNodeInfoRequest, GetNodeInfoResponse, QueryCurrentPlanRequest, QueryCurrentPlanResponse,
};

use super::Chain;
use crate::query::QueryError;

/// The newest version of Pocket's program that this one was tested with.
pub const TESTED_WITH: &str = "v0.1.35";

/// What an endpoint says of the chain's program. Nothing of it is proven, and nothing about money rests on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Such as `v0.1.35`; empty where the endpoint does not tell.
    pub version: String,
    pub upgrade: Option<Upgrade>,
}

/// An upgrade that the chain has planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The version that comes, as its proposer called it.
    pub name: String,
    /// The block at which the chain waits for it.
    pub height: Height,
}

impl Program {
    /// Whether the chain runs something newer than what this program was tested with.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        is_newer(&self.version)
    }
}

impl Upgrade {
    /// Whether what comes is newer than what this program was tested with. A name that is no version may be.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        numbers(&self.name).is_none() || is_newer(&self.name)
    }
}

fn is_newer(version: &str) -> bool {
    match (numbers(version), numbers(TESTED_WITH)) {
        (Some(found), Some(tested)) => found > tested,
        (None, _) | (_, None) => false,
    }
}

/// The numbers of `v1.2.3`, `1.2.3-rc1` or `v1.2.3_main`.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let text = version.trim().trim_start_matches(['v', 'V']);
    let end = text.find(|c: char| c != '.' && !c.is_ascii_digit());
    let mut parts = text[..end.unwrap_or(text.len())].split('.').map(str::parse);
    let mut next = || parts.next()?.ok();
    Some([next()?, next()?, next()?])
}

impl Chain {
    /// The chain's program and the upgrade that it has planned, on an endpoint's word.
    ///
    /// # Errors
    /// No endpoint answers.
    pub async fn program(&self) -> Result<Program, QueryError> {
        let (asked, planned) = (GetNodeInfoRequest::default(), QueryCurrentPlanRequest::default());
        let info = self.call(
            "/cosmos.base.tendermint.v1beta1.Service/GetNodeInfo",
            &asked,
            None,
        );
        let plan = self.call("/cosmos.upgrade.v1beta1.Query/CurrentPlan", &planned, None);
        let (info, plan): (GetNodeInfoResponse, QueryCurrentPlanResponse) = tokio::try_join!(info, plan)?;
        Ok(Program {
            version: info.application_version.unwrap_or_default().version,
            upgrade: plan.plan.map(|plan| Upgrade {
                name: plan.name,
                height: Height(u64::try_from(plan.height).unwrap_or_default()),
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (version, newer) in [
            ("v0.1.35", false),
            ("0.1.35", false),
            ("v0.1.9", false),
            ("v0.1.36", true),
            ("0.2.0-rc1", true),
            ("v1.0.0_main", true),
            ("", false),
            ("main", false),
            ("v0.1", false),
            ("v99999999999999999999.0.0", false),
        ] {
            let program = Program {
                version: version.to_owned(),
                upgrade: None,
            };
            assert_eq!(program.is_newer(), newer, "{version}");
        }
        let upgrade = |name: &str| Upgrade {
            name: name.to_owned(),
            height: Height(9),
        };
        assert!(upgrade("v0.1.36").is_newer() && upgrade("spring").is_newer());
        assert!(!upgrade("v0.1.35_main").is_newer());
    }
}
