-- Times are unix milliseconds, ids the 16 bytes of a ULID, facts and metadata JSON.
CREATE TABLE claims (
    id         BLOB    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL,
    metadata   TEXT    NOT NULL,
    created_at BIGINT  NOT NULL
);

-- The row is the queue: what is due at `next_attempt_at` and under no lease is done next.
CREATE TABLE uploads (
    id               BLOB    NOT NULL PRIMARY KEY,
    profile          TEXT    NOT NULL,
    owner            TEXT    NOT NULL,
    filename         TEXT    NOT NULL,
    content_type     TEXT    NOT NULL,
    size_bytes       BIGINT  NOT NULL,
    checksum         TEXT,
    metadata         TEXT,
    method           TEXT    NOT NULL,
    multipart_id     TEXT,
    token_hash       BLOB    NOT NULL,
    grant_expires_at BIGINT  NOT NULL,
    expires_at       BIGINT  NOT NULL,
    claim_id         BLOB    REFERENCES claims (id),
    state            TEXT    NOT NULL,
    facts            TEXT,
    attempts         BIGINT  NOT NULL,
    lease_until      BIGINT,
    next_attempt_at  BIGINT
) WITHOUT ROWID;

CREATE INDEX uploads_due ON uploads (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX uploads_claim ON uploads (claim_id) WHERE claim_id IS NOT NULL;

CREATE TABLE files (
    id           BLOB    NOT NULL PRIMARY KEY REFERENCES uploads (id),
    profile      TEXT    NOT NULL,
    owner        TEXT    NOT NULL,
    filename     TEXT    NOT NULL,
    content_type TEXT    NOT NULL,
    size_bytes   BIGINT  NOT NULL,
    checksum     TEXT,
    width        BIGINT,
    height       BIGINT,
    metadata     TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    object_key   TEXT    NOT NULL
);

CREATE INDEX files_owner ON files (owner, id);

-- What happened, in order, for those who are told later; written with the change itself.
CREATE TABLE events (
    id        INTEGER PRIMARY KEY,
    upload_id BLOB    NOT NULL REFERENCES uploads (id),
    name      TEXT    NOT NULL,
    at        BIGINT  NOT NULL
);
