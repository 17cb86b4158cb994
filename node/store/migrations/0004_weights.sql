-- Models that are here: added from a folder of the owner's, or pulled.
CREATE TABLE weights_models (
    cid         TEXT PRIMARY KEY,
    slug        TEXT NOT NULL,
    manifest    BLOB NOT NULL,
    size_bytes  INTEGER NOT NULL,
    origin      TEXT NOT NULL CHECK (origin IN ('added', 'pulled')),
    added_at_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX weights_models_slug ON weights_models (slug);

-- Files of models and of downloads, one row for each path in a manifest.
CREATE TABLE weights_files (
    id          INTEGER PRIMARY KEY,
    model       TEXT NOT NULL,
    idx         INTEGER NOT NULL,
    -- Where the bytes lie: the one copy.
    disk_path   TEXT NOT NULL,
    -- While it is downloaded: one bit for each leaf that is on disk for good.
    have        BLOB,
    -- JSON of what the file looked like when its bytes were last compared with its CID; NULL: not yet, or it
    -- was found changed.
    fingerprint TEXT,
    -- When that was; NULL with it.
    verified_at_ms INTEGER,
    UNIQUE (model, idx)
) STRICT;

-- Nodes over the leaves; the manifest stands in weights_models.
CREATE TABLE weights_nodes (
    digest BLOB NOT NULL,
    file   INTEGER NOT NULL REFERENCES weights_files (id) ON DELETE CASCADE,
    bytes  BLOB NOT NULL,
    PRIMARY KEY (digest, file)
) STRICT, WITHOUT ROWID;

CREATE INDEX weights_nodes_file ON weights_nodes (file);

-- Leaves as ranges of finished files.
CREATE TABLE weights_leaves (
    digest BLOB NOT NULL,
    file   INTEGER NOT NULL REFERENCES weights_files (id) ON DELETE CASCADE,
    at     INTEGER NOT NULL,
    length INTEGER NOT NULL,
    -- How the bytes become the block: 0 as they are, 1 in a dag-pb node of type File, 2 of type Raw.
    form   INTEGER NOT NULL,
    PRIMARY KEY (digest, file)
) STRICT, WITHOUT ROWID;

CREATE INDEX weights_leaves_file ON weights_leaves (file);

-- Downloads that are not finished. `state` is JSON, `state_code` its name for queries.
CREATE TABLE weights_downloads (
    cid           TEXT PRIMARY KEY,
    state_code    TEXT NOT NULL,
    state         TEXT NOT NULL,
    -- JSON list of URLs.
    sources       TEXT NOT NULL,
    -- NULL until it is located.
    manifest      BLOB,
    started_at_ms INTEGER NOT NULL
) STRICT;
