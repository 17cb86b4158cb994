//! `hearth devnet`: the embedded chain alone, for other programs.

use std::time::Duration;

use super::{
    Done, Fault, Out, Place,
    args::{Args, DevnetArgs},
};

pub(super) async fn run(devnet: &DevnetArgs, args: &Args, out: &Out) -> Done {
    if args.network.as_deref().is_some_and(|network| network != "devnet") {
        return Err(Fault::wrong_use("`hearth devnet` is a network itself")
            .remedy("leave --network out")
            .into());
    }
    let place = Place::named(args, "devnet")?;
    let _log = super::terminal::plain_log(&place)?;
    let chain =
        hearth_node::StandaloneDevnet::start(&place.layout, devnet.rpc, devnet.accounts, devnet.block_ms)
            .await?;
    if out.json {
        out.value(&serde_json::json!({ "rpc": chain.rpc_url(), "network": chain.network_toml(), "accounts": chain.accounts() }));
    } else {
        for (role, address) in chain.accounts() {
            out.line(&format!("  {role:<14} {address}"));
        }
        out.line(&format!("RPC {}", chain.rpc_url()));
    }
    let stop_within = Duration::from_secs(place.layered.settings.stop_within_s);
    super::daemon::stop_signal(stop_within, super::daemon::Warning::default())
        .map_err(anyhow::Error::from)?
        .await;
    chain.stop().await;
    Ok(())
}
