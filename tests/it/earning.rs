//! The loop: an answer is bought, served, claimed, proven and settled for exactly what the arithmetic gives.

use std::time::Duration;

use hearth_base::{Clock, Tasks};
use hearth_chain::{Chain, Config};
use hearth_pocket::{message::tokenomics, settlement::Decimal};
use hearth_tests::{DEMO, FAST, Node};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_is_settled_for_exactly_what_the_arithmetic_gives() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), "devnet", FAST)
        .await
        .unwrap();
    node.ready().await.unwrap();
    for stream in [true, false, true] {
        node.chat(&format!("pocket/{DEMO}"), "hello", stream)
            .await
            .unwrap();
    }
    let settled = |sessions: &Value| settled_sessions(sessions).next().is_some();
    let sessions = node
        .wait("/earning/sessions", Duration::from_secs(60), settled)
        .await
        .unwrap();
    let session = settled_sessions(&sessions).next().unwrap();

    let params = params(&node).await;
    let answers = u128::from(session["answers"].as_u64().unwrap());
    let units = answers * compute_units(&node).await;
    assert_eq!(u128::from(session["compute_units"].as_u64().unwrap()), units);
    let claimed = units * u128::from(params.shared.compute_units_to_tokens_multiplier)
        / u128::from(params.shared.compute_unit_cost_granularity);
    assert_eq!(upokt(session, "claimed"), claimed);
    assert_eq!(upokt(session, "settled"), claimed, "nothing was cut");
    assert_eq!(upokt(session, "amount"), share(&params.tokenomics, claimed));
    assert_eq!(session["estimated"], false);

    // What the page shows as spendable is proven, and the claim's way is told.
    let balances = node
        .wait("/wallet/balances", Duration::from_secs(30), |balances| {
            balances.pointer("/standing/trust") == Some(&Value::from("proven"))
        })
        .await
        .unwrap();
    assert!(balances["spendable"].as_str().unwrap().parse::<u128>().unwrap() > 0);
    for key in [
        "claim_tx",
        "claim_height",
        "proof_tx",
        "proof_height",
        "settled_height",
    ] {
        assert!(!session[key].is_null(), "{key} is missing: {session:#}");
    }
    // Stakes, charges, fees, rewards and what the own answers cost add up to what is there.
    let history = crate::money::adds_up(&node).await;
    let movements = history["movements"].as_array().unwrap().iter();
    let of = |kind: &str| movements.clone().find(|one| one["kind"] == kind);
    let reward = of("reward").unwrap_or_else(|| panic!("{history:#}"));
    assert_eq!(reward["amount"], session["amount"]);
    assert_eq!(reward["session_id"], session["id"]);
    // Its time is that of its block, and its block's change of the balance bears it out.
    let block = block_time(&node, session["settled_height"].as_u64().unwrap()).await;
    assert_eq!(
        reward["time"].as_str().map(|time| &time[..19]),
        Some(&block[..19])
    );
    assert!(of("spent").is_some() && of("stake").is_some(), "{history:#}");
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

/// When a block was made, by the chain's own word.
async fn block_time(node: &Node, height: u64) -> String {
    let text = std::fs::read_to_string(node.data.join("network.toml")).unwrap();
    let file: hearth_node::network::NetworkFile = toml::from_str(&text).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}block?height={height}", file.rpc[0]);
    let block: Value = http.get(url).send().await.unwrap().json().await.unwrap();
    let time = block["result"]["block"]["header"]["time"].as_str();
    time.unwrap_or_else(|| panic!("{block:#}")).to_owned()
}

/// The settled sessions of an answer of `/earning/sessions`.
pub(crate) fn settled_sessions(sessions: &Value) -> impl Iterator<Item = &Value> {
    sessions["sessions"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|session| session["state"] == "settled")
}

/// What one answer of the set-up's service counts.
async fn compute_units(node: &Node) -> u128 {
    let page = node.get("/network").await.unwrap();
    let mut services = page["services"].as_array().unwrap().iter();
    let service = services.find(|service| service["id"] == DEMO).unwrap();
    service["compute_units_per_answer"].as_u64().unwrap().into()
}

fn upokt(session: &Value, key: &str) -> u128 {
    session[key]
        .as_str()
        .unwrap_or_else(|| panic!("{key} is missing: {session:#}"))
        .parse()
        .unwrap()
}

/// What this wallet gets of a settled amount: its main key owns both the supplier and the service, so both parts of
/// what is minted for the burn, and both of inflation.
fn share(params: &tokenomics::Params, settled: u128) -> u128 {
    let of = |ratio: f64| Decimal::try_from(ratio).unwrap();
    let floor = |ratio: f64, amount: u128| u128::try_from(of(ratio).floor_of(&amount.into())).unwrap();
    let minted = floor(params.mint_ratio, settled);
    let split = &params.mint_equals_burn_claim_distribution;
    let inflation = u128::try_from(of(params.global_inflation_per_claim).ceil_of(&settled.into())).unwrap();
    let allocation = &params.mint_allocation_percentages;
    floor(split.supplier, minted)
        + floor(split.source_owner, minted)
        + floor(allocation.supplier, inflation)
        + floor(allocation.source_owner, inflation)
}

async fn params(node: &Node) -> hearth_chain::Params {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(node.data.join("network.toml")).unwrap();
    let file: hearth_node::network::NetworkFile = toml::from_str(&text).unwrap();
    let store = hearth_store::Store::open(hearth_store::Config {
        path: folder.path().join("hearth.db"),
        chain_id: file.chain_id.clone(),
        max_pages: None,
    })
    .await
    .unwrap();
    let tasks = Tasks::root();
    let trust = file.trust.map(|trust| hearth_chain::Anchor {
        height: trust.height,
        hash: hex::decode(&trust.hash).unwrap().try_into().unwrap(),
    });
    let config = Config {
        trust,
        ..Config::new(file.chain_id, file.rpc)
    };
    let chain = Chain::start(hearth_chain::Args {
        config,
        store,
        clock: Clock::system(),
        tasks: tasks.clone(),
    })
    .unwrap();
    let params = chain.params().await.unwrap().into_value();
    chain.stop();
    tasks.stop();
    params
}
