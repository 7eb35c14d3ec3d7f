-- One row. `generation` counts the openings; `low_water` is an id below which every data file is known to `blob`.
CREATE TABLE store (generation INTEGER NOT NULL, low_water INTEGER NOT NULL) STRICT;
INSERT INTO store VALUES (0, 0);

CREATE TABLE bucket (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL
) STRICT;

CREATE TABLE bucket_config (
    bucket INTEGER NOT NULL REFERENCES bucket ON DELETE CASCADE,
    kind TEXT NOT NULL,
    document BLOB NOT NULL,
    PRIMARY KEY (bucket, kind)
) STRICT, WITHOUT ROWID;

-- A data file. `refs` counts the segments that lie in it; -1 when its file is being unlinked.
CREATE TABLE blob (id INTEGER PRIMARY KEY, refs INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX blob_doomed ON blob (refs) WHERE refs <= 0;

-- A body (of an object or a part) is a row of segments; `position` is a segment's offset in the body.
CREATE TABLE segment (
    body INTEGER NOT NULL,
    position INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (body, position)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER segment_added AFTER INSERT ON segment BEGIN
    UPDATE blob SET refs = refs + 1 WHERE id = NEW.blob;
END;
CREATE TRIGGER segment_removed AFTER DELETE ON segment BEGIN
    UPDATE blob SET refs = refs - 1 WHERE id = OLD.blob;
END;

CREATE TABLE object (
    id INTEGER PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES bucket,
    key TEXT NOT NULL,
    body INTEGER NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    checksums TEXT NOT NULL,
    parts INTEGER,
    UNIQUE (bucket, key)
) STRICT;
CREATE INDEX object_age ON object (bucket, modified);

CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES bucket,
    key TEXT NOT NULL,
    created INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    checksum TEXT NOT NULL,
    UNIQUE (bucket, key, id)
) STRICT;
CREATE INDEX upload_age ON upload (bucket, created);

CREATE TABLE part (
    upload TEXT NOT NULL REFERENCES upload,
    number INTEGER NOT NULL,
    body INTEGER NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    checksums TEXT NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

-- What a completed upload answered, for the client that did not hear it.
CREATE TABLE completed_upload (
    id TEXT PRIMARY KEY,
    bucket INTEGER NOT NULL REFERENCES bucket ON DELETE CASCADE,
    key TEXT NOT NULL,
    etag TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,
    metadata TEXT NOT NULL,
    checksums TEXT NOT NULL,
    parts INTEGER,
    completed INTEGER NOT NULL
) STRICT;
CREATE INDEX completed_upload_age ON completed_upload (completed);
CREATE INDEX completed_upload_bucket ON completed_upload (bucket);
