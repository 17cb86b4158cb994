-- The signed bytes of a payment on its way: a retry sends these again, never others. NULL: noted before they were kept.
ALTER TABLE wallet_pending ADD COLUMN raw BLOB;
