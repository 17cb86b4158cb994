//! `hearth doctor`: fails last, nearest the prompt; exit code 1 on any fail, 0 on warnings only.

use hearth_node::control::{Check, Doctor, Level, Status};

use super::{
    Client, Done, Exit, Out, Place,
    args::Args,
    fault::FAILED,
    out::{bold, dim, fit, green, red, told, yellow},
};

pub(super) async fn run(args: &Args, out: &Out) -> Done {
    let place = Place::find(args).await?;
    let (mut doctor, network) = match Client::connect(&place).await {
        Ok(client) => {
            let doctor: Doctor = client.get("/doctor").await?;
            let status: Status = client.get("/status").await?;
            (doctor, status.network.name)
        }
        Err(exit) if exit.is("not_running") || exit.is("not_answering") => {
            let checks =
                hearth_node::offline_doctor(&place.layered.settings, &place.network, &place.layout).await;
            (Doctor { checks }, place.network.name().to_owned())
        }
        Err(exit) => return Err(exit),
    };
    doctor.checks.sort_by_key(|check| check.level);
    if out.json {
        out.value(&doctor);
    } else {
        show(out, &doctor.checks, &network);
    }
    if doctor.checks.iter().any(|check| check.level == Level::Fail) {
        Err(Exit::Said(FAILED))
    } else {
        Ok(())
    }
}

fn show(out: &Out, checks: &[Check], network: &str) {
    let head = format!("{} checks", checks.len());
    out.line(&format!("{:<48} {}", bold(&head), dim(network)));
    out.line("");
    for check in checks {
        let level = match check.level {
            Level::Ok => green("ok  "),
            Level::Warn => yellow("warn"),
            Level::Fail => red("fail"),
        };
        out.line(&format!(
            "  {level}  {:<10} {}",
            fit(&check.subject, 10),
            told(&check.fact)
        ));
        if !check.meaning.is_empty() {
            out.line(&format!("{:19}{}", "", dim(&told(&check.meaning))));
        }
        if let Some(remedy) = &check.remedy {
            out.line(&format!("{:19}→ {}", "", told(&out.typed(remedy))));
        }
    }
    let count = |level| checks.iter().filter(|check| check.level == level).count();
    let n_fails = count(Level::Fail);
    let problems = format!("{n_fails} {}", if n_fails == 1 { "problem" } else { "problems" });
    let n_warnings = count(Level::Warn);
    let warnings = format!(
        "{n_warnings} {}",
        if n_warnings == 1 { "warning" } else { "warnings" }
    );
    out.line("");
    out.line(&format!(
        "  {}, {warnings}, {} fine",
        bold(&problems),
        count(Level::Ok)
    ));
}
