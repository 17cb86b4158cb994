-- Every transaction of this node, on one path: what is wanted, the bytes that do it, how it ended.
CREATE TABLE outbox_item (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms         INTEGER NOT NULL,           -- When it was wanted.
    account       TEXT NOT NULL,              -- Who signs it.
    reason        TEXT NOT NULL,              -- 'payment', 'role', 'setup', 'claim', 'proof'.
    about         TEXT,                       -- Of those on their way, no two of an account and a reason are about the same.
    counterparty  TEXT,
    amount_upokt  TEXT NOT NULL,
    memo          TEXT NOT NULL,
    messages      BLOB,                       -- A transaction's body with the messages. NULL: noted before they were kept.
    max_fee_upokt TEXT NOT NULL,
    last_height   INTEGER,                    -- No block after it may hold it.
    after_item    INTEGER REFERENCES outbox_item (id), -- It waits until a block holds this one.
    is_patient    INTEGER NOT NULL,           -- Tried again until last_height.
    is_alone      INTEGER NOT NULL DEFAULT 0, -- Shares no transaction with others.
    stage         TEXT NOT NULL,              -- 'waiting', 'signed', 'placed', 'ended'.
    state         TEXT NOT NULL,              -- JSON.
    updated_ms    INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX outbox_item_about ON outbox_item (account, reason, about)
    WHERE about IS NOT NULL AND stage IN ('waiting', 'signed');
CREATE INDEX outbox_item_open ON outbox_item (stage) WHERE stage <> 'ended';
CREATE INDEX outbox_item_at ON outbox_item (at_ms DESC);

CREATE TABLE outbox_tx (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    account        TEXT NOT NULL,
    account_number INTEGER,                   -- NULL in those of an older form, which are signed.
    unsigned       BLOB,                      -- The transaction without its signature.
    raw            BLOB,                      -- With it; NULL until it is signed.
    hash           TEXT UNIQUE,               -- Upper-case hex, as the chain names it; NULL until it is signed.
    fee_upokt      TEXT NOT NULL,
    until_ns       INTEGER,                   -- No block after this moment of the chain's time can hold it: nanoseconds since the epoch.
    last_height    INTEGER,                   -- No block after this one can hold it.
    first_height   INTEGER,                   -- No block before this one can hold it.
    kept_ms        INTEGER NOT NULL,
    is_over        INTEGER NOT NULL DEFAULT 0 -- What became of it is certain.
) STRICT;
CREATE INDEX outbox_tx_open ON outbox_tx (id) WHERE is_over = 0;

-- Which messages of a transaction are whose.
CREATE TABLE outbox_part (
    tx   INTEGER NOT NULL REFERENCES outbox_tx (id),
    item INTEGER NOT NULL REFERENCES outbox_item (id),
    PRIMARY KEY (tx, item)
) STRICT;
CREATE INDEX outbox_part_item ON outbox_part (item);

-- What the wallet noted until now.
INSERT INTO outbox_item (id, at_ms, account, reason, about, counterparty, amount_upokt, memo, messages, max_fee_upokt,
                         last_height, is_patient, stage, state, updated_ms)
SELECT rowid, at_ms, account,
       CASE kind WHEN 'sent' THEN 'payment' WHEN 'received' THEN 'payment' ELSE 'role' END,
       -- Of several equal payments on their way, which an earlier program let be, the oldest stands for a new one.
       CASE WHEN counterparty IS NULL OR outcome <> 'sent' OR EXISTS (
                SELECT 1 FROM wallet_activity AS older
                WHERE older.rowid < wallet_activity.rowid AND older.outcome = 'sent' AND older.account = wallet_activity.account
                  AND older.counterparty = wallet_activity.counterparty AND older.amount_upokt = wallet_activity.amount_upokt
                  AND older.note = wallet_activity.note)
            THEN tx_hash
            ELSE counterparty || ' ' || amount_upokt || ' ' || note END, counterparty, amount_upokt, note, NULL, fee_upokt, NULL, 0,
       CASE WHEN outcome = 'sent' THEN 'signed'
            WHEN outcome = 'included' AND tx_hash IN (SELECT tx_hash FROM wallet_pending) THEN 'placed'
            ELSE 'ended' END,
       CASE WHEN outcome = 'sent' THEN json_object('version', 1, 'state', 'signed')
            WHEN outcome = 'included' AND tx_hash IN (SELECT tx_hash FROM wallet_pending)
                THEN json_object('version', 1, 'state', 'placed', 'tx', tx_hash, 'height', coalesce(height, 0))
            WHEN outcome = 'included'
                THEN json_object('version', 1, 'state', 'ended', 'outcome', 'included', 'tx', tx_hash, 'height', coalesce(height, 0))
            WHEN outcome LIKE 'unknown: %'
                THEN json_object('version', 1, 'state', 'ended', 'outcome', 'unknown', 'tx', tx_hash, 'why', substr(outcome, 10))
            ELSE json_object('version', 1, 'state', 'ended', 'outcome', 'failed', 'tx', tx_hash, 'height', height,
                             'why', CASE WHEN outcome LIKE 'failed: %' THEN substr(outcome, 9) ELSE outcome END) END,
       at_ms
FROM wallet_activity;

INSERT INTO outbox_tx (id, account, raw, hash, fee_upokt, until_ns, kept_ms, is_over)
SELECT wallet_activity.rowid, account, raw, tx_hash, fee_upokt, until_ms * 1000000 + 999999, at_ms,
       CASE WHEN wallet_pending.tx_hash IS NULL THEN 1 ELSE 0 END
FROM wallet_activity LEFT JOIN wallet_pending USING (tx_hash);

INSERT INTO outbox_part (tx, item) SELECT rowid, rowid FROM wallet_activity;

DROP TABLE wallet_pending;
DROP TABLE wallet_activity;
