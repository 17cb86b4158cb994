//! The light client: headers by signatures, values by proofs, over recorded data. No rival publishes such figures;
//! what counts is that a sleep of weeks is caught up in a blink and that a page of proven figures costs nothing.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, anyhow};
use hearth_base::Height;
use hearth_chain::{
    rpc::wire::{AbciQuery, CommitAnswer, ValidatorsAnswer},
    verify::{LightBlock, Rules, Statement, Step, Trusted, advance, anchor, prove, validator_set},
};
use serde_json::Value;

use crate::table::{figure, per_second, rate, section};

const RULES: Rules = Rules {
    trusting_period: Duration::from_secs(14 * 24 * 3600),
    clock_drift: Duration::from_secs(30),
};

pub(crate) async fn run() -> anyhow::Result<()> {
    tokio::task::spawn_blocking(measure).await?
}

fn measure() -> anyhow::Result<()> {
    section("chain (one core)");
    headers("chain_light", "one validator")?;
    headers("chain_light_validators", "four validators of which three sign")?;
    proofs()
}

/// Adjacent steps and the longest skip that the reference allows.
fn headers(name: &str, what: &str) -> anyhow::Result<()> {
    let golden = load(name)?;
    let trust = &golden["trust"];
    let height = trust["trusted_height"].as_u64().context("a trusted height")?;
    let hash = hex::decode(trust["trusted_hash"].as_str().context("a trusted hash")?)?;
    let hash = hash.try_into().map_err(|_| anyhow!("a hash has 32 bytes"))?;
    let chain_id = trust["chain_id"].as_str().context("a chain id")?;
    let trusted = anchor(block(&golden, height)?, chain_id, Height(height), &hash)?;
    let skips = golden["cometbft_light_check"]["skips"]
        .as_array()
        .context("skips")?;
    let furthest = skips
        .iter()
        .filter(|skip| skip["trusted"].as_u64() == Some(height) && skip["ok"] == true)
        .filter_map(|skip| skip["target"].as_u64())
        .max()
        .context("a skip from the trusted header")?;
    for (kind, target) in [("adjacent", height + 1), ("skip", furthest)] {
        let per_s = steps(&golden, &trusted, target)?;
        let name = format!("header, {kind} ({} blocks)", target - height);
        figure(&name, &per_second(per_s), what);
    }
    Ok(())
}

fn steps(golden: &Value, trusted: &Trusted, target: u64) -> anyhow::Result<f64> {
    let block = block(golden, target)?;
    let now = block.signed_header.header.time + Duration::from_secs(1);
    let now = now.map_err(|error| anyhow!("{error}"))?;
    let step = advance(trusted, block.clone(), now, &RULES)?;
    anyhow::ensure!(
        matches!(step, Step::Verified(_)),
        "the header at {target} does not verify"
    );
    Ok(rate(1, || {
        drop(std::hint::black_box(advance(trusted, block.clone(), now, &RULES)))
    }))
}

fn block(golden: &Value, height: u64) -> anyhow::Result<LightBlock> {
    let entries = golden["heights"].as_array().context("heights")?;
    let entry = |height: u64| {
        entries
            .iter()
            .find(|entry| entry["height"].as_u64() == Some(height))
    };
    let own = entry(height).context("the header is recorded")?;
    let set = |entry: &Value| -> anyhow::Result<_> {
        let answer: ValidatorsAnswer = serde_json::from_str(&entry["validators"].to_string())?;
        let set = validator_set(answer.validators).context("a set of so much power")?;
        Ok(Arc::new(set))
    };
    let commit: CommitAnswer = serde_json::from_str(&own["commit"].to_string())?;
    Ok(LightBlock {
        signed_header: commit.signed_header,
        validators: set(own)?,
        next_validators: set(entry(height + 1).unwrap_or(own))?,
    })
}

/// All recorded proofs, both steps of each.
fn proofs() -> anyhow::Result<()> {
    let golden = load("chain_proofs")?;
    for exists in [true, false] {
        let mut all = Vec::new();
        for list in ["proofs_height_344", "proofs_height_760"] {
            for entry in golden[list]
                .as_array()
                .context("proofs")?
                .iter()
                .filter(|e| e["exists"] == exists)
            {
                let height = entry["height"].as_u64().context("a height")? + 1;
                let commit: CommitAnswer = serde_json::from_str(
                    &golden["signed_headers"][height.to_string()]["commit"].to_string(),
                )?;
                let answer: AbciQuery = serde_json::from_str(&entry["response"].to_string())?;
                let store = entry["store"].as_str().context("a store")?.to_owned();
                let key = hex::decode(entry["key"].as_str().context("a key")?)?;
                all.push((commit.signed_header.header.app_hash, store, key, answer));
            }
        }
        let check = |present: bool| {
            all.iter().all(|(app_hash, store, key, answer)| {
                let found = prove(
                    app_hash.as_bytes(),
                    store,
                    key,
                    &answer.value,
                    &answer.proof_ops.ops,
                );
                matches!(found, Ok(Statement::Present(_))) == present && found.is_ok()
            })
        };
        anyhow::ensure!(check(exists), "a recorded proof does not verify");
        let per_s = rate(all.len(), || {
            let _ = std::hint::black_box(check(exists));
        });
        let name = if exists {
            "proof of a value"
        } else {
            "proof of absence"
        };
        figure(name, &per_second(per_s), &format!("{} recorded ones", all.len()));
    }
    Ok(())
}

fn load(name: &str) -> anyhow::Result<Value> {
    let path = format!("{}/../vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    Ok(serde_json::from_str(
        &std::fs::read_to_string(&path).context(path)?,
    )?)
}
