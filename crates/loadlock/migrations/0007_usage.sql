-- What an upload takes up of quotas: the declared size, or the most its grant allows; once inspected, what was found.
ALTER TABLE uploads ADD COLUMN reserved_bytes BIGINT NOT NULL DEFAULT 0;
-- Where nobody signed in: the network by which it is counted. The day, from 1970-01-01 UTC on, on which it began.
ALTER TABLE uploads ADD COLUMN counted_at TEXT NOT NULL DEFAULT '';
ALTER TABLE uploads ADD COLUMN counted_on BIGINT NOT NULL DEFAULT 0;

UPDATE uploads SET reserved_bytes =
    COALESCE((SELECT files.size_bytes FROM files WHERE files.id = uploads.id), size_bytes, 5368709120);

-- What there is, by owner within a profile, by profile (no owner) and by owner over all profiles (no profile). It changes
-- in the transaction that changes an upload. `begun` is a count of `day`.
CREATE TABLE usage (
    profile      TEXT   NOT NULL,
    owner        TEXT   NOT NULL,
    address      TEXT   NOT NULL,
    stored_bytes BIGINT NOT NULL,
    stored_files BIGINT NOT NULL,
    open_bytes   BIGINT NOT NULL,
    open_files   BIGINT NOT NULL,
    day          BIGINT NOT NULL,
    begun        BIGINT NOT NULL,
    PRIMARY KEY (profile, owner, address)
) WITHOUT ROWID;

INSERT INTO usage
SELECT uploads.profile, uploads.owner, '',
    COALESCE(SUM(files.size_bytes), 0), COUNT(files.id),
    SUM(CASE WHEN state IN ('issued', 'received', 'ready') THEN reserved_bytes ELSE 0 END),
    SUM(CASE WHEN state IN ('issued', 'received', 'ready') THEN 1 ELSE 0 END),
    0, COUNT(*)
FROM uploads LEFT JOIN files ON files.id = uploads.id
GROUP BY uploads.profile, uploads.owner;

INSERT INTO usage
SELECT profile, '', '', SUM(stored_bytes), SUM(stored_files), SUM(open_bytes), SUM(open_files), 0, SUM(begun)
FROM usage WHERE owner <> '' AND profile <> '' GROUP BY profile;

INSERT INTO usage
SELECT '', owner, '', SUM(stored_bytes), SUM(stored_files), SUM(open_bytes), SUM(open_files), 0, SUM(begun)
FROM usage WHERE owner <> '' AND profile <> '' GROUP BY owner;
