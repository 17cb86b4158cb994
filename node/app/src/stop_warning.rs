//! What a stop costs while the chain waits for proofs.

use std::time::Duration;

use hearth_base::Height;
use hearth_chain::Chain;
use hearth_miner::{Miner, ProofsDue};

/// Says what a stop at this moment may cost; `None`: nothing.
pub type StopWarning = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// The warning of a node that earns on a chain which goes on without it.
pub(crate) fn stop_warning(miner: Miner, chain: &Chain) -> StopWarning {
    let head = chain.head();
    Box::new(move || {
        let due = miner.proofs_due()?;
        let (height, block_time) = {
            let head = head.borrow();
            (head.height, head.block_time)
        };
        Some(words(&due, height, block_time))
    })
}

fn words(due: &ProofsDue, height: Height, block_time: Option<Duration>) -> String {
    let (what, they) = if due.sessions == 1 {
        ("A proof is due".to_owned(), "it is")
    } else {
        (format!("{} proofs are due", due.sessions), "they are")
    };
    let left = block_time.map_or_else(String::new, |block_time| {
        let seconds = block_time.as_secs_f64() * due.until.since(height) as f64;
        format!(", in about {}", span(seconds))
    });
    format!(
        "{what}, and Hearth makes {}. Unless {they} in a block by block {}{left}, answers for about {} POKT are not paid, \
         and the chain takes a part of the stake. Hearth may stop now if it runs again before.",
        if due.sessions == 1 { "it" } else { "them" },
        due.until,
        due.amount.pokt(),
    )
}

fn span(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} seconds")
    } else if seconds < 5400.0 {
        format!("{:.0} minutes", seconds / 60.0)
    } else {
        format!("{:.0} hours", seconds / 3600.0)
    }
}

#[cfg(test)]
mod tests {
    use hearth_base::Amount;

    use super::*;

    #[test]
    fn a_warning_says_until_when_and_what_it_costs() {
        let due = |sessions| ProofsDue {
            sessions,
            until: Height(130),
            amount: Amount::from_upokt(1_500_000),
        };
        let minute = Some(Duration::from_secs(60));
        assert_eq!(
            words(&due(1), Height(126), minute),
            "A proof is due, and Hearth makes it. Unless it is in a block by block 130, in about 4 minutes, answers for \
             about 1.500000 POKT are not paid, and the chain takes a part of the stake. Hearth may stop now if it runs \
             again before."
        );
        let several = words(&due(3), Height(129), None);
        assert!(
            several.starts_with(
                "3 proofs are due, and Hearth makes them. Unless they are in a block by block 130,"
            ),
            "{several}"
        );
        assert!(words(&due(2), Height(10), minute).contains("in about 2 hours"));
    }
}
