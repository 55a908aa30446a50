-- Where the chunks of the units are brought to. No parameters.
CREATE TEMPORARY TABLE chunk_of (u bigint PRIMARY KEY, chunk integer NOT NULL) ON COMMIT DROP;
