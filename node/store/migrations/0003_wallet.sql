-- What this wallet did: payments and stakes it signed. Rewards are in the miner's tables.
CREATE TABLE wallet_activity (
    tx_hash      TEXT PRIMARY KEY,          -- Upper-case hex, as the chain names it.
    at_ms        INTEGER NOT NULL,          -- Milliseconds since the epoch.
    height       INTEGER,                   -- NULL until it is in a block.
    kind         TEXT NOT NULL,             -- 'sent', 'received', 'stake', 'unstake', 'delegate', 'service'.
    account      TEXT NOT NULL,             -- Own address that it concerns.
    counterparty TEXT,
    amount_upokt TEXT NOT NULL,
    fee_upokt    TEXT NOT NULL,
    outcome      TEXT NOT NULL,             -- 'sent', 'included', 'failed: <why>'.
    note         TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX wallet_activity_at ON wallet_activity (at_ms DESC);
