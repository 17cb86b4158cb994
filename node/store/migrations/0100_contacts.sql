-- Whom the owner pays, by name.
CREATE TABLE contact (
    address    TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    note       TEXT,
    created_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX contact_name ON contact (name COLLATE NOCASE);

-- What the owner calls movements of money, by the id of the movement.
CREATE TABLE movement_label (
    movement TEXT PRIMARY KEY,
    label    TEXT NOT NULL
) STRICT;
