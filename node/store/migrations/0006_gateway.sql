-- What every relayed answer cost, who gave it and how it ended.
CREATE TABLE gateway_receipts (
    id            TEXT PRIMARY KEY,
    started_at_ms INTEGER NOT NULL,
    service       TEXT NOT NULL,
    application   TEXT NOT NULL,
    supplier      TEXT NOT NULL,
    supplier_url  TEXT NOT NULL,
    session_id    TEXT NOT NULL,
    session_start INTEGER NOT NULL,
    session_end   INTEGER NOT NULL,
    -- Decimal upokt of one relay in that session.
    price_upokt   TEXT NOT NULL,
    -- Whether the supplier can claim it: it gave a signed answer below 500.
    paid          INTEGER NOT NULL,
    status        INTEGER NOT NULL,
    parts         INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    request_hash  BLOB NOT NULL,
    body_hash     BLOB NOT NULL,
    -- The relay as a supplier would claim it, from the last part; NULL where nothing was signed.
    relay         BLOB,
    first_byte_ms INTEGER,
    total_ms      INTEGER NOT NULL,
    failed_tries  INTEGER NOT NULL,
    outcome       TEXT NOT NULL CHECK (outcome IN ('complete', 'cancelled', 'failed')),
    error         TEXT
) STRICT;

CREATE INDEX gateway_receipts_started ON gateway_receipts (started_at_ms);
