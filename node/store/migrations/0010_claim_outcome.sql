-- How a claim ended; NULL while something can still happen. Written from the state, for queries.
ALTER TABLE miner_session ADD COLUMN outcome TEXT;
UPDATE miner_session SET outcome = stage
WHERE stage IN ('settled', 'skipped', 'claim_missed', 'proof_missed', 'proof_invalid', 'expired');

DROP INDEX miner_session_stage;
CREATE INDEX miner_session_outcome ON miner_session (outcome);
