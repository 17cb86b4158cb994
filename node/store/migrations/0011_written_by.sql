-- The version of Hearth that opened this database last: one that is older than the form of the data names it.
ALTER TABLE belonging ADD COLUMN written_by TEXT NOT NULL DEFAULT '';
