-- Sessions that this node served as a supplier, and what became of their claims.
CREATE TABLE miner_session (
    session_id   TEXT NOT NULL,
    supplier     TEXT NOT NULL,             -- Operator address.
    application  TEXT NOT NULL,
    service      TEXT NOT NULL,
    start_height INTEGER NOT NULL,
    end_height   INTEGER NOT NULL,
    facts        TEXT NOT NULL,             -- JSON: prices, difficulty and windows as they are for this session.
    stage        TEXT NOT NULL,             -- Name of the state, for queries.
    state        TEXT NOT NULL,             -- JSON: the state of the claim with its data.
    answers      INTEGER NOT NULL DEFAULT 0,-- Answers in the evidence when it was sealed.
    sealed_bytes INTEGER,                   -- Length of the evidence when it was sealed.
    late         INTEGER NOT NULL DEFAULT 0,-- Answers that came after the claim and are not paid.
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL,
    PRIMARY KEY (session_id, supplier)
) STRICT;
CREATE INDEX miner_session_end ON miner_session (end_height DESC);
CREATE INDEX miner_session_stage ON miner_session (stage);

-- What was signed for a session: one root, one proof, for ever. Nothing else is signed for it again.
CREATE TABLE miner_commitment (
    session_id TEXT NOT NULL,
    supplier   TEXT NOT NULL,
    kind       TEXT NOT NULL,               -- 'claim' or 'proof'.
    content    BLOB NOT NULL,               -- The root, or the SHA-256 of the proof.
    at_ms      INTEGER NOT NULL,
    PRIMARY KEY (session_id, supplier, kind)
) STRICT;

-- Signed transactions, kept before they are sent so that the very same bytes can be sent again.
CREATE TABLE miner_tx (
    hash          TEXT PRIMARY KEY,         -- Upper-case hex.
    session_id    TEXT NOT NULL,
    supplier      TEXT NOT NULL,
    kind          TEXT NOT NULL,            -- 'claim' or 'proof'.
    bytes         BLOB NOT NULL,
    last_height   INTEGER NOT NULL,         -- The last block that may hold it.
    signed_ms     INTEGER NOT NULL,
    FOREIGN KEY (session_id, supplier) REFERENCES miner_session (session_id, supplier)
) STRICT;
CREATE INDEX miner_tx_session ON miner_tx (session_id, supplier, kind);
