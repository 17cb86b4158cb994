//! The program itself: size, time to start, memory at rest.

use std::{
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::{
    node::daemon,
    table::{figure, median, section},
};

/// How long the daemon is left alone before its memory is read.
const REST: Duration = Duration::from_secs(5);

pub(crate) async fn run(hearth: Option<&Path>, desktop: Option<&Path>) -> anyhow::Result<()> {
    section("program");
    let Some(hearth) = hearth else {
        figure("not measured", "", "name the program with --hearth");
        return Ok(());
    };
    size("size of the headless program, page inside", hearth)?;
    match desktop {
        Some(desktop) => size("size of the desktop program", desktop)?,
        None => figure("size of the desktop program", "", "name it with --desktop"),
    }
    let mut starts = Vec::new();
    for _ in 0..3 {
        let folder = tempfile::tempdir()?;
        let (mut child, seconds) = start(hearth, folder.path()).await?;
        starts.push(seconds * 1e3);
        if starts.len() == 3 {
            tokio::time::sleep(REST).await;
            memory(child.id())?;
        }
        child.kill()?;
        child.wait()?;
    }
    figure(
        "start to first answer of the API (median of 3)",
        &format!("{:.0} ms", median(starts)),
        "devnet included",
    );
    Ok(())
}

fn size(name: &str, program: &Path) -> anyhow::Result<()> {
    let metadata =
        std::fs::metadata(program).with_context(|| format!("{} is not there", program.display()))?;
    figure(name, &format!("{:.1} MB", metadata.len() as f64 / 1e6), "");
    Ok(())
}

async fn start(hearth: &Path, folder: &Path) -> anyhow::Result<(std::process::Child, f64)> {
    let began = Instant::now();
    let child = daemon(hearth, folder)
        .env("HEARTH_DEVNET__SETUP", "false")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let http = reqwest::Client::builder().no_proxy().build()?;
    while began.elapsed() < Duration::from_secs(60) {
        if let Ok(address) = std::fs::read_to_string(folder.join("api-address"))
            && let Ok(answer) = http.get(format!("http://{address}/health")).send().await
            && answer.status().is_success()
        {
            return Ok((child, began.elapsed().as_secs_f64()));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    anyhow::bail!("the program does not start")
}

fn memory(pid: u32) -> anyhow::Result<()> {
    let status =
        std::fs::read_to_string(format!("/proc/{pid}/status")).context("memory is read from /proc")?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok())
        .context("/proc tells no memory")?;
    figure(
        "memory at rest, devnet included, no model",
        &format!("{:.0} MB", kilobytes / 1e3),
        "classic miner 130 to 310 MB",
    );
    Ok(())
}
