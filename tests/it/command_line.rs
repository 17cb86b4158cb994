//! The command line against a running node, and without one.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use hearth_tests::{DEMO, FAST, Node};
use serde_json::Value;

fn hearth(data: &Path, args: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(hearth_tests::program().unwrap());
    command
        .args(["--network", "devnet", "--data-dir"])
        .arg(data)
        .args(args)
        .env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn json(data: &Path, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.push("--json");
    let (code, stdout, stderr) = hearth(data, &all);
    assert!(matches!(code, Some(0 | 1)), "{args:?}: {stdout}{stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{args:?}: {error}: {stdout}{stderr}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_ask_the_running_node() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, "devnet", FAST).await.unwrap();
    node.ready().await.unwrap();
    // The commands block, so they run beside the runtime.
    let at = data.clone();
    tokio::task::spawn_blocking(move || ask(&at)).await.unwrap();
    assert_eq!(node.stop().await.unwrap(), Some(0));

    // Without a daemon: what lies in files is shown, the rest says how to start it.
    let (code, _, stderr) = hearth(&data, &["status"]);
    assert_eq!(code, Some(3), "{stderr}");
    assert!(stderr.contains("hearth --daemon"), "{stderr}");
    let accounts = json(&data, &["wallet", "list"]);
    assert!(
        accounts["status"]["main_address"]
            .as_str()
            .unwrap()
            .starts_with("pokt1")
    );
    assert!(json(&data, &["model", "list"]).to_string().contains(DEMO));
}

fn ask(data: &Path) {
    let (code, stdout, stderr) = hearth(data, &["status"]);
    assert_eq!(code, Some(0), "{stderr}");
    for word in ["Hearth", "Earning", "Chain", "Wallet", "spendable"] {
        assert!(stdout.contains(word), "{word} is missing:\n{stdout}");
    }
    assert!(
        stdout.lines().all(|line| line.chars().count() <= 80),
        "wider than 80 columns:\n{stdout}"
    );
    assert_eq!(
        json(data, &["status"]).pointer("/status/network/is_devnet"),
        Some(&Value::Bool(true))
    );

    let (code, stdout, _) = hearth(data, &["doctor"]);
    assert_eq!(code, Some(0), "{stdout}");

    // How the chain is trusted, and that nobody decides what needs no decision.
    let network = json(data, &["network"]);
    assert_eq!(
        network.pointer("/network/chain_id"),
        Some(&Value::from("hearth-devnet"))
    );
    assert_eq!(network.pointer("/endpoints/0/state"), Some(&Value::from("ok")));
    let (code, _, stderr) = hearth(data, &["network", "trust"]);
    assert!(code == Some(2) && stderr.contains("--yes"), "{stderr}");
    let (code, _, stderr) = hearth(data, &["network", "trust", "--yes"]);
    assert!(
        code == Some(1) && stderr.contains("does not contradict"),
        "{stderr}"
    );

    let answer = json(data, &["chat", "--on", "network", "hello"]);
    assert!(!answer["answer"].as_str().unwrap().is_empty(), "{answer:#}");
    assert_eq!(answer["model"], format!("pocket/{DEMO}"));

    let stopped = json(data, &["earn", "stop"]);
    assert!(
        matches!(stopped["state"].as_str(), Some("off" | "draining")),
        "{stopped:#}"
    );
    let started = json(data, &["earn", "start"]);
    assert_ne!(started["state"], "off", "{started:#}");

    let accounts = json(data, &["wallet", "list"]);
    let working = accounts
        .pointer("/accounts/1/address")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    let password = data.join("keystore/devnet.pass");
    let sent = json(
        data,
        &[
            "wallet",
            "send",
            &working,
            "1.5",
            "--yes",
            "--password-file",
            password.to_str().unwrap(),
        ],
    );
    assert!(sent["height"].as_u64().unwrap() > 0, "{sent:#}");
    let balances = json(data, &["wallet", "balance"]);
    assert!(balances["total"].as_str().unwrap().parse::<u128>().unwrap() > 0);
    assert!(
        json(data, &["wallet", "history"])["movements"]
            .as_array()
            .is_some_and(|list| !list.is_empty())
    );
    let (code, _, stderr) = hearth(data, &["wallet", "send", "pokt1nobody", "1", "--yes"]);
    assert_eq!(code, Some(1), "{stderr}");

    let wrong = data.join("wrong-password");
    std::fs::write(&wrong, "not the password").unwrap();
    let (code, _, stderr) = hearth(
        data,
        &["wallet", "unlock", "--password-file", wrong.to_str().unwrap()],
    );
    assert_eq!(code, Some(1));
    assert!(
        stderr.contains("wrong password") || stderr.contains("Wrong password"),
        "{stderr}"
    );

    let (code, _, _) = hearth(data, &["earn", "fly"]);
    assert_eq!(code, Some(2));
}

/// The node reads PDFs by a child of this kind.
#[test]
fn a_pdf_on_standard_input_becomes_text() {
    let mut child = Command::new(hearth_tests::program().unwrap())
        .arg("read-pdf")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let pdf = hearth_chats::testing::pdf(&["Boats float."]);
    child.stdin.take().unwrap().write_all(&pdf).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(output.stdout, b"\nhearth-pdf text 12\nBoats float.");
}

#[test]
fn completions_and_settings_need_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let (code, stdout, _) = hearth(folder.path(), &["completions", "bash"]);
    assert_eq!(code, Some(0));
    assert!(stdout.contains("hearth"));
    let (code, stdout, _) = hearth(folder.path(), &["config", "show", "--origin"]);
    assert_eq!(code, Some(0));
    assert!(
        stdout.contains("network = \"devnet\"") && stdout.contains("# flag"),
        "{stdout}"
    );
}

/// As [`hearth`], with a home folder and something on standard input.
fn at_home(data: &Path, home: &Path, args: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(hearth_tests::program().unwrap());
    command
        .args(["--network", "devnet", "--data-dir"])
        .arg(data)
        .args(args)
        .env("NO_COLOR", "1")
        .env("HOME", home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("CODEX_HOME")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read may have ended.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_is_connected_and_a_question_is_piped_in() {
    let folder = tempfile::tempdir().unwrap();
    let (data, home) = (folder.path().join("data"), folder.path().join("home"));
    std::fs::create_dir(&home).unwrap();
    let (code, _, stderr) = at_home(&data, &home, &["connect", "codex"], "");
    assert!(code == Some(3) && stderr.contains("hearth --daemon"), "{stderr}");
    let node = Node::start(&data, "devnet", FAST).await.unwrap();
    node.ready().await.unwrap();
    tokio::task::spawn_blocking(move || connect(&data, &home))
        .await
        .unwrap();
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

fn connect(data: &Path, home: &Path) {
    let run = |args: &[&str]| at_home(data, home, args, "");
    let file = home.join(".codex/config.toml");
    std::fs::create_dir(home.join(".codex")).unwrap();
    let before = "# mine\nmodel = \"other\"\n";
    std::fs::write(&file, before).unwrap();

    // Off a terminal it is only shown.
    let (code, stdout, stderr) = run(&["connect", "codex"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert!(
        stdout.contains("- model = \"other\"") && stdout.contains("+ model_provider = \"hearth\""),
        "{stdout}"
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);

    let (code, stdout, stderr) = run(&["connect", "codex", "--yes", "--json"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let written: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (&written["written"], written["model"].as_str()),
        (&Value::Bool(true), Some(DEMO))
    );
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# mine\n") && text.contains("sk-hearth-"),
        "{text}"
    );
    let (_, stdout, _) = run(&["connect"]);
    assert!(stdout.contains(&format!("asks {DEMO}")), "{stdout}");
    assert!(stdout.lines().all(|line| line.chars().count() <= 80), "{stdout}");
    assert!(json(data, &["auth", "keys"]).to_string().contains("Codex"));

    let (code, stdout, stderr) = run(&["connect", "codex", "--undo"]);
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), before);
    assert!(!json(data, &["auth", "keys"]).to_string().contains("Codex"));
    let (code, _, stderr) = run(&["connect", "codex", "--undo"]);
    assert!(code == Some(1) && stderr.contains("not connected"), "{stderr}");
    let (code, _, stderr) = run(&["connect", "emacs"]);
    assert!(code == Some(2) && stderr.contains("claude-code"), "{stderr}");
    let (code, _, stderr) = run(&["connect", "curl", "--model", &format!("pocket/{DEMO}")]);
    assert!(code == Some(2) && stderr.contains("--daily-budget"), "{stderr}");

    let (code, stdout, stderr) = at_home(data, home, &["chat", "--max-tokens", "8"], "Say hello.\n");
    assert!(code == Some(0) && !stdout.trim().is_empty(), "{stdout}{stderr}");
    let (code, _, stderr) = run(&["chat"]);
    assert!(code == Some(2) && stderr.contains("empty"), "{stderr}");
}
