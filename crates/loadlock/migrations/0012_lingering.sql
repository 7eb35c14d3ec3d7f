-- Whether an upload that is stored or has ended counts as under way all the same: its grant may bring something yet, or what it
-- brought is not cleared away.
ALTER TABLE uploads ADD COLUMN lingers BIGINT NOT NULL DEFAULT 0;
-- How much of it is kept in quarantine, where something is.
ALTER TABLE uploads ADD COLUMN kept_bytes BIGINT;
