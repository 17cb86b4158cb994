//! Closed by default: who may read the files and the memory of a node, and who is shown its token.

#![cfg(unix)]

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use hearth_tests::Node;

const QUIET: hearth_tests::Settings<'static> = &[("DEVNET__SETUP", "false")];

/// Everything below a folder.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while next < found.len() {
        if found[next].is_dir() {
            let entries = std::fs::read_dir(&found[next]).unwrap();
            found.extend(entries.map(|entry| entry.unwrap().path()));
        }
        next += 1;
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_reads_what_a_node_writes() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let node = Node::start(&data, "devnet", hearth_tests::FAST).await.unwrap();
    node.ready().await.unwrap();
    for path in below(&data) {
        // The test's own, made before the node began.
        if path.ends_with(".test-log") {
            continue;
        }
        // A file may go away while it is looked at.
        let Ok(about) = std::fs::symlink_metadata(&path) else {
            continue;
        };
        assert_eq!(
            about.mode() & 0o077,
            0,
            "{} is {:o}",
            path.display(),
            about.mode()
        );
    }
    for name in ["hearth.db", "api-token", "logs", "keystore", "evidence"] {
        assert!(data.join(name).exists(), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_node_leaves_no_image_of_its_memory_and_has_all_files_it_may_have() {
    let folder = tempfile::tempdir().unwrap();
    let command = hearth_tests::command(folder.path(), "devnet", QUIET).unwrap();
    let node = Node::spawn(hearth_tests::few_files(&command, "-Sn", 300), folder.path())
        .await
        .unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.pid())).unwrap();
    let limit = |name: &str| -> Vec<String> {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().take(2).map(str::to_owned).collect()
    };
    assert_eq!(limit("Max core file size"), ["0", "0"]);
    let files = limit("Max open files");
    let most: u64 = files[1].parse().unwrap_or(u64::MAX);
    assert_eq!(files[0].parse::<u64>().unwrap(), most.min(1 << 16), "{files:?}");
    // The memory of a process that leaves no image belongs to root.
    let owner = std::fs::metadata(format!("/proc/{}/mem", node.pid()))
        .unwrap()
        .uid();
    assert_eq!(owner, 0);
}

#[test]
fn another_program_on_the_port_of_a_node_is_not_shown_its_token() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let folder = tempfile::tempdir().unwrap();
    let wrong = TcpListener::bind("127.0.0.1:0").unwrap();
    std::fs::write(
        folder.path().join("api-address"),
        wrong.local_addr().unwrap().to_string(),
    )
    .unwrap();
    std::fs::write(folder.path().join("api-token"), TOKEN).unwrap();
    // It says that it is well, as a node does, and keeps what it hears.
    let hears = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for stream in wrong.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let n = stream.read(&mut request).unwrap();
            heard.extend_from_slice(&request[..n]);
            if request.starts_with(b"END") {
                break;
            }
            let body = r#"{"status":"ok","reasons":[],"proof":"00"}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            // The command may have gone.
            let _ = stream.write_all(answer.as_bytes());
        }
        String::from_utf8_lossy(&heard).into_owned()
    });
    let address = std::fs::read_to_string(folder.path().join("api-address")).unwrap();
    for command in [["status"].as_slice(), &["earn", "status"], &["chat", "hello"]] {
        let mut hearth = Command::new(hearth_tests::program().unwrap());
        hearth
            .args(command)
            .args(["--network", "devnet", "--data-dir"])
            .arg(folder.path());
        let output = hearth.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{said}");
    }
    std::net::TcpStream::connect(address)
        .unwrap()
        .write_all(b"END")
        .unwrap();
    let heard = hears.join().unwrap();
    assert!(heard.contains("/health?challenge="), "{heard}");
    assert!(!heard.contains(TOKEN), "{heard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_the_output_holds_neither_token_nor_key() {
    for json in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let said = folder.path().join("said");
        let data = folder.path().join("data");
        let mut command = hearth_tests::command(&data, "devnet", QUIET).unwrap();
        if json {
            command.arg("--json");
        }
        command
            .stdout(std::fs::File::create(&said).unwrap())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let began = Instant::now();
        let said = loop {
            let said = std::fs::read_to_string(&said).unwrap();
            if said.contains("api-key") {
                break said;
            }
            assert!(
                began.elapsed() < Duration::from_secs(120),
                "it does not say where it is: {said}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(said.contains("api-token"), "{said}");
        for name in ["api-token", "api-key"] {
            let secret = std::fs::read_to_string(data.join(name)).unwrap();
            assert!(!said.contains(secret.trim()), "{name} is in {said}");
        }
    }
}

#[test]
fn a_process_ends_at_its_deadline_whatever_hangs() {
    let folder = tempfile::tempdir().unwrap();
    // A start that hangs: nobody writes into this pipe.
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let data = folder.path().join("data");
    let mut command = hearth_tests::command(&data, "devnet", QUIET).unwrap();
    command
        .env("HEARTH_MINER__BACKEND", "http://127.0.0.1:9")
        .env("HEARTH_MINER__BACKEND_KEY_FILE", &pipe)
        .env("HEARTH_STOP_WITHIN_S", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let began = Instant::now();
    // It holds the directory by then, and hears signals.
    while !data.join("devnet.db").exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "it does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    let stopped = Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(stopped.success());
    let began = Instant::now();
    let code = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status.code();
        }
        if began.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it hangs on");
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(code, Some(1), "late, so not in order");
}
