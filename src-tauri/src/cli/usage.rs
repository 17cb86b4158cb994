//! `hearth usage`.

use hearth_node::{
    OfflineAccess,
    control::{AskerKind, UsageCounts, UsageReport, UsageSum},
};

use super::{
    Client, Done, Fault, Out, Place,
    args::{Args, UsageArgs},
    out::{bold, dim, fit, grouped, pokt},
};

/// Columns of a bar of the busiest day.
const BAR: usize = 24;
/// Sums that are shown; the table has all.
const SHOWN: usize = 20;

pub(super) async fn run(usage: &UsageArgs, args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let report: UsageReport = match Client::connect(&place).await {
        Ok(client) if usage.csv => {
            out.stream(&client.table("/usage.csv").await?);
            return Ok(());
        }
        Ok(client) => client.get(&format!("/usage?days={}", usage.days)).await?,
        // What was asked stands in the database, too; the table is written by the node.
        Err(exit) if exit.is("not_running") && place.layout.database().exists() && !usage.csv => {
            let offline = OfflineAccess::open(&place.network, &place.layout).await?;
            let report = offline.access().usage(usage.days).await;
            offline.close().await;
            report.map_err(|error| Fault::refused(error.status.as_u16(), error.detail()))?
        }
        Err(exit) => return Err(exit),
    };
    if out.json {
        out.value(&report);
    } else {
        show(out, &report);
    }
    Ok(())
}

fn show(out: &Out, report: &UsageReport) {
    if report.sums.is_empty() {
        let days = report.days.len();
        out.line(&format!("  Nothing was asked for in {days} days."));
        return;
    }
    for line in days(report) {
        out.line(&line);
    }
    out.line("");
    let head = row("WHO", "MODEL", "REQUESTS", "ERRORS", "TOKENS", "POKT");
    out.line(&format!("  {}", dim(&head)));
    for sum in report.sums.iter().take(SHOWN) {
        out.line(&format!("  {}", line(sum)));
    }
    let total = usize::try_from(report.total).unwrap_or(usize::MAX);
    if total > SHOWN {
        out.hint(&format!(
            "and {} more: `hearth usage --csv` has all",
            total - SHOWN
        ));
    }
}

/// A bar for each day from the first on which something was asked for.
fn days(report: &UsageReport) -> Vec<String> {
    let most = report
        .days
        .iter()
        .map(|day| day.counts.requests)
        .max()
        .unwrap_or_default()
        .max(1);
    let days = report.days.iter().skip_while(|day| day.counts.requests == 0);
    let bar = |requests: u64| {
        let columns = u64::try_from(BAR).unwrap_or_default();
        let length = requests.saturating_mul(columns).div_ceil(most);
        "█".repeat(usize::try_from(length).unwrap_or(BAR))
    };
    days.map(|day| {
        let requests = day.counts.requests;
        format!(
            "  {}  {:<BAR$} {:>9}",
            day.date,
            bar(requests),
            grouped(requests.into())
        )
    })
    .collect()
}

fn line(sum: &UsageSum) -> String {
    let who = match (sum.asker, &sum.key_name) {
        (AskerKind::Owner, _) => "page and commands",
        (AskerKind::Local, _) => "without a key",
        (AskerKind::Key, Some(name)) => name,
        (AskerKind::Key, None) => "a key that is gone",
    };
    let UsageCounts {
        requests,
        errors,
        prompt_tokens,
        completion_tokens,
        cost,
    } = sum.counts;
    let tokens = u128::from(prompt_tokens) + u128::from(completion_tokens);
    let model = if sum.model.is_empty() { "–" } else { &sum.model };
    row(
        &bold(&format!("{:<20}", fit(who, 20))).to_string(),
        model,
        &grouped(requests.into()),
        &grouped(errors.into()),
        &grouped(tokens),
        &pokt(cost.0),
    )
}

fn row(who: &str, model: &str, requests: &str, errors: &str, tokens: &str, cost: &str) -> String {
    let model = fit(model, 18);
    format!("{who:<20} {model:<18} {requests:>9} {errors:>6} {tokens:>11} {cost:>12}")
}

#[cfg(test)]
mod tests {
    use hearth_node::control::UsageDay;

    use super::*;

    fn counts(requests: u64) -> UsageCounts {
        UsageCounts {
            requests,
            prompt_tokens: 1_000,
            completion_tokens: 234,
            ..UsageCounts::default()
        }
    }

    #[test]
    fn days_have_bars_and_everybody_a_line_of_eighty_columns() {
        let day = |date: &str, requests| UsageDay {
            date: date.to_owned(),
            counts: counts(requests),
        };
        let sum = UsageSum {
            asker: AskerKind::Key,
            key_id: Some("1".to_owned()),
            key_name: Some("an editor with a very long name".to_owned()),
            model: "pocket/a-service-with-a-long-name".to_owned(),
            counts: counts(1_205),
        };
        let report = UsageReport {
            days: vec![
                day("2026-11-28", 0),
                day("2026-11-29", 1),
                day("2026-11-30", 1_204),
            ],
            sums: vec![sum.clone()],
            total: 1,
        };
        let bars = days(&report);
        assert_eq!(bars.len(), 2);
        assert_eq!(bars[0].matches('█').count(), 1, "what is little is not nothing");
        assert_eq!(bars[1].matches('█').count(), BAR);
        let text = line(&sum);
        assert!(text.contains("1,205") && text.contains("1,234"), "{text}");
        assert!(console::measure_text_width(&text) <= 82, "{text}");
    }
}
