-- An identity of a pool writes below the same prefix for ever: there one session at a time is open. How many an owner has open is
-- counted.
UPDATE sessions SET next_attempt_at = NULL
WHERE next_attempt_at IS NOT NULL AND EXISTS (
    SELECT 1 FROM sessions AS later
    WHERE later.prefix = sessions.prefix AND later.next_attempt_at IS NOT NULL AND later.id > sessions.id
);

CREATE UNIQUE INDEX sessions_open ON sessions (prefix) WHERE next_attempt_at IS NOT NULL;
CREATE INDEX sessions_owner ON sessions (owner) WHERE next_attempt_at IS NOT NULL;
