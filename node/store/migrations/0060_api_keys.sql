-- What a key may do and what it may cost. A key of before may do what keys could: everything but the control API.
ALTER TABLE api_key ADD COLUMN scopes TEXT NOT NULL DEFAULT 'local network embeddings';
ALTER TABLE api_key ADD COLUMN models TEXT NOT NULL DEFAULT '';    -- Patterns, one on a line; none: every model.
ALTER TABLE api_key ADD COLUMN origins TEXT NOT NULL DEFAULT '';   -- Origins of pages, one on a line; none: any.
ALTER TABLE api_key ADD COLUMN requests_per_minute INTEGER CHECK (requests_per_minute > 0);
ALTER TABLE api_key ADD COLUMN tokens_per_minute INTEGER CHECK (tokens_per_minute > 0);
ALTER TABLE api_key ADD COLUMN daily_budget_upokt INTEGER CHECK (daily_budget_upokt >= 0);
ALTER TABLE api_key ADD COLUMN total_budget_upokt INTEGER CHECK (total_budget_upokt >= 0);
ALTER TABLE api_key ADD COLUMN expires_ms INTEGER;
ALTER TABLE api_key ADD COLUMN revoked_ms INTEGER;                 -- Kept, so that its usage keeps a name.
-- What its answers cost, those that are being made included: counted before anything is signed.
ALTER TABLE api_key ADD COLUMN spent_upokt INTEGER NOT NULL DEFAULT 0 CHECK (spent_upokt >= 0);
ALTER TABLE api_key ADD COLUMN spent_day INTEGER NOT NULL DEFAULT 0;  -- The day of the next column, since the epoch (UTC).
ALTER TABLE api_key ADD COLUMN spent_day_upokt INTEGER NOT NULL DEFAULT 0 CHECK (spent_day_upokt >= 0);

-- What was asked for: by day since the epoch (UTC), who asked, and model.
CREATE TABLE api_usage (
    day               INTEGER NOT NULL,
    asker             TEXT NOT NULL,        -- 'owner', 'local', or the id of a key.
    model             TEXT NOT NULL,        -- '' where none was named or there were too many.
    requests          INTEGER NOT NULL,
    errors            INTEGER NOT NULL,     -- Of the requests, those without an answer.
    prompt_tokens     INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    upokt             INTEGER NOT NULL,
    PRIMARY KEY (day, asker, model)
) STRICT, WITHOUT ROWID;
