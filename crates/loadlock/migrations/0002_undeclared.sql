-- A form rendered before a file is chosen declares neither size nor type: inspection finds them.
ALTER TABLE uploads ADD COLUMN declared_size BIGINT;
UPDATE uploads SET declared_size = size_bytes;
ALTER TABLE uploads DROP COLUMN size_bytes;
ALTER TABLE uploads RENAME COLUMN declared_size TO size_bytes;

ALTER TABLE uploads ADD COLUMN declared_type TEXT;
UPDATE uploads SET declared_type = content_type;
ALTER TABLE uploads DROP COLUMN content_type;
ALTER TABLE uploads RENAME COLUMN declared_type TO content_type;

-- Where the person goes on after a form was sent.
ALTER TABLE uploads ADD COLUMN return_to TEXT;

-- An upload token follows from its id and the service's secret.
ALTER TABLE uploads DROP COLUMN token_hash;
