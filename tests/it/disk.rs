//! A disk that fills up, weights that change under a running node.

use std::{
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    process::Command,
    time::Duration,
};

use hearth_tests::{DEMO, FAST, Node, PATIENT};
use serde_json::Value;

/// The limit on file sizes makes every write of the node fail, as a full disk does.
fn limit_files(node: &Node, bytes: &str) {
    let status = Command::new("prlimit")
        .args(["--pid", &node.pid().to_string(), &format!("--fsize={bytes}:")])
        .status()
        .unwrap();
    assert!(status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_answers_and_loses_none() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder.path().join("data"), "devnet", PATIENT)
        .await
        .unwrap();
    node.ready().await.unwrap();
    let mut arrived = 1;
    for _ in 0..3 {
        node.chat(&format!("pocket/{DEMO}"), "before", true)
            .await
            .unwrap();
        arrived += 1;
    }

    limit_files(&node, "1");
    let mut refused = 0;
    for stream in [false, true, false] {
        let error = node
            .chat(&format!("pocket/{DEMO}"), "during", stream)
            .await
            .expect_err("nothing may be answered that cannot be written down");
        refused += 1;
        // A clear error of the API, not a broken connection.
        assert!(error.to_string().contains("error"), "{error:#}");
    }
    // The node lives on and says what is wrong.
    let doctor = node.get("/doctor").await.unwrap();
    let is_told = doctor["checks"].as_array().unwrap().iter().any(|check| {
        check["level"] == "fail" && check["remedy"].as_str().is_some_and(|text| text.contains("disk"))
    });
    assert!(is_told, "{doctor:#}");

    limit_files(&node, "unlimited");
    node.ready().await.unwrap();
    arrived += 1;
    let all_settled = |sessions: &Value| {
        let sessions = sessions["sessions"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let answers: u64 = sessions
            .iter()
            .filter_map(|session| session["answers"].as_u64())
            .sum();
        answers >= arrived
            && sessions
                .iter()
                .all(|session| session["state"] == "settled" || session["answers"] == 0)
    };
    let sessions = node
        .wait("/earning/sessions", Duration::from_secs(120), all_settled)
        .await
        .unwrap();
    let claimed: u64 = sessions["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|session| session["answers"].as_u64())
        .sum();
    assert!(
        claimed <= arrived + refused,
        "{claimed} claimed, {arrived} arrived, {refused} refused"
    );
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_that_change_on_disk_are_not_used_until_they_are_right_again() {
    const FILE: &str = "SmolLM2-135M-Instruct.Q4_1.gguf";
    let folder = tempfile::tempdir().unwrap();
    let weights = folder.path().join("weights");
    std::fs::create_dir(&weights).unwrap();
    let (original, copy) = (hearth_tests::models().unwrap().join(FILE), weights.join(FILE));
    std::fs::copy(&original, &copy).unwrap();
    let data = folder.path().join("data");
    let mut command = hearth_tests::command(&data, "devnet", &FAST[..FAST.len() - 1]).unwrap();
    command.env("HEARTH_WEIGHTS__DEMO_FOLDER", &weights);
    let node = Node::spawn(command, &data).await.unwrap();
    node.wait("/status", Duration::from_secs(120), |status| {
        status.pointer("/setup/done") == Some(&Value::Bool(true))
    })
    .await
    .unwrap();
    let before = node.chat(DEMO, "Say hello.", false).await.unwrap();
    assert!(!before.is_empty());

    // One byte in the middle of the weights.
    let mut file = std::fs::File::options().write(true).open(&copy).unwrap();
    file.seek(SeekFrom::Start(50_000_000)).unwrap();
    file.write_all(b"!").unwrap();
    drop(file);
    refused(&node, &data).await;

    // A file that was cut short: what lies behind its end must not be touched.
    let file = std::fs::File::options().write(true).open(&copy).unwrap();
    file.set_len(30_000_000).unwrap();
    drop(file);
    refused(&node, &data).await;

    std::fs::copy(&original, &copy).unwrap();
    assert_eq!(node.chat(DEMO, "Say hello.", false).await.unwrap(), before);
    assert_eq!(node.stop().await.unwrap(), Some(0));
}

/// An answer is refused with words that help, and `hearth model verify` says what is wrong.
async fn refused(node: &Node, data: &Path) {
    let error = node
        .chat(DEMO, "Say hello.", false)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("422") && error.contains("hearth model verify"),
        "{error}"
    );
    let output = Command::new(hearth_tests::program().unwrap())
        .args(["model", "verify", DEMO, "--data-dir"])
        .arg(data)
        .output()
        .unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("changed on disk"), "{said}");
}
