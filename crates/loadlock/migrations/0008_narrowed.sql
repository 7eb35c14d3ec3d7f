-- By what the application's authorizer lets less through than the profile would.
ALTER TABLE uploads ADD COLUMN max_size_bytes INTEGER;
ALTER TABLE uploads ADD COLUMN key_prefix TEXT;
