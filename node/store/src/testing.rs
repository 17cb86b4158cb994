//! A database that an earlier Hearth wrote, for the tests of whoever reads what is stored.

use std::{fs, path::Path};

use crate::{Config, Store};

/// The database of the first form, as it is committed.
const FIRST_FORM: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/fixtures/formats/v1/hearth.db"
);

/// Opens a copy of the first form's database in `folder`, which brings it to this version.
///
/// # Panics
/// Where it cannot be copied or opened: a test cannot go on without it.
pub async fn first_form(folder: &Path) -> Store {
    let path = folder.join("hearth.db");
    fs::copy(FIRST_FORM, &path).expect("the fixture is part of the repository");
    let config = Config {
        path,
        chain_id: "hearth-devnet".into(),
        max_pages: None,
    };
    Store::open(config).await.expect("the fixture can be opened")
}
