-- What settlements of sessions gave to this wallet and took from it. No transaction says so, only events of the blocks.
CREATE TABLE settled_money (
    height       INTEGER NOT NULL,
    kind         TEXT NOT NULL,       -- 'reward', 'slash', 'spent'.
    about        TEXT NOT NULL,       -- The claim: application, service, end of the session, operator.
    account      TEXT NOT NULL,       -- Who got it, or whose stake it was taken from.
    session_id   TEXT,                -- Not every event says it.
    operator     TEXT NOT NULL,
    service      TEXT NOT NULL,
    amount_upokt TEXT NOT NULL,
    is_proven    INTEGER NOT NULL,    -- Balances or stakes before and after the block differ by just this.
    PRIMARY KEY (height, kind, about, account)
) STRICT, WITHOUT ROWID;
-- Up to which block they were looked for; one row.
CREATE TABLE settled_look (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    height INTEGER NOT NULL
) STRICT;
-- Blocks that nobody has any more, so that what they settled is missing.
CREATE TABLE settled_gap (
    first_height INTEGER PRIMARY KEY,
    last_height  INTEGER NOT NULL
) STRICT;
-- When blocks were made, as far as the history asked for it.
CREATE TABLE block_moment (
    height INTEGER PRIMARY KEY,
    at_ms  INTEGER NOT NULL
) STRICT;
