-- Makes a table for pages of hashed keys. No parameters.
CREATE TEMPORARY TABLE page (page bigint NOT NULL) ON COMMIT DROP
