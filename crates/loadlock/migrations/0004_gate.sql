-- What is known of an upload's beginning. The staged key has a secret in it: who knows an id cannot name the object.
ALTER TABLE uploads ADD COLUMN staged_key TEXT;
-- The API key that began it, by its name, and from where it was begun.
ALTER TABLE uploads ADD COLUMN api_key TEXT;
ALTER TABLE uploads ADD COLUMN address TEXT;
