-- What the chain took of the stake for a claim without a valid proof, as JSON; NULL: nothing.
ALTER TABLE miner_session ADD COLUMN slash TEXT;
-- Our part of an ended session in upokt, for sums: what was paid, or what its answers would have brought. NULL while the
-- session is open, and in rows of older programs until the miner starts.
ALTER TABLE miner_session ADD COLUMN share INTEGER;
