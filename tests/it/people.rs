//! The command line as people, pipes and other programs meet it.

use std::{
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use hearth_tests::{Node, command, program};
use serde_json::Value;

const QUIET: hearth_tests::Settings<'static> = &[("DEVNET__SETUP", "false")];

struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Said {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

fn run(command: &mut Command) -> Said {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Said {
        code: output.status.code(),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// No `--network`: the data directory says it.
fn hearth(data: &Path, args: &[&str]) -> Said {
    run(Command::new(program().unwrap())
        .arg("--data-dir")
        .arg(data)
        .args(args))
}

#[test]
fn a_closed_pipe_is_no_panic() {
    // K01
    let all: [&[&str]; 3] = [&["completions", "bash"], &["config", "show"], &["--help"]];
    for args in all {
        let folder = tempfile::tempdir().unwrap();
        let mut child = Command::new(program().unwrap())
            .arg("--data-dir")
            .arg(folder.path())
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), stderr.as_ref()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_program_gets_its_errors_as_json() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], i32, &str); 11] = [
        (&["status", "--json"], 3, "not_running"),
        (&["earn", "status", "--json"], 3, "not_running"),
        (&["wallet", "list", "--json"], 3, "no_wallet"),
        (&["wallet", "unlock", "--json"], 3, "not_running"),
        (&["earn", "fly", "--json"], 2, "wrong_use"),
        (&["--json", "--listen", "localhost", "--daemon"], 2, "wrong_use"),
        (&["--json", "--network", "maninet", "status"], 2, "wrong_use"),
        (&["model", "rm", "nothing", "--json"], 1, "not_found"),
        (&["logs", "--json"], 3, "no_log"),
        (&["backup", "/nowhere/copy", "--json"], 1, "nothing_to_copy"),
        (&["restore", "/nowhere/copy", "--json"], 1, "no_backup"),
    ];
    for (args, code, word) in cases {
        let data = folder.path().join(word);
        let said = hearth(&data, args);
        assert_eq!(said.code, Some(code), "{args:?}: {said}");
        assert_eq!(said.stderr, "", "{args:?}");
        assert_eq!(
            said.json().pointer("/error/code"),
            Some(&word.into()),
            "{args:?}: {said}"
        );
        assert!(
            said.json()
                .pointer("/error/message")
                .is_some_and(Value::is_string)
        );
    }
    // People get words: what happened, what it means, what to do.
    let said = hearth(&folder.path().join("people"), &["status"]);
    assert!(said.stderr.starts_with("error: Hearth does not run on"), "{said}");
    assert!(said.stderr.contains("→ start it with `hearth --daemon"), "{said}");
    assert!(!said.stderr.contains('\u{1b}'), "{said}");
}

#[test]
fn the_doctor_needs_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let said = hearth(&data, &["doctor"]);
    assert!(matches!(said.code, Some(0 | 1)), "{said}");
    assert!(said.stdout.contains("does not run"), "{said}");
    let made = hearth(
        &data,
        &["auth", "keys", "create", "phone", "--json", "--network", "devnet"],
    );
    assert_eq!(made.code, Some(0), "{made}");
    let said = hearth(&data, &["doctor", "--json"]);
    let checks = said.json();
    let has = |code: &str| {
        checks["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| check["code"] == code)
    };
    assert!(has("not_running") && has("data") && has("no_wallet"), "{said}");
    // Z01: the directory says which network it is.
    assert!(
        hearth(&data, &["doctor"])
            .stdout
            .lines()
            .next()
            .unwrap()
            .ends_with("devnet")
    );
    assert_eq!(
        hearth(&data, &["model", "list", "--json"]).json(),
        serde_json::json!([])
    );
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_text_is_refused_in_words() {
    use std::os::unix::ffi::OsStrExt as _;
    // F03
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9.gguf"));
    File::create(&file).unwrap();
    let said = run(Command::new(program().unwrap())
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .args(["model", "add"])
        .arg(&file));
    assert_eq!(said.code, Some(1), "{said}");
    assert!(
        said.stderr.contains("UTF-8") && said.stderr.contains("rename"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn a_token_that_may_not_be_read_is_no_sign_that_nothing_runs() {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt as _,
    };
    // D19: first the token alone is closed, then its directory. Nothing is closed to root.
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("api-address"), "127.0.0.1:9").unwrap();
    let token = data.join("api-token");
    fs::write(&token, "secret").unwrap();
    for closed in [&token, &data] {
        fs::set_permissions(closed, Permissions::from_mode(0o000)).unwrap();
        let wanted = match fs::read(&token) {
            Ok(_) => (Some(3), "not_running"),
            Err(_) => (Some(1), "other_user"),
        };
        let said = hearth(&data, &["status", "--json"]);
        let code = said.json().pointer("/error/code").cloned();
        assert_eq!((said.code, code), (wanted.0, Some(wanted.1.into())), "{said}");
    }
    fs::set_permissions(&data, Permissions::from_mode(0o700)).unwrap();
}

/// A process that was stopped by a signal takes connections and says nothing; here the test itself is it.
#[test]
fn who_holds_the_data_directory_and_does_not_answer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut listener = Some(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.as_ref().unwrap().local_addr().unwrap();
    let pid = std::process::id().to_string();
    std::fs::create_dir(&data).unwrap();
    for (name, text) in [
        ("api-address", address.to_string()),
        ("api-token", "secret".to_owned()),
        ("lock", pid.clone()),
    ] {
        std::fs::write(data.join(name), text).unwrap();
    }
    let lock = std::fs::File::open(data.join("lock")).unwrap();
    lock.lock().unwrap();
    let commands: [&[&str]; 4] = [
        &["status", "--json"],
        &["network", "--json"],
        &["auth", "keys", "list", "--json"],
        &["wallet", "list", "--json"],
    ];
    for args in commands {
        let said = hearth(&data, args);
        let error = said.json()["error"].clone();
        assert_eq!(
            (said.code, &error["code"]),
            (Some(3), &"not_answering".into()),
            "{args:?}: {said}"
        );
        let has_pid = |field: &str| error[field].as_str().is_some_and(|text| text.contains(&pid));
        assert!(has_pid("message") && has_pid("remedy"), "{said}");
        // One wait for an answer is enough: from here on nobody even takes the connection.
        listener.take();
    }
    // None is begun beside it, and the doctor looks at what lies there.
    let second = hearth(&data, &["--daemon", "--json", "--network", "devnet"]);
    assert_eq!(second.json()["error"]["code"], "data_dir_taken", "{second}");
    let said = hearth(&data, &["doctor", "--json"]);
    let checks = said.json()["checks"].to_string();
    assert!(checks.contains("not_answering"), "{said}");
    drop(lock);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_commanded_from_its_own_computer() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut start = command(&data, "devnet", QUIET).unwrap();
    // Y10: names for every address. Later flags would be refused as said twice, so these come by the environment.
    let mut named = Command::new(start.get_program());
    let address = |arg: &std::ffi::OsStr| arg.to_str().is_some_and(|arg| arg.starts_with("127.0.0.1:"));
    named
        .args(start.get_args().map(|arg| {
            if address(arg) {
                std::ffi::OsStr::new("localhost:0")
            } else {
                arg
            }
        }))
        .envs(start.get_envs().filter_map(|(key, value)| Some((key, value?))));
    start = named;
    let node = Node::spawn(start, &data).await.unwrap();
    assert!(node.url.starts_with("http://127.0.0.1:"), "{}", node.url);
    let (at, parent) = (data.clone(), folder.path().to_owned());
    tokio::task::spawn_blocking(move || while_it_runs(&at, &parent))
        .await
        .unwrap();
    assert_eq!(node.stop().await.unwrap(), Some(0));
    // K15: what goes into a file or a journal has no escape codes; what a terminal would not show stands in the log.
    let log = std::fs::read_to_string(data.join(".test-log")).unwrap();
    assert!(!log.contains('\u{1b}') && log.contains("INFO"), "{log}");
    let lines = std::fs::read_to_string(data.join("logs/hearth.log")).unwrap();
    assert!(
        lines
            .lines()
            .all(|line| serde_json::from_str::<Value>(line).is_ok()),
        "{lines}"
    );

    // Without the node the same commands work on the files.
    let blocking = data.clone();
    tokio::task::spawn_blocking(move || without_it(&blocking))
        .await
        .unwrap();
}

fn while_it_runs(data: &Path, parent: &Path) {
    // Z01
    let doctor = hearth(data, &["doctor"]);
    assert!(
        doctor.stdout.lines().next().unwrap().ends_with("devnet"),
        "{doctor}"
    );
    // Exit codes of what is not there yet.
    let said = hearth(data, &["wallet", "balance", "--json"]);
    assert_eq!(
        (said.code, said.json().pointer("/error/code")),
        (Some(3), Some(&"no_wallet".into())),
        "{said}"
    );
    assert_eq!(hearth(data, &["earn", "start"]).code, Some(3));

    // Y33, and the same file for the login.
    let password = parent.join("password");
    std::fs::write(&password, "\u{feff}correct horse battery\r\n").unwrap();
    let password = password.to_str().unwrap();
    let made = hearth(data, &["wallet", "create", "--password-file", password, "--json"]);
    assert_eq!(made.code, Some(0), "{made}");
    let plain = parent.join("plain");
    std::fs::write(&plain, "correct horse battery").unwrap();
    let unlocked = hearth(
        data,
        &["wallet", "unlock", "--password-file", plain.to_str().unwrap()],
    );
    assert_eq!(unlocked.code, Some(0), "{unlocked}");
    let set = hearth(data, &["auth", "password", "--password-file", password, "--json"]);
    assert_eq!(set.json()["set"], true, "{set}");
    let reset = hearth(data, &["auth", "reset", "--json"]);
    assert_eq!(reset.json()["set"], false, "{reset}");

    keys_and_usage(data);
    not_taken_in(data, parent);

    let copy = parent.join("copy");
    let backup = hearth(data, &["backup", copy.to_str().unwrap()]);
    assert_eq!(backup.code, Some(0), "{backup}");
    let refused = hearth(data, &["restore", copy.to_str().unwrap(), "--json"]);
    assert_eq!(
        refused.json().pointer("/error/code"),
        Some(&"data_dir_taken".into()),
        "{refused}"
    );
    let other = parent.join("other");
    assert_eq!(hearth(&other, &["restore", copy.to_str().unwrap()]).code, Some(0));
    let accounts = |data: &Path| hearth(data, &["wallet", "list", "--json"]).json();
    assert_eq!(
        accounts(&other).pointer("/accounts/0/address"),
        accounts(data).pointer("/accounts/0/address")
    );

    let logs = hearth(data, &["logs", "-n", "3"]);
    assert_eq!((logs.code, logs.stdout.lines().count()), (Some(0), 3), "{logs}");
}

/// Keys are made, changed and revoked; what was asked is shown.
fn keys_and_usage(data: &Path) {
    let limits = [
        "--scope",
        "local",
        "--daily-budget",
        "0.5",
        "--requests-per-minute",
        "60",
    ];
    let made = [&["auth", "keys", "create", "phone", "--json"][..], &limits].concat();
    let key = hearth(data, &made).json();
    assert!(key["secret"].as_str().unwrap().starts_with("sk-hearth-"));
    let id = key.pointer("/key/id").and_then(Value::as_str).unwrap();
    let change = [
        "auth",
        "keys",
        "change",
        id,
        "--requests-per-minute",
        "none",
        "--scope",
        "local,network",
        "--json",
    ];
    let changed = hearth(data, &change).json();
    assert_eq!(
        changed["limits"]["scopes"],
        serde_json::json!(["local", "network"])
    );
    assert_eq!(
        (
            &changed["limits"]["daily_budget"],
            &changed["limits"]["requests_per_minute"]
        ),
        (&serde_json::json!("500000"), &Value::Null)
    );
    assert_eq!(hearth(data, &["auth", "keys", "change", id]).code, Some(2));
    let wrong = hearth(data, &["auth", "keys", "create", "x", "--scope", "admin"]);
    assert!(
        wrong.code == Some(2) && wrong.stderr.contains("embeddings"),
        "{wrong}"
    );
    assert_eq!(
        hearth(data, &["usage", "--json", "--days", "2"]).json()["days"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert!(
        hearth(data, &["usage", "--csv"])
            .stdout
            .starts_with("date,asker,")
    );
    assert!(hearth(data, &["auth", "keys"]).stdout.contains("phone"));
    let left = hearth(data, &["auth", "keys", "revoke", id]);
    assert!(left.code == Some(0) && !left.stdout.contains("phone"), "{left}");
    assert!(
        hearth(data, &["auth", "keys", "list", "--all"])
            .stdout
            .contains("revoked")
    );
    assert_eq!(
        hearth(data, &["auth", "keys", "revoke", "../wallet"]).code,
        Some(2)
    );
}

/// Files that a running node does not take in.
fn not_taken_in(data: &Path, parent: &Path) {
    // D18: a file that the node does not see, and nobody else does either.
    let said = hearth(data, &["model", "add", "/nowhere/m.gguf", "--json"]);
    assert_eq!(
        said.json().pointer("/error/code"),
        Some(&"file_unseen".into()),
        "{said}"
    );
    // F16: a header of GGUF version 1.
    let old = parent.join("old.gguf");
    std::fs::write(&old, b"GGUF\x01\0\0\0").unwrap();
    let said = hearth(data, &["model", "add", old.to_str().unwrap(), "--json"]);
    assert!(
        said.code == Some(1) && said.stdout.contains("version is 1"),
        "{said}"
    );
    let error = said.json()["error"].clone();
    assert_eq!(
        (&error["code"], &error["values"]["version"]),
        (&"model_version".into(), &"1".into()),
        "{said}"
    );
}

fn without_it(data: &Path) {
    let made = hearth(data, &["auth", "keys", "create", "tablet", "--json"]);
    assert_eq!(made.code, Some(0), "{made}");
    assert!(hearth(data, &["auth", "keys", "list"]).stdout.contains("tablet"));
    let weak = data.join("weak");
    std::fs::write(&weak, "short").unwrap();
    let said = hearth(
        data,
        &[
            "auth",
            "password",
            "--password-file",
            weak.to_str().unwrap(),
            "--json",
        ],
    );
    assert_eq!(
        (said.code, said.json().pointer("/error/code")),
        (Some(1), Some(&"weak_password".into())),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_a_network_file_is_found_and_outlives_its_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let network = folder.path().join("silent.toml");
    std::fs::write(
        &network,
        "chain_id = \"silent\"\nrpc = [\"http://127.0.0.1:9\"]\n",
    )
    .unwrap();
    let home = folder.path().join("home");
    let data = home.join("hearth-silent");
    let mut child = Command::new(program().unwrap())
        .args([
            "--daemon",
            "--listen",
            "127.0.0.1:0",
            "--miner-listen",
            "127.0.0.1:0",
            "--network",
        ])
        .arg(&network)
        .env("XDG_DATA_HOME", &home)
        .env("HEARTH_LOG__FILTER", "debug")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Nobody reads its words any more: `hearth --daemon 2>&1 | head`.
    drop((child.stdout.take(), child.stderr.take()));
    let began = Instant::now();
    while !data.join("api-address").exists() {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the node does not answer"
        );
        assert_eq!(child.try_wait().unwrap(), None, "the node ended");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ask = move |args: &'static [&'static str]| {
        let mut hearth = Command::new(program().unwrap());
        hearth.args(args).env("XDG_DATA_HOME", &home);
        tokio::task::spawn_blocking(move || run(&mut hearth))
    };
    let said = ask(&["status", "--json"]).await.unwrap();
    assert_eq!(said.code, Some(0), "{said}");
    assert_eq!(
        said.json().pointer("/status/network/chain_id"),
        Some(&"silent".into()),
        "{said}"
    );
    let doctor = ask(&["doctor"]).await.unwrap();
    assert!(
        doctor.stdout.lines().next().unwrap().ends_with("silent"),
        "{doctor}"
    );
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
