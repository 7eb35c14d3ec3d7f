-- API keys, by their SHA-256. The scope is a JSON list of profiles; without one a key is good for all.
CREATE TABLE api_keys (
    name       TEXT   NOT NULL PRIMARY KEY,
    sha256     BLOB   NOT NULL UNIQUE,
    scope      TEXT,
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    created_by TEXT   NOT NULL
);

-- Local users: the password as a PHC string of argon2id, the claims a JSON object.
CREATE TABLE users (
    name        TEXT   NOT NULL PRIMARY KEY,
    password    TEXT   NOT NULL,
    claims      TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT
);

-- A key that is good for some profiles sees the files of those.
CREATE INDEX files_profile ON files (profile, id);
