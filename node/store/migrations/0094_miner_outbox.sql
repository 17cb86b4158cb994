-- Claims and proofs go through the outbox. What was signed for those that no block had goes on there, with the very same
-- bytes; its moment of validity, its fee and its messages are in the bytes, and the outbox fills them in when it starts.
CREATE TEMP TABLE miner_tx_open AS
SELECT miner_tx.*, end_height FROM miner_tx JOIN miner_session USING (session_id, supplier)
WHERE (kind = 'claim' AND stage IN ('sealed', 'claim_sent')) OR (kind = 'proof' AND stage IN ('proof_due', 'proof_sent'))
ORDER BY signed_ms, miner_tx.rowid;

INSERT INTO outbox_item (at_ms, account, reason, about, amount_upokt, memo, messages, max_fee_upokt, last_height, is_patient,
                         stage, state, updated_ms)
SELECT min(signed_ms), supplier, kind, session_id, '0', '', NULL, '100000', max(last_height), 1,
       'signed', json_object('version', 1, 'state', 'signed'), max(signed_ms)
FROM miner_tx_open
GROUP BY session_id, supplier, kind
ORDER BY min(signed_ms);

INSERT INTO outbox_tx (account, raw, hash, fee_upokt, last_height, first_height, kept_ms)
SELECT supplier, bytes, hash, '0', last_height, end_height + 1, signed_ms
FROM miner_tx_open
ORDER BY rowid;

INSERT INTO outbox_part (tx, item)
SELECT outbox_tx.id, outbox_item.id
FROM miner_tx_open
JOIN outbox_tx ON outbox_tx.hash = miner_tx_open.hash
JOIN outbox_item ON outbox_item.account = miner_tx_open.supplier AND outbox_item.reason = miner_tx_open.kind
                AND outbox_item.about = miner_tx_open.session_id;

DROP TABLE miner_tx_open;
DROP TABLE miner_tx;

-- What an item is about is asked for when it has ended, too.
CREATE INDEX outbox_item_is_about ON outbox_item (account, reason, about);
