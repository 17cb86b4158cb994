-- Who asked for an answer of the network; NULL in receipts from before, whose asker is not known.
ALTER TABLE gateway_receipts ADD COLUMN asker TEXT CHECK (asker IN ('owner', 'program', 'key'));
-- The key, where one was shown: its id, and its name at that time.
ALTER TABLE gateway_receipts ADD COLUMN key_id TEXT;
ALTER TABLE gateway_receipts ADD COLUMN key_name TEXT;
