-- On whose word the events stand: host and port of an endpoint. NULL: noted before that was kept.
ALTER TABLE settled_money ADD COLUMN endpoint TEXT;
ALTER TABLE stake_return ADD COLUMN endpoint TEXT;
-- Who got a stake back: of a supplier its owner. NULL: not known yet.
ALTER TABLE stake_return ADD COLUMN account TEXT;
-- For which accounts settlements were looked for, and from which block on; 0: before it there was nothing to be found.
CREATE TABLE settled_account (
    account      TEXT PRIMARY KEY,
    first_height INTEGER NOT NULL
) STRICT;
-- Blocks that are looked at once more, for accounts that came later; one row.
CREATE TABLE settled_again (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    done_height INTEGER NOT NULL,
    last_height INTEGER NOT NULL
) STRICT;
-- Transactions of which it is proven that a block holds them, and what became of them there.
CREATE TABLE proven_tx (
    hash   TEXT PRIMARY KEY,          -- Lower-case hex.
    height INTEGER NOT NULL,
    code   INTEGER NOT NULL
) STRICT;
