-- Stakes on their way back. That they arrived is said by no transaction, only by an event of a block.
CREATE TABLE stake_return (
    role         TEXT NOT NULL,       -- 'supplier', 'application', 'gateway'.
    address      TEXT NOT NULL,
    free_height  INTEGER NOT NULL,    -- The block in which it comes back.
    amount_upokt TEXT NOT NULL,       -- What was staked when it was seen; what came back once it did.
    is_back      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (role, address, free_height)
) STRICT;
