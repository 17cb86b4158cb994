//! Receipts: what an answer cost, who gave it, and what the supplier signed.

use hearth_answers::Principal;
use hearth_base::{Amount, ServiceId, SessionId};
use hearth_store::Store;
use sqlx::{Row, sqlite::SqliteRow};
use uuid::Uuid;

/// How an answer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it was passed on.
    Complete,
    /// The reader went away.
    Cancelled,
    /// It broke off, or never came.
    Failed { error: String },
}

impl Outcome {
    /// A stable word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Outcome::Complete => "complete",
            Outcome::Cancelled => "cancelled",
            Outcome::Failed { .. } => "failed",
        }
    }
}

/// Whether the supplier is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It gave a whole answer that counts as one.
    Paid,
    /// It gave nothing that it could claim.
    Unpaid,
    /// It has a signed request and may have served it: the answer broke off, came too late, or was stopped. The
    /// price is the most that it can claim.
    Unknown,
}

/// Who asked for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The page and the command line.
    Owner,
    /// A program of this computer that showed no key.
    Program,
    /// The holder of a key, which may be gone by now: its name is the one that it had.
    Key { id: String, name: String },
}

impl Asker {
    /// A stable word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Asker::Owner => "owner",
            Asker::Program => "program",
            Asker::Key { .. } => "key",
        }
    }

    /// Who this is, if it is somebody of this node: what is sold is never bought.
    pub(crate) fn of(principal: &Principal) -> Option<Asker> {
        match principal {
            Principal::Owner => Some(Asker::Owner),
            Principal::Program => Some(Asker::Program),
            Principal::Key { id, name } => Some(Asker::Key {
                id: id.clone(),
                name: name.clone(),
            }),
            Principal::Relay { .. } => None,
        }
    }
}

const CHARGES: [Charge; 3] = [Charge::Paid, Charge::Unpaid, Charge::Unknown];

impl Charge {
    /// A stable word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Charge::Paid => "paid",
            Charge::Unpaid => "unpaid",
            Charge::Unknown => "unknown",
        }
    }
}

/// The receipt of one relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub id: Uuid,
    /// Milliseconds since the epoch.
    pub started_at_ms: i64,
    pub service: ServiceId,
    pub application: String,
    pub supplier: String,
    pub supplier_url: String,
    pub session_id: SessionId,
    pub session_start: u64,
    pub session_end: u64,
    /// What one relay of the session costs.
    pub price: Amount,
    /// Whether the supplier is paid that price.
    pub charge: Charge,
    /// The status of the answer inside the relay; 0 where none came.
    pub status: u16,
    /// Parts that were verified and passed on.
    pub parts: u32,
    pub bytes: u64,
    /// What the ring signed.
    pub request_hash: [u8; 32],
    /// SHA-256 of all bytes that were passed on.
    pub body_hash: [u8; 32],
    /// The relay as the supplier would claim it, from the last part.
    pub relay: Option<Vec<u8>>,
    pub first_byte_ms: Option<u64>,
    pub total_ms: u64,
    /// Suppliers that were asked before and failed.
    pub failed_tries: u32,
    pub outcome: Outcome,
    /// Who asked; receipts of older versions do not say it.
    pub asker: Option<Asker>,
}

/// Receipts on disk.
#[derive(Clone, Debug)]
pub(crate) struct Receipts {
    store: Store,
}

impl Receipts {
    pub(crate) fn new(store: Store) -> Receipts {
        Receipts { store }
    }

    /// Keeps a receipt.
    pub(crate) async fn keep(&self, receipt: &Receipt) -> Result<(), sqlx::Error> {
        let error = match &receipt.outcome {
            Outcome::Failed { error } => Some(error.as_str()),
            Outcome::Complete | Outcome::Cancelled => None,
        };
        let key = match &receipt.asker {
            Some(Asker::Key { id, name }) => Some((id, name)),
            Some(Asker::Owner | Asker::Program) | None => None,
        };
        sqlx::query(
            "INSERT INTO gateway_receipts (id, started_at_ms, service, application, supplier, supplier_url, session_id,
             session_start, session_end, price_upokt, charge, status, parts, bytes, request_hash, body_hash, relay,
             first_byte_ms, total_ms, failed_tries, outcome, error, asker, key_id, key_name)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(receipt.id.to_string())
        .bind(receipt.started_at_ms)
        .bind(receipt.service.as_str())
        .bind(&receipt.application)
        .bind(&receipt.supplier)
        .bind(&receipt.supplier_url)
        .bind(receipt.session_id.as_str())
        .bind(signed(receipt.session_start))
        .bind(signed(receipt.session_end))
        .bind(receipt.price.upokt().to_string())
        .bind(receipt.charge.word())
        .bind(i64::from(receipt.status))
        .bind(i64::from(receipt.parts))
        .bind(signed(receipt.bytes))
        .bind(receipt.request_hash.as_slice())
        .bind(receipt.body_hash.as_slice())
        .bind(receipt.relay.as_deref())
        .bind(receipt.first_byte_ms.map(signed))
        .bind(signed(receipt.total_ms))
        .bind(i64::from(receipt.failed_tries))
        .bind(receipt.outcome.word())
        .bind(error)
        .bind(receipt.asker.as_ref().map(Asker::word))
        .bind(key.map(|(id, _)| id))
        .bind(key.map(|(_, name)| name))
        .execute(self.store.pool())
        .await?;
        Ok(())
    }

