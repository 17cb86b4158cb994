-- Endpoints that a person added, and configured ones that a person took away.
CREATE TABLE chain_endpoint (
    url      TEXT PRIMARY KEY,
    is_added INTEGER NOT NULL CHECK (is_added IN (0, 1)),
    at_ms    INTEGER NOT NULL
) STRICT;

-- The header that a person trusts, given to the running program. It counts before that of the configuration. One row.
CREATE TABLE chain_anchor (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    height INTEGER NOT NULL,
    hash   BLOB NOT NULL,
    at_ms  INTEGER NOT NULL
) STRICT;

-- False answers of endpoints, the newest few: what was asked, what came back, why it is false.
CREATE TABLE chain_evidence (
    id       INTEGER PRIMARY KEY,
    at_ms    INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    why      TEXT NOT NULL,
    question TEXT NOT NULL,
    answer   BLOB NOT NULL
) STRICT;
