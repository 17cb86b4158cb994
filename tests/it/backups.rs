//! Backups of a whole node: which configuration is in them, what is left when they are broken off, how often one may guess.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use hearth_tests::{Node, command, program};
use serde_json::{Value, json};

/// Runs a command on a data directory; its exit code and what it said as JSON.
fn hearth(data: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let output = on(data, args).stdin(Stdio::null()).output().unwrap();
    let said = serde_json::from_slice(&output.stdout);
    (output.status.code(), said.unwrap_or(Value::Null))
}

fn on(data: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program().unwrap());
    command.arg("--json").arg("--data-dir").arg(data).args(args);
    command
}

/// Folders in which a backup lies open.
fn scratches(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.to_string_lossy().contains("/.backup-"))
        .collect()
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_has_the_configuration_in_use_and_nothing_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (data, etc, file, secret) = (path("data"), path("etc.toml"), path("X"), path("passphrase"));
    std::fs::write(&etc, "stop_within_s = 21\n").unwrap();
    std::fs::write(&secret, "battery staple horse\n").unwrap();
    let mut started = command(&data, "devnet", &[("DEVNET__SETUP", "false")]).unwrap();
    started.arg("--config").arg(&etc);
    let node = Node::spawn(started, &data).await.unwrap();
    let (shown, secret) = (file.to_str().unwrap(), secret.to_str().unwrap());
    let with = ["--backup-passphrase-file", secret];
    let (code, made) = hearth(&data, &[&["backup", shown, "--sealed"], &with[..]].concat());
    assert_eq!(
        (code, &made["config"]),
        (Some(0), &json!(etc.to_str().unwrap())),
        "{made}"
    );

    guesses(&node, shown).await;

    // Ctrl-C while it lies open.
    let test = [&["restore", shown, "--test"], &with[..]].concat();
    let mut child = on(&data, &test).stdout(Stdio::null()).spawn().unwrap();
    while scratches(&data).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let pid = child.id().to_string();
    let _ = Command::new("kill").args(["-INT", &pid]).status().unwrap();
    let _ = child.wait().unwrap();
    assert_eq!(scratches(&data), [] as [PathBuf; 0]);
    // Killed: the next one removes what it left.
    let mut child = on(&data, &test).stdout(Stdio::null()).spawn().unwrap();
    while scratches(&data).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    let _ = child.wait().unwrap();
    let (code, tested) = hearth(&data, &test);
    assert_eq!(
        (code, &tested["backup"]["chain_id"]),
        (Some(0), &made["chain_id"])
    );
    assert_eq!(scratches(&data), [] as [PathBuf; 0]);

    let other = path("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("config.toml"), "stop_within_s = 5\n").unwrap();
    let (code, back) = hearth(&other, &[&["restore", shown], &with[..]].concat());
    let beside = other.join("config.toml.restored");
    assert_eq!((code, &back["config_kept"]), (Some(0), &json!(true)), "{back}");
    assert_eq!(back["config_now"], json!(beside.to_str().unwrap()));
    assert_eq!(std::fs::read(&beside).unwrap(), std::fs::read(&etc).unwrap());
    // One that did not end is told to whoever starts a node there.
    std::fs::write(other.join(".restoring"), "[]").unwrap();
    let mut again = command(&other, "devnet", &[]).unwrap();
    let refused = again.arg("--json").output().unwrap();
    let refused = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(refused.contains("restore_interrupted"), "{refused}");
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

/// Whoever has no more than a session cannot guess on.
async fn guesses(node: &Node, file: &str) {
    let guess = json!({ "from": file, "passphrase": "a wrong passphrase" });
    let mut said = Vec::new();
    for _ in 0..6 {
        let error = node.post("/backup/test", &guess).await.unwrap_err();
        said.push(error.to_string());
    }
    let (last, first) = said.split_last().unwrap();
    assert!(
        first.iter().all(|said| said.contains("passphrase_wrong")),
        "{said:#?}"
    );
    assert!(last.contains("\"wait\"") && last.contains("seconds"), "{last}");
}