    /// One receipt.
    pub(crate) async fn get(&self, id: Uuid) -> Result<Option<Receipt>, sqlx::Error> {
        let row = sqlx::query("SELECT * FROM gateway_receipts WHERE id = ?")
            .bind(id.to_string())
            .fetch_optional(self.store.pool())
            .await?;
        row.as_ref().map(read).transpose()
    }

    /// The newest receipts. One that cannot be read hides no other; it is left as it is, and told.
    pub(crate) async fn newest(&self, limit: u32, offset: u32) -> Result<Vec<Receipt>, sqlx::Error> {
        let rows =
            sqlx::query("SELECT * FROM gateway_receipts ORDER BY started_at_ms DESC, id LIMIT ? OFFSET ?")
                .bind(i64::from(limit))
                .bind(i64::from(offset))
                .fetch_all(self.store.pool())
                .await?;
        let told = |row: &SqliteRow, error: sqlx::Error| {
            let id: String = row.try_get("id").unwrap_or_default();
            self.store.problems().report(format!(
                "the receipt in row {id} of gateway_receipts in hearth.db cannot be read ({error}): it is left as it is; \
                 restore a backup to get it back"
            ));
        };
        let readable = |row: &SqliteRow| read(row).map_err(|error| told(row, error));
        Ok(rows.iter().flat_map(readable).collect())
    }

    /// How many there are.
    pub(crate) async fn count(&self) -> Result<u64, sqlx::Error> {
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM gateway_receipts")
            .fetch_one(self.store.pool())
            .await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Drops all but the newest.
    pub(crate) async fn prune(&self, keep: u32) -> Result<(), sqlx::Error> {
        sqlx::query(
            "DELETE FROM gateway_receipts WHERE id IN
             (SELECT id FROM gateway_receipts ORDER BY started_at_ms DESC, id LIMIT -1 OFFSET ?)",
        )
        .bind(i64::from(keep))
        .execute(self.store.pool())
        .await?;
        Ok(())
    }
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn read(row: &SqliteRow) -> Result<Receipt, sqlx::Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let number = |column: &str| {
        row.try_get::<i64, _>(column)
            .map(|number| u64::try_from(number).unwrap_or_default())
    };
    let small = |column: &str| number(column).map(|number| u32::try_from(number).unwrap_or(u32::MAX));
    let hash = |column: &'static str| {
        let bytes: Vec<u8> = row.try_get(column)?;
        bytes.try_into().map_err(|_| sqlx::Error::ColumnDecode {
            index: column.to_owned(),
            source: "a hash has 32 bytes".into(),
        })
    };
    let decode = |column: &str, why: String| sqlx::Error::ColumnDecode {
        index: column.to_owned(),
        source: why.into(),
    };
    let outcome = match text("outcome")?.as_str() {
        "complete" => Outcome::Complete,
        "cancelled" => Outcome::Cancelled,
        _ => Outcome::Failed {
            error: row.try_get::<Option<String>, _>("error")?.unwrap_or_default(),
        },
    };
    let charge = text("charge")?;
    Ok(Receipt {
        id: Uuid::parse_str(&text("id")?).map_err(|error| decode("id", error.to_string()))?,
        started_at_ms: row.try_get("started_at_ms")?,
        service: text("service")?.into(),
        application: text("application")?,
        supplier: text("supplier")?,
        supplier_url: text("supplier_url")?,
        session_id: text("session_id")?.into(),
        session_start: number("session_start")?,
        session_end: number("session_end")?,
        price: text("price_upokt")?
            .parse()
            .map_err(|_| decode("price_upokt", "no amount".to_owned()))?,
        charge: CHARGES
            .into_iter()
            .find(|known| known.word() == charge)
            .ok_or_else(|| {
                decode(
                    "charge",
                    format!("\"{charge}\" is neither paid, unpaid nor unknown"),
                )
            })?,
        status: u16::try_from(small("status")?).unwrap_or_default(),
        parts: small("parts")?,
        bytes: number("bytes")?,
        request_hash: hash("request_hash")?,
        body_hash: hash("body_hash")?,
        relay: row.try_get("relay")?,
        first_byte_ms: row
            .try_get::<Option<i64>, _>("first_byte_ms")?
            .and_then(|ms| u64::try_from(ms).ok()),
        total_ms: number("total_ms")?,
        failed_tries: small("failed_tries")?,
        outcome,
        asker: asker(row)?,
    })
}

fn asker(row: &SqliteRow) -> Result<Option<Asker>, sqlx::Error> {
    let text = |column: &str| row.try_get::<Option<String>, _>(column);
    Ok(match text("asker")?.as_deref() {
        Some("owner") => Some(Asker::Owner),
        Some("program") => Some(Asker::Program),
        Some("key") => Some(Asker::Key {
            id: text("key_id")?.unwrap_or_default(),
            name: text("key_name")?.unwrap_or_default(),
        }),
        Some(_) | None => None,
    })
}
