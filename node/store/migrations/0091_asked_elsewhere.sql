-- What was given out to be signed elsewhere: only that comes back and is sent.
CREATE TABLE role_asked_elsewhere (
    about   TEXT PRIMARY KEY,   -- SHA-256 of the messages, hex.
    account TEXT NOT NULL,      -- Who signs it.
    at_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
