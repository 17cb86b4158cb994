//! What a start refuses, and what it says.

use std::{process::Command, time::Duration};

use hearth_tests::{Node, command};

const QUIET: hearth_tests::Settings<'static> = &[("DEVNET__SETUP", "false")];

/// Runs to the end and gives exit code and what was said.
fn run(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    (output.status.code(), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_process_is_told_the_first_one() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(folder.path(), "devnet", QUIET).await.unwrap();
    let (code, said) = run(command(folder.path(), "devnet", QUIET).unwrap());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains(&node.pid().to_string()) && said.contains("already running"),
        "{said}"
    );
    // The first one is unharmed.
    node.get("/status").await.unwrap();
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_of_another_chain_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    Node::start(&data, "devnet", QUIET)
        .await
        .unwrap()
        .stop()
        .await
        .unwrap();
    let network = folder.path().join("other.toml");
    std::fs::write(&network, "chain_id = \"other\"\nrpc = [\"http://127.0.0.1:9\"]\n").unwrap();
    let (code, said) = run(command(&data, network.to_str().unwrap(), &[]).unwrap());
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("hearth-devnet") && said.contains("--data-dir"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut hearth = Command::new(hearth_tests::program().unwrap());
    hearth
        .args([
            "--daemon",
            "--network",
            "devnet",
            "--devnet-listen",
            "127.0.0.1:0",
            "--listen",
            &address,
            "--data-dir",
        ])
        .arg(folder.path())
        .env("HEARTH_DEVNET__SETUP", "false");
    let (code, said) = run(hearth);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains(&address), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_does_not_answer_leaves_the_rest_working() {
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("silent.toml");
    std::fs::write(
        &network,
        "chain_id = \"silent\"\nrpc = [\"http://127.0.0.1:9\"]\n",
    )
    .unwrap();
    let node = Node::start(&folder.path().join("data"), network.to_str().unwrap(), &[])
        .await
        .unwrap();
    let status = node.get("/status").await.unwrap();
    assert_eq!(status.pointer("/network/chain_id").unwrap(), "silent");
    let doctor = node.get("/doctor").await.unwrap();
    let failed = doctor["checks"]
        .as_array()
        .unwrap()
        .iter()
        .any(|check| check["level"] == "fail");
    assert!(failed, "{doctor:#}");
    let began = std::time::Instant::now();
    assert_eq!(node.stop().await.unwrap(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[test]
fn wrong_settings_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    std::fs::write(&file, "[miner]\npublic_ulr = \"http://a\"\n").unwrap();
    let mut hearth = Command::new(hearth_tests::program().unwrap());
    hearth
        .args(["--daemon", "--network", "devnet", "--config"])
        .arg(&file)
        .arg("--data-dir")
        .arg(folder.path());
    let (code, said) = run(hearth);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("miner.public_url"), "{said}");
}

#[test]
fn a_copy_of_the_main_network_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("local.toml");
    std::fs::write(
        &network,
        "chain_id = \"pocket\"\nrpc = [\"http://127.0.0.1:26657\"]\n",
    )
    .unwrap();
    let (code, said) = run(command(folder.path(), network.to_str().unwrap(), &[]).unwrap());
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("main network"), "{said}");
}

#[test]
fn beyond_loopback_needs_a_login() {
    let folder = tempfile::tempdir().unwrap();
    let mut hearth = Command::new(hearth_tests::program().unwrap());
    hearth
        .args([
            "--daemon",
            "--network",
            "devnet",
            "--listen",
            "0.0.0.0:0",
            "--devnet-listen",
            "127.0.0.1:0",
            "--data-dir",
        ])
        .arg(folder.path())
        .env("HEARTH_DEVNET__SETUP", "false");
    let (code, said) = run(hearth);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("login"), "{said}");
}

#[test]
fn a_file_that_is_no_model_is_not_added() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("holiday.gguf");
    std::fs::write(&file, "a picture of the sea").unwrap();
    let mut hearth = Command::new(hearth_tests::program().unwrap());
    hearth
        .args(["model", "add"])
        .arg(&file)
        .args(["--network", "devnet", "--data-dir"])
        .arg(folder.path().join("data"));
    let (code, said) = run(hearth);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("holiday.gguf") && said.contains("not a GGUF file"),
        "{said}"
    );
}
