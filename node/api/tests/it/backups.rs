//! Backups that are asked for by the page.

use std::sync::Arc;

use hearth_api::{Api, control::types::Setup};
use tokio::sync::watch;

use crate::{
    host::{Backups, Program},
    parts::Fake,
    support::{TOKEN, args, config},
};

#[tokio::test]
async fn a_page_that_is_closed_leaves_no_backup_half_done() {
    hearth_base::tls::init();
    for (path, body) in [
        (
            "/backup",
            serde_json::json!({"to": "/x", "passphrase": "battery staple"}),
        ),
        ("/backup/test", serde_json::json!({"from": "/x"})),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let backups = watch::Sender::new(Backups {
            held: true,
            ..Backups::default()
        });
        let (mut args, ..) = args(config(true), Fake::default(), folder.path()).await;
        args.host = Arc::new(Program {
            setup: watch::Sender::new(Setup::default()),
            home: folder.path().join("home"),
            backups: backups.clone(),
        });
        let api = Api::start(args).await.unwrap();
        let http = || reqwest::Client::builder().no_proxy().build().unwrap();
        let url = |path: &str| format!("http://{}/api/v1{path}", api.addr());
        let mut seen = backups.subscribe();
        let asked = http().post(url(path)).bearer_auth(TOKEN).json(&body).send();
        tokio::select! {
            answer = asked => panic!("it is held: {answer:?}"),
            begun = seen.wait_for(|backups| backups.begun == 1) => drop(begun.unwrap()),
        }
        // The connection is gone. The server sees it while others are served.
        for _ in 0..20 {
            let status = http().get(url("/status")).bearer_auth(TOKEN).send();
            assert_eq!(status.await.unwrap().status(), 200);
        }
        backups.send_modify(|backups| backups.held = false);
        let ended = seen.wait_for(|backups| backups.done + backups.dropped > 0).await;
        let ended = *ended.unwrap();
        assert_eq!((ended.done, ended.dropped), (1, 0), "{path}");
        api.stop();
    }
}
