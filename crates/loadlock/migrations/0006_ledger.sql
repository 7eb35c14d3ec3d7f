-- Who did what, when, from where, and what came of it. Rows are added, and cleared away once they are old; none is changed.
CREATE TABLE audit (
    id         INTEGER PRIMARY KEY,
    at         BIGINT  NOT NULL,
    act        TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    actor      TEXT    NOT NULL,
    owner      TEXT,
    profile    TEXT,
    upload_id  BLOB,
    size_bytes BIGINT,
    object_key TEXT,
    address    TEXT,
    detail     TEXT
);

CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_owner ON audit (owner, at) WHERE owner IS NOT NULL;
CREATE INDEX audit_upload ON audit (upload_id, at) WHERE upload_id IS NOT NULL;

-- Whose permissions are taken back.
CREATE TABLE revocations (
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    at         BIGINT  NOT NULL,
    revoked_by TEXT    NOT NULL,
    reason     TEXT,
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID;

-- One row, counted up with every change to them, so that a process sees whether what it knows still holds.
CREATE TABLE revocation_changes (n BIGINT NOT NULL);
INSERT INTO revocation_changes (n) VALUES (0);
