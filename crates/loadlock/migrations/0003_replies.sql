-- What begins that named an idempotency key were answered, so that a repetition is answered alike: the key is SHA-256 over
-- caller and key, the fingerprint SHA-256 over the body, answers a JSON list of ids and refusals in the order asked.
CREATE TABLE replies (
    key         BLOB   NOT NULL PRIMARY KEY,
    fingerprint BLOB   NOT NULL,
    answers     TEXT   NOT NULL,
    at          BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX replies_at ON replies (at);
