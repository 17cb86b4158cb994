-- Which chain this data belongs to. One row.
CREATE TABLE belonging (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    chain_id TEXT NOT NULL
) STRICT;
