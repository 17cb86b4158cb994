-- What chain this is. One row.
CREATE TABLE chain (
    one            INTEGER PRIMARY KEY CHECK (one = 1),
    chain_id       TEXT    NOT NULL,
    validator_seed BLOB    NOT NULL,
    -- JSON: time, parameters, accounts.
    genesis        TEXT    NOT NULL,
    -- The height that table leaf stands at.
    base_height    INTEGER NOT NULL
) STRICT;

-- The state after block base_height.
CREATE TABLE leaf (
    store   TEXT    NOT NULL,
    key     BLOB    NOT NULL,
    value   BLOB    NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (store, key)
) STRICT, WITHOUT ROWID;

-- What later blocks changed; no value where they took a key out.
CREATE TABLE change (
    height INTEGER NOT NULL,
    store  TEXT    NOT NULL,
    key    BLOB    NOT NULL,
    value  BLOB,
    PRIMARY KEY (height, store, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE block (
    height      INTEGER PRIMARY KEY,
    hash        BLOB    NOT NULL UNIQUE,
    -- Protobuf.
    header      BLOB    NOT NULL,
    seen_commit BLOB    NOT NULL,
    -- JSON: events of the begin and end of the block.
    events      TEXT    NOT NULL,
    app_hash    BLOB    NOT NULL
) STRICT;

CREATE TABLE tx (
    height INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    hash   BLOB    NOT NULL,
    raw    BLOB    NOT NULL,
    -- JSON.
    result TEXT    NOT NULL,
    PRIMARY KEY (height, idx)
) STRICT, WITHOUT ROWID;

CREATE INDEX tx_by_hash ON tx (hash);

-- For searches: one row per attribute. idx is -1 for events of the block itself.
CREATE TABLE event (
    key    TEXT    NOT NULL,
    value  TEXT    NOT NULL,
    height INTEGER NOT NULL,
    idx    INTEGER NOT NULL,
    PRIMARY KEY (key, value, height, idx)
) STRICT, WITHOUT ROWID;
