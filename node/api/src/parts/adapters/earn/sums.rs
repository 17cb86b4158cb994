//! Sums over sessions: by stage for the pipeline, by day for the chart. What has ended was summed by the database; what
//! is open is added here, since its answers are counted in memory.

use std::collections::BTreeMap;

use hearth_base::Amount;
use hearth_miner::{SessionView, Sum, SupplierTotal, Totals};
use time::{Date, OffsetDateTime};

use super::{upokt, words::stage};
use crate::control::types::{EarningDay, EarningSummary, MoneyStage, StageSum, SupplierSum};

/// Days of the chart.
const DAYS: i64 = 14;

/// All stages in the order in which they are drawn.
const STAGES: [MoneyStage; 7] = [
    MoneyStage::Estimate,
    MoneyStage::Pending,
    MoneyStage::Claimed,
    MoneyStage::Proven,
    MoneyStage::Settled,
    MoneyStage::Spendable,
    MoneyStage::Lost,
];

#[derive(Default)]
struct Day {
    settled: Amount,
    unsettled: Amount,
    answers: u64,
}

/// The first moment of the chart, in milliseconds since the epoch.
pub(super) fn chart_begins(now: OffsetDateTime) -> i64 {
    let first = now.date().saturating_sub(time::Duration::days(DAYS - 1));
    let seconds = first.midnight().assume_utc().unix_timestamp();
    seconds.saturating_mul(1000)
}

/// What the page shows. `open` are the views of what is open, also of other owners, whose money is in no sum but their
/// own; `spendable` is `None` where the chain did not tell.
pub(super) fn summary(
    now: OffsetDateTime,
    totals: &Totals,
    open: &[SessionView],
    spendable: Option<Amount>,
    is_own: &impl Fn(&str) -> bool,
) -> EarningSummary {
    let mut stages: BTreeMap<MoneyStage, Sum> = BTreeMap::from([
        (MoneyStage::Settled, totals.settled),
        (MoneyStage::Lost, totals.lost),
    ]);
    let mut days: BTreeMap<String, Day> = BTreeMap::new();
    for total in &totals.days {
        let day = days.entry(total.day.clone()).or_default();
        (day.settled, day.answers) = (total.settled, total.answers);
    }
    for view in open {
        let (_, stage) = stage(&view.record.state);
        let day = days.entry(date(view.record.created_ms).to_string()).or_default();
        day.answers += view.answers;
        if !is_own(&view.record.facts.owner) {
            continue;
        }
        let sum = stages.entry(stage).or_default();
        sum.amount = sum.amount.saturating_add(view.amount);
        sum.sessions += 1;
        if stage != MoneyStage::Estimate {
            day.unsettled = day.unsettled.saturating_add(view.amount);
        }
    }
    let pipeline = STAGES.map(|stage| {
        let sum = stages.remove(&stage).unwrap_or_default();
        let amount = if stage == MoneyStage::Spendable {
            spendable
        } else {
            Some(sum.amount)
        };
        StageSum {
            stage,
            amount: amount.map(upokt),
            sessions: u32::try_from(sum.sessions).unwrap_or(u32::MAX),
        }
    });
    let days: Vec<EarningDay> = (0..DAYS)
        .rev()
        .map(|ago| {
            let date = now.date().saturating_sub(time::Duration::days(ago)).to_string();
            let day = days.remove(&date).unwrap_or_default();
            EarningDay {
                date,
                settled: upokt(day.settled),
                unsettled: upokt(day.unsettled),
                answers: day.answers,
            }
        })
        .collect();
    EarningSummary {
        settled_today: days.last().map(|day| day.settled).unwrap_or_default(),
        answers_today: days.last().map_or(0, |day| day.answers),
        settled_total: upokt(totals.settled.amount),
        sessions_settled: totals.settled.sessions,
        pipeline: pipeline.to_vec(),
        days,
        share_permille: share_permille(totals),
        suppliers: totals
            .by_supplier
            .iter()
            .map(|total| supplier(total, open, is_own))
            .collect(),
    }
}

