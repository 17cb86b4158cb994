-- Whether the owner wants earning to run, so that it runs again after a restart. One row.
CREATE TABLE miner_wanted (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    wanted INTEGER NOT NULL CHECK (wanted IN (0, 1)),
    at_ms  INTEGER NOT NULL
) STRICT;
