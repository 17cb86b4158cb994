-- Answers of /v1/responses, which later requests go on from. They are kept for a day.
CREATE TABLE api_response (
    id         TEXT PRIMARY KEY,
    owner      TEXT NOT NULL,               -- Who made it: 'owner', 'program', 'key:ID'.
    created_ms INTEGER NOT NULL,
    n_bytes    INTEGER NOT NULL,            -- Of `value`.
    value      TEXT NOT NULL                -- JSON: the items that it was made from, and the answer.
) STRICT;
CREATE INDEX api_response_of ON api_response (owner, created_ms);
CREATE INDEX api_response_age ON api_response (created_ms);
