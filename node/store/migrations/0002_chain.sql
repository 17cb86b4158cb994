-- Headers that were verified, as JSON in CometBFT's shape.
CREATE TABLE chain_header (
    height INTEGER PRIMARY KEY,
    hash   BLOB NOT NULL,
    header TEXT NOT NULL
) STRICT;

-- Validator sets that a verified header commits to, by their hash.
CREATE TABLE chain_validators (
    hash       BLOB PRIMARY KEY,
    validators TEXT NOT NULL
) STRICT;

-- Where trust began. One row.
CREATE TABLE chain_trust (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    kind      TEXT NOT NULL CHECK (kind IN ('anchor', 'agreed')),
    height    INTEGER NOT NULL,
    hash      BLOB NOT NULL,
    endpoints TEXT NOT NULL
) STRICT;

-- The last block that a follower has acknowledged.
CREATE TABLE chain_follower (
    name   TEXT PRIMARY KEY,
    height INTEGER NOT NULL
) STRICT;

-- Values that were proven, for the time when no endpoint answers. A NULL value was proven absent.
CREATE TABLE chain_value (
    store  TEXT NOT NULL,
    key    BLOB NOT NULL,
    height INTEGER NOT NULL,
    value  BLOB,
    PRIMARY KEY (store, key)
) STRICT, WITHOUT ROWID;
