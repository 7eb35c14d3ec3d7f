-- The names of the form data that is the authorizer's word, as JSON: no claim changes it.
ALTER TABLE uploads ADD COLUMN authorized TEXT;
