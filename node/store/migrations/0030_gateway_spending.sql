-- What relays were signed for and whose sessions are not settled yet: the stake on chain still holds it.
CREATE TABLE gateway_unsettled (
    application TEXT NOT NULL,
    session_id  TEXT NOT NULL,
    -- The block whose end settles the session.
    settled_at  INTEGER NOT NULL,
    upokt       INTEGER NOT NULL CHECK (upokt >= 0),
    PRIMARY KEY (application, session_id)
) STRICT, WITHOUT ROWID;

-- What answers of the network cost, by days since the epoch (UTC).
CREATE TABLE gateway_daily (
    day   INTEGER PRIMARY KEY,
    upokt INTEGER NOT NULL CHECK (upokt >= 0)
) STRICT;

-- What the owner set in place of the configuration's cap; one row.
CREATE TABLE gateway_daily_cap (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    upokt INTEGER NOT NULL CHECK (upokt >= 0)
) STRICT;

-- Receipts say what the supplier can claim: paid, unpaid, or unknown where nobody here can tell. Until now whatever
-- was signed counted as paid, and what broke off before as unpaid.
ALTER TABLE gateway_receipts ADD COLUMN charge TEXT NOT NULL DEFAULT 'unknown'
    CHECK (charge IN ('paid', 'unpaid', 'unknown'));
UPDATE gateway_receipts SET charge = CASE WHEN paid THEN 'paid' ELSE 'unpaid' END WHERE outcome = 'complete';
ALTER TABLE gateway_receipts DROP COLUMN paid;
