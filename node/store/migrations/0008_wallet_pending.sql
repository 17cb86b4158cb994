-- Payments that were signed and whose end was not seen yet: looked up by their hash until it is certain.
CREATE TABLE wallet_pending (
    tx_hash  TEXT PRIMARY KEY,              -- Of its line in wallet_activity.
    until_ms INTEGER                        -- No later block can hold it, by the chain's time. NULL: it has no such moment.
) STRICT;

-- The chain takes none that is valid for more than ten minutes; the rest is for clocks that differ.
INSERT INTO wallet_pending (tx_hash, until_ms)
SELECT tx_hash, at_ms + 900000 FROM wallet_activity WHERE outcome = 'sent';
