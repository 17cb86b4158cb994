//! The address book and the labels of movements, in the database.

use std::collections::BTreeMap;

use hearth_base::Clock;
use hearth_pocket::Address;
use hearth_store::{SqlitePool, Store};

use crate::{
    control::types::{Contact, LabelMovement, SaveContact, Timestamp},
    error::ApiError,
    lookalike::as_seen,
};

/// Entries of an address book.
const MAX_CONTACTS: usize = 2_000;
/// Letters of a name, a note, a label: what fits into a line.
const MAX_NAME: usize = 60;
const MAX_NOTE: usize = 300;
/// Letters of a movement's id: a hash, or a reward's session.
const MAX_ID: usize = 200;

/// Names of addresses and movements.
#[derive(Clone)]
pub(crate) struct Contacts {
    pool: SqlitePool,
    clock: Clock,
}

type Row = (String, String, Option<String>, i64);

impl Contacts {
    pub(crate) fn new(store: &Store, clock: Clock) -> Contacts {
        Contacts {
            pool: store.pool().clone(),
            clock,
        }
    }

    /// All of them, by name.
    pub(crate) async fn all(&self) -> Result<Vec<Contact>, ApiError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT address, name, note, created_ms FROM contact ORDER BY name COLLATE NOCASE",
        )
        .fetch_all(&self.pool)
        .await?;
        let contact = |(address, name, note, created_ms)| Contact {
            address,
            name,
            note,
            created_at: Timestamp::from_ms(created_ms),
        };
        Ok(rows.into_iter().map(contact).collect())
    }

    /// Address → name.
    pub(crate) async fn names(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT address, name FROM contact")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().collect())
    }

    /// Keeps contacts: all of them or none.
    pub(crate) async fn save(&self, given: Vec<SaveContact>) -> Result<(), ApiError> {
        let given = given.into_iter().map(checked).collect::<Result<Vec<_>, _>>()?;
        let now = self.clock.now_ms();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let known: Vec<(String, String)> = sqlx::query_as("SELECT address, name FROM contact")
            .fetch_all(&mut *tx)
            .await?;
        let mut names: BTreeMap<String, String> = known.into_iter().collect();
        let mut owners: BTreeMap<String, String> = names
            .iter()
            .map(|(address, name)| (as_seen(name), address.clone()))
            .collect();
        for SaveContact { address, name, note } in given {
            if let Some(former) = names.insert(address.clone(), name.clone())
                && owners.get(&as_seen(&former)) == Some(&address)
            {
                owners.remove(&as_seen(&former));
            }
            if let Some(other) = owners.insert(as_seen(&name), address.clone()) {
                let message = match names.get(&other) {
                    Some(one) if one.to_lowercase() != name.to_lowercase() => format!(
                        "\"{name}\" looks like \"{one}\", the name of {other}, and is written with other letters"
                    ),
                    Some(_) | None => format!("\"{name}\" is the name of {other} already"),
                };
                return Err(ApiError::conflict("contact_taken", message).value("name", name));
            }
            sqlx::query(
                "INSERT INTO contact (address, name, note, created_ms) VALUES (?, ?, ?, ?) \
                 ON CONFLICT (address) DO UPDATE SET name = excluded.name, note = excluded.note",
            )
            .bind(address)
            .bind(name)
            .bind(note)
            .bind(now)
            .execute(&mut *tx)
            .await?;
        }
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM contact")
            .fetch_one(&mut *tx)
            .await?;
        if usize::try_from(count).unwrap_or(usize::MAX) > MAX_CONTACTS {
            let message = format!("an address book has at most {MAX_CONTACTS} entries");
            return Err(ApiError::refused("contacts_many", message).value("most", MAX_CONTACTS));
        }
        tx.commit().await?;
        Ok(())
    }

    /// Forgets one.
    pub(crate) async fn delete(&self, address: &str) -> Result<(), ApiError> {
        let gone = sqlx::query("DELETE FROM contact WHERE address = ?")
            .bind(address)
            .execute(&self.pool)
            .await?;
        if gone.rows_affected() == 0 {
            return Err(ApiError::not_found("contact"));
        }
        Ok(())
    }

    /// Movement → label.
    pub(crate) async fn labels(&self) -> Result<BTreeMap<String, String>, ApiError> {
        let rows: Vec<(String, String)> = sqlx::query_as("SELECT movement, label FROM movement_label")
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().collect())
    }

    /// Calls a movement something, or nothing any more.
    pub(crate) async fn set_label(&self, given: LabelMovement) -> Result<(), ApiError> {
        let label = given.label.trim();
        let id_fits = (1..=MAX_ID).contains(&given.movement.len());
        if !id_fits || label.chars().count() > MAX_NOTE || label.chars().any(is_odd) {
            let message = format!("a label is one line of at most {MAX_NOTE} letters");
            return Err(ApiError::refused("label_wrong", message).value("most", MAX_NOTE));
        }
        if label.is_empty() {
            sqlx::query("DELETE FROM movement_label WHERE movement = ?")
                .bind(given.movement)
                .execute(&self.pool)
                .await?;
            return Ok(());
        }
        sqlx::query(
            "INSERT INTO movement_label (movement, label) VALUES (?, ?) \
             ON CONFLICT (movement) DO UPDATE SET label = excluded.label",
        )
        .bind(given.movement)
        .bind(label)
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}

/// What ends a line, and what nobody sees: two names that look the same would be two.
fn is_odd(letter: char) -> bool {
    letter.is_control() || hearth_base::is_unseen(letter)
}

/// A contact as it is kept, or what is wrong with it.
fn checked(given: SaveContact) -> Result<SaveContact, ApiError> {
    let address: Address =
        given
            .address
            .trim()
            .parse()
            .map_err(|error: hearth_pocket::address::AddressError| {
                ApiError::refused("address_wrong", format!("{}: {error}", given.address.trim()))
                    .remedy("Copy the whole address again.")
            })?;
    let name = given.name.trim().to_owned();
    let note = given
        .note
        .as_deref()
        .map(str::trim)
        .filter(|note| !note.is_empty());
    let is_line = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(is_odd);
    // A name that reads as an address would stand where addresses are compared.
    if name.is_empty() || !is_line(&name, MAX_NAME) || name.starts_with("pokt1") {
        let message = format!(
            "a name is one line of 1 to {MAX_NAME} letters and does not begin with pokt1; this is for {address}"
        );
        return Err(ApiError::refused("contact_name", message).value("most", MAX_NAME));
    }
    if note.is_some_and(|note| !is_line(note, MAX_NOTE)) {
        let message = format!("a note is one line of at most {MAX_NOTE} letters");
        return Err(ApiError::refused("contact_note", message).value("most", MAX_NOTE));
    }
    Ok(SaveContact {
        address: address.to_string(),
        name,
        note: note.map(str::to_owned),
    })
}
