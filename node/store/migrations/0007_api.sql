-- Who may call: keys and sessions are kept as hashes, the login as an Argon2id hash.
CREATE TABLE api_key (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL,             -- First characters of the key, to tell keys apart.
    hash         TEXT NOT NULL UNIQUE,      -- SHA-256 of the key, hex. A key has 256 random bits, so no salt is needed.
    created_ms   INTEGER NOT NULL,
    last_used_ms INTEGER
) STRICT;

CREATE TABLE api_session (
    hash       TEXT PRIMARY KEY,            -- SHA-256 of the cookie, hex.
    expires_ms INTEGER NOT NULL
) STRICT;

-- What the Settings page changed, and the login (`login`): one JSON value per key.
CREATE TABLE api_setting (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE conversation (
    id            TEXT PRIMARY KEY,
    title         TEXT NOT NULL,
    model         TEXT,
    pinned        INTEGER NOT NULL DEFAULT 0,
    system_prompt TEXT,
    head_id       TEXT,                     -- Last message of the branch that is shown.
    created_ms    INTEGER NOT NULL,
    updated_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX conversation_order ON conversation (pinned DESC, updated_ms DESC);

CREATE TABLE message (
    seq             INTEGER PRIMARY KEY,    -- The order in which messages were written.
    id              TEXT NOT NULL UNIQUE,
    conversation_id TEXT NOT NULL REFERENCES conversation (id) ON DELETE CASCADE,
    parent_id       TEXT,
    role            TEXT NOT NULL,          -- 'user', 'assistant'.
    content         TEXT NOT NULL,
    state           TEXT NOT NULL,          -- 'streaming', 'done', 'stopped', 'cut', 'failed'.
    model           TEXT,
    error           TEXT,                   -- JSON.
    receipt         TEXT,                   -- JSON.
    created_ms      INTEGER NOT NULL
) STRICT;
CREATE INDEX message_of ON message (conversation_id, seq);
