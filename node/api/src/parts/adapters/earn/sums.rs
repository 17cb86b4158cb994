//! Sums over sessions: by stage for the pipeline, by day for the chart.

use std::collections::BTreeMap;

use hearth_base::Amount;
use hearth_miner::SessionView;
use time::{Date, OffsetDateTime};

use super::{upokt, words::stage};
use crate::control::types::{EarningDay, EarningSummary, MoneyStage, StageSum};

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
struct Sum {
    amount: Amount,
    sessions: u32,
}

#[derive(Default)]
struct Day {
    settled: Amount,
    unsettled: Amount,
    answers: u64,
}

/// Sums in the making.
pub(super) struct Sums {
    today: Date,
    stages: BTreeMap<MoneyStage, Sum>,
    days: BTreeMap<Date, Day>,
    share_permille: Option<u32>,
}

impl Sums {
    /// Nothing yet.
    pub(super) fn new(now: OffsetDateTime) -> Sums {
        Sums {
            today: now.date(),
            stages: BTreeMap::new(),
            days: BTreeMap::new(),
            share_permille: None,
        }
    }

    /// Adds a session; the newest come first.
    pub(super) fn add(&mut self, view: &SessionView) {
        let record = &view.record;
        let (_, stage) = stage(&record.state);
        let sum = self.stages.entry(stage).or_default();
        sum.amount = sum.amount.saturating_add(view.amount);
        sum.sessions += 1;
        let when = if stage == MoneyStage::Settled {
            record.updated_ms
        } else {
            record.created_ms
        };
        let day = self.days.entry(date(when)).or_default();
        day.answers += view.answers;
        match stage {
            MoneyStage::Settled => day.settled = day.settled.saturating_add(view.amount),
            MoneyStage::Pending | MoneyStage::Claimed | MoneyStage::Proven => {
                day.unsettled = day.unsettled.saturating_add(view.amount);
            }
            MoneyStage::Estimate | MoneyStage::Spendable | MoneyStage::Lost => {}
        }
        if let Some(paid) = record.state.paid()
            && self.share_permille.is_none()
            && !paid.minted.is_zero()
        {
            let permille = view.amount.upokt().saturating_mul(1000) / paid.minted.upokt();
            self.share_permille = u32::try_from(permille).ok();
        }
    }

    /// What the page shows. `spendable` is `None` where the chain did not tell.
    pub(super) fn summary(mut self, spendable: Option<Amount>) -> EarningSummary {
        let settled = self.stages.get(&MoneyStage::Settled);
        let settled_total = upokt(settled.map_or(Amount::ZERO, |sum| sum.amount));
        let sessions_settled = settled.map_or(0, |sum| u64::from(sum.sessions));
        let pipeline = STAGES.map(|stage| {
            let sum = self.stages.remove(&stage).unwrap_or_default();
            let amount = if stage == MoneyStage::Spendable {
                spendable
            } else {
                Some(sum.amount)
            };
            StageSum {
                stage,
                amount: amount.map(upokt),
                sessions: sum.sessions,
            }
        });
        let days: Vec<EarningDay> = (0..DAYS)
            .rev()
            .map(|ago| {
                let date = self.today.saturating_sub(time::Duration::days(ago));
                let day = self.days.remove(&date).unwrap_or_default();
                EarningDay {
                    date: date.to_string(),
                    settled: upokt(day.settled),
                    unsettled: upokt(day.unsettled),
                    answers: day.answers,
                }
            })
            .collect();
        EarningSummary {
            settled_today: days.last().map(|day| day.settled).unwrap_or_default(),
            answers_today: days.last().map_or(0, |day| day.answers),
            settled_total,
            sessions_settled,
            pipeline: pipeline.to_vec(),
            days,
            share_permille: self.share_permille,
        }
    }
}

fn date(ms: i64) -> Date {
    (OffsetDateTime::UNIX_EPOCH + time::Duration::milliseconds(ms)).date()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_pipeline_still_has_all_stages_and_days() {
        let day_400 = OffsetDateTime::UNIX_EPOCH + time::Duration::days(400);
        let summary = Sums::new(day_400).summary(Some(Amount::from_upokt(5)));
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
    fn what_the_chain_does_not_tell_is_no_zero() {
        let summary = Sums::new(OffsetDateTime::UNIX_EPOCH).summary(None);
        let unknown: Vec<MoneyStage> = summary
            .pipeline
            .iter()
            .filter(|sum| sum.amount.is_none())
            .map(|sum| sum.stage)
            .collect();
        assert_eq!(unknown, [MoneyStage::Spendable]);
    }
}
