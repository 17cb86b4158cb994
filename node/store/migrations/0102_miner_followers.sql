-- Each supplier follows the blocks for itself. The place of the one that there was counts for every supplier that has
-- served here.
INSERT OR IGNORE INTO chain_follower (name, height)
SELECT 'miner ' || served.supplier, follower.height
FROM chain_follower AS follower, (SELECT DISTINCT supplier FROM miner_session) AS served
WHERE follower.name = 'miner';
DELETE FROM chain_follower WHERE name = 'miner';
