-- Folders, archive, settings of a conversation, and where it was imported from.
ALTER TABLE conversation ADD COLUMN folder TEXT;                        -- A plain name.
ALTER TABLE conversation ADD COLUMN archived INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN params TEXT;                        -- JSON: how answers are made.
ALTER TABLE conversation ADD COLUMN origin TEXT;                        -- 'chatgpt:ID', 'open-webui:ID'.
CREATE UNIQUE INDEX conversation_origin ON conversation (origin) WHERE origin IS NOT NULL;
CREATE INDEX conversation_folder ON conversation (folder) WHERE folder IS NOT NULL;

ALTER TABLE message ADD COLUMN thought_ms INTEGER;                      -- How long the model reasoned.

-- Files whose text goes with a question.
CREATE TABLE attachment (
    id           TEXT PRIMARY KEY,
    message_id   TEXT REFERENCES message (id) ON DELETE CASCADE,        -- NULL: not sent yet; kept for a day then.
    place        INTEGER NOT NULL DEFAULT 0,                            -- Its place among those of the message.
    name         TEXT NOT NULL,
    media_type   TEXT NOT NULL,
    n_bytes      INTEGER NOT NULL,                                      -- Of the file.
    n_characters INTEGER NOT NULL,                                      -- Of `content`.
    n_text_bytes INTEGER NOT NULL,                                      -- Of `content`.
    is_cut       INTEGER NOT NULL,                                      -- 1: the end of the text is left out.
    content      TEXT NOT NULL,
    created_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX attachment_of ON attachment (message_id, place);
