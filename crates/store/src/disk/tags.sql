-- An object's tags: JSON, name to value. An upload's are those of the object that it becomes.
ALTER TABLE object ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
ALTER TABLE upload ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
ALTER TABLE completed_upload ADD COLUMN tags TEXT NOT NULL DEFAULT '{}';
