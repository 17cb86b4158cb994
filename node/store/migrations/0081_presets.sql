-- Settings to begin a conversation with. A conversation copies them.
CREATE TABLE preset (
    id            TEXT PRIMARY KEY,
    name          TEXT NOT NULL,
    system_prompt TEXT,
    model         TEXT,
    params        TEXT,                     -- JSON: how answers are made.
    created_ms    INTEGER NOT NULL
) STRICT;
