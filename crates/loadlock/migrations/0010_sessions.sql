-- Temporary credentials that were handed out: whose they are, and below which prefix of the staging bucket they may write. What
-- arrives there is looked for at `next_attempt_at`, under a lease, until nothing can arrive any more.
CREATE TABLE sessions (
    id              BLOB   NOT NULL PRIMARY KEY,
    profile         TEXT   NOT NULL,
    owner           TEXT   NOT NULL,
    api_key         TEXT,
    address         TEXT,
    prefix          TEXT   NOT NULL,
    metadata        TEXT   NOT NULL,
    expires_at      BIGINT NOT NULL,
    attempts        BIGINT NOT NULL,
    lease_until     BIGINT,
    next_attempt_at BIGINT
) WITHOUT ROWID;

CREATE INDEX sessions_due ON sessions (next_attempt_at) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX sessions_prefix ON sessions (prefix);