/// What came to a supplier while it was one owner's.
fn supplier(total: &SupplierTotal, open: &[SessionView], is_own: &impl Fn(&str) -> bool) -> SupplierSum {
    let is_its = |view: &&SessionView| {
        let facts = &view.record.facts;
        facts.supplier == total.operator && facts.owner == total.owner
    };
    SupplierSum {
        operator: total.operator.clone(),
        owner: total.owner.clone(),
        is_own: is_own(&total.owner),
        settled: upokt(total.settled.amount),
        sessions: total.settled.sessions,
        open: upokt(open.iter().filter(is_its).map(|view| view.amount).sum()),
    }
}

/// Our part of what was minted for the newest session whose payment is known, in tenths of a percent.
fn share_permille(totals: &Totals) -> Option<u32> {
    let record = totals.newest_paid.as_ref()?;
    let minted = record.state.paid()?.minted.upokt();
    let permille = record
        .our_part()
        .upokt()
        .saturating_mul(1000)
        .checked_div(minted)?;
    u32::try_from(permille).ok()
}

fn date(ms: i64) -> Date {
    (OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(ms)).date()
}

#[cfg(test)]
mod tests {
    use hearth_miner::DayTotal;

    use super::*;

    #[test]
    fn an_empty_pipeline_still_has_all_stages_and_days() {
        let day_400 = OffsetDateTime::UNIX_EPOCH + time::Duration::days(400);
        let spendable = Some(Amount::from_upokt(5));
        let summary = summary(day_400, &Totals::default(), &[], spendable, &|_| true);
        let stages: Vec<MoneyStage> = summary.pipeline.iter().map(|sum| sum.stage).collect();
        assert_eq!(stages, STAGES);
        assert_eq!(summary.pipeline[5].amount, Some(upokt(Amount::from_upokt(5))));
        assert_eq!(summary.pipeline[4].amount, Some(upokt(Amount::ZERO)));
        assert_eq!(
            (summary.days.len(), summary.days[13].date.as_str()),
            (14, "1971-02-05")
        );
        assert_eq!(summary.settled_total, upokt(Amount::ZERO));
    }

    #[test]
    fn the_chart_begins_with_the_first_moment_of_its_first_day() {
        let noon = OffsetDateTime::UNIX_EPOCH + time::Duration::days(400) + time::Duration::hours(12);
        assert_eq!(chart_begins(noon), 387 * 24 * 3600 * 1000);
        let is_here = |owner: &str| owner == "pokt1owner";
        let of = |owner: &str, upokt: u128| SupplierTotal {
            operator: "pokt1operator".to_owned(),
            owner: owner.to_owned(),
            settled: Sum {
                amount: Amount::from_upokt(upokt),
                sessions: 1,
            },
        };
        let totals = Totals {
            by_supplier: vec![of("pokt1owner", 9), of("pokt1other", 70)],
            settled: Sum {
                amount: Amount::from_upokt(9),
                sessions: 3,
            },
            days: vec![DayTotal {
                day: "1971-02-05".to_owned(),
                settled: Amount::from_upokt(7),
                answers: 2,
            }],
            ..Totals::default()
        };
        let summary = summary(noon, &totals, &[], None, &is_here);
        assert_eq!(
            (summary.settled_today, summary.answers_today),
            (upokt(Amount::from_upokt(7)), 2)
        );
        assert_eq!(
            (summary.settled_total, summary.sessions_settled),
            (upokt(Amount::from_upokt(9)), 3)
        );
        let suppliers = summary.suppliers.iter();
        let suppliers: Vec<(bool, u128)> = suppliers.map(|one| (one.is_own, one.settled.0.upokt())).collect();
        assert_eq!(suppliers, [(true, 9), (false, 70)]);
    }

    #[test]
    fn what_the_chain_does_not_tell_is_no_zero() {
        let summary = summary(OffsetDateTime::UNIX_EPOCH, &Totals::default(), &[], None, &|_| {
            true
        });
        let unknown: Vec<MoneyStage> = summary
            .pipeline
            .iter()
            .filter(|sum| sum.amount.is_none())
            .map(|sum| sum.stage)
            .collect();
        assert_eq!(unknown, [MoneyStage::Spendable]);
    }
}
