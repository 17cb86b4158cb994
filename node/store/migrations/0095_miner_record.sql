-- The record of a supplier as this node last knew or accepted it: what changes it otherwise is told.
CREATE TABLE miner_record (
    operator TEXT PRIMARY KEY,
    record   TEXT NOT NULL,             -- JSON.
    at_ms    INTEGER NOT NULL
) STRICT;
