//! Models and downloads that earlier programs recorded.

use hearth_store::{stored, testing::first_form};

use crate::{download::state::State, records::Records};

#[tokio::test]
async fn models_and_downloads_of_the_first_form_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let store = first_form(folder.path()).await;
    let records = Records::new(&store);
    let models = records.models().await.unwrap();
    assert_eq!(models.len(), 1);
    let manifest = &models[0].manifest;
    assert_eq!(
        (manifest.slug(), manifest.size_bytes()),
        ("smollm2-135m-instruct", 98_362_432)
    );
    let files = records.files(manifest.cid()).await.unwrap();
    assert_eq!(files[0].disk_path, "/models/SmolLM2-135M-Instruct.Q4_1.gguf");
    assert_eq!(files[0].fingerprint.unwrap().size, 98_362_432);
    let plan = records.plan(files[0].id, &manifest.files()[0]).await.unwrap();
    assert!(plan.is_some(), "all nodes are there");

    let downloads = records.downloads().await.unwrap();
    let states: Vec<State> = downloads
        .iter()
        .map(|download| stored::read(&download.state, "a row").unwrap())
        .collect();
    assert!(matches!(
        &states[0],
        State::Failed {
            attempts: 4,
            retry_at_ms: Some(_),
            ..
        }
    ));
    assert_eq!(
        states[1],
        State::Paused {
            have_bytes: 0,
            size_bytes: 0
        }
    );
    assert_eq!(downloads[0].sources, ["http://127.0.0.1:9"]);
    assert_eq!(store.problems().all(), Vec::<String>::new());
}

/// One row that cannot be read hides no other, and is told by its name.
#[tokio::test]
async fn a_damaged_row_is_told_and_the_others_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let store = first_form(folder.path()).await;
    for statement in [
        "INSERT INTO weights_models VALUES ('bafybad', 'bad', x'00', 1, 'added', 1)",
        "INSERT INTO weights_downloads VALUES ('bafyworse', 'paused', '{', '[]', NULL, 1)",
    ] {
        sqlx::query(statement).execute(store.pool()).await.unwrap();
    }
    let records = Records::new(&store);
    assert_eq!(records.models().await.unwrap().len(), 1);
    assert_eq!(records.downloads().await.unwrap().len(), 2);
    let problems = store.problems().all();
    assert_eq!(problems.len(), 2, "{problems:?}");
    for row in ["row bafybad", "row bafyworse of weights_downloads"] {
        assert!(
            problems.iter().any(|problem| problem.contains(row)),
            "{problems:?}"
        );
    }
}
